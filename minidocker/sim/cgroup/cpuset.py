"""The cpuset controller: on which processors a group's tasks run (cpuset(7), cgroup-v1/cpusets.rst, cgroup-v2.rst).

Version 1 wants a group to be given processors and memory nodes before a task may enter (ENOSPC), each a part of what
the group around has (EACCES). In version 2 an empty list means what the group around has, and of a list only what that
has counts. There is one memory node here, number 0.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.sim.cgroup.controller import Controller, File, Writer
from minidocker.sim.cgroup.group import Cgroup, State
from minidocker.sim.cgroup.numbers import processor_list, processors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minidocker.sim.task import Task


class Cpuset(State):
    """What one group was given: processors and memory nodes."""

    __slots__ = ("cpus", "mems")

    def __init__(self, group: Cgroup) -> None:
        """Start with nothing; the root has all."""
        super().__init__(group)
        self.cpus: tuple[int, ...] = ()
        self.mems: tuple[int, ...] = ()

    def begin(self) -> None:
        """Give the root everything, and with cgroup.clone_children a new v1 group what its parent has."""
        if self.parent is None:
            self.cpus = tuple(range(self.group.hierarchy.kernel.profile.cpus))
            self.mems = (0,)
        elif self.group.clone_children:
            self.cpus, self.mems = self.parent.cpus, self.parent.mems

    def effective(self, what: str) -> tuple[int, ...]:
        """Return what really counts of ``cpus`` or ``mems``."""
        mine: tuple[int, ...] = getattr(self, what)
        if self.parent is None or not self.group.hierarchy.is_v2:
            return mine
        around: tuple[int, ...] = self.parent.effective(what)
        return tuple(number for number in mine if number in around) or around


def allowed(task: "Task") -> tuple[int, ...] | None:
    """Return the processors that a task may run on, None for all."""
    state = task.kernel.cgroups.state(task, "cpuset")
    if not isinstance(state, Cpuset) or state.parent is None:
        return None
    cpus = state.effective("cpus")
    return None if len(cpus) == task.kernel.profile.cpus or not cpus else cpus


def may_attach(group: Cgroup) -> None:
    """Raise ENOSPC if a v1 group has no processor or no memory node for a task (cpuset_can_attach)."""
    state = group.states.get("cpuset")
    if isinstance(state, Cpuset) and not (state.effective("cpus") and state.effective("mems")):
        fail(errno.ENOSPC)


def sys_sched_getaffinity(task: "Task", pid: int = 0) -> list[int]:
    """Return the processors that a task may run on, sorted (sched_getaffinity(2)); ESRCH."""
    subject = task.ns.pid.find(pid) if pid else task
    if subject is None:
        fail(errno.ESRCH)
    return list(range(task.kernel.profile.cpus) if subject.cpus is None else subject.cpus)


def _state(group: Cgroup) -> Cpuset:
    state: Cpuset = group.states["cpuset"]
    return state


def _set(group: Cgroup, what: str, numbers: "tuple[int, ...]") -> None:
    state = _state(group)
    if state.parent is None:
        fail(errno.EACCES)
    if not group.hierarchy.is_v2:
        _check_v1(state, what, numbers)
    setattr(state, what, numbers)
    group.hierarchy.refresh_tree(group)


def _check_v1(state: Cpuset, what: str, numbers: "Sequence[int]") -> None:
    """Refuse what a group inside has and this one would not (EBUSY), what the one around has not, an end of all."""
    children = [_state(child) for child in state.group.children.values()]
    if any(not set(getattr(child, what)) <= set(numbers) for child in children):
        fail(errno.EBUSY)
    if not set(numbers) <= set(getattr(state.parent, what)):
        fail(errno.EACCES)
    if not numbers and state.group.tasks:
        fail(errno.ENOSPC)


def _write_cpus(group: Cgroup, writer: Writer, text: str) -> None:
    numbers = processors(text)
    if numbers and numbers[-1] >= group.hierarchy.kernel.profile.cpus:
        fail(errno.ERANGE)
    _set(group, "cpus", numbers)


def _write_mems(group: Cgroup, writer: Writer, text: str) -> None:
    numbers = processors(text)
    if numbers and numbers[-1] > 0:
        fail(errno.EINVAL)
    _set(group, "mems", numbers)


def _read_cpus(group: Cgroup, reader: "Task") -> str:
    return processor_list(_state(group).cpus) + "\n"


def _read_mems(group: Cgroup, reader: "Task") -> str:
    return processor_list(_state(group).mems) + "\n"


def _effective_cpus(group: Cgroup, reader: "Task") -> str:
    return processor_list(_state(group).effective("cpus")) + "\n"


def _effective_mems(group: Cgroup, reader: "Task") -> str:
    return processor_list(_state(group).effective("mems")) + "\n"


CONTROLLER: Final = Controller(
    name="cpuset",
    make=Cpuset,
    v1=(
        File(name="cpuset.cpus", read=_read_cpus, write=_write_cpus),
        File(name="cpuset.mems", read=_read_mems, write=_write_mems),
        File(name="cpuset.effective_cpus", read=_effective_cpus),
        File(name="cpuset.effective_mems", read=_effective_mems),
    ),
    v2=(
        File(name="cpuset.cpus", read=_read_cpus, write=_write_cpus, on_root=False),
        File(name="cpuset.mems", read=_read_mems, write=_write_mems, on_root=False),
        File(name="cpuset.cpus.effective", read=_effective_cpus),
        File(name="cpuset.mems.effective", read=_effective_mems),
    ),
)
