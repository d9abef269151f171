"""The view of control groups: the tree of them with the tasks that are in, what was written to limit them, and meters.

A row a group. Beside each setting stands the flag of docker that writes it; a meter shows what is used of what is
allowed, as the group's own files last said. Twin of ``js/cgroups.js``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from minidocker.cgroup_table import split
from minidocker.lab.stepper.drawing import Drawing, State, by_line, containers_by_id, frozen_groups

ROOT: Final = "/sys/fs/cgroup"

#: The flag of docker that writes to a file, on v2 and on v1.
FLAGS: Final[Mapping[str, str]] = {
    "memory.max": "-m", "memory.limit_in_bytes": "-m", "memory.low": "--memory-reservation",
    "memory.soft_limit_in_bytes": "--memory-reservation", "memory.swap.max": "--memory-swap",
    "memory.memsw.limit_in_bytes": "--memory-swap", "cpu.max": "--cpus", "cpu.cfs_quota_us": "--cpus",
    "cpu.cfs_period_us": "--cpus", "cpu.weight": "--cpu-shares", "cpu.shares": "--cpu-shares",
    "cpuset.cpus": "--cpuset-cpus", "pids.max": "--pids-limit", "cgroup.freeze": "docker pause",
    "freezer.state": "docker pause",
}  # fmt: skip

#: What is measured, in which files, against which limit.
METERS: Final = (
    ("memory", ("memory.current", "memory.usage_in_bytes"), ("memory.max", "memory.limit_in_bytes")),
    ("pids", ("pids.current",), ("pids.max",)),
)
USED_CPU: Final = {"cpu.stat": 1, "cpuacct.usage": 1000}
WEIGHTS: Final = {"cpu.weight": 100, "cpu.shares": 1024}

NAME, FILES, METER, HEAD, LINE = 186, 372, 196, 34, 20

#: A sparkline stands below the meters, with its words over it.
SPARK_H = 24


def cgroups(trace: Mapping[str, Any], state: State, old: State, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the drawing of a state; ``old`` is the one before the present steps, which may tell of a kill."""
    drawing = Drawing()
    groups = sorted(state.get("cgroups", {}), key=_tree_key)
    marked = {step.get("data", {}).get("path"): step["call"] for step in steps if step.get("data")}
    width = NAME + FILES + METER + 16
    for x, text in ((10, "group and tasks"), (NAME, "written, and the flag that sets it"), (NAME + FILES, "used")):
        drawing.text(f"head {text}", "title dim", x, 20, text, 300)
    y = HEAD
    for group in groups:
        y += _group(drawing, trace, state, old, group, y, marked.get(group, ""))
    if not groups:
        drawing.text("none", "note", 10, y + 14, "no control groups yet: all tasks are in the root", width)
        drawing.say(0, "no control groups yet: all tasks are in the root")
        y += LINE
    root = sorted((task for task in state.get("tasks", {}) if not state["tasks"][task].get("cgroups")), key=by_line)
    said = "in the root, without limits: " + ", ".join(f"{state['tasks'][task]['name']} {task}" for task in root)
    drawing.text("root", "note", 10, y + 16, said if root else "", width - 20)
    return drawing.done("cgroups", width, y + 28)


def _tree_key(group: str) -> bytes:
    return group.replace("/", "\0").encode("utf-16-be", "surrogatepass")


def _group(drawing: Drawing, trace: Mapping[str, Any], state: State, old: State, group: str, y: int, mark: str) -> int:
    """Draw a row and return its height."""
    row = state["cgroups"][group]
    files = [(name, str(value)) for name, value in row.get("files", {}).items() if name in FLAGS] + [
        (name, str(value)) for name, value in row.get("files", {}).items() if name not in FLAGS
    ]
    meters = _meters(state, group)
    measured = LINE * len(meters) + (SPARK_H + 8 if meters and _series(trace, group) else 0)
    height = 16 + max(LINE * max(2, len(files)), measured)
    frozen, before = group in frozen_groups(state), old.get("cgroups", {}).get(group)
    kind = f"row{' frozen' if frozen else ''}{' now' if mark or _settings(before) != _settings(row) else ''}"
    drawing.box(f"group {group}", kind, 2, y + 2, NAME + FILES + METER + 8, height - 4)
    _name(drawing, state, group, y, mark, frozen=frozen)
    for place, (name, value) in enumerate(files):
        changed = ((before or {}).get("files") or {}).get(name) != value
        _file(drawing, group, name, value, y + 20 + place * LINE, changed=changed)
    for place, meter in enumerate(meters):
        _meter(drawing, group, meter, y + 8 + place * LINE)
    _spark(drawing, trace, group, NAME + FILES, y + 14 + LINE * max(1, len(meters)), len(meters))
    return height


