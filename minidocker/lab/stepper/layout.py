"""Layout: where each thing of the layer-stack picture stands at one step, as one value of plain JSON.

:func:`picture` returns::

    {"stack": STACK, "state": "absent" | "unmounted" | "mounted", "width": 900, "height": 380, "compact": false,
     "rows":    [{"kind": "merged" | "upper" | "lower", "title", "note", "y", "height"}],
     "columns": [{"path", "x", "width", "group": 23 or 0}],
     "heads":   [{"column": 3, "folder", "label", "status": "served" | "hidden" | "absent" | "unmounted" | "group",
                  "rows": [2, 5], "word": "file"}],           the merged view: who serves it, rows from the top down
     "cells":   [{"column": 3, "row": 2, "shape", "word", "note", "hidden": false, "now": true}],
     "bytes":   {"writable": 10, "image": 2050000, "hidden": 64004}}

Everything that draws the picture (``svg.py``, ``figure.py``, and ``stepper.js`` with its own ``layout.js``) takes the
places from this and from :data:`GEOMETRY`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from minidocker.lab.stepper.scene import Column, Row, Scene, make_scene, stack_at
from minidocker.lab.stepper.words import cell_words, cut, cut_start, size_text
from minidocker.provider import Layer, Provider, hidden_bytes, provider
from minidocker.trace import INSIDE, Trace

#: Pixels. ``layout.js`` has the same numbers.
GEOMETRY: Final[Mapping[str, int]] = {
    "label": 164,  # width of the rows' names
    "cell": 102,  # width of a cell
    "gap": 6,  # between two columns, and at the right end
    "head": 62,  # height of the merged row
    "row": 54,  # height of a layer
    "compact_row": 36,  # height of a layer in a stack of more than ``tall`` rows
    "row_gap": 6,  # between two rows
    "pad": 6,  # between a row's border and its cells
    "tall": 10,
    "letters": 13,  # that fit into a cell's note
    "name_letters": 12,  # that fit into a name
    "title_letters": 20,  # that fit into a row's name
    "note_letters": 22,  # that fit below it
}


def shown_until(trace: Trace, index: int, zoom: int) -> int:
    """Return the last step whose changes show when ``index`` is the current one: what is zoomed away is included."""
    if index < 0:
        return -1
    last = index
    while last + 1 < len(trace) and trace.steps[last + 1].depth > zoom:
        last += 1
    return last


def last_mounted(trace: Trace) -> int:
    """Return the last step at which the layers are mounted, which tells more than the very last one; else that one."""
    value = trace.to_json()
    for index in range(len(trace) - 1, -1, -1):
        scene = make_scene(value, stack_at(value, index), query="/")
        if scene is None:
            break
        if stack_status(scene, trace.at(index)) == "mounted":
            return index
    return len(trace) - 1


def picture(trace: Trace, index: int, *, zoom: int = INSIDE, **options: Any) -> dict[str, Any] | None:
    """Return the picture of the trace at a step, -1 being before the first; None if the trace has no stack of layers.

    Options are those of :func:`~minidocker.lab.stepper.scene.make_scene`.
    """
    last = shown_until(trace, index, zoom)
    value = trace.to_json()
    scene = make_scene(value, options.pop("stack", None) or stack_at(value, last), **options)
    if scene is None:
        return None
    changed = changed_names(value, scene.stack, range(max(index, 0), last + 1))
    return place(scene, trace.at(last), changed, scene.copied_until(last))


def changed_names(trace: Mapping[str, Any], stack: str, steps: range) -> set[str]:
    """Return the names of the writable layer that these steps changed."""
    changes = [change for number in steps for change in trace["steps"][number]["changes"]]
    return {path[2] for path, _, _ in changes if len(path) > 2 and path[:2] == ["uppers", stack]}


def place(
    scene: Scene, state: Mapping[str, Any], changed: Collection[str] = (), copied: Collection[str] = ()
) -> dict[str, Any]:
    """Return the picture of a scene in a state.

    ``changed`` are the names of the writable layer to be marked as changed now, ``copied`` those known to be copies.
    """
    status = stack_status(scene, state)
    upper: Layer = state.get("uppers", {}).get(scene.stack, {})
    stack = scene.stack_with(upper)
    rows, columns, height, compact = _grid(scene, status, has_upper=scene.stack in state.get("uppers", {}))
    heads: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    for number, column in enumerate(scene.columns):
        head, below = _group(scene, stack, column) if column.members else _single(scene, stack, column, changed, copied)
        if status != "mounted" and not column.members:
            head = {**head, "status": "unmounted", "rows": []}
        heads.append({"column": number, **head})
        cells += [{"column": number, **cell} for cell in below]
    writable = sum(int(entry.get("size", 0)) for entry in upper.values() if entry["kind"] == "file")
    told = {"writable": writable, "image": scene.image_bytes, "hidden": hidden_bytes(stack)}
    pitch = GEOMETRY["cell"] + GEOMETRY["gap"]
    size = {"width": GEOMETRY["label"] + len(columns) * pitch + GEOMETRY["gap"], "height": height, "compact": compact}
    return {
        "stack": scene.stack, "state": status, **size,
        "rows": rows, "columns": columns, "heads": heads, "cells": cells, "bytes": told,
    }  # fmt: skip


def stack_status(scene: Scene, state: Mapping[str, Any]) -> str:
    """Tell whether the stack is there yet, and mounted somewhere."""
    if scene.stack not in state.get("stacks", {}):
        return "absent"
    mounts = [mount for table in state.get("mounts", {}).values() for mount in table.items()]
    if not mounts:
        return "mounted" if scene.stack in state.get("uppers", {}) and not scene.merged else "unmounted"
    mounted = any(where == scene.merged or mount.get("fstype") == "overlay" for where, mount in mounts)
    return "mounted" if mounted else "unmounted"


def _grid(
    scene: Scene, status: str, *, has_upper: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int, bool]:
    """Return the placed rows and columns, the picture's height, and whether its rows are compact."""
    compact = len(scene.rows) > GEOMETRY["tall"]
    rows, y = [], 0
    for row in scene.rows:
        height = GEOMETRY["head"] if row.kind == "merged" else GEOMETRY["compact_row" if compact else "row"]
        rows.append({"kind": row.kind, **_row_words(row, status, has_upper=has_upper), "y": y, "height": height})
        y += height + GEOMETRY["row_gap"]
    pitch = GEOMETRY["cell"] + GEOMETRY["gap"]
    columns = [
        {"path": c.path, "x": n * pitch + GEOMETRY["gap"] // 2, "width": GEOMETRY["cell"], "group": len(c.members)}
        for n, c in enumerate(scene.columns)
    ]
    return rows, columns, y, compact


def _row_words(row: Row, status: str, *, has_upper: bool) -> dict[str, str]:
    note = row.note
    if row.kind == "merged" and status != "mounted":
        note = "not mounted"
    if row.kind == "upper" and not has_upper:
        note = "not there"
    return {"title": cut(row.title, GEOMETRY["title_letters"]), "note": cut(note, GEOMETRY["note_letters"])}


def _single(
    scene: Scene, stack: Sequence[Layer], column: Column, changed: Collection[str], copied: Collection[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the merged view of one name, and its cells."""
    who = provider(column.path, stack)
    names = dict(who.found)
    cells, rows = [], []
    for number, layer in enumerate(stack):
        entry = layer.get(names.get(number, column.path))
        if entry is not None:
            row = _row_of(scene, number)
            rows += [row] if number in names else []
            words = cell_words(entry, upper=number == 0, copied=number == 0 and column.path in copied)
            hidden = number not in names and not (entry["kind"] == "whiteout" and number == who.ended_by)
            cells.append(_cell(row, words, hidden=hidden, now=number == 0 and column.path in changed))
    kind = _served_kind(stack, who)
    status = "served" if who.found else "hidden" if any(cell["row"] > 1 for cell in cells) else "absent"
    return {**_label(column.path, kind), "status": status, "rows": rows, "word": kind or "nothing"}, cells


def _served_kind(stack: Sequence[Layer], who: Provider) -> str:
    return str(stack[who.found[0][0]].get(who.found[0][1], {"kind": "dir"})["kind"]) if who.found else ""


def _cell(row: int, words: tuple[str, str, str], *, hidden: bool = False, now: bool = False) -> dict[str, Any]:
    shape, word, note = words
    note = cut(note, GEOMETRY["letters"])
    return {"row": row, "shape": shape, "word": word, "note": note, "hidden": hidden, "now": now}


def _row_of(scene: Scene, number: int) -> int:
    """Return the row in which a layer stands."""
    return next(place for place, row in enumerate(scene.rows) if number in row.layers)


def _group(scene: Scene, stack: Sequence[Layer], column: Column) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the merged view of a collapsed directory, and its cells: how many names each row has, and their bytes."""
    cells = []
    for place_, row in enumerate(scene.rows):
        entries = [stack[number][name] for number in row.layers for name in column.members if name in stack[number]]
        if entries:
            size = sum(int(entry.get("size", 0)) for entry in entries if entry["kind"] == "file")
            cells.append(_cell(place_, ("group", _count(len(entries), "name"), size_text(size))))
    label = {"folder": "/", "label": "others"} if column.path == "/" else _label(column.path, "group")
    return {**label, "status": "group", "rows": [], "word": _count(len(column.members), "name")}, cells


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _label(path: str, kind: str) -> dict[str, str]:
    """Return the two lines of a name: the directory that it is in, and itself, a directory with a slash."""
    folder, _, name = path.rpartition("/")
    end = {"dir": "/", "group": "/…"}.get(kind, "")
    label = cut(name, GEOMETRY["name_letters"] - len(end)) + end
    return {"folder": cut_start(folder + "/", GEOMETRY["letters"]), "label": label}
