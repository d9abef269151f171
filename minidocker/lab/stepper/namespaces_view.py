"""The view of namespaces: who shares which with whom, and each task's number in every PID namespace at once.

A row a task. First a column for each PID namespace, from the outermost inwards: the numbers that one and the same task
has in them. Then a column for each kind: a bar over several rows is one namespace that these tasks share. Twin of
``js/namespaces.js``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from minidocker.lab.stepper.drawing import (
    Drawing,
    State,
    by_line,
    container_of,
    ever,
    number_of,
    sorted_spaces,
    status_words,
)
from minidocker.namespace_table import FOR_CHILDREN

#: The kinds as they are shown, and what each of them isolates.
KINDS: Final[Mapping[str, str]] = {
    "user": "who one is", "pid": "numbers", "mnt": "mounts", "net": "network", "ipc": "queues", "uts": "host name",
    "cgroup": "groups", "time": "clocks",
}  # fmt: skip

NAME, WIDE, NARROW, PIDS, HEAD, ROW = 152, 80, 54, 60, 46, 42

#: More tasks than this are only counted, and more PID namespaces are left out.
MOST_TASKS, MOST_PIDS = 40, 6


def namespaces(trace: Mapping[str, Any], state: State, old: State, _: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the drawing of a state; ``old`` is the one before the present step, to show what has changed."""
    drawing = Drawing()
    tasks = sorted(state.get("tasks", {}), key=by_line)
    shown = tasks[:MOST_TASKS]
    spaces = ever(trace, "namespaces")
    numbers = sorted_spaces(space for space in spaces if space.startswith("pid:"))[:MOST_PIDS]
    columns = _columns(spaces, NAME + len(numbers) * PIDS + 12)
    for kind, x, w in columns:
        drawing.text(f"head {kind}", "title", x + 8, 18, kind, w - 8)
        drawing.text(f"what {kind}", "note", x + 8, 34, KINDS[kind] if w == WIDE else "", w - 8)
    for place, space in enumerate(numbers):
        _number_head(drawing, state, space, NAME + place * PIDS)
    for place, task in enumerate(shown):
        _task(drawing, state, old, task, HEAD + place * ROW)
    for kind, x, w in columns:
        _lanes(drawing, state, old, kind, shown, (x, w))
    for place, task in enumerate(shown):
        _numbers(drawing, state, old, task, numbers, (NAME, HEAD + place * ROW))
        _say(drawing, state, old, task)
    bottom = HEAD + len(shown) * ROW
    more = len(tasks) - len(shown)
    told = f"… and {more} more tasks" if more else "a bar over several rows: one namespace, shared"
    if numbers:
        told += " · numbers: the task in each PID namespace, its own in bold"
    width = columns[-1][1] + columns[-1][2]
    drawing.text("foot", "note", 8, bottom + 20, told, width - 8)
    held = _without_tasks(state)
    if held:
        said = f"no task is in {', '.join(held)}: a descriptor, a mount, a namespace inside or its maker keeps it"
        drawing.text("held", "note", 8, bottom + 38, said, width - 8)
        drawing.say(0, said)
    return drawing.done("namespaces", width, bottom + (50 if held else 32))


def _without_tasks(state: State) -> list[str]:
    """Return the namespaces that exist though no task is in them."""
    used = {space for row in state.get("tasks", {}).values() for space in row.get("namespaces", {}).values()}
    return [space for space in state.get("namespaces", {}) if space not in used]


def _columns(spaces: Sequence[str], x: int) -> list[tuple[str, int, int]]:
    """Return kind, place and width of each column: a kind of which there is only the first namespace needs less."""
    columns = []
    for kind in KINDS:
        w = WIDE if any(space.startswith(kind + ":") and number_of(space) > 1 for space in spaces) else NARROW
        columns.append((kind, x, w))
        x += w
    return columns


def _number_head(drawing: Drawing, state: State, space: str, x: int) -> None:
    parent = state.get("namespaces", {}).get(space, {}).get("parent", "")
    gone = space not in state.get("namespaces", {})
    drawing.text(f"number {space}", "title dim" if gone else "title", x + PIDS - 12, 18, space, PIDS - 8, "end")
    note = "" if gone else f"in {parent}" if parent else "outer"
    drawing.text(f"around {space}", "note", x + PIDS - 12, 34, note, PIDS, "end")


def _task(drawing: Drawing, state: State, old: State, task: str, y: int) -> None:
    row = state["tasks"][task]
    new = old.get("tasks", {}).get(task) is None
    status = status_words(state, task)
    drawing.box(f"task {task}", "row now" if new else "row", 0, y + 2, NAME - 6, ROW - 4)
    indent = 10 + 12 * min(task.count("."), 5)
    drawing.text(
        f"name {task}", "title dead" if status else "title", indent, y + 18, row.get("name", "?"), NAME - indent - 16
    )
    later = _later(row)
    born = f"children in {later}" if later else ""
    words = [task, container_of(state, task), f"uid {row['uid']}" if row.get("uid") else "", status, born]
    note = " · ".join(word for word in words if word)
    drawing.text(f"note {task}", "note", indent, y + 33, note, NAME - indent - 12)


