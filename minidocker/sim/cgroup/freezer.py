"""The freezer: tasks that get no turn until they are thawed (cgroup-v1/freezer-subsystem.rst, cgroup-v2.rst).

In version 2 freezing is every group's, in ``cgroup.freeze``; a frozen task looks asleep (S), and a signal that would
end it still does. In version 1 it is a controller, whose ``freezer.state`` freezes harder: a frozen task is in state D,
and takes even SIGKILL only once it is thawed. What lies below a frozen group is frozen, too. A frozen task's timers
run out all the same, but it hears of it when it is thawed.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.port import Inner
from minidocker.sim.cgroup.controller import Controller, File, Writer
from minidocker.sim.cgroup.group import Cgroup, State
from minidocker.sim.cgroup.numbers import strip

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: By what a task is frozen: bits of ``Task.frozen``.
BY_V2: Final = 1
BY_V1: Final = 2
THAWED, FREEZING, FROZEN = "THAWED", "FREEZING", "FROZEN"


class Freezer(State):
    """Whether a v1 group was told to freeze; those around count as well."""

    __slots__ = ("frozen",)

    def __init__(self, group: Cgroup) -> None:
        """Start thawed."""
        super().__init__(group)
        self.frozen = False

    def freezing(self) -> bool:
        """Is the group told to be frozen, itself or by one around?"""
        return any(state.frozen for state in self.around())


def refresh(task: "Task") -> None:
    """Freeze or thaw a task as its groups say. The host's task is whoever runs the kernel: it is never frozen."""
    frozen = BY_V2 if any(group.freeze for group in task.cgroups[0].around()) else 0
    state = task.kernel.cgroups.state(task, "freezer")
    if isinstance(state, Freezer) and state.freezing():
        frozen |= BY_V1
    if task is task.kernel.host or frozen == task.frozen:
        return
    task.frozen = frozen
    scheduler = task.kernel.scheduler
    if frozen:
        scheduler.unready(task)
    scheduler.ready(task)


def is_frozen(group: Cgroup) -> bool:
    """Is a v2 group frozen: was it, or one around it, told to, and does no task in it go on (cgroup.events)?"""
    return any(one.freeze for one in group.around()) and all(task.frozen & BY_V2 for task in group.all_tasks())


def set_freeze(group: Cgroup, *, freeze: bool) -> None:
    """Freeze or thaw a v2 group and all below it."""
    if group.freeze is freeze:
        return
    before = {one: is_frozen(one) for one in group.tree()}
    group.freeze = freeze
    _settle(group, "freeze" if freeze else "thaw")
    for one, frozen in before.items():
        _note_time(one, before=frozen)


def _settle(group: Cgroup, name: str) -> None:
    for task in group.all_tasks():
        refresh(task)
    inner = group.hierarchy.kernel.inner
    if inner is not None:
        inner.append(Inner(name=name, path=group.path(), simulated=True))


def _note_time(group: Cgroup, *, before: bool) -> None:
    """Count how long a group was frozen (cgroup.stat.local)."""
    now_ns = group.hierarchy.kernel.clock.now_ns()
    after = any(one.freeze for one in group.around())
    if after and not before:
        group.frozen_since_ns = now_ns
    elif before and not after and group.frozen_since_ns is not None:
        group.frozen_total_ns += now_ns - group.frozen_since_ns
        group.frozen_since_ns = None


def _state(group: Cgroup) -> Freezer:
    state: Freezer = group.states["freezer"]
    return state


def _write_state(group: Cgroup, writer: Writer, text: str) -> None:
    word = strip(text)
    if word not in (THAWED, FROZEN):
        fail(errno.EINVAL)
    state = _state(group)
    if state.frozen is not (word == FROZEN):
        state.frozen = word == FROZEN
        _settle(group, "freeze" if state.frozen else "thaw")


def _read_state(group: Cgroup, reader: "Task") -> str:
    if not _state(group).freezing():
        return THAWED + "\n"
    return (FROZEN if all(task.frozen & BY_V1 for task in group.all_tasks()) else FREEZING) + "\n"


def _self(group: Cgroup, reader: "Task") -> str:
    return f"{int(_state(group).frozen)}\n"


def _parent(group: Cgroup, reader: "Task") -> str:
    parent = _state(group).parent
    return f"{int(parent is not None and parent.freezing())}\n"


CONTROLLER: Final = Controller(
    name="freezer",
    make=Freezer,
    v1=(
        File(name="freezer.state", read=_read_state, write=_write_state, on_root=False),
        File(name="freezer.self_freezing", read=_self, on_root=False),
        File(name="freezer.parent_freezing", read=_parent, on_root=False),
    ),
)
