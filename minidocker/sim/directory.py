"""The calls that make, remove and move names: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rmdir(2), rename(2).

Each walks to the directory, asks whether the mount may be written and the directory changed, and then the file system.
The order of the checks is Linux's (fs/namei.c), since it decides which errno is seen.
"""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import O_DIRECTORY, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, fail
from minidocker.sim.capability import capable
from minidocker.sim.mount import want_write
from minidocker.sim.path import Last, Location, Walk, check_path, lookup, lookup_parent
from minidocker.sim.permission import (
    MAY_READ,
    MAY_WRITE,
    S_ISGID,
    S_ISUID,
    owns,
    permitted,
    require,
    require_creatable,
    require_removable,
)
from minidocker.sim.user_namespace import FIRST

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.task import Task


def sys_listdir(task: "Task", path: str = ".") -> list[str]:
    """Return the names in a directory (getdents64(2)); ENOTDIR, EACCES."""
    location = lookup(task, path)
    inode = location.inode
    if not inode.is_dir:
        fail(errno.ENOTDIR)
    require(task.creds, inode, MAY_READ)
    inode.before_open(location.dentry, O_DIRECTORY)
    return inode.names(location.dentry)


def sys_readlink(task: "Task", path: str) -> str:
    """Return what a symbolic link says (readlink(2)); EINVAL if it is none."""
    location = lookup(task, path, follow=False)
    if not location.inode.is_link:
        fail(errno.EINVAL)
    return location.inode.readlink(location.dentry, task)


def _new_name(task: "Task", path: str, *, directory: bool = False) -> "tuple[Location, Dentry]":
    """Walk to where a name is to be made: (the directory, the negative dentry). EEXIST comes before EROFS."""
    check_path(path)
    walk = Walk(task)
    last = walk.to_parent(path, task.fs.cwd)
    if not last.normal:
        fail(errno.EEXIST)
    dentry = walk.child(last.parent.dentry, last.name)
    if dentry.inode is not None:
        fail(errno.EEXIST)
    if last.slash and not directory:
        fail(errno.ENOENT)
    want_write(last.parent.mount)
    return last.parent, dentry


def _make(task: "Task", path: str, mode: int, *, rdev: int = 0, target: str = "") -> None:
    parent, dentry = _new_name(task, path, directory=mode & S_IFMT == S_IFDIR)
    require_creatable(task, parent.inode)
    # CAP_MKNOD counts in the first user namespace alone: rootless, root may make no device either (user_namespaces(7)).
    if mode & S_IFMT in (S_IFCHR, S_IFBLK) and not _is_whiteout(mode, rdev) and not capable(task, FIRST, "CAP_MKNOD"):
        fail(errno.EPERM)
    parent.inode.make(dentry, mode, task.creds, rdev=rdev, target=target)


def _is_whiteout(mode: int, rdev: int) -> bool:
    """A whiteout is no device: anybody may make one (vfs_mknod)."""
    return mode & S_IFMT == S_IFCHR and rdev == 0


def sys_mkdir(task: "Task", path: str, mode: int = 0o777) -> None:
    """Make a directory (mkdir(2))."""
    _make(task, path, S_IFDIR | mode & 0o1777 & ~task.fs.umask)


def sys_mknod(task: "Task", path: str, mode: int = 0o600, device: int = 0) -> None:
    """Make a regular file, fifo, socket or device (mknod(2)); EPERM for a directory, for devices without CAP_MKNOD."""
    kind = mode & S_IFMT or S_IFREG
    if kind == S_IFDIR:
        fail(errno.EPERM)
    if kind not in (S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK):
        fail(errno.EINVAL)
    rdev = device if kind in (S_IFCHR, S_IFBLK) else 0
    _make(task, path, kind | mode & 0o7777 & ~task.fs.umask, rdev=rdev)


def sys_symlink(task: "Task", src: str, dst: str) -> None:
    """Make a symbolic link at dst that says src (symlink(2)); ENOENT if it would say nothing."""
    check_path(src)
    _make(task, dst, S_IFLNK | 0o777, target=src)


def sys_link(task: "Task", src: str, dst: str, *, follow_symlinks: bool = False) -> None:
    """Give an inode one more name (link(2)); EXDEV across mounts, EPERM for a directory."""
    old = lookup(task, src, follow=follow_symlinks)
    parent, new = _new_name(task, dst)
    if old.mount is not parent.mount:
        fail(errno.EXDEV)
    _may_link(task, old.inode)
    require_creatable(task, parent.inode)
    if old.inode.is_dir:
        fail(errno.EPERM)
    if not old.inode.nlink:
        fail(errno.ENOENT)
    parent.inode.link(old.dentry, new)