def _later(row: State) -> str:
    """Return the namespaces that a task itself is not in, but its children will be."""
    return ", ".join(row[name] for name in FOR_CHILDREN.values() if row.get(name))


def _lanes(drawing: Drawing, state: State, old: State, kind: str, tasks: Sequence[str], place: tuple[int, int]) -> None:
    """Draw one column: a box for each run of tasks that share a namespace."""
    first = 0
    for number in range(1, len(tasks) + 1):
        space = _space(state, tasks[first], kind)
        if number < len(tasks) and _space(state, tasks[number], kind) == space:
            continue
        run = tasks[first:number]
        if space:
            new = space not in old.get("namespaces", {})
            changed = new or any(_space(old, task, kind) not in ("", space) for task in run)
            _lane(drawing, state, space, run[0], place, (HEAD + first * ROW, len(run)), changed=changed)
        first = number


def _lane(
    drawing: Drawing,
    state: State,
    space: str,
    first: str,
    place: tuple[int, int],
    rows: tuple[int, int],
    *,
    changed: bool,
) -> None:
    (x, w), (y, count) = place, rows
    number = number_of(space)
    kind = f"lane {'first' if number == 1 else f'tint{(number - 2) % 6}'}{' now' if changed else ''}"
    drawing.box(f"lane {space} {first}", kind, x + 3, y + 3, w - 6, count * ROW - 6)
    drawing.text(f"id {space} {first}", "word", x + 11, y + 19, space if w == WIDE else f":{number}", w - 16)
    note = _note(state, space)
    drawing.text(f"of {space} {first}", "note", x + 11, y + 33, note if w == WIDE else "", w - 18)


def _space(state: State, task: str, kind: str) -> str:
    """Return the namespace of a kind that a task is in; "" if there is no such task."""
    return str(state.get("tasks", {}).get(task, {}).get("namespaces", {}).get(kind, ""))


def _note(state: State, space: str) -> str:
    """Return what a namespace has to say for itself."""
    row = state.get("namespaces", {}).get(space, {})
    kind = space.partition(":")[0]
    if kind == "uts":
        return str(row.get("hostname", ""))
    if kind == "time":
        ahead = row.get("boottime", row.get("monotonic"))
        return "" if ahead is None else f"{ahead:+} s"
    if kind == "user" and row.get("uid_map"):
        inside, outside, _ = row["uid_map"][0]
        return f"{inside} is {outside}"
    if kind in ("user", "pid"):
        return f"in {row['parent']}" if row.get("parent") else ""
    if kind in ("mnt", "net"):
        return _counted(len(state.get("mounts" if kind == "mnt" else "links", {}).get(space) or {}), kind)
    return ""


def _counted(number: int, kind: str) -> str:
    noun = "mount" if kind == "mnt" else "link"
    return "" if not number else f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def pid_chain(state: State, task: str) -> list[str]:
    """Return the PID namespaces in which a task has a number, the outermost first."""
    chain: list[str] = []
    space = _space(state, task, "pid")
    while space and space not in chain:
        chain.insert(0, space)
        space = state.get("namespaces", {}).get(space, {}).get("parent", "")
    return chain


def numbers_of(state: State, task: str) -> dict[str, int]:
    """Return a task's numbers by PID namespace; 0 where it has one that nobody told."""
    chain, pids = pid_chain(state, task), state["tasks"][task].get("pids") or []
    return {space: pids[place] if place < len(pids) else 0 for place, space in enumerate(chain)}


def _numbers(
    drawing: Drawing, state: State, old: State, task: str, spaces: Sequence[str], place: tuple[int, int]
) -> None:
    own, numbers = _space(state, task, "pid"), numbers_of(state, task)
    new = old.get("tasks", {}).get(task) is None
    for column, space in enumerate(spaces):
        x, y = place[0] + column * PIDS, place[1]
        if space not in numbers:
            drawing.text(f"pid {task} {space}", "note", x + PIDS - 12, y + 25, "–", PIDS, "end")
            continue
        said = str(numbers[space] or "?")
        kind = "title own" if space == own else "word"
        drawing.box(f"pidbox {task} {space}", f"number{' own' if space == own else ''}{' now' if new else ''}", x + 2,
                    y + 8, PIDS - 6, ROW - 16)  # fmt: skip
        drawing.text(f"pid {task} {space}", kind, x + PIDS - 12, y + 25, said, PIDS - 8, "end")


def _say(drawing: Drawing, state: State, old: State, task: str) -> None:
    row = state["tasks"][task]
    words = [container_of(state, task), status_words(state, task)]
    head = ", ".join([f"{row.get('name', '?')} ({task})", *(word for word in words if word)])
    changed = old.get("tasks", {}).get(task, {}).get("namespaces") != row.get("namespaces")
    drawing.say(min(task.count("."), 5), head, now=changed)
    own = [_space(state, task, kind) for kind in KINDS]
    drawing.say(min(task.count("."), 5) + 1, " ".join(space for space in own if space), now=False)
    numbers = [f"{number or '?'} in {space}" for space, number in numbers_of(state, task).items()]
    drawing.say(min(task.count("."), 5) + 1, "number " + ", ".join(numbers) if numbers else "", now=False)
    if later := _later(row):
        drawing.say(min(task.count("."), 5) + 1, f"its children are born in {later}", now=False)
