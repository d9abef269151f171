"""The cpuacct controller of version 1: how much processor time a group's tasks have had (cgroup-v1/cpuacct.rst)."""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.sim.cgroup.controller import Controller, File, Read, Writer
from minidocker.sim.cgroup.group import Cgroup, State
from minidocker.sim.cgroup.numbers import unsigned
from minidocker.sim.cgroup.usage import Usage

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: Clock ticks a second: the unit of cpuacct.stat (USER_HZ).
USER_HZ: Final = 100


def _usage(group: Cgroup) -> Usage:
    assert group.usage is not None
    return group.usage


def _shows(text: Callable[[Usage], str]) -> Read:
    def read(group: Cgroup, reader: "Task") -> str:
        return text(_usage(group))

    return read


def _row(numbers: "list[int]") -> str:
    return "".join(f"{number} " for number in numbers) + "\n"


def _stat(usage: Usage) -> str:
    tick = 1_000_000_000 // USER_HZ
    return f"user {usage.user // tick}\nsystem {usage.system // tick}\n"


def _all(usage: Usage) -> str:
    rows = zip(usage.user_ns, usage.system_ns, strict=True)
    return "cpu user system\n" + "".join(f"{cpu} {user} {system}\n" for cpu, (user, system) in enumerate(rows))


def _write_usage(group: Cgroup, writer: Writer, text: str) -> None:
    """Start counting anew: only 0 can be written."""
    if unsigned(text):
        fail(errno.EINVAL)
    _usage(group).clear()


CONTROLLER: Final = Controller(
    name="cpuacct",
    make=State,
    v1=(
        File(name="cpuacct.usage", read=_shows(lambda usage: f"{usage.total}\n"), write=_write_usage),
        File(name="cpuacct.usage_user", read=_shows(lambda usage: f"{usage.user}\n")),
        File(name="cpuacct.usage_sys", read=_shows(lambda usage: f"{usage.system}\n")),
        File(name="cpuacct.usage_percpu", read=_shows(lambda usage: _row(usage.by_cpu()))),
        File(name="cpuacct.usage_percpu_user", read=_shows(lambda usage: _row(usage.user_ns))),
        File(name="cpuacct.usage_percpu_sys", read=_shows(lambda usage: _row(usage.system_ns))),
        File(name="cpuacct.usage_all", read=_shows(_all)),
        File(name="cpuacct.stat", read=_shows(_stat)),
    ),
)
