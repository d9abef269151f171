"""Meters: what control groups used over the steps of a trace, as a matplotlib figure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from minidocker.lab.stepper.cgroups_view import binary, group_name, series
from minidocker.lab.stepper.drawing import ever
from minidocker.lab.stepper.svg import DARK, LIGHT
from minidocker.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Each group has a colour, a mark and a dash of its own: never the colour alone.
_LOOKS: Final = (
    ("blue", "o", "-"),
    ("orange", "s", "--"),
    ("green", "^", "-."),
    ("pink", "D", ":"),
    ("red", "v", "-"),
)

#: About so many marks an axis has.
_TICKS: Final = 5


@dataclass(frozen=True, slots=True)
class _Measure:
    """What is measured: its name, the files that count it on v2 and v1, those that limit it, and a counter's unit."""

    name: str
    counters: tuple[str, ...]
    limits: tuple[str, ...] = ()
    divisors: Mapping[str, int] | None = None


MEASURES: Final = (
    _Measure("memory", ("memory.current", "memory.usage_in_bytes"), ("memory.max", "memory.limit_in_bytes")),
    _Measure("tasks", ("pids.current",), ("pids.max",)),
    _Measure("processor time, ms", ("cpu.stat", "cpuacct.usage"), (), {"cpu.stat": 1000, "cpuacct.usage": 1_000_000}),
)


def cgroup_figure(*traces: Trace, theme: str = "light") -> "Figure":
    """Return the figure: an axis for each thing that was measured, a line for each control group, limits dotted.

    Several traces of one host follow each other.

    ImportError without matplotlib; ValueError if nobody read a counter in this trace.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (half a second that only those pay who want a figure)

    trace = joined(traces)
    value = trace.to_json()
    found = [(measure, list(_lines(value, measure))) for measure in MEASURES]
    found = [(measure, lines) for measure, lines in found if lines]
    if not found:
        message = "no counter of a control group was read in this trace"
        raise ValueError(message)
    colours = DARK if theme == "dark" else LIGHT
    figure = Figure(figsize=(8, 2.3 * len(found) + 0.6), dpi=192, facecolor=colours["bg"], layout="constrained")
    for axes, (measure, lines) in zip(_axes(figure, len(found)), found, strict=True):
        _draw(axes, trace, measure, lines, colours)
    figure.axes[-1].set_xlabel("step", color=colours["dim"], fontsize=8)
    figure.suptitle("$ " + trace.command.replace("$", r"\$"), color=colours["ink"], fontsize=10)
    return figure


def joined(traces: Sequence[Trace]) -> Trace:
    """Return traces of one host, each beginning where the one before has ended, as one."""
    if len(traces) == 1:
        return traces[0]
    steps = [step for trace in traces for step in trace.steps]
    numbered = tuple(replace(step, index=number) for number, step in enumerate(steps))
    first = traces[0]
    return Trace(
        command=" ; ".join(trace.command for trace in traces),
        steps=numbered,
        kernel=first.kernel,
        initial=first.initial,
    )


def _axes(figure: "Figure", count: int) -> Sequence["Axes"]:
    made = figure.subplots(count, 1, sharex=True, squeeze=False)
    return [row[0] for row in made]


def _lines(trace: Mapping[str, Any], measure: _Measure) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """Yield each group with what its counter said: pairs of step and value."""
    for group in ever(trace, "cgroups"):
        for counter in measure.counters:
            points = series(trace, group, [counter])
            if points:
                unit = (measure.divisors or {}).get(counter, 1)
                yield group, [(step + 1, number / unit) for step, number in points]
                break


def _draw(
    axes: "Axes",
    trace: Trace,
    measure: _Measure,
    lines: Sequence[tuple[str, list[tuple[int, float]]]],
    colours: Mapping[str, str],
) -> None:
    for number, (group, points) in enumerate(lines):
        colour, mark, dash = _LOOKS[number % len(_LOOKS)]
        steps, values = zip(*points, strict=True)
        axes.step(
            steps, values, where="post", color=colours[colour], marker=mark, linestyle=dash, markersize=4,
            label=_name(trace, group, points[0][0] - 1),
        )  # fmt: skip
        limit = _limit(trace, group, measure)
        if limit is not None:
            axes.axhline(limit, color=colours[colour], linestyle=":", linewidth=1)
            axes.text(len(trace), limit, "limit ", color=colours["dim"], fontsize=7, ha="right", va="bottom")
    axes.set_xlim(1, max(2, len(trace)))
    axes.set_ylim(bottom=0)
    axes.set_ylabel(measure.name, color=colours["ink"], fontsize=9)
    axes.set_facecolor(colours["bg"])
    axes.tick_params(colors=colours["dim"], labelsize=8)
    for side in axes.spines.values():
        side.set_color(colours["line"])
    top = axes.get_ylim()[1]
    size = 1 << max(0, int(top / _TICKS).bit_length())  # even in binary units, and whole for tasks
    axes.set_yticks(range(0, int(top) + 1, size))
    if measure.name == "memory":
        axes.yaxis.set_major_formatter(lambda number, _: binary(int(number)))
    axes.legend(
        fontsize=8, facecolor=colours["bg"], edgecolor=colours["line"], labelcolor=colours["ink"], loc="upper left"
    )


def _name(trace: Trace, group: str, index: int) -> str:
    """Return how a group was called when it was first measured."""
    return group_name(trace.at(index), group)


def _limit(trace: Trace, group: str, measure: _Measure) -> int | None:
    """Return the last limit that was written for a group; None if there is none."""
    for index in range(len(trace) - 1, -2, -1):
        files = trace.at(index).get("cgroups", {}).get(group, {}).get("files", {})
        said = next((str(files[name]) for name in measure.limits if name in files), "")
        if files:
            return int(said) if said.isdigit() else None
    return None
