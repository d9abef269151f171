"""What is known of an inode and how it is set: stat(2), chmod(2), chown(2), truncate(2), utimensat(2), access(2)."""

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

from minidocker.kernel import Stat
from minidocker.linux import O_PATH, S_IFDIR, S_IFLNK, S_IFREG, W_OK, fail
from minidocker.sim.inode import Change
from minidocker.sim.mount import want_write
from minidocker.sim.path import Location, lookup
from minidocker.sim.permission import (
    MAY_WRITE,
    S_ISGID,
    capable_over,
    keeps_setgid,
    owns,
    permitted,
    require,
    without_setid,
)
from minidocker.sim.regular import InodeFile, truncate_inode
from minidocker.sim.user_namespace import UNMAPPED

if TYPE_CHECKING:
    from minidocker.sim.inode import Inode
    from minidocker.sim.task import Task


def sys_stat(task: "Task", path: str) -> Stat:
    """Tell about the inode that a path leads to (stat(2))."""
    location = lookup(task, path)
    return seen(task, location.inode.stat(location.dentry))


def sys_lstat(task: "Task", path: str) -> Stat:
    """Tell about the inode of a name, of a symlink itself (lstat(2))."""
    location = lookup(task, path, follow=False)
    return seen(task, location.inode.stat(location.dentry))


def seen(task: "Task", stat: Stat) -> Stat:
    """Return what a task is told: owner and group by the numbers of its user namespace, 65534 for nobody there."""
    user = task.creds.user
    if user.parent is None:
        return stat
    return replace(stat, st_uid=user.shown_uid(stat.st_uid), st_gid=user.shown_gid(stat.st_gid))


def open_location(task: "Task", fd: int) -> Location:
    """Return the place that a descriptor was opened at; EBADF for O_PATH, EINVAL for what lies on no file system."""
    file = task.files.get(fd)
    if file.flags & O_PATH:
        fail(errno.EBADF)
    location = getattr(file, "location", None)
    if location is None:
        fail(errno.EINVAL)
    return Location(*location)


def held_inode(task: "Task", fd: int) -> "Inode":
    """Return the inode that a descriptor holds, whatever became of its name."""
    file = task.files.get(fd)
    return file.inode if isinstance(file, InodeFile) else open_location(task, fd).inode


def sys_chmod(task: "Task", path: str, mode: int) -> None:
    """Set the permission bits (chmod(2)); EPERM for all but the owner, without CAP_FOWNER."""
    location = lookup(task, path)
    _chmod(task, location, location.inode, mode)


def sys_fchmod(task: "Task", fd: int, mode: int) -> None:
    """Set the permission bits of an open file (fchmod(2))."""
    _chmod(task, open_location(task, fd), held_inode(task, fd), mode)


def _chmod(task: "Task", location: Location, inode: "Inode", mode: int) -> None:
    want_write(location.mount)
    if not owns(task.creds, inode):
        fail(errno.EPERM)
    mode &= 0o7777
    if not keeps_setgid(task.creds, inode):
        mode &= ~S_ISGID
    inode.change(location.dentry, Change(mode=mode))


def sys_chown(task: "Task", path: str, uid: int, gid: int) -> None:
    """Set owner and group; -1 leaves one as it is (chown(2))."""
    location = lookup(task, path)
    _chown(task, location, location.inode, uid, gid)


def sys_lchown(task: "Task", path: str, uid: int, gid: int) -> None:
    """Set owner and group of a symlink itself (lchown(2))."""
    location = lookup(task, path, follow=False)
    _chown(task, location, location.inode, uid, gid)


def sys_fchown(task: "Task", fd: int, uid: int, gid: int) -> None:
    """Set owner and group of an open file (fchown(2))."""
    _chown(task, open_location(task, fd), held_inode(task, fd), uid, gid)


def _chown(task: "Task", location: Location, inode: "Inode", uid: int, gid: int) -> None:
    """Change ids. CAP_CHOWN gives files away; the owner may choose among its groups (EPERM). Unmapped ids are EINVAL.

    Set-user-id and set-group-id end, even if root does it.
    """
    want_write(location.mount)
    creds, users = task.creds, task.creds.user
    uid, gid = (-1 if number == UNMAPPED else number for number in (uid, gid))
    change = Change(uid=None if uid == -1 else users.valid_kuid(uid), gid=None if gid == -1 else users.valid_kgid(gid))
    _require_kept(inode, change)
    if not capable_over(creds, inode, "CAP_CHOWN"):
        mine = inode.uid == creds.euid
        if change.uid is not None and not (mine and change.uid == inode.uid):
            fail(errno.EPERM)
        if change.gid is not None and not (mine and (change.gid == inode.gid or creds.in_group(change.gid))):
            fail(errno.EPERM)
    if not inode.is_dir and inode.mode & 0o6000:
        mode = without_setid(creds, inode)
        if mode != inode.mode:
            if not owns(creds, inode):
                fail(errno.EPERM)
            change.mode = mode & 0o7777
    inode.change(location.dentry, change)


def _require_kept(inode: "Inode", change: Change) -> None:
    """Refuse an owner that the file system cannot keep: it has no number where that was mounted (EOVERFLOW)."""
    user = inode.superblock.user
    if (change.uid is not None and not user.has_uid(change.uid)) or (
        change.gid is not None and not user.has_gid(change.gid)
    ):
        fail(errno.EOVERFLOW)


def sys_truncate(task: "Task", path: str, length: int) -> None:
    """Cut or grow a file to length bytes (truncate(2)); EISDIR, EINVAL for what is no regular file."""
    if length < 0:
        fail(errno.EINVAL)
    location = lookup(task, path)
    inode = location.inode
    if inode.is_dir:
        fail(errno.EISDIR)
    if inode.kind != S_IFREG:
        fail(errno.EINVAL)
    want_write(location.mount)
    require(task.creds, inode, MAY_WRITE)
    truncate_inode(task, location.dentry, inode, length)


def sys_utime(task: "Task", path: str, ns: tuple[int, int] | None = None, follow_symlinks: bool = True) -> None:
    """Set times, in nanoseconds; None means now, which whoever may write may set too (utimensat(2))."""
    location = lookup(task, path, follow=follow_symlinks)
    inode = location.inode
    want_write(location.mount)
    if not owns(task.creds, inode):
        if ns is not None:
            fail(errno.EPERM)
        require(task.creds, inode, MAY_WRITE)
    now_ns = task.kernel.clock.now_ns()
    atime_ns, mtime_ns = ns or (now_ns, now_ns)
    inode.change(location.dentry, Change(atime_ns=atime_ns, mtime_ns=mtime_ns))


def sys_access(task: "Task", path: str, mode: int) -> bool:
    """Tell whether the real user may read, write or execute; never raises (access(2))."""
    creds = task.creds
    try:
        task.creds = creds.real()
        location = lookup(task, path)
        if mode & W_OK and location.inode.kind in (S_IFREG, S_IFDIR, S_IFLNK):
            want_write(location.mount)
        return permitted(task.creds, location.inode, mode)
    except OSError:
        return False
    finally:
        task.creds = creds