def _settings(row: Mapping[str, Any] | None) -> Any:
    return (row.get("files"), row.get("frozen")) if row else None


def group_name(state: State, group: str) -> str:
    """Return how a group is called: its directory's name, or the container whose id that is; v1's hierarchy first."""
    last = group.rpartition("/")[2]
    hierarchy = split(group)[0]
    name = containers_by_id(state).get(last, last)
    return f"{hierarchy} · {name}" if hierarchy else name


def _name(drawing: Drawing, state: State, group: str, y: int, mark: str, *, frozen: bool) -> None:
    row = state["cgroups"][group]
    below = group.removeprefix(ROOT + "/")
    depth = min(below.count("/"), 4)
    x = 12 + 12 * depth
    tasks = sorted((task for task in state.get("tasks", {}) if _is_in(state, task, group)), key=by_line)
    names = ", ".join(f"{state['tasks'][task].get('name', '?')} {task}" for task in tasks)
    where = below.rpartition("/")[0]
    drawing.text(f"name {group}", "title", x, y + 21, group_name(state, group), NAME - x - 8)
    note = names or (f"below {where}" if where else "no task")
    drawing.text(f"tasks {group}", "note", x, y + 38, note, NAME - x - 4)
    kills = row.get("oom_kills", 0)
    said = [
        "frozen" if frozen else "",
        f"OOM kills: {kills}" if kills else "",
        "throttled" if mark == "throttle" else "",
    ]
    badges = [text for text in said if text]
    for place, text in enumerate(badges):
        drawing.box(
            f"badge {group} {place}", f"badge {text.split()[0].rstrip(':').lower()}", x + place * 100, y + 43, 94, 17, 8
        )
        drawing.text(f"badge of {group} {place}", "note strong", x + place * 100 + 8, y + 56, text, 90)
    told = f"{group_name(state, group)}: {names or 'no task'}" + "".join(f", {text}" for text in badges)
    drawing.say(depth, told, now=bool(mark))


def _is_in(state: State, task: str, group: str) -> bool:
    return group in (state["tasks"][task].get("cgroups") or {}).values()


def _file(drawing: Drawing, group: str, name: str, value: str, y: int, *, changed: bool) -> None:
    flag = FLAGS.get(name, "")
    said = f"{name} {setting_words(name, value)}"
    kind = "word changed" if changed else "word"
    drawing.text(f"file {group} {name}", kind, NAME, y, said, FILES - 24 - 7 * len(flag) if flag else FILES - 12)
    drawing.text(f"flag {group} {name}", "note", NAME + FILES - 12, y, f"← {flag}" if flag else "", 150, "end")
    drawing.say(group.removeprefix(ROOT).count("/"), said + (f", by {flag}" if flag else ""), now=changed)


def setting_words(name: str, value: str) -> str:
    """Return what was written, and the same in words: bytes in binary units, a quota as processors."""
    if name == "cpu.max":
        quota, _, period = value.partition(" ")
        said = f"{cpus_text(int(quota), int(period or 100_000))} CPU" if quota.isdigit() else "no limit"
        return f"{value} ({said})"
    if name.startswith("memory.") and value.isdigit():
        return f"{value} ({binary(int(value))})"
    return value


