"""What can be set by writing to a file of proc (proc(5)): each function takes the writer, the open file, the bytes.

What it returns, if it does, is how many of them it took; the file's offset then stays where it was.
"""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.sim import id_map
from minidocker.sim.time_namespace import write_offsets
from minidocker.sim.user_namespace import FIRST
from minidocker.sim.uts import LONGEST

if TYPE_CHECKING:
    from minidocker.sim.proc import TextFile
    from minidocker.sim.task import Task


def _line(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").split("\n")[0]


def _hostname(task: "Task", file: "TextFile", data: bytes) -> None:
    """Name the writer's UTS namespace."""
    task.ns.uts.hostname = _line(data)[:LONGEST]


def _domainname(task: "Task", file: "TextFile", data: bytes) -> None:
    task.ns.uts.domainname = _line(data)[:LONGEST]


def _comm(task: "Task", file: "TextFile", data: bytes) -> None:
    """Rename a task: only itself (EINVAL)."""
    if file.subject is not task:
        fail(errno.EINVAL)
    task.name = _line(data)[:15]


def _ip_forward(task: "Task", file: "TextFile", data: bytes) -> None:
    """Have the writer's network forward, or not."""
    text = _line(data).strip()
    task.ns.net.forwarding = int(text) != 0 if text.isdecimal() else fail(errno.EINVAL)


def _unprivileged_port(task: "Task", file: "TextFile", data: bytes) -> None:
    """Say from which port on anybody may bind in the writer's network."""
    text = _line(data).strip()
    if not text.isdecimal() or int(text) > 0xFFFF:
        fail(errno.EINVAL)
    task.ns.net.unprivileged_port = int(text)


def _ping_groups(task: "Task", file: "TextFile", data: bytes) -> None:
    """Say which groups, from the first to the last, may have ping sockets in the writer's network."""
    words = _line(data).split()
    if not 1 <= len(words) <= 2 or not all(word.isdecimal() for word in words):
        fail(errno.EINVAL)
    net = task.ns.net
    first, last = [task.creds.user.valid_kgid(int(word)) for word in words] + list(net.ping_groups[len(words) :])
    net.ping_groups = (first, last) if first <= last else (1, 0)


def _require_start(file: "TextFile") -> None:
    """Some files take one write, at their beginning."""
    if not file.at_start:
        fail(errno.EINVAL)


def _uid_map(task: "Task", file: "TextFile", data: bytes) -> None:
    _require_start(file)
    assert file.subject is not None
    id_map.write_map(task, file.subject.creds.user, "uid", file.creds, data)


def _gid_map(task: "Task", file: "TextFile", data: bytes) -> None:
    _require_start(file)
    assert file.subject is not None
    id_map.write_map(task, file.subject.creds.user, "gid", file.creds, data)


def _setgroups(task: "Task", file: "TextFile", data: bytes) -> None:
    _require_start(file)
    assert file.subject is not None
    id_map.write_setgroups(file.subject.creds.user, data)


def _timens_offsets(task: "Task", file: "TextFile", data: bytes) -> int:
    _require_start(file)
    assert file.subject is not None
    return write_offsets(task, file.subject, file.creds, data)


def _oom_score_adj(task: "Task", file: "TextFile", data: bytes) -> None:
    """Make a task more or less likely to be killed: EINVAL beyond a thousand, EACCES for less without the right."""
    try:
        value = int(_line(data))
    except ValueError:
        fail(errno.EINVAL)
    if not -1000 <= value <= 1000:
        fail(errno.EINVAL)
    subject = file.subject
    assert subject is not None
    if value < subject.oom_score_adj and not task.creds.capable(FIRST, "CAP_SYS_RESOURCE"):
        fail(errno.EACCES)
    subject.oom_score_adj = value


#: By the file's name.
SETTINGS: Final[dict[str, "Callable[[Task, TextFile, bytes], int | None]"]] = {
    "hostname": _hostname,
    "domainname": _domainname,
    "comm": _comm,
    "ip_forward": _ip_forward,
    "ip_unprivileged_port_start": _unprivileged_port,
    "ping_group_range": _ping_groups,
    "uid_map": _uid_map,
    "gid_map": _gid_map,
    "setgroups": _setgroups,
    "timens_offsets": _timens_offsets,
    "oom_score_adj": _oom_score_adj,
}
