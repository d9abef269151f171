"""Views: the pictures of a trace that are drawings, by name, and which of them have something to show."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from minidocker.lab.stepper.cgroups_view import cgroups
from minidocker.lab.stepper.drawing import State, ever
from minidocker.lab.stepper.layout import shown_until
from minidocker.lab.stepper.namespaces_view import namespaces
from minidocker.lab.stepper.network_view import network
from minidocker.lab.stepper.states_view import states
from minidocker.trace import INSIDE, Trace

View = Callable[[Mapping[str, Any], State, State, Sequence[Mapping[str, Any]]], dict[str, Any]]

VIEWS: Final[Mapping[str, View]] = {
    "namespaces": namespaces, "cgroups": cgroups, "network": network, "states": states,
}  # fmt: skip

#: The table that must have had something, so that there is anything to see.
TABLES: Final[Mapping[str, str]] = {
    "namespaces": "tasks", "cgroups": "cgroups", "network": "links", "states": "containers",
}  # fmt: skip


def has_view(trace: Trace, view: str) -> bool:
    """Tell whether a view has anything to show at some step of a trace."""
    return bool(ever(trace.to_json(), TABLES[view]))


def default_view(trace: Trace) -> str:
    """Return the view that a trace is best shown by: its layers, or if it has none the first that has anything."""
    value = trace.to_json()
    if ever(value, "stacks") or ever(value, "uppers"):
        return "layers"
    return next((view for view in VIEWS if has_view(trace, view)), "layers")


def drawing_of(trace: Trace, view: str, index: int, *, zoom: int = INSIDE) -> dict[str, Any]:
    """Return a view's drawing at a step, -1 being before the first. KeyError for a view that there is not."""
    value, last = trace.to_json(), shown_until(trace, index, zoom)
    state = trace.at(last)
    old = trace.at(index - 1) if index >= 0 else state
    return VIEWS[view](value, state, old, value["steps"][index : last + 1] if index >= 0 else [])


def telling(trace: Trace, view: str) -> int:
    """Return the step at which a view has most to tell: the last one with the most rows in its table."""
    best, most = len(trace) - 1, -1
    for index in range(len(trace)):
        table = trace.at(index).get(TABLES[view], {})
        rows = sum(len(row) if view == "network" else 1 for row in table.values())
        if rows >= most:
            best, most = index, rows
    return best
