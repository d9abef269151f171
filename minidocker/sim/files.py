"""Opening files, and the calls on descriptors: open(2), read(2), write(2), lseek(2), ftruncate(2), fstat(2) …."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.kernel import Stat
from minidocker.linux import (
    MS_NODEV,
    O_ACCMODE,
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOCTTY,
    O_NOFOLLOW,
    O_PATH,
    O_RDONLY,
    O_TRUNC,
    O_WRONLY,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFLNK,
    S_IFREG,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
    fail,
)
from minidocker.sim.attributes import seen
from minidocker.sim.mount import want_write
from minidocker.sim.path import Last, Location, Walk, check_path
from minidocker.sim.permission import MAY_READ, MAY_WRITE, S_ISVTX, require, require_creatable
from minidocker.sim.regular import InodeFile, truncate_inode

if TYPE_CHECKING:
    from minidocker.sim.inode import Inode
    from minidocker.sim.open_file import OpenFile
    from minidocker.sim.task import Task

#: What O_RDONLY, O_WRONLY, O_RDWR and 3 (Linux's "neither, but check both") ask of an inode.
_ACCESS: Final = (MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE)
#: The flags that count beside O_PATH.
_PATH_FLAGS: Final = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
#: The flags that say how to open, and are not kept by the open file.
_AT_OPEN_ONLY: Final = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC


def sys_open(task: "Task", path: str, flags: int, mode: int = 0o777) -> int:
    """Open a file and return the lowest free descriptor (open(2))."""
    if flags & O_PATH:
        flags &= _PATH_FLAGS
    if flags & O_CREAT and flags & O_DIRECTORY:
        fail(errno.EINVAL)
    file = open_path(task, path, flags, mode)
    return task.files.add(file, cloexec=bool(flags & O_CLOEXEC))


def open_path(task: "Task", path: str, flags: int, mode: int = 0) -> "OpenFile":
    """Open a path, making the file if O_CREAT says so, and return the open file (do_filp_open)."""
    check_path(path)
    location, parent, created = _walk_to_open(Walk(task), path, flags, mode)
    inode = location.inode
    if flags & O_CREAT:
        if flags & O_EXCL and not created:
            fail(errno.EEXIST)
        if inode.is_dir:
            fail(errno.EISDIR)
        _may_create_in_sticky(task, parent.inode, inode)
    if flags & O_DIRECTORY and not inode.is_dir:
        fail(errno.ENOTDIR)
    if flags & O_PATH:
        return InodeFile(location, inode, flags)
    truncating = bool(flags & O_TRUNC) and inode.kind == S_IFREG and not created
    if truncating:
        want_write(location.mount)
    _may_open(task, location, flags, created=created)
    if created:
        flags &= ~O_TRUNC
    inode.before_open(location.dentry, flags)
    file = inode.open(task, location, flags & ~_AT_OPEN_ONLY)
    if truncating:
        truncate_inode(task, location.dentry, inode, 0)
    return file


def _walk_to_open(walk: Walk, path: str, flags: int, mode: int) -> tuple[Location, Location, bool]:
    """Walk to what is to be opened, following links; with O_CREAT make what isn't there.

    Returns the place, the directory it is in, and whether it was made.
    """
    last = walk.to_parent(path, walk.task.fs.cwd)
    follow = not (flags & O_NOFOLLOW or (flags & O_CREAT and flags & O_EXCL))
    directory = False
    while True:
        if flags & O_CREAT and last.slash and last.normal:
            fail(errno.EISDIR)
        directory = directory or last.slash
        found = walk.step(last)
        if found.dentry.inode is None:
            if not flags & O_CREAT:
                fail(errno.ENOENT)
            _create(walk.task, last, found, mode)
            return found, last.parent, True
        if not found.dentry.inode.is_link or not (follow or directory):
            break
        target = walk.follow(found)
        if isinstance(target, Location):
            found = target
            break
        last = walk.to_parent(target, last.parent)
    if directory and not found.inode.is_dir:
        fail(errno.ENOTDIR)
    return found, last.parent, False


def _create(task: "Task", last: Last, found: Location, mode: int) -> None:
    """Make a regular file at a negative dentry."""
    directory = last.parent.inode
    want_write(last.parent.mount)
    require_creatable(task, directory)
    directory.make(found.dentry, S_IFREG | mode & 0o7777 & ~task.fs.umask, task.creds)


def _may_create_in_sticky(task: "Task", directory: "Inode", inode: "Inode") -> None:
    """O_CREAT must not open what somebody else put into a world-writable sticky directory (EACCES; proc_sys_fs(5))."""
    guard = {S_IFREG: task.kernel.profile.protected_regular, S_IFIFO: task.kernel.profile.protected_fifos}
    level = guard.get(inode.kind, 1)
    if not directory.mode & S_ISVTX or not level or inode.uid in (directory.uid, task.creds.euid):
        return
    if directory.mode & 0o002 or (directory.mode & 0o020 and level > 1):
        fail(errno.EACCES)


def _may_open(task: "Task", location: Location, flags: int, *, created: bool) -> None:
    """Refuse what must not be opened so (may_open, do_dentry_open)."""
    inode, mount = location.inode, location.mount
    kind = inode.kind
    access = _ACCESS[flags & O_ACCMODE] | (MAY_WRITE if flags & O_TRUNC else 0)
    if kind == S_IFLNK:
        fail(errno.ELOOP)
    if kind == S_IFDIR and access & MAY_WRITE and not created:
        fail(errno.EISDIR)
    if kind in (S_IFCHR, S_IFBLK) and (mount.flags & MS_NODEV or not mount.superblock.user.is_first):
        fail(errno.EACCES)
    writes = kind in (S_IFREG, S_IFDIR) and flags & O_ACCMODE != O_RDONLY
    if writes and mount.superblock.readonly and not created:
        fail(errno.EROFS)
    if not created:
        require(task.creds, inode, access)
    if writes:
        want_write(mount)


def sys_read(task: "Task", fd: int, n: int) -> bytes:
    """Read at most n bytes at the descriptor's offset (read(2)); EBADF if it was not opened for reading."""
    file = task.files.get(fd)
    if file.flags & (O_ACCMODE | O_PATH) not in (O_RDONLY, 2):
        fail(errno.EBADF)
    if n < 0:
        fail(errno.EINVAL)
    return file.read(task, n)


