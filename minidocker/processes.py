"""Processes: what runs in a container, as the host sees it (docker top). It is told by the host's /proc, like ps(1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from minidocker.errors import Conflict, InvalidParameter, ServerError
from minidocker.kernel import Files
from minidocker.linux import O_RDONLY

if TYPE_CHECKING:
    from minidocker.container import Container
    from minidocker.engine import Engine

#: Clock ticks a second, in /proc (sysconf(3), _SC_CLK_TCK).
_TICKS: Final = 100
#: The columns of ``ps -ef``, and of ``ps -o`` by their names: header and field.
_FULL: Final = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
_NAMED: Final = {
    "pid": ("PID", "pid"), "ppid": ("PPID", "ppid"), "user": ("USER", "user"), "uid": ("UID", "uid"),
    "comm": ("COMMAND", "comm"), "args": ("COMMAND", "command"), "cmd": ("CMD", "command"), "tty": ("TT", "tty"),
    "time": ("TIME", "time"), "stime": ("STIME", "stime"), "stat": ("STAT", "state"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """A table as ps prints it."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def top(engine: "Engine", container: "Container", arguments: Sequence[str] = ()) -> Processes:
    """Return the processes of a running container (docker top); ps's arguments are none, ``-ef`` or ``-o LIST``."""
    if not container.is_running:
        raise Conflict(f"container {container.id} is not running")
    titles, fields = _columns(arguments)
    roots = [container.pid, *(process.pid for process in container.execs)]
    found = _descendants(engine.kernel.job(read_processes), roots)
    now_s = engine.now_ns() / 1e9
    return Processes(
        titles=titles, rows=tuple(tuple(_shown(process, now_s)[field] for field in fields) for process in found)
    )


def _columns(arguments: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not arguments or list(arguments) == ["-ef"]:
        return _FULL, ("user", "pid", "ppid", "c", "stime", "tty", "time", "command")
    if arguments[0] == "-o" and len(arguments) == 2:
        names = arguments[1].split(",")
        if all(name in _NAMED for name in names):
            if "pid" not in names:
                raise ServerError("Couldn't find PID field in ps output")
            return tuple(_NAMED[name][0] for name in names), tuple(_NAMED[name][1] for name in names)
    words = " ".join(arguments)
    raise InvalidParameter(f"minidocker's ps does not have {words}: it has -ef, and -o with {', '.join(_NAMED)}")


def _descendants(processes: Sequence[Mapping[str, Any]], roots: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Yield what descends from some processes, and themselves, by pid."""
    inside = set(roots)
    for process in processes:  # a child's pid is mostly higher; after the numbers went round it need not be
        if process["ppid"] in inside:
            inside.add(process["pid"])
    while more := {p["pid"] for p in processes if p["ppid"] in inside} - inside:
        inside |= more
    return (process for process in processes if process["pid"] in inside)


def _shown(process: Mapping[str, Any], now_s: float) -> dict[str, str]:
    """Return a process's fields as ps writes them; its times in UTC."""
    lived_s = max(process["uptime_s"] - process["start_s"], 0.01)
    started = datetime.fromtimestamp(now_s - lived_s, UTC)
    cpu_s = int(process["cpu_s"])
    return {
        "user": process["user"],
        "uid": str(process["uid"]),
        "pid": str(process["pid"]),
        "ppid": str(process["ppid"]),
        "c": str(min(99, int(process["cpu_s"] * 100 / lived_s))),
        "stime": started.strftime("%H:%M"),
        "tty": "?",
        "time": f"{cpu_s // 3600:02}:{cpu_s // 60 % 60:02}:{cpu_s % 60:02}",
        "comm": process["comm"],
        "command": process["command"] or f"[{process['comm']}]",
        "state": process["state"],
    }


def read_processes(files: Files) -> list[dict[str, Any]]:
    """Return what /proc tells of every process, by pid (a job)."""
    uptime_s = float(_read(files, "/proc/uptime").split()[0])
    names = dict(_users(files))
    found = []
    for pid in sorted(int(name) for name in files.listdir("/proc") if name.isdigit()):
        try:
            found.append(_process(files, pid, names) | {"uptime_s": uptime_s})
        except OSError:  # it has ended meanwhile
            continue
    return found


def _process(files: Files, pid: int, users: Mapping[int, str]) -> dict[str, Any]:
    head, _, tail = _read(files, f"/proc/{pid}/stat").rpartition(") ")
    fields = tail.split()
    status = _read(files, f"/proc/{pid}/status")
    uid = int(next(line for line in status.splitlines() if line.startswith("Uid:")).split()[2])
    return {
        "pid": pid,
        "comm": head.partition("(")[2],
        "state": fields[0],
        "ppid": int(fields[1]),
        "cpu_s": (int(fields[11]) + int(fields[12])) / _TICKS,
        "start_s": int(fields[19]) / _TICKS,
        "command": _read(files, f"/proc/{pid}/cmdline").replace("\0", " ").strip(),
        "uid": uid,
        "user": users.get(uid, str(uid)),
    }


def _users(files: Files) -> Iterator[tuple[int, str]]:
    """Yield the host's users; root is one on a host without a list, too."""
    yield 0, "root"
    try:
        rows = [line.split(":") for line in _read(files, "/etc/passwd").splitlines()]
    except OSError:
        return
    yield from ((int(row[2]), row[0]) for row in rows if len(row) > 2 and row[2].isdigit())


def _read(files: Files, path: str) -> str:
    fd = files.open(path, O_RDONLY)
    try:
        data = b""
        while more := files.read(fd, 1 << 16):
            data += more
    finally:
        files.close(fd)
    return data.decode("utf-8", "replace")
