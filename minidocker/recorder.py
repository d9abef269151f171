"""Recorder: listens to a kernel and an engine, and makes their news into the steps of a trace."""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from minidocker import explain, linux, strace
from minidocker.image_store import cut
from minidocker.kernel import Inner, SyscallEvent
from minidocker.state import Change, State, apply, empty_state, put
from minidocker.trace import DOCKER, ENGINE, INSIDE, SYSCALL, Step, Trace, chain_digest

HOST: Final = "0"

#: What the kernel did inside one call is a set: it is always told in this order, then by path.
_ORDER: Final = {"copy_up": 0, "whiteout": 1, "opaque": 2}

#: An id of 64 digits is shown by its first twelve, as docker does.
_ID: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")

_NAMESPACES: Final = {linux.CLONE_NEWNS: "mnt", linux.CLONE_NEWPID: "pid", linux.CLONE_NEWUTS: "uts"}


class Recorder:
    """One host's recorder. It keeps the state between commands; :meth:`cut` gives the trace since the last cut."""

    def __init__(self, kernel: Mapping[str, Any]) -> None:
        """Begin with an empty host; ``kernel`` describes it in every trace (``docs/trace.md``)."""
        self._kernel = dict(kernel)
        self._layers: dict[str, Any] = {}
        self._steps: list[Step] = []
        self._digests: dict[str, str] = {}
        self._state: State = empty_state()
        self._tasks = Tasks()
        self._state = apply(self._state, self._tasks.start(HOST, "daemon"))
        self._initial = self._state
        self._named: set[str] = set()

    def __call__(self, event: SyscallEvent) -> None:
        """Take one finished system call (a kernel's listener)."""
        inner = sorted(event.inner, key=lambda item: (_ORDER[item.name], item.path))
        shared = {item.path for item in inner}
        uppers = [
            (("uppers", name, path), entry) for name, entries in event.uppers.items() for path, entry in entries.items()
        ]
        changes = self._tasks.changes(event, self._state)
        self._named.update(arg for arg in event.args[:2] if isinstance(arg, str) and arg.startswith("/"))
        own = [put for put in uppers if put[0][2] not in shared]
        text = strace.text(event.name, event.args, event.kwargs, event.result)
        self._add(
            depth=SYSCALL,
            actor=event.actor,
            task=event.task,
            call=event.name,
            text=text,
            result=strace.result(event.name, event.result, event.error),
            errno=linux.errno_name(event.error.errno) if event.error else None,
            local=event.error is None and event.name in strace.LOCAL,
            why=explain.why(event),
            ref=explain.ref(event.name),
            like=self._tasks.like(event, text),
            puts=own,
            changes=changes,
        )
        for item in inner:
            self._inside(event, item, [put for put in uppers if put[0][2] == item.path])

    def command(self, text: str, why: str = "") -> None:
        """Begin a docker command: the step of depth 0."""
        self._add(
            depth=DOCKER,
            actor="client",
            task=HOST,
            call="docker",
            text=text,
            why=why,
            ref={"docker": "docker " + text.split()[1]},
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
        trace = Trace(
            command=command,
            steps=tuple(self._steps),
            kernel=self._kernel,
            layers={
                key: cut(value, self._touched().__contains__) for key, value in self._layers.items() if key in used
            },
            initial=self._initial,
            stdout=stdout,
            stderr=stderr,
            exit_code=exit_code,
        )
        self._steps, self._initial, self._digests, self._named = [], self._state, {}, set()
        return trace

    def _touched(self) -> set[str]:
        """Return the paths that a picture must have: what lies in writable layers, and what calls named."""
        states = [self._initial["uppers"], self._state["uppers"]]
        found = {path for uppers in states for entries in uppers.values() for path in entries}
        found |= {
            step.changes[0].path[2]
            for step in self._steps
            for c in step.changes[:1]
            if c.path[0] == "uppers" and len(c.path) > 2
        }
        return found | self._named

    def _inside(self, event: SyscallEvent, inner: Inner, puts: list[tuple[tuple[str, ...], Any]]) -> None:
        text, why, ref = explain.inside(inner)
        self._add(
            depth=INSIDE, actor="kernel", task=event.task, call=inner.name, text=text, why=why, ref=ref,
            observed=inner.observed, puts=puts,
        )  # fmt: skip

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


class Tasks:
    """What system calls tell of tasks, their namespaces and the mounts in those."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._names: dict[str, str] = {}
        self._children: dict[str, int] = {}
        self._namespaces: dict[str, dict[str, str]] = {}
        self._pids: dict[tuple[str, int], str] = {}
        self._cwd: dict[str, str] = {}
        self._made = {"mnt": 0, "pid": 0, "uts": 0}

    def start(self, task: str, name: str, flags: int = 0) -> list[Change]:
        """Return the changes that make a task appear, in its parent's namespaces but for those that flags name."""
        if task in self._names:
            return []
        parent = task.rpartition(".")[0]
        namespaces = dict(self._namespaces.get(parent, {}))
        for flag, kind in _NAMESPACES.items():
            if flags & flag or kind not in namespaces:
                self._made[kind] += 1
                namespaces[kind] = f"{kind}:{self._made[kind]}"
        self._names[task], self._namespaces[task] = name, namespaces
        self._cwd[task] = self._cwd.get(parent, "/")
        value = {"name": name, "parent": parent, "namespaces": namespaces, "status": "running"}
        return [Change(("tasks", task), None, value)]

    def changes(self, event: SyscallEvent, state: State) -> list[Change]:
        """Return what a finished call changed in the tables of tasks and mounts."""
        made = self.start(event.task, event.actor)
        if event.error is None:
            handler: Callable[[SyscallEvent, State], list[Change]] | None = getattr(self, "_" + event.name, None)
            if handler is not None:
                made += handler(event, apply(state, made))
        return made

    def like(self, event: SyscallEvent, text: str) -> str:
        """Return what is compared between kernels where the text has a child's pid: its line of descent instead."""
        if event.name == "wait4" and isinstance(event.result, tuple):
            child = self._pids.get((event.task, event.result[0]), "")
            return f"{child} ended: {strace.result('wait4', event.result).partition(', ')[2]}"
        if event.name == "kill" and (child := self._pids.get((event.task, event.args[0]), "")):
            return text.replace(f"({event.args[0]}", f"({child}", 1)
        return ""

    def _clone(self, event: SyscallEvent, state: State) -> list[Change]:
        number = self._children[event.task] = self._children.get(event.task, 0) + 1
        child = f"{event.task}.{number}"
        self._pids[event.task, event.result] = child
        flags = event.kwargs.get("flags", 0)
        name = event.actor if event.task != HOST else "init"
        if child in self._names:
            return []
        made = self.start(child, name, flags)
        mine, theirs = self._namespaces[event.task]["mnt"], self._namespaces[child]["mnt"]
        if mine != theirs and (mounts := state["mounts"].get(mine)):
            made.append(Change(("mounts", theirs), None, mounts))
        return made

    def _execve(self, event: SyscallEvent, state: State) -> list[Change]:
        name = posixpath.basename(event.args[0])
        return [Change(("tasks", event.task, "name"), state["tasks"][event.task]["name"], name)]

    def _exit(self, event: SyscallEvent, state: State) -> list[Change]:
        task = state["tasks"][event.task]
        return [Change(("tasks", event.task), task, {**task, "status": "zombie", "exit_code": event.args[0]})]

    def _wait4(self, event: SyscallEvent, state: State) -> list[Change]:
        pid, _ = event.result
        child = self._pids.get((event.task, pid))
        gone = [] if child is None else [t for t in state["tasks"] if t == child or t.startswith(child + ".")]
        spaces = {state["tasks"][t]["namespaces"]["mnt"] for t in gone}
        spaces -= {task["namespaces"]["mnt"] for line, task in state["tasks"].items() if line not in gone}
        return [Change(("tasks", line), state["tasks"][line], None) for line in gone] + [
            Change(("mounts", space), state["mounts"][space], None)
            for space in sorted(spaces)
            if space in state["mounts"]
        ]

    def _chdir(self, event: SyscallEvent, _: State) -> list[Change]:
        self._cwd[event.task] = self._absolute(event, event.args[0])
        return []

    def _mount(self, event: SyscallEvent, state: State) -> list[Change]:
        source, target, fstype, flags, data = event.args
        if flags & (linux.MS_PRIVATE | linux.MS_SLAVE | linux.MS_SHARED | linux.MS_REMOUNT):
            return []
        table, target = self._table(event, state), self._absolute(event, target)
        new = {"source": source, "fstype": fstype or "bind", "options": data}
        mounts = state["mounts"].get(table[1])
        if mounts is None:  # undone, this leaves no empty table behind
            return [Change(table, None, {target: new})]
        return [Change((*table, target), mounts.get(target), new)]

    def _umount2(self, event: SyscallEvent, state: State) -> list[Change]:
        table, target = self._table(event, state), self._absolute(event, event.args[0])
        mounts = state["mounts"].get(table[1], {})
        if (
            any(at.startswith(_OLD) for at in mounts) and target == "/"
        ):  # pivot_root(".", ".") has put the old root here
            return [Change((*table, at), mounts[at], None) for at in sorted(mounts) if at.startswith(_OLD)]
        below = target.rstrip("/") + "/"
        lazy = bool(event.args[1] & linux.MNT_DETACH)
        gone = [at for at in mounts if at == target or (lazy and at.startswith(below))]
        return [Change((*table, at), mounts[at], None) for at in sorted(gone)]

    def _pivot_root(self, event: SyscallEvent, state: State) -> list[Change]:
        table, new_root = self._table(event, state), self._absolute(event, event.args[0])
        mounts = state["mounts"].get(table[1], {})
        self._cwd[event.task] = "/"
        return [Change(table, mounts or None, _pivoted(mounts, new_root.rstrip("/")))]

    def _table(self, event: SyscallEvent, _: State) -> tuple[str, str]:
        return "mounts", self._namespaces[event.task]["mnt"]

    def _absolute(self, event: SyscallEvent, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._cwd[event.task], path))


_OLD: Final = "(old root) "


def _pivoted(mounts: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Return a table of mounts as seen from a new root: what was outside of it now hangs below the old one."""
    table: dict[str, Any] = {f"{_OLD}/": {"source": "", "fstype": "", "options": ""}}
    for at, what in mounts.items():
        inside = at == root or at.startswith(root + "/")
        table[(at.removeprefix(root) or "/") if inside else _OLD + at] = what
    return table
