"""Local: what of a call two kernels cannot agree on, so that it is shown and not compared.

Pids, what root may do there, addresses in memory, times of now, how long an answer took, the port that a kernel chose,
what /proc and the counters of control groups say, and in how many pieces the data of a pipe or a connection comes.
What a call reads from decides, not what its text looks like.
"""

import re
from collections.abc import Callable
from typing import Final

from minidocker import strace
from minidocker.cgroup_table import MEMBERS
from minidocker.kernel import SyscallEvent
from minidocker.linux import PIPE_BUF
from minidocker.sources import CGROUP, SAID, Source, in_proc

#: Calls whose first argument is a descriptor (newlink and setlink have it in ``netns``).
TAKE_FDS: Final = frozenset({
    "read", "write", "setns", "newlink", "setlink", "accept4", "connect", "bind", "listen", "sendto", "recvfrom",
    "shutdown", "getsockname", "getpeername", "setsockopt",
})  # fmt: skip

#: Calls whose result is a number, or a name, that only this kernel gives.
_RESULTS: Final = strace.LOCAL | {
    "capget", "mmap", "shmat", "getneigh", "getsockname", "getpeername", "recvfrom", "sched_getaffinity",
}  # fmt: skip

#: Calls whose first argument is a pid, and those whose first, or second, is an address in memory.
_PIDS: Final = frozenset({"kill", "pidfd_open", "capget", "sched_getaffinity", "process_vm_readv", "process_vm_writev"})
_ADDRESSES: Final = frozenset({"munmap", "shmdt", "process_vm_readv", "process_vm_writev"})

#: Calls whose first argument is a key: ipcmk's is made by chance.
_KEYS: Final = frozenset({"msgget", "shmget"})
_KEY: Final = re.compile(r"\(0x[0-9a-f]+")

#: docker's commands that tell pids, times and counters.
_TELLING: Final = frozenset({"stats", "inspect", "top"})

_PROC_PID: Final = re.compile(r'"/proc/(\d+)')
_PORT: Final = re.compile(r"htons\((\d+)\)")
#: A time that is no whole second: not a layer's, whose archive has none, but that of something made in this run.
_MADE_NOW: Final = re.compile(r"\d+\.(?!0{9})\d{9}")
#: What ping says of how long an answer took.
MEASURED: Final = re.compile(r"(?<=time=)[\d.]+(?= ms)|(?<=min/avg/max = )[\d./]+(?= ms)")
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{6,}")

#: Ports from here on a kernel chooses itself (ip(7), ip_local_port_range).
_EPHEMERAL: Final = 32768


def result(event: SyscallEvent, source: Source | None) -> bool:
    """Does the result of a call differ between kernels?"""
    if event.name in ("listdir", "readlink"):
        return in_proc(event.args[0])
    if event.name == "write" and MEASURED.search(_written(event)):
        return True
    return event.name in _RESULTS or (event.name == "read" and source is not None and source.local)


def output(command: str) -> bool:
    """Does what a docker command prints differ between kernels, because it is asked for pids, times or counters?"""
    words = command.split()
    return len(words) > 1 and words[1] in _TELLING


def text(event: SyscallEvent, said: str, source: Source | None, task_of: Callable[[int], str]) -> str:
    """Return a call's text with all that differs between kernels put in words that do not."""
    if event.name == "wait4" and isinstance(event.result, tuple):
        return f"{task_of(event.result[0])} ended: {strace.result('wait4', event.result).partition(', ')[2]}"
    if event.name in ("read", "recvfrom") and source is not None and (source.local or event.name == "recvfrom"):
        return f"{event.name}({event.args[0]}) from {SAID[source.kind]}"
    if event.name in _KEYS:
        said = _KEY.sub("(KEY", said)
    if event.name in _PIDS and (task := task_of(event.args[0])):
        said = said.replace(f"({event.args[0]}", f"({task}", 1)
    if event.name == "utime":
        said = _MADE_NOW.sub("NOW", said)
    if event.name in _ADDRESSES:
        said = _ADDRESS.sub("ADDRESS", said)
    if event.name == "write" and source is not None and source.kind == CGROUP and _of_members(source):
        said = f"write({event.args[0]}) of {task_of(_pid(event.args[1]))}"
    if event.name == "write" and MEASURED.search(_written(event)):
        said = f"write({event.args[0]}, {strace.quote(MEASURED.sub('TIME', _written(event)))})"
    said = _PROC_PID.sub(lambda found: f'"/proc/{task_of(int(found[1])) or "PID"}', said)
    return _PORT.sub(lambda found: "htons(PORT)" if int(found[1]) >= _EPHEMERAL else found[0], said)


def _written(event: SyscallEvent) -> str:
    """Return what a write writes, if it may be a program's words: those are short, and megabytes are not searched."""
    data = event.args[1]
    return data.decode("latin-1") if isinstance(data, bytes) and len(data) <= PIPE_BUF else ""


def _of_members(source: Source) -> bool:
    return source.what.rpartition("/")[2] in MEMBERS


def _pid(data: bytes) -> int:
    return int(data) if data.strip().isdigit() else -1
