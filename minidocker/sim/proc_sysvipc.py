"""What ``/proc/sysvipc`` says: the queues and segments of the reader's IPC namespace (proc(5))."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from minidocker.sim.shared_memory import DESTROYED
from minidocker.sim.sparse import PAGE

if TYPE_CHECKING:
    from minidocker.sim.ipc import IpcObject
    from minidocker.sim.proc_files import View

_OWNERS: Final = "   uid   gid  cuid  cgid"
_MSG: Final = (
    f"       key      msqid perms      cbytes       qnum lspid lrpid{_OWNERS}      stime      rtime      ctime\n"
)
_SHM: Final = (
    f"       key      shmid perms                  size  cpid  lpid nattch{_OWNERS}      atime      dtime      ctime"
    "                   rss                  swap\n"
)
_SEM: Final = f"       key      semid perms      nsems{_OWNERS}      otime      ctime\n"


def _owners(view: "View", found: "IpcObject") -> str:
    user = view.reader.creds.user
    numbers = (user.shown_uid(found.uid), user.shown_gid(found.gid), user.shown_uid(found.cuid))
    return " ".join(f"{number:5}" for number in (*numbers, user.shown_gid(found.cgid)))


def _times(times_ns: Sequence[int]) -> str:
    return " ".join(f"{time_ns // 1_000_000_000:10}" for time_ns in times_ns)


def msg(view: "View") -> str:
    """Return ``/proc/sysvipc/msg``."""
    pids, lines = view.reader.ns.pid, []
    for queue in view.reader.ns.ipc.queues:
        ends = (queue.sender.seen_from(pids), queue.receiver.seen_from(pids))
        lines.append(
            f"{queue.key:10} {queue.id:10}  {queue.mode:4o}  {queue.used:10} {len(queue.messages):10} "
            f"{ends[0]:5} {ends[1]:5} {_owners(view, queue)} "
            f"{_times((queue.sent_ns, queue.received_ns, queue.changed_ns))}\n"
        )
    return _MSG + "".join(lines)


def shm(view: "View") -> str:
    """Return ``/proc/sysvipc/shm``."""
    pids, lines = view.reader.ns.pid, []
    for segment in view.reader.ns.ipc.segments:
        mode = segment.mode | (DESTROYED if segment.doomed else 0)
        lines.append(
            f"{segment.key:10} {segment.id:10}  {mode:4o} {segment.size:21} {segment.maker.seen_from(pids):5} "
            f"{segment.last.seen_from(pids):5}  {segment.attached:5} {_owners(view, segment)} "
            f"{_times((segment.attached_ns, segment.detached_ns, segment.changed_ns))} "
            f"{segment.data.taken * PAGE:21} {0:21}\n"
        )
    return _SHM + "".join(lines)


def sem(view: "View") -> str:
    """Return ``/proc/sysvipc/sem``: its head alone, since semaphores are not modelled."""
    return _SEM
