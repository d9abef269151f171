"""The pids controller: how many tasks a group may have (cgroup-v1/pids.rst, cgroup-v2.rst, "PID").

A clone is refused with EAGAIN if it would lift the number of a group, or of one around it, over ``pids.max``. A zombie
counts until it is reaped: it still has a number. To move tasks in is never refused, so ``pids.current`` can exceed
``pids.max``; nor does a lower limit end anybody.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.sim.cgroup.controller import Controller, File, Writer
from minidocker.sim.cgroup.group import Cgroup, State
from minidocker.sim.cgroup.numbers import MAX, integer, shown, strip

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: More numbers than this there are never (PID_MAX_LIMIT on 64 bits).
LIMIT: Final = 4194304


class Pids(State):
    """The limit of one group, and how often it was met.

    ``refused`` counts the clones of its own tasks, ``hits`` those that its own limit refused, ``events`` those that its
    limit or one below refused.
    """

    __slots__ = ("events", "hits", "max", "peak", "refused")

    def __init__(self, group: Cgroup) -> None:
        """Start without a limit."""
        super().__init__(group)
        self.max: int | None = None
        self.peak = group.population
        self.refused = self.hits = self.events = 0


def may_fork(state: Pids) -> None:
    """Raise EAGAIN if a group around, the nearest first, has no room for one more (pids_try_charge)."""
    for over in state.around():
        if over.max is not None and over.group.population + 1 > over.max:
            _note(state, over)
            fail(errno.EAGAIN)


def _note(forking: Pids, over: Pids) -> None:
    """Count it: where the clone failed (v1), and at the limit and around it (v2, pids_event)."""
    forking.refused += 1
    over.hits += 1
    for one in over.around():
        one.events += 1


def note_peak(state: Pids) -> None:
    """Note the highest number, of this group and of those around."""
    for one in state.around():
        one.peak = max(one.peak, one.group.population)


def moved(group: Cgroup) -> None:
    """Note the highest number after a task came in."""
    state = group.effective("pids")
    if state is not None:
        note_peak(state)


def _state(group: Cgroup) -> Pids:
    state: Pids = group.states["pids"]
    return state


def _write_max(group: Cgroup, writer: Writer, text: str) -> None:
    if strip(text) == MAX:
        _state(group).max = None
        return
    limit = integer(text)
    _state(group).max = limit if 0 <= limit <= LIMIT - 1 or limit == LIMIT else fail(errno.EINVAL)


def _read_max(group: Cgroup, reader: "Task") -> str:
    return shown(_state(group).max)


def _current(group: Cgroup, reader: "Task") -> str:
    return f"{group.population}\n"


def _peak(group: Cgroup, reader: "Task") -> str:
    return f"{_state(group).peak}\n"


def _events(group: Cgroup, reader: "Task") -> str:
    state = _state(group)
    local = "pids_localevents" in group.hierarchy.switches
    return f"max {state.events if group.hierarchy.is_v2 and not local else state.refused}\n"


def _events_local(group: Cgroup, reader: "Task") -> str:
    return f"max {_state(group).hits}\n"


_FILES: Final = (
    File(name="pids.max", read=_read_max, write=_write_max, on_root=False),
    File(name="pids.current", read=_current, on_root=False),
    File(name="pids.peak", read=_peak, on_root=False),
    File(name="pids.events", read=_events, on_root=False),
)

CONTROLLER: Final = Controller(
    name="pids",
    make=Pids,
    v1=_FILES,
    v2=(*_FILES, File(name="pids.events.local", read=_events_local, on_root=False)),
)
