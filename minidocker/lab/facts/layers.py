"""Facts of layers: what lies in the writable one, who serves a name, what an image holds."""

import posixpath
from collections.abc import Iterable
from typing import Any

from minidocker.lab.facts.fact import Fact, FactOf
from minidocker.provider import provider
from minidocker.state import Change
from minidocker.trace import Step, Trace


def upper_bytes(ran: Any) -> Fact:
    """How many bytes the files in the writable layer have, at the end."""
    entries = left(ran.trace)
    total = sum(entry.get("size", 0) for entry in entries.values() if entry["kind"] == "file")
    return Fact(value=total, step=_biggest(ran.trace))


def upper_names(ran: Any) -> Fact:
    """The names that lie in the writable layer, at the end."""
    return Fact(value=sorted(left(ran.trace)), step=_last_of(ran.trace, "uppers"))


def in_upper(path: str) -> FactOf:
    """Return the fact of what lies at a path in the writable layer, in a word: nothing, file, directory, whiteout …"""

    def fact(ran: Any) -> Fact:
        entry = left(ran.trace).get(path)
        return Fact(value="nothing" if entry is None else word(entry), step=_touching(ran.trace, path))

    return fact


def names_in(directory: str) -> FactOf:
    """Return the fact of which names are in a directory of the merged tree at the end."""

    def fact(ran: Any) -> Fact:
        rows = [entries for _, entries in stack_of(ran.trace, len(ran.trace) - 1)]
        paths = {path for entries in rows for path in entries if posixpath.dirname(path) == directory and path != "/"}
        seen = sorted(posixpath.basename(path) for path in paths if provider(path, rows).found)
        return Fact(value=seen, why=f"{len(seen)} of the {len(paths)} names that some layer has there are served.")

    return fact


def image_bytes(ran: Any) -> Fact:
    """How many bytes the files of all the lower layers have: what is stored and shipped, seen or not."""
    last = max(step.index for step in ran.trace.steps if stack_of(ran.trace, step.index))
    name = subject(ran.trace)
    numbers = ran.trace.at(last)["stacks"][name]["lowers"]
    sizes = [f"{ran.trace.layers[n]['name']} {ran.trace.layers[n]['bytes']:,}" for n in numbers]
    return Fact(
        value=sum(ran.trace.layers[n]["bytes"] for n in numbers), why=f"By layer, from the top: {'; '.join(sizes)}."
    )


def served_by(path: str) -> FactOf:
    """Return the fact of which layer serves a path at the end: its name, ``"the writable layer"`` or ``"none"``."""

    def fact(ran: Any) -> Fact:
        return Fact(value=server(ran.trace, len(ran.trace) - 1, path), why=serving(ran.trace, path))

    return fact


# reading a trace


def left(trace: Trace) -> dict[str, Any]:
    """Return what lies in the writable layer that the trace is about, at the end, or before ``--rm`` took it away."""
    uppers: dict[str, Any] = dict(trace.initial["uppers"])
    for step in trace.steps:
        if any(change.path[0] == "uppers" for change in step.changes):
            uppers |= trace.at(step.index)["uppers"]
    name = subject(trace)
    return dict(uppers.get(name, {})) if name else {}


def subject(trace: Trace) -> str | None:
    """Return the name of the stack that the trace is about: the last one touched."""
    touched = [
        c.path[1] for step in trace.steps for c in step.changes if c.path[0] in ("uppers", "stacks") and len(c.path) > 1
    ]
    known = [*trace.initial["stacks"]]
    return touched[-1] if touched else known[-1] if known else None


def stack_of(trace: Trace, index: int) -> list[tuple[str, Any]]:
    """Return the layers of the trace's stack at a step, topmost first: (name, entries)."""
    name = subject(trace)
    state = trace.at(index)
    if name is None or name not in state["stacks"]:
        return []
    lowers = [trace.layers[number] for number in state["stacks"][name]["lowers"]]
    rows = [(layer["name"], layer["entries"]) for layer in lowers]
    return [("the writable layer", state["uppers"].get(name, {})), *rows]


def server(trace: Trace, index: int, path: str) -> str:
    """Return the name of the layer that serves a path at a step, or ``"none"``."""
    stack = stack_of(trace, index)
    number = provider(path, [entries for _, entries in stack]).layer
    return "none" if number is None else stack[number][0]


def serving(trace: Trace, path: str) -> str:
    """Return in words how the search for a path ends, at the end of a trace."""
    stack = stack_of(trace, len(trace) - 1)
    who = provider(path, [entries for _, entries in stack])
    if who.found:
        name, entries = stack[who.found[0][0]]
        return f"From the top down, the first that has it is {name}: a {word(entries[path])}."
    if who.ended_by is not None and any(path in entries for _, entries in stack):
        return f"From the top down, the search ends in {stack[who.ended_by][0]}: what lies below is hidden."
    return "No layer has that name."


def word(entry: Any) -> str:
    """Return in a word what an entry of a layer is."""
    kind: str = entry["kind"]
    if kind == "dir":
        return "opaque directory" if entry.get("opaque") else "directory"
    return "symbolic link" if kind == "symlink" else kind


def _last_of(trace: Trace, table: str) -> Step | None:
    return _last(step for step in trace.steps if any(c.path[0] == table and len(c.path) > 2 for c in step.changes))


def _biggest(trace: Trace) -> Step | None:
    """Return the step that put the most bytes into a writable layer."""
    grown = [(sum(_grown(change) for change in step.changes), -step.index) for step in trace.steps]
    most, index = max(grown, default=(0, 0))
    return trace.steps[-index] if most else None


def _grown(change: Change) -> int:
    if change.path[0] != "uppers" or len(change.path) != 3:
        return 0
    return int((change.new or {}).get("size", 0)) - int((change.old or {}).get("size", 0))


def _touching(trace: Trace, path: str) -> Step | None:
    return _last(
        step for step in trace.steps if any(c.path[2:] == (path,) for c in step.changes if c.path[0] == "uppers")
    )


def _last(steps: Iterable[Step]) -> Step | None:
    found = list(steps)
    return found[-1] if found else None
