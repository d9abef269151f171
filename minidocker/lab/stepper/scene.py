"""Scene: what the layer-stack picture of a trace has at every step: its rows (layers) and columns (names).

The scene stands still while the steps go by, so that only cells move. Names that the trace touches, and names with a
story of their own (hidden by a higher layer, a whiteout, opaque), have a column each, then those of the programs that
it runs; all others collapse into one column a directory. ``js/scene.js`` does the same;
``tests/lab/test_stepper_js.py`` holds them to it.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from minidocker.lab.stepper.words import made_by, size_text
from minidocker.provider import Layer, provider
from minidocker.trace import SYSCALL

#: A trace of so few names shows each of them.
SMALL: Final = 12
#: So many names with a story of their own are shown; if there are more, only those that the trace touches.
STORIES: Final = 24
#: So many names are shown for a search.
MATCHES: Final = 60
#: Stacks of more lower layers than this fold the layers that have none of the names.
TALL: Final = 8

_NAMED: Final = re.compile(r'"(/[^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One name, or a directory whose names are collapsed (then ``members`` has them)."""

    path: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The merged view, the writable layer, or lower layers; ``layers`` are their numbers, 0 the writable one's."""

    kind: str
    title: str
    note: str
    layers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Rows and columns of one stack of a trace, and its lower layers' entries, topmost first."""

    stack: str
    merged: str
    lowers: tuple[Layer, ...]
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    image_bytes: int
    arrivals: tuple[tuple[int, str, bool], ...] = ()

    def copied_until(self, index: int) -> set[str]:
        """Return the names of the writable layer that the steps up to one have copied up.

        Linux marks most copies in the directory (``origin``), but not those of hard links (index=off).
        """
        last = {path: copied for number, path, copied in self.arrivals if number <= index}
        return {path for path, copied in last.items() if copied}

    def stack_with(self, upper: Layer) -> list[Layer]:
        """Return the whole stack, topmost first, with the writable layer as it is now."""
        return [upper, *self.lowers]


def stack_at(trace: Mapping[str, Any], index: int) -> str | None:
    """Return the stack that the picture shows at a step: the last one touched so far, else the next one touched."""
    stacks = [*trace["initial"].get("stacks", {})]
    shown = stacks[-1] if stacks else None
    for step in trace["steps"]:
        touched = [path[1] for path, _, _ in step["changes"] if len(path) > 1 and path[0] in ("stacks", "uppers")]
        if touched and (step["index"] <= index or shown is None):
            shown = touched[-1]
        if step["index"] > index and shown is not None:
            break
    return shown


def make_scene(
    trace: Mapping[str, Any],
    stack: str | None,
    *,
    query: str = "",
    opened: Collection[str] = (),
    fold: bool = True,
) -> Scene | None:
    """Return the scene of a stack of a trace (its JSON form); None if there is no such stack.

    ``query`` shows the names that contain it; ``opened`` are directories whose names are not collapsed; ``fold`` puts
    neighbouring layers that have none of the names into one row.
    """
    found = None if stack is None else _stack_of(trace, stack)
    if found is None or stack is None:
        return None
    layers = [trace["layers"].get(number, {}) for number in found["lowers"]]
    lowers = tuple(layer.get("entries", {}) for layer in layers)
    touched, programs = _touched(trace, stack, lowers)
    columns = _columns(lowers, touched, programs, query, opened)
    return Scene(
        stack=stack,
        merged=found.get("merged", ""),
        lowers=lowers,
        rows=tuple(_rows(layers, columns, fold=fold)),
        columns=columns,
        image_bytes=sum(int(layer.get("bytes", 0)) for layer in layers),
        arrivals=tuple(_arrivals(trace, stack)),
    )


def _stack_of(trace: Mapping[str, Any], stack: str) -> Mapping[str, Any] | None:
    """Return the stack's value: what it is built of does not change in its life."""
    values = [trace["initial"].get("stacks", {}).get(stack)]
    for step in trace["steps"]:
        values += [_below(path, new, ("stacks", stack)) for path, _, new in step["changes"] if path[0] == "stacks"]
    return next((value for value in values if value and "lowers" in value), None)


def _below(path: Sequence[str], value: Any, wanted: Sequence[str]) -> Any:
    """Return what a change to ``path`` puts at ``wanted``, which is the same place or lies deeper; None if nothing."""
    if list(path) != list(wanted[: len(path)]):
        return None
    for name in wanted[len(path) :]:
        value = (value or {}).get(name)
    return value


def upper_names(trace: Mapping[str, Any], stack: str) -> set[str]:
    """Return the names that are in the stack's writable layer at some step."""
    names = set(trace["initial"].get("uppers", {}).get(stack, {}))
    for step in trace["steps"]:
        for path, old, new in step["changes"]:
            if path[0] == "uppers":
                inside = len(path) > 2 and path[1] == stack
                names |= {path[2]} if inside else {*(_below(path, old, ("uppers", stack)) or {})}
                names |= set() if inside else {*(_below(path, new, ("uppers", stack)) or {})}
    return names - {"/"}


