"""An open file: what descriptors point to (Linux's struct file). Shared by dup and by clone, each with one offset."""

import errno
from typing import TYPE_CHECKING

from minidocker.kernel import Stat
from minidocker.linux import O_ACCMODE, O_NONBLOCK, O_RDONLY, O_WRONLY, fail

if TYPE_CHECKING:
    from minidocker.sim.task import Task


class OpenFile:
    """The calls that a descriptor answers; each kind of file overrides what it can do.

    A call that cannot be answered yet raises :class:`minidocker.sim.task.Wait`; it must not have changed anything
    before, since it is simply made again when the task is woken.
    """

    __slots__ = ("flags", "references")

    def __init__(self, flags: int) -> None:
        """Start with no descriptor: the table that takes it counts the references."""
        self.flags = flags
        self.references = 0

    @property
    def may_read(self) -> bool:
        """Was it opened for reading?"""
        return self.flags & O_ACCMODE != O_WRONLY

    @property
    def may_write(self) -> bool:
        """Was it opened for writing?"""
        return self.flags & O_ACCMODE != O_RDONLY

    @property
    def nonblocking(self) -> bool:
        """Does it refuse with EAGAIN rather than wait?"""
        return bool(self.flags & O_NONBLOCK)

    def read(self, task: "Task", n: int) -> bytes:
        """Return at most n bytes, ``b""`` at the end."""
        fail(errno.EINVAL)

    def write(self, task: "Task", data: bytes) -> int:
        """Take bytes and return how many."""
        fail(errno.EINVAL)

    def lseek(self, task: "Task", position: int, whence: int) -> int:
        """Move the offset; ESPIPE where there is none."""
        fail(errno.ESPIPE)

    def ftruncate(self, task: "Task", length: int) -> None:
        """Cut or grow the file."""
        fail(errno.EINVAL)

    def stat(self) -> Stat:
        """Tell about the inode."""
        fail(errno.EINVAL)

    def readable(self) -> bool:
        """Would a read return at once?"""
        return True

    def release(self) -> None:
        """Let go: the last descriptor was closed."""
