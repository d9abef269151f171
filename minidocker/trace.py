"""Trace: what one operation did, call by call, as an immutable value that steps forwards and backwards.

The JSON form is documented in ``docs/trace.md``. Most of a trace is :class:`Step`; each carries the changes of the
state model that it made. ``trace.at(i)`` is the state after step i, ``trace.at(-1)`` the one before the first.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from minidocker.state import Change, State, apply, empty_state, shared

SCHEMA: Final = "minidocker.trace/1"

#: A state is kept ready every so many steps, so that ``at`` applies at most this many steps' changes.
KEYFRAME_EVERY: Final = 32

DOCKER, ENGINE, SYSCALL, INSIDE = range(4)

#: What a task's end takes away with it, if it is the last to go: which of two that end together is the last, is chance.
_ENDS: Final = frozenset({"exit", "wait4"})
_LET_GO: Final = frozenset({"namespaces", "mounts", "links", "routes"})

#: What happens inside the kernel to a control group: the real one tells nobody, or tells it later when it is asked.
ASIDE: Final = frozenset({"oom_kill", "throttle", "freeze", "thaw"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened. ``depth``: 0 docker command, 1 engine operation, 2 system call, 3 inside the kernel."""

    index: int
    depth: int
    actor: str
    task: str
    call: str
    text: str
    result: str = ""
    errno: str | None = None
    local: bool = False
    observed: bool = False
    unseen: bool = False
    """An execve after which the program ran as itself: none of its own calls is in the trace."""
    why: str = ""
    changes: tuple[Change, ...] = ()
    ref: Mapping[str, str] = field(default_factory=dict)
    host: str = "host"
    digest: str = ""
    like: str = ""
    """The text as compared between kernels, where it has numbers that differ (pids); else empty."""
    simulated: bool = False
    """Something inside the kernel that only the simulated one tells (a frame on its way): shown, never compared."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Of something inside the kernel: what it was, as JSON's values (a frame, who was killed for memory)."""

    @property
    def comparable(self) -> bool:
        """Do both kernels tell this step, at the same place? What happens to a control group only one sees happen."""
        return not self.simulated and self.call not in ASIDE

    def same_as(self) -> tuple[Any, ...]:
        """Return what must be equal on both kernels: all but what is local, observed, or words of explanation.

        Of a task's end it is the call: what becomes of its row, of its orphans', and of the namespaces that it was in,
        depends on whose turn it was.
        """
        result = "" if self.local and self.errno is None else self.result
        both = [change for change in map(shared, self.changes) if change is not None and not self._by_chance(change)]
        changes = tuple(sorted(json.dumps(change.to_json(), sort_keys=True) for change in both))
        return (self.depth, self.actor, self.task, self.like or self.text, result, self.errno, changes)

    def _by_chance(self, change: Change) -> bool:
        """Does a change belong to this task's end, rather than to another's, only since that came later?"""
        if self.call == "exit" and change.path[0] == "tasks":
            return True
        return self.call in _ENDS and change.new is None and change.path[0] in _LET_GO

    def to_json(self) -> dict[str, Any]:
        """Return the step as the schema has it."""
        value: dict[str, Any] = {name: getattr(self, name) for name in _STEP_FIELDS}
        value["changes"] = [change.to_json() for change in self.changes]
        value["ref"] = dict(self.ref)
        flags = {name: getattr(self, name) for name in ("local", "observed", "unseen", "like", "simulated", "data")}
        return value | {name: flag for name, flag in flags.items() if flag}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Step":
        """Return the step that :meth:`to_json` wrote."""
        return cls(**{**value, "changes": tuple(Change.from_json(change) for change in value["changes"])})


_STEP_FIELDS: Final = (
    "index", "depth", "host", "actor", "task", "call", "text", "result", "errno", "why", "digest",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, repr=False)
class Trace:
    """What one docker command did, on one kernel."""

    command: str
    steps: tuple[Step, ...]
    kernel: Mapping[str, Any]
    layers: Mapping[str, Any] = field(default_factory=dict)
    initial: State = field(default_factory=empty_state)
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0

    def __repr__(self) -> str:
        """Return the command, the number of steps, and the kernel."""
        return f"<Trace of {self.command!r}: {len(self.steps)} steps, kernel {self.kernel.get('kind')}>"

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.steps)

    @cached_property
    def _keyframes(self) -> list[State]:
        frames, state = [self.initial], self.initial
        for number, step in enumerate(self.steps, 1):
            state = apply(state, step.changes)
            if number % KEYFRAME_EVERY == 0:
                frames.append(state)
        return frames

    def at(self, index: int) -> State:
        """Return the state after step ``index``; -1 is the one before the first step. Do not change it."""
        if not -1 <= index < len(self.steps):
            message = f"step {index} of a trace of {len(self.steps)}"
            raise IndexError(message)
        frame = (index + 1) // KEYFRAME_EVERY
        state = self._keyframes[frame]
        for step in self.steps[frame * KEYFRAME_EVERY : index + 1]:
            state = apply(state, step.changes)
        return state

    def to_json(self) -> dict[str, Any]:
        """Return the trace as JSON's values; ``docs/trace.md`` documents them."""
        return {
            "schema": SCHEMA,
            "command": self.command,
            "kernel": dict(self.kernel),
            "layers": dict(self.layers),
            "initial": self.initial,
            "steps": [step.to_json() for step in self.steps],
            "stdout": self.stdout,
            "stderr": self.stderr,
            "exit_code": self.exit_code,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Trace":
        """Return the trace that :meth:`to_json` wrote; ValueError if it is of another schema."""
        if value.get("schema") != SCHEMA:
            message = f"not a {SCHEMA} document: schema is {value.get('schema')!r}"
            raise ValueError(message)
        rest = {key: value[key] for key in value if key not in ("schema", "steps")}
        return cls(steps=tuple(Step.from_json(step) for step in value["steps"]), **rest)


def chain_digest(previous: str, step: Step) -> str:
    """Return a step's digest: 16 hexadecimal digits over the digest before it and what both kernels must agree on.

    A step that only one kernel can tell adds nothing to it.
    """
    if not step.comparable:
        return previous
    text = json.dumps([previous, *step.same_as()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
