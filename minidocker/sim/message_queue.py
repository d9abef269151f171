"""System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2) (ipc/msg.c)."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import IPC_NOWAIT, IPC_RMID, MSG_NOERROR, fail, strerror
from minidocker.sim.ipc import MAY_READ, MAY_WRITE, IpcObject, Numbers, require, require_owner
from minidocker.sim.task import Wait, WaitQueue

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: The longest message, and how many bytes lie in a queue at most (/proc/sys/kernel/msgmax, msgmnb).
LONGEST: Final = 8192
MOST: Final = 16384
MSG_EXCEPT: Final = 0o20000


class MessageQueue(IpcObject):
    """A queue of messages, each with a type."""

    __slots__ = ("messages", "readers", "received_ns", "receiver", "sender", "sent_ns", "writers")

    def __init__(self, task: "Task", key: int, mode: int) -> None:
        """Start empty."""
        super().__init__(task, key, mode)
        self.messages: list[tuple[int, bytes]] = []
        self.readers, self.writers = WaitQueue(), WaitQueue()
        self.sender, self.receiver = Numbers(), Numbers()
        self.sent_ns = self.received_ns = 0

    @property
    def used(self) -> int:
        """How many bytes lie in it."""
        return sum(len(data) for _, data in self.messages)

    def choose(self, mtype: int, flags: int) -> int:
        """Return the place of the message that is asked for, -1 if there is none (find_msg).

        0 is the first of all, a positive type the first of it (with MSG_EXCEPT of any other), a negative one the first
        of the lowest type up to that.
        """
        types = [kind for kind, _ in self.messages]
        if mtype < 0:
            fitting = [kind for kind in types if kind <= -mtype]
            return types.index(min(fitting)) if fitting else -1
        for place, kind in enumerate(types):
            if not mtype or (kind != mtype if flags & MSG_EXCEPT else kind == mtype):
                return place
        return -1


def sys_msgget(task: "Task", key: int, flags: int = 0o600) -> int:
    """Return the message queue of a key in the caller's IPC namespace, made with IPC_CREAT (msgget(2))."""
    return task.ns.ipc.queues.get(task, key, flags, 0, lambda: MessageQueue(task, key, flags))


def _find(task: "Task", msqid: int) -> MessageQueue:
    """Return a queue: EINVAL if there is none, EIDRM if it went while the task waited."""
    try:
        return task.ns.ipc.queues.find(msqid)
    except OSError:
        if task.wait is None:
            raise
        return fail(errno.EIDRM)


def sys_msgsnd(task: "Task", msqid: int, mtype: int, data: bytes, flags: int = 0) -> None:
    """Append a message to a queue (msgsnd(2)); waits for room unless IPC_NOWAIT (EAGAIN). EINVAL, EACCES, EIDRM."""
    if mtype < 1 or len(data) > LONGEST:
        fail(errno.EINVAL)
    queue = _find(task, msqid)
    require(task, queue, MAY_WRITE)
    if queue.used + len(data) > MOST or len(queue.messages) + 1 > MOST:
        if flags & IPC_NOWAIT:
            fail(errno.EAGAIN)
        raise Wait(queue.writers)
    queue.messages.append((mtype, bytes(data)))
    queue.sender, queue.sent_ns = Numbers(task), task.kernel.clock.now_ns()
    queue.readers.wake()


def sys_msgrcv(task: "Task", msqid: int, size: int, mtype: int = 0, flags: int = 0) -> tuple[int, bytes]:
    """Take a message, its type and its bytes, off a queue (msgrcv(2)).

    Waits for one unless IPC_NOWAIT (ENOMSG). E2BIG for one longer than size, unless MSG_NOERROR cuts it. EINVAL,
    EACCES, EIDRM.
    """
    if size < 0:
        fail(errno.EINVAL)
    queue = _find(task, msqid)
    require(task, queue, MAY_READ)
    place = queue.choose(mtype, flags)
    if place < 0:
        if flags & IPC_NOWAIT:
            fail(errno.ENOMSG)
        raise Wait(queue.readers)
    kind, data = queue.messages[place]
    if len(data) > size and not flags & MSG_NOERROR:
        fail(errno.E2BIG)
    del queue.messages[place]
    queue.receiver, queue.received_ns = Numbers(task), task.kernel.clock.now_ns()
    queue.writers.wake()
    return kind, data[:size]


def sys_msgctl(task: "Task", msqid: int, command: int) -> None:
    """Remove a queue: IPC_RMID (msgctl(2)); who waits there is told EIDRM. EINVAL, EPERM."""
    if command != IPC_RMID:
        raise OSError(errno.EINVAL, f"{strerror(errno.EINVAL)}: of msgctl only IPC_RMID is modelled")
    queue = task.ns.ipc.queues.find(msqid)
    require_owner(task, queue)
    task.ns.ipc.queues.remove(queue)
    queue.readers.wake()
    queue.writers.wake()
