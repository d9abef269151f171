"""The files that every v1 group has (cgroup-v1/cgroups.rst)."""

import errno
from typing import TYPE_CHECKING, Final, NoReturn

from minidocker.sim.cgroup.controller import File, Writer
from minidocker.sim.cgroup.membership import write_procs
from minidocker.sim.cgroup.numbers import unsigned
from minidocker.sim.refuse import refuse

if TYPE_CHECKING:
    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.task import Task


def _read_procs(group: "Cgroup", reader: "Task") -> str:
    """Return the tasks' numbers in the reader's PID namespace, sorted; whom it cannot see it is not told of."""
    numbers = sorted(reader.ns.pid.number(task) for task in group.tasks if task.alive)
    return "".join(f"{number}\n" for number in numbers if number)


def _read_clone_children(group: "Cgroup", reader: "Task") -> str:
    return f"{int(group.clone_children)}\n"


def _write_clone_children(group: "Cgroup", writer: Writer, text: str) -> None:
    group.clone_children = unsigned(text) > 0


def _read_notify(group: "Cgroup", reader: "Task") -> str:
    return f"{int(group.notify_on_release)}\n"


def _write_notify(group: "Cgroup", writer: Writer, text: str) -> None:
    group.notify_on_release = unsigned(text) > 0


def _read_agent(group: "Cgroup", reader: "Task") -> str:
    return "\n"


def _write_agent(group: "Cgroup", writer: Writer, text: str) -> NoReturn:
    """Refuse: the kernel would start a program of the host's, as root, whenever a group becomes empty."""
    refuse(errno.EINVAL, "does not model release_agent")


def _sane(group: "Cgroup", reader: "Task") -> str:
    return "0\n"


FILES: Final = (
    File(name="tasks", read=_read_procs, write=write_procs),
    File(name="cgroup.procs", read=_read_procs, write=write_procs),
    File(name="cgroup.clone_children", read=_read_clone_children, write=_write_clone_children),
    File(name="cgroup.sane_behavior", read=_sane, on_others=False),
    File(name="notify_on_release", read=_read_notify, write=_write_notify),
    File(name="release_agent", read=_read_agent, write=_write_agent, on_others=False),
)
