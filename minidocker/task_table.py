"""What system calls tell of tasks: their names, namespaces and mounts in the state model, and what they read from."""

import posixpath
from collections.abc import Callable, Mapping
from typing import Any, Final

from minidocker import linux, strace
from minidocker.kernel import SyscallEvent
from minidocker.sources import Sources, in_proc
from minidocker.state import Change, State, apply

#: The host's side.
HOST: Final = "0"

_NAMESPACES: Final = {linux.CLONE_NEWNS: "mnt", linux.CLONE_NEWPID: "pid", linux.CLONE_NEWUTS: "uts"}

#: Where mounts hang that are below the old root, after pivot_root.
_OLD: Final = "(old root) "


class Tasks:
    """What system calls tell of tasks, their namespaces and the mounts in those."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._names: dict[str, str] = {}
        self._children: dict[str, int] = {}
        self._namespaces: dict[str, dict[str, str]] = {}
        self._pids: dict[tuple[str, int], str] = {}
        self._cwd: dict[str, str] = {}
        self._sources = Sources()
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
        self._sources.follow(event)
        if event.error is None:
            handler: Callable[[SyscallEvent, State], list[Change]] | None = getattr(self, "_" + event.name, None)
            if handler is not None:
                made += handler(event, apply(state, made))
        return made

    def is_local(self, event: SyscallEvent) -> bool:
        """Does the result differ between kernels? Pids do, what a /proc says, and how a pipe's data comes in pieces."""
        if event.name == "listdir":
            return in_proc(event.args[0])
        return event.name in strace.LOCAL or (event.name == "read" and bool(self._sources.of(event)))

    def like(self, event: SyscallEvent, text: str) -> str:
        """Return what is compared between kernels where the text itself differs: a child by its line, not its pid."""
        if event.name == "wait4" and isinstance(event.result, tuple):
            child = self._pids.get((event.task, event.result[0]), "")
            return f"{child} ended: {strace.result('wait4', event.result).partition(', ')[2]}"
        if event.name == "read" and (source := self._sources.of(event)):
            return f"read({event.args[0]}) from {source}"
        if event.name == "kill" and (child := self._pids.get((event.task, event.args[0]), "")):
            return text.replace(f"({event.args[0]}", f"({child}", 1)
        return ""

    def _clone(self, event: SyscallEvent, state: State) -> list[Change]:
        number = self._children[event.task] = self._children.get(event.task, 0) + 1
        child = f"{event.task}.{number}"
        self._pids[event.task, event.result] = child
        self._sources.inherit(event.task, child, event.kwargs.get("fds"))
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


def _pivoted(mounts: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Return a table of mounts as seen from a new root: what was outside of it now hangs below the old one."""
    table: dict[str, Any] = {f"{_OLD}/": {"source": "", "fstype": "", "options": ""}}
    for at, what in mounts.items():
        inside = at == root or at.startswith(root + "/")
        table[(at.removeprefix(root) or "/") if inside else _OLD + at] = what
    return table
