"""Provider: which layer of a stack serves a name, and what that hides. Pure functions of what lies in the layers.

A stack is a sequence of layers, the topmost first; a layer maps paths to entries as ``docs/trace.md`` has them. The
rule is overlayfs's (Documentation/filesystems/overlayfs.rst): the topmost layer that has a name serves it, directories
are merged, a whiteout hides what lies below, an opaque directory hides what lies below in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Entry: TypeAlias = Mapping[str, Any]
Layer: TypeAlias = Mapping[str, Entry]

_ROOT: Final[Entry] = {"kind": "dir"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who serves a path.

    ``found`` are the layers that serve it, topmost first, each with the path's name in that layer: one for a file, one
    or more for a directory, none if the merged tree has no such name. ``ended_by`` is the layer at which the search
    ended with layers still below it, or None.
    """

    found: tuple[tuple[int, str], ...] = ()
    ended_by: int | None = None

    @property
    def layer(self) -> int | None:
        """The layer that serves the path, 0 being the topmost; None if there is nothing."""
        return self.found[0][0] if self.found else None


def provider(path: str, stack: Sequence[Layer]) -> Provider:
    """Return who serves ``path`` in the merged tree of ``stack``."""
    names = [name for name in path.split("/") if name]
    found: list[tuple[int, str]] = []
    for number, layer in enumerate(stack):
        entry, ends, below = _look(layer, names)
        if entry is not None:
            if found and entry["kind"] != "dir":  # a file below a directory: the directory hides it
                return Provider(found=tuple(found), ended_by=number)
            found.append((number, "/" + "/".join(names)))
            ends = ends or entry["kind"] != "dir"
        if ends:
            return Provider(found=tuple(found), ended_by=number)
        names = below
    return Provider(found=tuple(found))


def _look(layer: Layer, names: Sequence[str]) -> tuple[Entry | None, bool, list[str]]:
    """Return a path's entry in one layer, whether the search ends there, and its name in the layers below."""
    entry: Entry | None = layer.get("/", _ROOT)
    at, ends, below = "", False, list[str]()
    for number, name in enumerate(names, 1):
        at = f"{at}/{name}"
        entry = layer.get(at)
        below = _renamed(entry, below, name)
        if entry is None:
            continue
        if entry["kind"] == "whiteout" or (entry["kind"] != "dir" and number < len(names)):
            return None, True, below
        ends = ends or bool(entry.get("opaque"))
    return entry, ends, below


def _renamed(entry: Entry | None, parent: list[str], name: str) -> list[str]:
    """Return where the layers below have a directory: a redirect is absolute, or a name in the same parent."""
    redirect = entry.get("redirect") if entry else None
    if redirect is None:
        return [*parent, name]
    if redirect.startswith("/"):
        return [part for part in redirect.split("/") if part]
    return [*parent, redirect]


def names_of(stack: Sequence[Layer]) -> set[str]:
    """Return every name of the merged tree but the root, as a walk through its directories finds them."""
    children = [_children(layer) for layer in stack]
    names: set[str] = set()
    directories = ["/"]
    while directories:
        path = directories.pop()
        inside = {child for number, name in provider(path, stack).found for child in children[number].get(name, ())}
        served = [at for child in inside if provider(at := f"{path.rstrip('/')}/{child}", stack).found]
        names.update(served)
        directories += served
    return names


def _children(layer: Layer) -> dict[str, list[str]]:
    """Return what lies in each directory of a layer."""
    children: dict[str, list[str]] = {}
    for path in layer:
        folder, _, name = path.rpartition("/")
        if name:
            children.setdefault(folder or "/", []).append(name)
    return children


def hidden_bytes(stack: Sequence[Layer]) -> int:
    """Return the bytes of the lower layers' files that serve no name: hidden, but still there."""
    kept = sum(_bytes(entry) for layer in stack[1:] for entry in layer.values())
    served = {provider(path, stack).found[0] for path in names_of(stack)}
    return kept - sum(_bytes(stack[number].get(name, _ROOT)) for number, name in served if number > 0)


def _bytes(entry: Entry) -> int:
    return int(entry.get("size", 0)) if entry["kind"] == "file" else 0
