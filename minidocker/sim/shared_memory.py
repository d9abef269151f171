"""System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2) (ipc/shm.c).

Attached segments are part of a task's address space (``memory.py``): a clone has them too, execve and the end of the
task detach them. What lies in them is read and written by process_vm_readv and process_vm_writev (``process_vm.py``).
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import IPC_PRIVATE, IPC_RMID, SHM_RDONLY, fail, strerror
from minidocker.sim.ipc import MAY_READ, MAY_WRITE, IpcObject, Numbers, require, require_owner
from minidocker.sim.refuse import refuse
from minidocker.sim.sparse import PAGE, SparseData, pages

if TYPE_CHECKING:
    from minidocker.sim.memory import AddressSpace
    from minidocker.sim.task import Task

#: Where the first segment is attached, and below it the next ones.
TOP: Final = 0x7F80_0000_0000
#: In the mode that is shown: it goes with the last who has it attached (SHM_DEST).
DESTROYED: Final = 0o1000


class Segment(IpcObject):
    """A piece of memory that tasks can share. Its pages take room once they are written."""

    __slots__ = ("attached", "attached_ns", "data", "detached_ns", "doomed", "last", "maker", "size", "space")

    def __init__(self, task: "Task", key: int, size: int, mode: int) -> None:
        """Start with zeros: EINVAL for no byte, ENOMEM for more than the machine has."""
        if size < 1:
            fail(errno.EINVAL)
        if size > task.kernel.profile.disk_bytes:
            fail(errno.ENOMEM)
        super().__init__(task, key, mode)
        self.size, self.space = size, task.ns.ipc
        self.data = SparseData(bytearray())
        self.data.resize(pages(size) * PAGE)
        self.attached = 0
        self.doomed = False
        self.maker, self.last = Numbers(task), Numbers()
        self.attached_ns = self.detached_ns = 0

    def more_wanted(self, size: int) -> bool:
        """Is a size larger than its own?"""
        return size > self.size


class Attachment:
    """A segment in an address space."""

    __slots__ = ("readonly", "segment")

    def __init__(self, segment: Segment, *, readonly: bool) -> None:
        """Show a segment."""
        self.segment, self.readonly = segment, readonly


def sys_shmget(task: "Task", key: int, size: int, flags: int = 0o600) -> int:
    """Return the segment of a key in the caller's IPC namespace, made with IPC_CREAT (shmget(2)); EINVAL: the size."""
    return task.ns.ipc.segments.get(task, key, flags, size, lambda: Segment(task, key, size, flags))


def sys_shmat(task: "Task", shmid: int, flags: int = 0) -> int:
    """Attach a segment and return the address (shmat(2)); with SHM_RDONLY it cannot be written. EINVAL, EACCES."""
    if flags & ~SHM_RDONLY:
        refuse(errno.EINVAL, f"does not model flags {flags & ~SHM_RDONLY:#x} of shmat")
    segment = task.ns.ipc.segments.find(shmid)
    require(task, segment, MAY_READ if flags & SHM_RDONLY else MAY_READ | MAY_WRITE)
    attached = task.memory.attached
    address = min(attached, default=TOP) - pages(segment.size) * PAGE
    attached[address] = Attachment(segment, readonly=bool(flags & SHM_RDONLY))
    _note_attached(task, segment)
    return address


def sys_shmdt(task: "Task", address: int) -> None:
    """Detach a segment (shmdt(2)); EINVAL if none is attached at the address."""
    attachment = task.memory.attached.pop(address, None)
    if attachment is None:
        fail(errno.EINVAL)
    _let_go(task, attachment.segment)


def _let_go(task: "Task", segment: Segment) -> None:
    segment.attached -= 1
    segment.last, segment.detached_ns = Numbers(task), task.kernel.clock.now_ns()
    if segment.doomed and not segment.attached:
        segment.space.segments.remove(segment)


def attach_copies(task: "Task", memory: "AddressSpace") -> None:
    """Note that a clone of the task has in its memory what the task has attached (shm_open)."""
    for attachment in memory.attached.values():
        _note_attached(task, attachment.segment)


def _note_attached(task: "Task", segment: Segment) -> None:
    segment.attached += 1
    segment.last, segment.attached_ns = Numbers(task), task.kernel.clock.now_ns()


def detach_all(task: "Task", memory: "AddressSpace") -> None:
    """Detach what an address space has that ends: its task ended, or became another program."""
    for attachment in memory.attached.values():
        _let_go(task, attachment.segment)
    memory.attached = {}


def sys_shmctl(task: "Task", shmid: int, command: int) -> None:
    """Remove a segment: IPC_RMID (shmctl(2)). While it is attached it only loses its key. EINVAL, EPERM."""
    if command != IPC_RMID:
        raise OSError(errno.EINVAL, f"{strerror(errno.EINVAL)}: of shmctl only IPC_RMID is modelled")
    segments = task.ns.ipc.segments
    segment = segments.find(shmid)
    require_owner(task, segment)
    if segment.attached:
        segment.key, segment.doomed = IPC_PRIVATE, True
    else:
        segments.remove(segment)