def _may_link(task: "Task", inode: "Inode") -> None:
    """With fs.protected_hardlinks one may link what one owns, or an ordinary file one may read and write (EPERM)."""
    if not task.kernel.profile.protected_hardlinks or owns(task.creds, inode):
        return
    mode = inode.mode
    ordinary = mode & S_IFMT == S_IFREG and not mode & S_ISUID and mode & (S_ISGID | 0o010) != S_ISGID | 0o010
    if not ordinary or not permitted(task.creds, inode, MAY_READ | MAY_WRITE):
        fail(errno.EPERM)


def _old_name(task: "Task", last: Last) -> "Dentry":
    """Look up the name that is to go; ENOENT."""
    dentry = Walk(task).child(last.parent.dentry, last.name)
    if dentry.inode is None:
        fail(errno.ENOENT)
    return dentry


def _require_no_mount(task: "Task", dentry: "Dentry") -> None:
    """A mount point of the caller's namespace can be neither removed nor moved (EBUSY)."""
    if dentry.mounts and any(dentry in mount.children for mount in task.ns.mnt.root.tree()):
        fail(errno.EBUSY)


def sys_unlink(task: "Task", path: str) -> None:
    """Remove a name (unlink(2)); EISDIR for a directory."""
    last = lookup_parent(task, path)
    if not last.normal:
        fail(errno.EISDIR)
    want_write(last.parent.mount)
    dentry = _old_name(task, last)
    victim, directory = dentry.inode, last.parent.inode
    assert victim is not None
    if last.slash:
        fail(errno.EISDIR if victim.is_dir else errno.ENOTDIR)
    require_removable(task.creds, directory, victim)
    if victim.is_dir:
        fail(errno.EISDIR)
    _require_no_mount(task, dentry)
    directory.unlink(dentry)
    dentry.gone = True


def sys_rmdir(task: "Task", path: str) -> None:
    """Remove an empty directory (rmdir(2)); ENOTEMPTY, EBUSY for a mount point, EINVAL for ``.``."""
    last = lookup_parent(task, path)
    if not last.normal:
        fail({"..": errno.ENOTEMPTY, ".": errno.EINVAL}.get(last.name, errno.EBUSY))
    want_write(last.parent.mount)
    dentry = _old_name(task, last)
    victim, directory = dentry.inode, last.parent.inode
    assert victim is not None
    require_removable(task.creds, directory, victim)
    if not victim.is_dir:
        fail(errno.ENOTDIR)
    _require_no_mount(task, dentry)
    directory.rmdir(dentry)


def sys_rename(task: "Task", src: str, dst: str) -> None:
    """Give an inode another name, replacing what has it (rename(2))."""
    old_last, new_last = lookup_parent(task, src), lookup_parent(task, dst)
    if old_last.parent.mount is not new_last.parent.mount:
        fail(errno.EXDEV)
    if not old_last.normal or not new_last.normal:
        fail(errno.EBUSY)
    want_write(old_last.parent.mount)
    old, new = _rename_pair(task, old_last, new_last)
    source, target = old.inode, new.inode
    assert source is not None
    if source is target:
        return
    _may_rename(task, old, new)
    _require_no_mount(task, old)
    if target is not None:
        _require_no_mount(task, new)
    old_last.parent.inode.rename(old, new)
    new.gone = target is not None


def _rename_pair(task: "Task", old_last: Last, new_last: Last) -> "tuple[Dentry, Dentry]":
    """Look both names up; no directory into itself (EINVAL), nothing over its own ancestor (ENOTEMPTY)."""
    old = _old_name(task, old_last)
    new = Walk(task).child(new_last.parent.dentry, new_last.name)
    assert old.inode is not None
    if not old.inode.is_dir and (old_last.slash or new_last.slash):
        fail(errno.ENOTDIR)
    if new_last.parent.dentry is not old_last.parent.dentry:
        if new_last.parent.dentry.is_below(old):
            fail(errno.EINVAL)
        if new.inode is not None and old_last.parent.dentry.is_below(new):
            fail(errno.ENOTEMPTY)
    return old, new


def _may_rename(task: "Task", old: "Dentry", new: "Dentry") -> None:
    """What vfs_rename asks: the old name may be removed, the new one made or removed, and ``..`` rewritten."""
    creds, source, target = task.creds, old.inode, new.inode
    from_directory, to_directory = old.parent.inode, new.parent.inode
    assert source is not None
    assert from_directory is not None
    assert to_directory is not None
    require_removable(creds, from_directory, source)
    if target is None:
        if to_directory.dead:
            fail(errno.ENOENT)
        require_creatable(task, to_directory)
    else:
        require_removable(creds, to_directory, target)
        if source.is_dir and not target.is_dir:
            fail(errno.ENOTDIR)
        if target.is_dir and not source.is_dir:
            fail(errno.EISDIR)
    if source.is_dir and from_directory is not to_directory:
        require(creds, source, MAY_WRITE)
