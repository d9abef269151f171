"""What descriptors lead to, where that matters to a trace: a pipe, a namespace, a file of /proc or of cgroupfs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from minidocker.kernel import SyscallEvent
from minidocker.linux import O_CLOEXEC

PIPE, SOCKET, PROC, CGROUP, NAMESPACE, TASK, RANDOM = (
    "pipe", "socket", "proc", "cgroup", "namespace", "task", "random",
)  # fmt: skip

#: How a read is told of whose data comes in pieces, or differs between kernels.
SAID: Final = {PIPE: "a pipe", SOCKET: "a socket", PROC: "/proc", CGROUP: "a control group", RANDOM: "chance"}

#: Files of cgroupfs that say again what was written; all others count, or tell what only this kernel has.
SETTINGS: Final = frozenset({
    "memory.max", "memory.low", "memory.high", "memory.min", "memory.swap.max", "memory.limit_in_bytes",
    "memory.soft_limit_in_bytes", "memory.memsw.limit_in_bytes", "cpu.max", "cpu.weight", "cpu.shares",
    "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpuset.cpus", "pids.max", "cgroup.freeze", "cgroup.type",
})  # fmt: skip

#: Where the flags of a call that makes a descriptor stand among its arguments.
_FLAGS: Final = {"open": 1, "pipe2": 0, "socket": 1, "accept4": 1, "pidfd_open": 1}


@dataclass(frozen=True, slots=True)
class Source:
    """What a descriptor leads to: ``kind``, and which one (a path, a namespace's ID, a task's line)."""

    kind: str
    what: str = ""

    @property
    def local(self) -> bool:
        """Do two kernels differ in what a read of it gives, or in how many pieces it comes?"""
        if self.kind == CGROUP:
            return self.what.rpartition("/")[2] not in SETTINGS
        return self.kind in SAID


def in_proc(path: str) -> bool:
    """Is it a path of the /proc that a container has?"""
    return f"{path}/".startswith("/proc/")


class Sources:
    """Task → descriptor → source, followed through the calls that make, copy and close descriptors."""

    def __init__(self) -> None:
        """Begin with nothing open."""
        self._open: dict[str, dict[int, Source]] = {}
        self._cloexec: dict[str, set[int]] = {}

    def of(self, task: str, fd: int) -> Source | None:
        """Return what a descriptor leads to, or None if it is an ordinary file."""
        return self._open.get(task, {}).get(fd)

    def held(self) -> set[str]:
        """Return the namespaces that live because somebody has one open."""
        return {source.what for fds in self._open.values() for source in fds.values() if source.kind == NAMESPACE}

    def inherit(self, parent: str, child: str, fds: Mapping[int, int] | None) -> None:
        """Give a child its parent's descriptors, or those that ``fds`` names (child's number → parent's)."""
        theirs, closing = self._open.get(parent, {}), self._cloexec.get(parent, set())
        if child in self._open:
            return
        chosen = {fd: fd for fd in theirs} if fds is None else fds
        self._open[child] = {mine: theirs[fd] for mine, fd in chosen.items() if fd in theirs}
        self._cloexec[child] = {mine for mine, fd in chosen.items() if fd in closing and (fds is None or mine > 2)}

    def follow(self, event: SyscallEvent, opened: Source | None) -> None:
        """Take note of what a finished call did to the task's descriptors; ``opened`` is what an open led to."""
        if event.error is not None:
            return
        mine = self._open.setdefault(event.task, {})
        for fd in _made(event):
            mine.pop(fd, None)
            self._cloexec.setdefault(event.task, set()).discard(fd)
            if opened is not None:
                mine[fd] = opened
            place = _FLAGS.get(event.name, len(event.args))
            if place < len(event.args) and event.args[place] & O_CLOEXEC:
                self._cloexec[event.task].add(fd)
        if event.name in ("dup", "dup2") and event.args[0] in mine:
            mine[event.result] = mine[event.args[0]]
        elif event.name == "close":
            mine.pop(event.args[0], None)
        elif event.name == "execve":
            for fd in self._cloexec.pop(event.task, set()):
                mine.pop(fd, None)

    def close(self, task: str, fd: int) -> None:
        """Let go of a descriptor."""
        self._open.get(task, {}).pop(fd, None)

    def forget(self, task: str) -> None:
        """Close all that an ended task had."""
        self._open[task] = {}
        self._cloexec.pop(task, None)


def _made(event: SyscallEvent) -> tuple[int, ...]:
    """Return the numbers of the descriptors that a call made."""
    if event.name == "pipe2":
        return tuple(event.result)
    if event.name == "accept4":
        return (event.result[0],)
    return (event.result,) if event.name in ("open", "dup", "dup2", "socket", "pidfd_open") else ()