def sys_write(task: "Task", fd: int, data: bytes) -> int:
    """Write bytes at the descriptor's offset and return how many were taken (write(2)); EBADF, ENOSPC, EFBIG."""
    file = task.files.get(fd)
    if file.flags & (O_ACCMODE | O_PATH) not in (O_WRONLY, 2):
        fail(errno.EBADF)
    return file.write(task, data)


def sys_lseek(task: "Task", fd: int, position: int, whence: int) -> int:
    """Move a descriptor's offset (lseek(2)); ESPIPE for pipes. SEEK_DATA and SEEK_HOLE are not modelled (EINVAL)."""
    file = task.files.get(fd)
    if file.flags & O_PATH:
        fail(errno.EBADF)
    if whence not in (SEEK_SET, SEEK_CUR, SEEK_END):
        fail(errno.EINVAL)
    return file.lseek(task, position, whence)


def sys_ftruncate(task: "Task", fd: int, length: int) -> None:
    """Cut or grow an open file (ftruncate(2)); EINVAL if it is not a regular file open for writing."""
    if length < 0:
        fail(errno.EINVAL)
    file = task.files.get(fd)
    if file.flags & O_PATH:
        fail(errno.EBADF)
    if file.flags & O_ACCMODE not in (O_WRONLY, 2):
        fail(errno.EINVAL)
    file.ftruncate(task, length)


def sys_fstat(task: "Task", fd: int) -> Stat:
    """Tell about an open file's inode (fstat(2))."""
    return seen(task, task.files.get(fd).stat())


def sys_fsync(task: "Task", fd: int) -> None:
    """Write an open file's data to its disk (fsync(2)): here it is there already; EINVAL for what has no disk."""
    file = task.files.get(fd)
    if file.flags & O_PATH:
        fail(errno.EBADF)
    if not isinstance(file, InodeFile):
        fail(errno.EINVAL)