def _arrivals(trace: Mapping[str, Any], stack: str) -> Iterable[tuple[int, str, bool]]:
    """Yield when a name came into the writable layer, or into another kind there, and whether as a copy."""
    for step in trace["steps"]:
        for path, old, new in step["changes"]:
            if len(path) != 3 or list(path[:2]) != ["uppers", stack]:
                continue
            if not (old and new and old["kind"] == new["kind"]):
                yield step["index"], path[2], step["call"] == "copy_up"


def _touched(trace: Mapping[str, Any], stack: str, lowers: Sequence[Layer]) -> tuple[set[str], set[str]]:
    """Return the names that the writable layer has at some step or that a call names; apart, the programs executed."""
    spoken: dict[str, set[str]] = {"execve": set(), "": set()}
    for step in trace["steps"]:
        if step["depth"] >= SYSCALL:
            names = {name.rstrip("/") for name in _NAMED.findall(step["text"])}
            spoken["execve" if step["call"] == "execve" else ""] |= names
    programs, others = ({name for name in names if name and _is_in(name, lowers)} for names in spoken.values())
    own = upper_names(trace, stack)
    return own | (others - programs), programs - own


def _is_in(name: str, lowers: Sequence[Layer]) -> bool:
    return any(name in layer for layer in lowers)


def _columns(
    lowers: Sequence[Layer], touched: set[str], programs: set[str], query: str, opened: Collection[str]
) -> tuple[Column, ...]:
    names = ({path for layer in lowers for path in layer} | touched) - {"/"}
    if query:
        matches = [name for name in tree_order(names) if query.lower() in name.lower()]
        return tuple(Column(path=name) for name in matches[:MATCHES])
    if len(names) <= SMALL:
        return tuple(Column(path=name) for name in tree_order(names))
    stories = {name for name in names if _has_story(name, lowers)}
    shown = touched | programs | (stories if len(stories | touched) <= STORIES else set())
    parents = {name[: name.rfind("/")] for name in names}
    groups: dict[str, list[str]] = {}
    for name in tree_order(names - shown - parents):
        group = _group(name, opened)
        if group is None:
            shown.add(name)
        else:
            groups.setdefault(group, []).append(name)
    parts = (shown & touched, shown - touched - programs, programs)
    columns = [Column(path=name) for part in parts for name in tree_order(part)]
    return (*columns, *(Column(path=path, members=tuple(groups[path])) for path in tree_order(groups)))


def _has_story(name: str, lowers: Sequence[Layer]) -> bool:
    """Tell whether layers say different things of a name: a mark, or more than one layer that has it as a file."""
    entries = [layer[name] for layer in lowers if name in layer]
    if any(entry["kind"] == "whiteout" or entry.get("opaque") or entry.get("redirect") for entry in entries):
        return True
    files = sum(entry["kind"] != "dir" for entry in entries)
    return files > 0 and (len(entries) > 1 or not provider(name, lowers).found)


def _group(name: str, opened: Collection[str]) -> str | None:
    """Return the directory that a name is collapsed into: the first one on its way that is not opened; None if none."""
    parts = name.split("/")[1:]
    for depth in range(1, len(parts)):
        directory = "/" + "/".join(parts[:depth])
        if directory not in opened:
            return directory
    return "/" if len(parts) == 1 and "/" not in opened else None


def tree_order(names: Iterable[str]) -> list[str]:
    """Return the names sorted as a tree: a directory, then what lies in it. The order is JavaScript's, unit by unit."""
    return sorted(names, key=_key)


def _key(name: str) -> bytes:
    return name.replace("/", "\0").encode("utf-16-be", "surrogatepass")


def _rows(layers: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, fold: bool) -> Iterable[Row]:
    yield Row(kind="merged", title="merged view", note="what a process sees")
    yield Row(kind="upper", title="writable layer", note="this container’s own", layers=(0,))
    for run in _runs(layers, columns, fold=fold and len(layers) > TALL):
        first = layers[run[0] - 1]
        if len(run) == 1:
            note = f"{size_text(int(first.get('bytes', 0)))} · {made_by(first.get('created_by', ''))}".rstrip(" ·")
            yield Row(kind="lower", title=first.get("name", "?"), note=note, layers=(run[0],))
        else:
            size = sum(int(layers[number - 1].get("bytes", 0)) for number in run)
            yield Row(kind="lower", title=f"{len(run)} layers", note=f"{size_text(size)} · other names", layers=run)


def _runs(layers: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, fold: bool) -> list[tuple[int, ...]]:
    """Return the numbers of the layers that share a row, topmost first."""
    singles = [column.path for column in columns if not column.members]
    runs: list[list[int]] = []
    open_run = False
    for number, layer in enumerate(layers, 1):
        quiet = fold and not any(path in layer.get("entries", {}) for path in singles)
        if quiet and open_run:
            runs[-1].append(number)
        else:
            runs.append([number])
        open_run = quiet
    return [tuple(run) for run in runs]
