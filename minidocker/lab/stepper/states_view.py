"""The view of a container's states: which there are, what leads from one to another, and where each container is.

The names are ``docker inspect``'s (.State.Status); what stands at an arrow is the command, or what happens by itself.
Twin of ``js/states.js``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from minidocker.lab.stepper.drawing import Drawing, State

W, H = 128, 50

#: Where each state stands.
STATES: Final[Mapping[str, tuple[int, int]]] = {
    "created": (2, 130), "running": (232, 130), "paused": (232, 2), "restarting": (486, 2), "exited": (486, 130),
    "removing": (486, 258), "dead": (232, 258),
}  # fmt: skip

#: From, to, what leads there, the points of the arrow, and where the words stand.
ARROWS: Final = (
    ("created", "running", "start", ((130, 155), (232, 155)), (181, 148, "middle")),
    ("running", "paused", "pause", ((262, 130), (262, 52)), (255, 96, "end")),
    ("paused", "running", "unpause", ((296, 52), (296, 130)), (303, 96, "start")),
    ("running", "exited", "ends, stop, kill", ((360, 143), (486, 143)), (423, 136, "middle")),
    ("exited", "running", "start", ((486, 167), (360, 167)), (423, 184, "middle")),
    ("exited", "restarting", "by policy", ((550, 130), (550, 52)), (558, 96, "start")),
    ("restarting", "running", "", ((486, 27), (440, 27), (440, 110), (346, 110), (346, 130)), (440, 20, "middle")),
    ("exited", "removing", "rm", ((550, 180), (550, 258)), (558, 224, "start")),
    ("created", "removing", "rm", ((66, 180), (66, 232), (516, 232), (516, 258)), (76, 226, "start")),
    ("removing", "dead", "rm fails", ((486, 283), (360, 283)), (423, 276, "middle")),
)
WIDTH, HEIGHT = 650, 324

#: Exit codes from here on tell a signal, and the signals that mostly end programs.
_SIGNALLED: Final = 128
SIGNALS: Final = {1: "HUP", 2: "INT", 3: "QUIT", 6: "ABRT", 9: "KILL", 11: "SEGV", 13: "PIPE", 14: "ALRM", 15: "TERM"}


def states(trace: Mapping[str, Any], state: State, old: State, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the drawing of a state; the last of the steps is the present one."""
    drawing = Drawing()
    until = steps[-1]["index"] if steps else -1
    last = last_change(trace, until)
    for start, end, words, points, (x, y, at) in ARROWS:
        taken = last is not None and (last["old"], last["new"]) == (start, end)
        drawing.arrow(f"arrow {start} {end}", "arrow now" if taken else "arrow", points)
        drawing.text(f"by {start} {end}", "note changed" if taken else "note", x, y, words, 140, at)
    names: dict[str, list[str]] = {name: [] for name in STATES}
    for name, row in state.get("containers", {}).items():
        names.setdefault(row.get("status", ""), []).append(who_words(name, row))
    for name, (x, y) in STATES.items():
        here = names[name]
        now = last is not None and last["new"] == name and last["index"] > _first(steps)
        drawing.box(f"state {name}", f"state {name}{' lit' if here else ''}{' now' if now else ''}", x, y, W, H, 10)
        drawing.text(
            f"name {name}", "title" if here else "title dim", x + W // 2, y + (20 if here else 30), name, W, "middle"
        )
        drawing.text(f"who {name}", "word", x + W // 2, y + 39, ", ".join(here), W - 8, "middle")
        if here:
            drawing.say(0, f"{name}: {', '.join(here)}", now=now)
    said = "" if last is None else last["text"]
    drawing.text("last", "word", 2, HEIGHT + 6, said, WIDTH)
    drawing.say(0, said or "no container yet")
    del old
    return drawing.done("states", WIDTH, HEIGHT + 18)


def _first(steps: Sequence[Mapping[str, Any]]) -> int:
    return steps[0]["index"] - 1 if steps else -1


def last_change(trace: Mapping[str, Any], until: int) -> dict[str, Any] | None:
    """Return the last time that a container came into another state: which, from where, where to, and by what."""
    command = f"$ {trace['command']}"
    for step in reversed(trace["steps"][: until + 1]):
        for path, old, new in step["changes"]:
            before, after = _statuses(path, old), _statuses(path, new)
            for name in {**before, **after}:
                left, right = before.get(name, ""), after.get(name, "")
                if left != right:
                    words = [f"{name}: {left or 'not there'} → {right or 'gone'}", step["text"], _signal(path, new)]
                    said = " · ".join(word for word in (*words, command) if word)
                    return {"name": name, "old": left, "new": right, "index": step["index"], "text": said}
    return None


def _signal(path: Sequence[str], row: Any) -> str:
    """Return which signal ended a container's first task, and whether it was the OOM killer's; "" if none did."""
    code = row.get("exit_code", 0) if len(path) == 2 and isinstance(row, Mapping) else 0
    if code <= _SIGNALLED:
        return ""
    name = SIGNALS.get(code - _SIGNALLED, str(code - _SIGNALLED))
    return f"ended by SIG{name}" + (" of the OOM killer" if row.get("oom_killed") else "")


def who_words(name: str, row: Mapping[str, Any]) -> str:
    """Return how a container is called where it stands: with its exit code, if it has one."""
    return f"{name} ({row['exit_code']}{', OOM' if row.get('oom_killed') else ''})" if "exit_code" in row else name


def _statuses(path: Sequence[str], value: Any) -> dict[str, str]:
    """Return the containers' states that a change's old or new value has."""
    if path[0] != "containers":
        return {}
    if len(path) == 3:
        return {path[1]: str(value)} if path[2] == "status" and value else {}
    rows = {path[1]: value} if len(path) == 2 else value
    return {name: str(row.get("status", "")) for name, row in (rows or {}).items() if row}
