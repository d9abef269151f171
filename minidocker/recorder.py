"""Recorder: listens to a kernel and an engine, and makes their news into the steps of a trace."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from minidocker import explain, linux, strace
from minidocker.image_store import cut
from minidocker.kernel import Inner, SyscallEvent
from minidocker.state import Change, State, apply, empty_state, put
from minidocker.task_table import HOST, USAGE, Tasks
from minidocker.trace import DOCKER, ENGINE, INSIDE, SYSCALL, Step, Trace, chain_digest

#: What the kernel did inside one call is a set: it is always told in this order, then by path.
_ORDER: Final = {"copy_up": 0, "whiteout": 1, "opaque": 2}

#: An id of 64 digits is shown by its first twelve, as docker does.
_ID: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


class Recorder:
    """One host's recorder. It keeps the state between commands; :meth:`cut` gives the trace since the last cut."""

    def __init__(self, kernel: Mapping[str, Any]) -> None:
        """Begin with an empty host; ``kernel`` describes it in every trace (``docs/trace.md``)."""
        self._kernel = dict(kernel)
        self._layers: dict[str, Any] = {}
        self._steps: list[Step] = []
        self._digests: dict[str, str] = {}
        self._state: State = empty_state()
        self._tasks = Tasks(kernel)
        self._state = apply(self._state, self._tasks.begin(self._state))
        self._initial = self._state
        self._named: set[str] = set()

    def __call__(self, event: SyscallEvent) -> None:
        """Take one finished system call (a kernel's listener)."""
        inner = _in_order(event.inner)
        shared = {item.path for item in inner}
        uppers = [
            (("uppers", name, path), entry) for name, entries in event.uppers.items() for path, entry in entries.items()
        ]
        changes = self._tasks.changes(event, self._state)
        where = self._tasks.where(event, self._state)
        self._named.update(arg for arg in event.args[:2] if isinstance(arg, str) and arg.startswith("/"))
        own = [put for put in uppers if put[0][2] not in shared]
        text = self._tasks.noted(event, strace.text(event.name, event.args, event.kwargs, event.result))
        self._add(
            depth=SYSCALL,
            actor=event.actor,
            task=event.task,
            call=event.name,
            text=text,
            result=strace.result(event.name, event.result, event.error),
            errno=linux.errno_name(event.error.errno) if event.error else None,
            local=event.error is None and self._tasks.is_local(event),
            why=explain.why(event, where),
            ref=explain.ref(event.name, where),
            like=self._tasks.like(event, text, self._state),
            unseen=bool(event.kwargs.get("unseen")),
            puts=own,
            changes=changes,
        )
        for item in inner:
            self._inside(
                event, self._tasks.placed(event, item, self._state), [put for put in uppers if put[0][2] == item.path]
            )
        for item in self._tasks.noticed():
            self._inside(event, item, [])
        used = [item for item in event.inner if item.name == USAGE]
        self._used([self._tasks.placed(event, item, self._state) for item in used])

    def command(self, text: str, why: str = "") -> None:
        """Begin a docker command: the step of depth 0."""
        self._add(
            depth=DOCKER,
            actor="client",
            task=HOST,
            call="docker",
            text=text,
            why=why,
            ref={"docker": " ".join(text.split()[:2])},
        )

    def operation(
        self,
        call: str,
        why: str,
        puts: Mapping[tuple[str, ...], Any] | None = None,
        *,
        ref: str = "",
        actor: str = "daemon",
    ) -> None:
        """Take what the engine begins to do (:class:`minidocker.monitor.Monitor`)."""
        self._add(
            depth=ENGINE, actor=actor, task=HOST, call=call, text=call, why=why,
            ref={"docker": ref} if ref else {}, puts=list((puts or {}).items()),
        )  # fmt: skip

    def layers(self, layers: Mapping[str, Any]) -> None:
        """Take what layers are."""
        self._layers.update(layers)

    def stack(self, name: str, lowers: Sequence[str], merged: str, entries: Mapping[str, Any]) -> None:
        """Take a stack of layers; belongs to the operation just begun."""
        puts: list[tuple[tuple[str, ...], Any]] = [
            (("stacks", name), {"lowers": list(lowers), "merged": merged}),
            (("uppers", name), dict(entries) or {}),
        ]
        last = self._steps[-1]
        changes = self._changes(puts)
        self._steps[-1] = self._digested(replace(last, changes=(*last.changes, *changes)), self._before_last(last.task))

    def cut(self, command: str, stdout: str = "", stderr: str = "", exit_code: int = 0) -> Trace:
        """Return the trace since the last cut, and begin the next one."""
        used = {layer for stack in self._state["stacks"].values() for layer in stack["lowers"]}
        used |= {layer for stack in self._initial["stacks"].values() for layer in stack["lowers"]}
        used |= {
            layer
            for step in self._steps
            for c in step.changes
            if c.path[0] == "stacks" and c.new
            for layer in c.new["lowers"]
        }
        touched = self._touched()
        trace = Trace(
            command=command,
            steps=tuple(self._steps),
            kernel=self._kernel,
            layers={key: cut(value, touched.__contains__) for key, value in self._layers.items() if key in used},
            initial=self._initial,
            stdout=stdout,
            stderr=stderr,
            exit_code=exit_code,
        )
        self._steps, self._initial, self._digests, self._named = [], self._state, {}, set()
        return trace

    def _touched(self) -> set[str]:
        """Return the paths that a picture must have: what lay in writable layers, and what calls named."""
        found = {path for entries in self._initial["uppers"].values() for path in entries}
        for step in self._steps:
            found |= {change.path[2] for change in step.changes if change.path[0] == "uppers" and len(change.path) > 2}
        return found | self._named

    def _inside(self, event: SyscallEvent, inner: Inner, puts: list[tuple[tuple[str, ...], Any]]) -> None:
        text, why, ref = explain.inside(inner)
        self._add(
            depth=INSIDE, actor="kernel", task=event.task, call=inner.name, text=text, why=why, ref=ref,
            observed=inner.observed, simulated=inner.simulated, data=dict(inner.data), puts=puts,
            changes=self._tasks.inside(inner, self._state),
        )  # fmt: skip

    def _used(self, usages: Sequence[Inner]) -> None:
        """Add to the last step how much control groups use now: counters that have moved, by whatever was done."""
        puts = [
            (("cgroups", item.path, "usage", name), number)
            for item in usages
            if item.path in self._state["cgroups"]
            for name, number in item.data.items()
        ]
        last = self._steps[-1]
        if changes := self._changes(puts):  # local, so that the digest stays
            self._steps[-1] = replace(last, changes=(*last.changes, *changes))

    def _add(
        self,
        *,
        puts: Sequence[tuple[tuple[str, ...], Any]] = (),
        changes: Sequence[Change] = (),
        **fields: Any,
    ) -> None:
        made = [*self._changes(puts), *changes]
        self._state = apply(self._state, changes)
        step = Step(index=len(self._steps), changes=tuple(made), **fields | {"text": _ID.sub(r"\1…", fields["text"])})
        self._steps.append(self._digested(step, self._digests.get(step.task, "")))

    def _changes(self, puts: Sequence[tuple[tuple[str, ...], Any]]) -> list[Change]:
        changes = []
        for path, new in puts:
            change = put(self._state, path, new)
            if change.old != change.new:
                changes.append(change)
                self._state = apply(self._state, [change])
        return changes

    def _digested(self, step: Step, previous: str) -> Step:
        self._digests[step.task] = digest = chain_digest(previous, step)
        return replace(step, digest=digest)

    def _before_last(self, task: str) -> str:
        return next((step.digest for step in reversed(self._steps[:-1]) if step.task == task), "")


def _in_order(inner: Sequence[Inner]) -> list[Inner]:
    """Return what tells a step: what was done to files in the order of :data:`_ORDER`, the rest as it came."""
    told = [item for item in inner if item.name != USAGE]
    files = [item for item in told if item.name in _ORDER]
    files.sort(key=lambda item: (_ORDER[item.name], item.path))
    return files + [item for item in told if item.name not in _ORDER]
