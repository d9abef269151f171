"""The character devices that every container has: null, zero, full, random, urandom (null(4), full(4), random(4))."""

import errno
from random import Random
from typing import TYPE_CHECKING, Final

from minidocker.kernel import Stat
from minidocker.linux import S_IFCHR, fail
from minidocker.sim.open_file import OpenFile

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.mount import Mount
    from minidocker.sim.task import Task

#: The most that one read of random(4) returns here; Linux too may return less than was asked.
RANDOM_MAX: Final = 1 << 20
#: The most that any read(2) returns.
MAX_RW_COUNT: Final = 0x7FFFF000


class Device(OpenFile):
    """An open device; this one is null: reads give the end, writes are swallowed."""

    __slots__ = ("_inode", "location")

    def __init__(self, task: "Task", inode: "Inode", location: "tuple[Mount, Dentry]", flags: int) -> None:
        """Be opened by a task through a node in a directory."""
        super().__init__(flags)
        self._inode = inode
        self.location = location

    def read(self, task: "Task", n: int) -> bytes:
        """Return the end."""
        return b""

    def write(self, task: "Task", data: bytes) -> int:
        """Swallow it all."""
        return len(data)

    def lseek(self, task: "Task", position: int, whence: int) -> int:
        """Do nothing, with success (null_lseek())."""
        return 0

    def stat(self) -> Stat:
        """Tell about the node."""
        return self._inode.stat(self.location[1])


class Zero(Device):
    """As many zero bytes as are asked for."""

    __slots__ = ()

    def read(self, task: "Task", n: int) -> bytes:
        """Return n zero bytes, or as many as one read gives."""
        return bytes(min(n, MAX_RW_COUNT))


class Full(Zero):
    """A disk that is always full."""

    __slots__ = ()

    def write(self, task: "Task", data: bytes) -> int:
        """Refuse: ENOSPC."""
        fail(errno.ENOSPC)


class Chance(Device):
    """Random bytes: from a seed, so that a run is the same each time. Not for secrets."""

    __slots__ = ("_random",)

    def __init__(self, task: "Task", inode: "Inode", location: "tuple[Mount, Dentry]", flags: int) -> None:
        """Start a sequence: another one with each open."""
        super().__init__(task, inode, location, flags)
        self._random = Random(task.kernel.scheduler.next_number())  # noqa: S311  to be the same each time

    def read(self, task: "Task", n: int) -> bytes:
        """Return n random bytes, or fewer if n is very large."""
        return self._random.randbytes(min(n, RANDOM_MAX))


#: What opens each device, as ``kernel.drivers`` has it: type, major and minor number → driver. /dev/tty (5, 0) is the
#: caller's terminal: no task here has one, so it is left out, and ENXIO as on Linux.
DRIVERS: Final[dict[tuple[int, int, int], type[Device]]] = {
    (S_IFCHR, 1, 3): Device,
    (S_IFCHR, 1, 5): Zero,
    (S_IFCHR, 1, 7): Full,
    (S_IFCHR, 1, 8): Chance,
    (S_IFCHR, 1, 9): Chance,
}
