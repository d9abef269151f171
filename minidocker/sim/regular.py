"""Open regular files and directories (Linux's struct file): an inode, an offset, and how it was opened."""

import errno
from typing import TYPE_CHECKING

from minidocker.kernel import Stat
from minidocker.linux import (
    O_APPEND,
    O_PATH,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFREG,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
    fail,
)
from minidocker.sim.inode import Change
from minidocker.sim.open_file import OpenFile
from minidocker.sim.permission import capable_over, without_setid

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.mount import Mount
    from minidocker.sim.task import Task

#: The largest file: what an offset can say.
MAX_SIZE = (1 << 63) - 1


class InodeFile(OpenFile):
    """A descriptor's hold on a regular file or directory, or with O_PATH on anything."""

    __slots__ = ("dentry", "inode", "mount", "offset")

    def __init__(self, location: "tuple[Mount, Dentry]", inode: "Inode", flags: int) -> None:
        """Start at the beginning. The inode is held: what becomes of the name does not matter."""
        super().__init__(flags)
        self.mount, self.dentry = location
        self.inode = inode
        self.offset = 0

    @property
    def location(self) -> "tuple[Mount, Dentry]":
        """Where it was opened."""
        return self.mount, self.dentry

    def read(self, task: "Task", n: int) -> bytes:
        """Return at most n bytes from the offset on; EISDIR for a directory."""
        if self.inode.is_dir:
            fail(errno.EISDIR)
        data = self.inode.read_at(self.offset, n)
        self.offset += len(data)
        return data

    def write(self, task: "Task", data: bytes) -> int:
        """Write at the offset, or with O_APPEND at the end; by others than root it ends set-user-id (EFBIG, ENOSPC)."""
        inode = self.inode
        if not data:
            return 0
        if self.flags & O_APPEND:
            self.offset = inode.size
        if self.offset + len(data) > MAX_SIZE:
            fail(errno.EFBIG)
        drop_setid(task, self.dentry, inode)
        written = inode.write_at(self.offset, bytes(data))
        self.offset += written
        return written

    def lseek(self, task: "Task", position: int, whence: int) -> int:
        """Move the offset and return it; EINVAL below zero."""
        if whence == SEEK_CUR:
            position += self.offset
        elif whence == SEEK_END and not self.inode.is_dir:  # a tmpfs's directory has no end to start from
            position += self.inode.size
        elif whence != SEEK_SET:
            fail(errno.EINVAL)
        if not 0 <= position <= MAX_SIZE:
            fail(errno.EINVAL)
        self.offset = position
        return position

    def ftruncate(self, task: "Task", length: int) -> None:
        """Cut or grow the file."""
        if self.inode.kind != S_IFREG:
            fail(errno.EINVAL)
        truncate_inode(task, self.dentry, self.inode, length)

    def stat(self) -> Stat:
        """Tell about the inode."""
        return self.inode.stat(self.dentry)


def drop_setid(task: "Task", dentry: "Dentry", inode: "Inode") -> None:
    """Before data changes by somebody without CAP_FSETID: end set-user-id and set-group-id (file_remove_privs)."""
    if inode.mode & 0o6000 and not capable_over(task.creds, inode, "CAP_FSETID"):
        mode = without_setid(task.creds, inode)
        if mode != inode.mode:
            inode.change(dentry, Change(mode=mode))


def truncate_inode(task: "Task", dentry: "Dentry", inode: "Inode", length: int) -> None:
    """Cut or grow a regular file (do_truncate)."""
    drop_setid(task, dentry, inode)
    inode.change(dentry, Change(size=length))


def open_inode(task: "Task", inode: "Inode", location: "tuple[Mount, Dentry]", flags: int) -> OpenFile:
    """Open an inode by its kind: data and directories here, fifos and devices by their drivers; ENXIO for the rest.

    A driver is registered as ``kernel.drivers[kind, major, minor]`` (a fifo as ``S_IFIFO, 0, 0``) and called with the
    task, the inode, the location and the flags.
    """
    kind = inode.kind
    if kind in (S_IFREG, S_IFDIR) or flags & O_PATH:
        return InodeFile(location, inode, flags)
    major, minor = (inode.rdev >> 8, inode.rdev & 0xFF) if kind in (S_IFCHR, S_IFBLK) else (0, 0)
    driver = task.kernel.drivers.get((kind, major, minor)) if kind in (S_IFIFO, S_IFCHR, S_IFBLK) else None
    if driver is None:
        fail(errno.ENXIO)
    return driver(task, inode, location, flags)
