"""The state model: one nested dictionary of JSON values, and invertible changes of it.

A state has the tables that ``docs/trace.md`` documents: ``containers``, ``stacks``, ``uppers``, ``mounts``, ``tasks``.
A :class:`Change` says at which path of the dictionary a value was and what it is now, so a state is stepped backwards
at the same cost as forwards. Layers are immutable and therefore no part of a state: a trace carries them beside it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

State: TypeAlias = dict[str, Any]

#: The tables of every state, empty at the start.
TABLES: Final = ("containers", "stacks", "uppers", "mounts", "tasks")


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