def cpus_text(quota_us: int, period_us: int) -> str:
    """Return how many processors a quota is, with two decimals."""
    hundredths = (quota_us * 100 + period_us // 2) // period_us
    return f"{hundredths // 100}.{hundredths % 100:02}"


def binary(number: int) -> str:
    """Return bytes in units of 1024, with a decimal where it is not even."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        size = 1024**power
        if number >= size:
            tenths = number * 10 // size
            return f"{tenths // 10} {unit}" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10} {unit}"
    return f"{number} B"


def _meters(state: State, group: str) -> list[tuple[str, str, int]]:
    """Return what is measured: a name, words, and how much of what is allowed, of a thousand (-1: no limit)."""
    row = state["cgroups"][group]
    usage, files = row.get("usage", {}), row.get("files", {})
    found = []
    for name, counters, limits in METERS:
        used = next((usage[counter] for counter in counters if counter in usage), None)
        limit = next((int(files[each]) for each in limits if str(files.get(each, "")).isdigit()), None)
        if used is not None:
            shown = [binary(n) if name == "memory" else str(n) for n in (used, *([limit] if limit else []))]
            found.append((name, " of ".join(shown), min(1000, used * 1000 // limit) if limit else -1))
    for counter, divisor in USED_CPU.items():
        if counter in usage:
            found.append(("cpu time", time_text(usage[counter] // divisor), -1))
    share = _share(state, group)
    return [*found, ("cpu share", f"{share // 10} % if all want", share)] if share >= 0 else found


def time_text(microseconds: int) -> str:
    """Return a time in the unit that makes it easy to read."""
    for size, unit in ((1_000_000, "s"), (1000, "ms")):
        if microseconds >= size:
            tenths = microseconds * 10 // size
            return f"{tenths // 10}.{tenths % 10} {unit}" if tenths < 100 and tenths % 10 else f"{tenths // 10} {unit}"
    return f"{microseconds} µs"


def _share(state: State, group: str) -> int:
    """Return a group's part of the processors when its neighbours want them too, of a thousand; -1 if it has none."""
    parent = group.rpartition("/")[0]
    neighbours = [each for each in state["cgroups"] if each.rpartition("/")[0] == parent and _tasks_in(state, each)]
    for name, default in WEIGHTS.items():
        weights = {each: _weight(state, each, name, default) for each in neighbours}
        written = any(name in state["cgroups"][each].get("files", {}) for each in neighbours)
        if written and group in weights and len(weights) > 1:
            return weights[group] * 1000 // max(1, sum(weights.values()))
    return -1


def _tasks_in(state: State, group: str) -> bool:
    return any(_is_in(state, task, group) for task in state.get("tasks", {}))


def _weight(state: State, group: str, name: str, default: int) -> int:
    said = str(state["cgroups"][group].get("files", {}).get(name, ""))
    return int(said) if said.isdigit() else default


def _meter(drawing: Drawing, group: str, meter: tuple[str, str, int], y: int) -> None:
    name, words, full = meter
    x, w = NAME + FILES, METER - 12
    if full >= 0:
        level = "high" if full >= 900 else "level"
        drawing.box(f"meter {group} {name}", "meter", x, y + 2, w, 16, 4)
        drawing.box(f"level {group} {name}", level, x, y + 2, w * full // 1000, 16, 4)
    drawing.text(f"said {group} {name}", "note strong", x + 6, y + 14, f"{name} {words}", w - 8)
    drawing.say(group.removeprefix(ROOT).count("/"), f"{name} {words}")


def series(trace: Mapping[str, Any], group: str, names: Sequence[str]) -> list[tuple[int, int]]:
    """Return what a group's counter said over the steps of a trace: pairs of step and value; the first name that is."""
    for name in names:
        found = []
        for step in trace["steps"]:
            for path, _, new in step["changes"]:
                value = _counter(path, new, group, name)
                if value is not None:
                    found.append((step["index"], value))
        if found:
            return found
    return []


def _counter(path: Sequence[str], new: Any, group: str, name: str) -> int | None:
    """Return what a change puts at a group's counter, at whatever depth it is a change."""
    wanted = ("cgroups", group, "usage", name)
    if tuple(path) != wanted[: len(path)]:
        return None
    for key in wanted[len(path) :]:
        new = new.get(key) if isinstance(new, Mapping) else None
    return new if isinstance(new, int) else None


def _series(trace: Mapping[str, Any], group: str) -> list[tuple[int, int]]:
    found = series(trace, group, METERS[0][1])
    return found if len(found) > 1 else []


def _spark(drawing: Drawing, trace: Mapping[str, Any], group: str, x: int, y: int, meters: int) -> None:
    """Draw how much memory was used over the whole trace, in small."""
    found = _series(trace, group)
    if not found or not meters:
        return
    width, most = METER - 12, max(1, *(value for _, value in found))
    steps = max(1, len(trace["steps"]) - 1)
    drawing.box(f"sparks {group}", "meter", x, y, width, SPARK_H, 4)
    points: list[list[int]] = []
    for index, value in found:
        at = x + width * index // steps
        level = y + SPARK_H - 2 - (SPARK_H - 4) * value // most
        points += [[at, points[-1][1]]] if points else []
        points.append([at, level])
    drawing.line(f"spark {group}", "spark", [*points, [x + width, points[-1][1]]])
    drawing.text(f"spark of {group}", "note", x + 6, y + 15, "memory over the steps", width)
