"""The state model: one nested dictionary of JSON values, and invertible changes of it.

A state has the tables that ``docs/trace.md`` documents: :data:`TABLES`. A :class:`Change` says at which path of the
dictionary a value was and what it is now, so a state is stepped backwards at the same cost as forwards. Layers are
immutable and therefore no part of a state: a trace carries them beside it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

State: TypeAlias = dict[str, Any]

#: Where in a path a row's key stands: table, row, key.
_KEY: Final = 2

#: The tables of every state, empty at the start.
TABLES: Final = (
    "containers", "stacks", "uppers", "mounts", "tasks", "namespaces", "cgroups", "links", "routes",
)  # fmt: skip

#: What two kernels cannot agree on, by table: keys of its rows that are shown, and neither compared nor digested.
LOCAL: Final[Mapping[str, frozenset[str]]] = {
    "tasks": frozenset({"pids"}),
    "cgroups": frozenset({"usage", "oom_kills"}),
}


@dataclass(frozen=True, slots=True)
class Change:
    """At ``path`` the value was ``old`` and is now ``new``; None means that there was, or is, nothing."""

    path: tuple[str, ...]
    old: Any
    new: Any

    def to_json(self) -> list[Any]:
        """Return the change as the trace's JSON has it: ``[path, old, new]``."""
        return [list(self.path), self.old, self.new]

    @classmethod
    def from_json(cls, value: list[Any]) -> "Change":
        """Return the change that :meth:`to_json` wrote."""
        path, old, new = value
        return cls(tuple(path), old, new)

    def inverse(self) -> "Change":
        """Return the change that undoes this one."""
        return Change(self.path, self.new, self.old)


def shared(change: Change) -> Change | None:
    """Return what both kernels must agree on of a change: it less what is local; None if all of it is.

    Of a task that goes it is only that it goes: how far another's death has let it come is nobody's business.
    """
    if change.path[0] == "tasks" and change.new is None:
        return Change(change.path, None, None)
    keys = LOCAL.get(change.path[0])
    if keys is None:
        return change
    if len(change.path) > _KEY:
        return None if change.path[_KEY] in keys else change
    depth = _KEY - len(change.path)
    less = Change(change.path, _without(change.old, keys, depth), _without(change.new, keys, depth))
    return None if less.old == less.new else less


def _without(value: Any, keys: frozenset[str], depth: int) -> Any:
    """Return a row without these keys; a table of rows (``depth`` 1 or more), each of them without."""
    if not isinstance(value, Mapping):
        return value
    if depth:
        return {name: _without(row, keys, depth - 1) for name, row in value.items()}
    return {key: what for key, what in value.items() if key not in keys}


def empty_state() -> State:
    """Return a state in which nothing exists yet."""
    return {table: {} for table in TABLES}


def apply(state: State, changes: Iterable[Change]) -> State:
    """Return the state after the changes. What they don't touch is shared with the old state, never copied."""
    for change in changes:
        state = _put(state, change.path, change.new)
    return state


def revert(state: State, changes: Iterable[Change]) -> State:
    """Return the state before the changes."""
    return apply(state, [change.inverse() for change in reversed(list(changes))])


def put(state: State, path: tuple[str, ...], new: Any) -> Change:
    """Return the change that puts a value at a path (None: takes it away); missing tables on the way come with it."""
    table: Any = state
    for depth, key in enumerate(path):
        if key not in table:
            for inner in reversed(path[depth + 1 :]):
                new = {inner: new}
            return Change(path[: depth + 1], None, new)
        table = table[key]
    return Change(path, table, new)


def diff(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[Change]:
    """Yield the changes that lead from one value to another, as deep in the dictionaries as they differ."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from diff(old.get(key), new.get(key), (*path, key))
    else:
        yield Change(path, old, new)


class Draft:
    """A state on its way to the next one: what is put into it, and the changes that this made."""

    def __init__(self, state: State) -> None:
        """Begin with a state, which stays as it is."""
        self.state = state
        self.changes: list[Change] = []

    def get(self, *path: str) -> Any:
        """Return what stands at a path; None if nothing does."""
        value: Any = self.state
        for key in path:
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
        return value

    def put(self, path: tuple[str, ...], new: Any) -> None:
        """Put a value at a path, or with None take away what is there."""
        if self.get(*path) == new:
            return
        change = put(self.state, path, new)
        self.changes.append(change)
        self.state = apply(self.state, [change])


def _put(value: Mapping[str, Any], path: tuple[str, ...], new: Any) -> dict[str, Any]:
    key, rest = path[0], path[1:]
    copy = dict(value)
    if rest:
        copy[key] = _put(copy.get(key) or {}, rest, new)
    elif new is None:
        copy.pop(key, None)
    else:
        copy[key] = new
    return copy
