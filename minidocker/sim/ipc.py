"""System V IPC: objects by number and by key, each IPC namespace its own (sysvipc(7), ipc_namespaces(7); ipc/util.c).

Message queues and shared memory segments are modelled, semaphores are not. What an object is, is in
``message_queue.py`` and ``shared_memory.py``; here is what they have in common: numbers, keys, and who may.
"""

import errno
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar

from minidocker.linux import IPC_CREAT, IPC_EXCL, IPC_PRIVATE, fail
from minidocker.sim.namespace import Namespace

if TYPE_CHECKING:
    from minidocker.sim.message_queue import MessageQueue
    from minidocker.sim.pid_namespace import PidNamespace
    from minidocker.sim.shared_memory import Segment
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

#: Numbers go round among so many places at least (ipc_min_cycle); a new round adds 1 << SHIFT.
CYCLE: Final = 64
SHIFT: Final = 15

MAY_READ: Final = 0o444
MAY_WRITE: Final = 0o222


class Numbers:
    """A task's process ids in all namespaces that see it, as they were: they are shown after its end too."""

    __slots__ = ("_by",)

    def __init__(self, task: "Task | None" = None) -> None:
        """Take a task's; None is nobody yet."""
        self._by = {space: space.number(task) for space in task.ns.pid.around()} if task else {}

    def seen_from(self, space: "PidNamespace") -> int:
        """Return the number in a namespace, 0 if it was not seen there."""
        return self._by.get(space, 0)


class IpcObject:
    """What every object has: key, number, mode, who made it and whose it is (struct kern_ipc_perm)."""

    __slots__ = ("cgid", "changed_ns", "cuid", "gid", "id", "key", "mode", "uid")

    def __init__(self, task: "Task", key: int, mode: int) -> None:
        """Belong to who makes it. The number comes later."""
        self.key, self.mode, self.id = key, mode & 0o777, -1
        self.uid = self.cuid = task.creds.euid
        self.gid = self.cgid = task.creds.egid
        self.changed_ns = task.kernel.clock.now_ns()

    def more_wanted(self, size: int) -> bool:
        """Does who asks for it by its key want more than it is?"""
        return False


Kind = TypeVar("Kind", bound=IpcObject)


class Ids(Generic[Kind]):
    """The objects of one kind in one namespace (struct ipc_ids)."""

    __slots__ = ("_last", "_round", "objects")

    def __init__(self) -> None:
        """Start empty."""
        self.objects: dict[int, Kind] = {}
        self._last = -1
        self._round = 0

    def __iter__(self) -> "Iterator[Kind]":
        """Yield the objects by their places."""
        return iter([self.objects[place] for place in sorted(self.objects)])

    def add(self, new: Kind) -> Kind:
        """Number a new object: the next free place, round and round (ipc_idr_alloc)."""
        most = max(len(self.objects) * 3 // 2, CYCLE)
        place = (self._last + 1) % most
        while place in self.objects:
            place = (place + 1) % most
        if place <= self._last:
            self._round += 1
        self._last = place
        new.id = self._round << SHIFT | place
        self.objects[place] = new
        return new

    def remove(self, old: Kind) -> None:
        """Forget an object."""
        self.objects.pop(old.id & (1 << SHIFT) - 1, None)

    def find(self, number: int) -> Kind:
        """Return the object that has a number; EINVAL."""
        found = self.objects.get(number & (1 << SHIFT) - 1) if number >= 0 else None
        return found if found is not None and found.id == number else fail(errno.EINVAL)

    def get(self, task: "Task", key: int, flags: int, size: int, make: Callable[[], Kind]) -> int:
        """Return the number of a key's object, made if IPC_CREAT says so (ipcget). ENOENT, EEXIST, EINVAL, EACCES."""
        found = next((each for each in self if each.key == key), None) if key != IPC_PRIVATE else None
        if found is None:
            if key != IPC_PRIVATE and not flags & IPC_CREAT:
                fail(errno.ENOENT)
            return self.add(make()).id
        if flags & IPC_CREAT and flags & IPC_EXCL:
            fail(errno.EEXIST)
        if found.more_wanted(size):
            fail(errno.EINVAL)
        require(task, found, flags)
        return found.id


def require(task: "Task", found: IpcObject, wanted: int) -> None:
    """Raise EACCES unless mode and owner, or CAP_IPC_OWNER, allow what a mode's bits ask for (ipcperms)."""
    wanted = (wanted >> 6) | (wanted >> 3) | wanted
    granted, creds = found.mode, task.creds
    if creds.euid in (found.cuid, found.uid):
        granted >>= 6
    elif creds.in_group(found.cgid) or creds.in_group(found.gid):
        granted >>= 3
    if wanted & ~granted & 0o7 and not creds.capable(task.ns.ipc.owner, "CAP_IPC_OWNER"):
        fail(errno.EACCES)


def require_owner(task: "Task", found: IpcObject) -> None:
    """Raise EPERM for all but its owner and its maker, and who has CAP_SYS_ADMIN (ipcctl_obtain_check)."""
    creds = task.creds
    if creds.euid not in (found.cuid, found.uid) and not creds.capable(task.ns.ipc.owner, "CAP_SYS_ADMIN"):
        fail(errno.EPERM)


class IpcNamespace(Namespace):
    """The queues and segments that tasks here see; they end with it."""

    __slots__ = ("queues", "segments")
    kind: ClassVar = "ipc"

    def __init__(self, number: int, owner: "UserNamespace") -> None:
        """Start empty: nothing is inherited."""
        super().__init__(number, owner)
        self.queues: Ids[MessageQueue] = Ids()
        self.segments: Ids[Segment] = Ids()

    def end(self) -> None:
        """Remove all: nobody can come in any more. What is attached stays with who has it."""
        self.queues.objects.clear()
        self.segments.objects.clear()
