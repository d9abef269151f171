"""Recordings: what a real Linux kernel did with the lessons' commands, for those who have none.

A file (``*.json``) has the traces of one notebook. A trace is found by its *key*: a digest of all that the lab was told
before, and of the command itself; whoever tells the lab something else gets no recording, and never a wrong one.
``scripts/record`` writes the files; ``tests/lab/test_recordings.py`` proves that they are still what the kernel does.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from minidocker.lab.layers import digest
from minidocker.trace import Trace

SCHEMA: Final = "minidocker.recordings/1"

#: What a step says that says nothing: it is left out.
_DEFAULTS: Final[Mapping[str, Any]] = {"why": "", "ref": {}, "digest": "", "result": "", "errno": None, "host": "host"}

#: While ``scripts/record`` runs a notebook: every real trace by its key. Else None.
tape: dict[str, Trace] | None = None


class History:
    """What a lab, or one stack in it, has been told so far; its digest is the key of what came of it."""

    def __init__(self, *start: Any) -> None:
        """Begin with what distinguishes this history from others."""
        self._digest = digest(list(start))

    def add(self, *said: Any) -> str:
        """Take what is said next, and return the key."""
        self._digest = digest([self._digest, list(said)])
        return self.key

    @property
    def key(self) -> str:
        """The key of what was said last."""
        return self._digest.removeprefix("sha256:")[:24]


def find(key: str) -> Trace | None:
    """Return the trace that a real kernel gave for a key, or None."""
    for recorded in _all():
        if key in recorded["traces"]:
            return _trace(recorded, recorded["traces"][key])
    return None


def kernel() -> Mapping[str, Any] | None:
    """Return the description of the kernel that was recorded: a simulated one is made like it, so that they compare."""
    return next((described for recorded in _all() for described in recorded["kernels"]), None)


def to_json(traces: Mapping[str, Trace]) -> dict[str, Any]:
    """Return what a file of recordings holds: layers and kernels once, and traces by key."""
    layers: dict[str, Any] = {}
    kernels: list[Any] = []
    rows = {}
    for key, trace in ((key, portable(trace)) for key, trace in traces.items()):
        layers |= trace.layers
        if dict(trace.kernel) not in kernels:
            kernels.append(dict(trace.kernel))
        value = trace.to_json()
        value["steps"] = [
            {name: what for name, what in step.items() if what != _DEFAULTS.get(name, ())} for step in value["steps"]
        ]
        rows[key] = value | {"layers": sorted(trace.layers), "kernel": kernels.index(dict(trace.kernel))}
    return {"schema": SCHEMA, "kernels": kernels, "layers": layers, "traces": rows}


def portable(trace: Trace) -> Trace:
    """Return a trace without what is this machine's own: process ids, and how its kernel was built.

    Nor with what only a reader needs, for it is the model's trace that is shown: sentences, references, digests.
    """
    kernel = {**trace.kernel, "release": str(trace.kernel.get("release", "")).partition("-")[0]}
    steps = (
        replace(step, text=step.like or step.text, result="" if step.local else step.result, why="", ref={}, digest="")
        for step in trace.steps
    )
    return replace(trace, kernel=kernel, steps=tuple(steps))


def from_json(recorded: Mapping[str, Any]) -> dict[str, Trace]:
    """Return the traces that a file of recordings holds."""
    return {key: _trace(recorded, value) for key, value in recorded["traces"].items()}


def _trace(recorded: Mapping[str, Any], value: Mapping[str, Any]) -> Trace:
    layers = {name: recorded["layers"][name] for name in value["layers"]}
    return Trace.from_json({**value, "layers": layers, "kernel": recorded["kernels"][value["kernel"]]})


@cache
def _all() -> Iterable[Mapping[str, Any]]:
    found = sorted(
        (file for file in files(__name__).iterdir() if file.name.endswith(".json")), key=lambda file: file.name
    )
    documents = (json.loads(file.read_text("utf-8")) for file in found)
    return [document for document in documents if document.get("schema") == SCHEMA]
