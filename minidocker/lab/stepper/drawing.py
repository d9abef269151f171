"""Drawing: a picture as a value: boxes, lines and texts at their places, and the same in words.

The views of namespaces, control groups, networks and states give one of these; ``drawing_svg.py``,
``drawing_figure.py`` and ``js/drawing.js`` show it. A drawing is plain JSON::

    {"view", "width", "height",
     "items": [{"key", "shape": "box",  "kind", "x", "y", "w", "h", "r"}
               {"key", "shape": "text", "kind", "x", "y", "at": "start" | "middle" | "end", "text",
                "full": the whole text, if it was cut}
               {"key", "shape": "line", "kind", "points": [[x, y], …]}],
     "lines": [{"depth": 0, "text", "now": false}]}      the same in words, for narrow places and for who cannot see

``kind`` are words of ``drawing_style.py``. All numbers are whole pixels, so that Python and JavaScript count alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from minidocker.lab.stepper.words import cut

State: TypeAlias = Mapping[str, Any]

#: Tenths of a pixel that a letter takes at most, in texts of 12 and of 11 pixels.
LETTER: Final = 73
SMALL_LETTER: Final = 67

#: Pixels of an arrow's head.
HEAD: Final = 6


class Drawing:
    """What is drawn so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.items: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []

    def box(self, key: str, kind: str, x: int, y: int, w: int, h: int, r: int = 7) -> None:
        """Add a box with round corners."""
        self.items.append({"key": key, "shape": "box", "kind": kind, "x": x, "y": y, "w": w, "h": h, "r": r})

    def text(self, key: str, kind: str, x: int, y: int, text: str, room: int, at: str = "start") -> None:
        """Add a text on a base line, cut to so many pixels of room."""
        letters = 10 * room // (LETTER if set(kind.split()) & {"title", "word"} else SMALL_LETTER)
        said = cut(text, max(1, letters))
        item = {"key": key, "shape": "text", "kind": kind, "x": x, "y": y, "at": at, "text": said}
        self.items.append(item if said == text else {**item, "full": text})

    def line(self, key: str, kind: str, points: Sequence[Sequence[int]]) -> None:
        """Add a line through points."""
        self.items.append({"key": key, "shape": "line", "kind": kind, "points": [list(point) for point in points]})

    def arrow(self, key: str, kind: str, points: Sequence[Sequence[int]]) -> None:
        """Add a line through points, with a head at its end; its last part goes straight across or up or down."""
        self.line(key, kind, points)
        (x0, y0), (x, y) = points[-2], points[-1]
        if x0 == x:
            back = y - HEAD if y > y0 else y + HEAD
            self.line(f"{key} head", kind, [[x - HEAD, back], [x, y], [x + HEAD, back]])
        else:
            back = x - HEAD if x > x0 else x + HEAD
            self.line(f"{key} head", kind, [[back, y - HEAD], [x, y], [back, y + HEAD]])

    def say(self, depth: int, text: str, *, now: bool = False) -> None:
        """Add a line of the same in words."""
        self.lines.append({"depth": depth, "text": text, "now": now})

    def done(self, view: str, width: int, height: int) -> dict[str, Any]:
        """Return the whole."""
        return {"view": view, "width": width, "height": height, "items": self.items, "lines": self.lines}


def by_line(task: str) -> list[int]:
    """Return what tasks are sorted by: a parent, then its children in the order of their birth."""
    return [int(number) for number in task.split(".")]


def number_of(space: str) -> int:
    """Return the number of a namespace: 2 of ``net:2``."""
    return int(space.partition(":")[2] or 0)


def sorted_spaces(spaces: Iterable[str]) -> list[str]:
    """Return namespaces of one kind by their number."""
    return sorted(spaces, key=number_of)


def containers_by_id(state: State) -> dict[str, str]:
    """Return the containers' names by their ids."""
    return {row.get("id", ""): name for name, row in state.get("containers", {}).items()}


def container_of(state: State, task: str) -> str:
    """Return the container that a task belongs to, "" if none: its control group has the id, or its root's mount."""
    row = state["tasks"][task]
    names = containers_by_id(state)
    for group in (row.get("cgroups") or {}).values():
        for part in group.split("/"):
            if part in names:
                return names[part]
    root = state.get("mounts", {}).get(row.get("namespaces", {}).get("mnt", ""), {}).get("/", {})
    for part in f"{root.get('source', '')}/{root.get('options', '')}".split("/"):
        if part in names:
            return names[part]
    return ""


def frozen_groups(state: State) -> set[str]:
    """Return the control groups that are frozen: by themselves, or with one around them."""
    groups = state.get("cgroups", {})
    told = [path for path, row in groups.items() if row.get("frozen")]
    return {path for path in groups if any(f"{path}/".startswith(f"{each}/") for each in told)}


def is_frozen(state: State, task: str) -> bool:
    """Does a task stand still because its control group is frozen?"""
    frozen = frozen_groups(state)
    return any(group in frozen for group in (state["tasks"][task].get("cgroups") or {}).values())


def status_words(state: State, task: str) -> str:
    """Return what a task does: nothing is said of one that runs."""
    row = state["tasks"][task]
    if row.get("status") == "zombie":
        return f"zombie, exit {row.get('exit_code', 0)}"
    return "frozen" if is_frozen(state, task) else ""


def ever(trace: Mapping[str, Any], table: str) -> list[str]:
    """Return the keys that a table has at any step of a trace (its JSON form), in the order of their appearance."""
    found = dict.fromkeys(trace["initial"].get(table) or {})
    for step in trace["steps"]:
        for path, _, new in step["changes"]:
            if path[0] == table:
                found |= dict.fromkeys([path[1]] if len(path) > 1 else new or {})
    return list(found)
