"""Figure: the layer-stack picture of one step as a matplotlib figure, for PNG, PDF and print."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from minidocker.lab.stepper.layout import GEOMETRY, last_mounted, picture
from minidocker.lab.stepper.svg import DARK, LIGHT, MOST_COLUMNS, status_text
from minidocker.lab.stepper.views import default_view
from minidocker.lab.stepper.words import cut, size_text
from minidocker.trace import INSIDE, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Pixels of the layout that make an inch.
PER_INCH: Final = 96

#: Marks that every font of matplotlib's has; each kind has its own, and its own line style.
_MARKS: Final = {
    "copied": "↑ ", "copied-dir": "↑ ", "new": "+ ", "new-dir": "+ ", "whiteout": "× ", "opaque": "◆ ",
    "redirect": "← ", "dir": "▸ ",
}  # fmt: skip
_STYLES: Final = {"whiteout": (0, (4, 2)), "opaque": (0, (8, 3)), "group": (0, (1, 1))}


def to_figure(
    trace: Trace,
    index: int | None = None,
    *,
    view: str = "",
    zoom: int = INSIDE,
    theme: str = "light",
    **options: Any,
) -> "Figure":
    """Return the picture of a trace at a step (the last mounted one, if none is named).

    ``view``: layers, or one of :data:`~minidocker.lab.stepper.views.VIEWS`; the first with something to show, if none
    is named. ImportError without matplotlib; ValueError if the trace has nothing to show.
    """
    chosen = view or default_view(trace)
    if chosen != "layers":
        from minidocker.lab.stepper.drawing_figure import drawing_figure  # noqa: PLC0415  only who asks pays

        return drawing_figure(trace, chosen, index, zoom=zoom, theme=theme)
    from matplotlib.figure import Figure  # noqa: PLC0415 (half a second that only those pay who want a figure)

    at = last_mounted(trace) if index is None else index
    shown = picture(trace, at, zoom=zoom, **options)
    if shown is None:
        message = "no layers are mounted in this trace"
        raise ValueError(message)
    colours = DARK if theme == "dark" else LIGHT
    columns = min(len(shown["columns"]), MOST_COLUMNS)
    width = max(GEOMETRY["label"] + columns * (GEOMETRY["cell"] + GEOMETRY["gap"]) + GEOMETRY["gap"], 640)
    height = shown["height"] + 84
    figure = Figure(figsize=(width / PER_INCH, height / PER_INCH), dpi=2 * PER_INCH, facecolor=colours["bg"])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-8, width + 8)
    axes.set_ylim(height - 34, -34)
    axes.set_axis_off()
    _draw(axes, shown, colours, width)
    step = trace.steps[at] if at >= 0 else None
    said = "before the first step" if step is None else f"{step.text} = {step.result}".removesuffix(" = ")
    _write(axes, (6, -14), cut("$ " + trace.command, width // 8), colours["ink"], weight="bold")
    _write(axes, (6, shown["height"] + 12), _bytes(shown), colours["dim"], size=8)
    _write(axes, (6, shown["height"] + 32), cut(said, width // 8), colours["ink"], weight="bold")
    return figure


def _bytes(shown: Mapping[str, Any]) -> str:
    told = {name: size_text(size) for name, size in shown["bytes"].items()}
    words = {"writable": "in the writable layer", "image": "image, shared", "hidden": "hidden but kept"}
    return "  ·  ".join(f"{told[name]} {word}" for name, word in words.items())


def _write(
    axes: "Axes", at: tuple[float, float], text: str, colour: str, *, size: float = 9, weight: str = "normal"
) -> None:
    text = text.replace("$", r"\$")  # matplotlib takes dollars for mathematics
    axes.text(*at, text, color=colour, fontsize=size * 0.8, family="DejaVu Sans Mono", weight=weight, va="center")


def _draw(axes: "Axes", shown: Mapping[str, Any], colours: Mapping[str, str], width: int) -> None:
    fills = {"merged": "glass", "upper": "now", "lower": "panel"}
    for row in shown["rows"]:
        edge = colours["amber"] if row["kind"] == "upper" else colours[fills[row["kind"]]]
        _box(
            axes, (1, row["y"] + 1, width - 2, row["height"] - 2), facecolor=colours[fills[row["kind"]]], edgecolor=edge
        )
        middle = row["y"] + row["height"] / 2
        only_title = shown["compact"] and row["kind"] != "merged"
        _write(axes, (12, middle if only_title else middle - 9), row["title"], colours["ink"], weight="bold")
        _write(axes, (12, middle + 9), "" if only_title else row["note"], colours["dim"], size=8)
    for head in shown["heads"][:MOST_COLUMNS]:
        _draw_line(axes, shown, head, colours)
    for cell in shown["cells"]:
        if cell["column"] < MOST_COLUMNS:
            _draw_cell(axes, shown, cell, colours)
    for head in shown["heads"][:MOST_COLUMNS]:
        _draw_head(axes, shown, head, colours)


def _box(axes: "Axes", place: tuple[float, float, float, float], **style: Any) -> None:
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415 (as above)

    x, y, w, h = place
    axes.add_patch(FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0,rounding_size=7", **style))


def _left(shown: Mapping[str, Any], column: int) -> int:
    return GEOMETRY["label"] + int(shown["columns"][column]["x"])


def _draw_line(axes: "Axes", shown: Mapping[str, Any], head: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    if head["rows"]:
        x = _left(shown, head["column"]) + GEOMETRY["cell"] / 2
        bottom = shown["rows"][head["rows"][-1]]["y"] + GEOMETRY["pad"]
        axes.plot(
            [x, x], [GEOMETRY["head"] - GEOMETRY["pad"], bottom], color=colours["green"], linewidth=1.8, zorder=1.5
        )


def _draw_head(axes: "Axes", shown: Mapping[str, Any], head: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    x, y, height = _left(shown, head["column"]), GEOMETRY["pad"], GEOMETRY["head"] - 2 * GEOMETRY["pad"]
    edge = {"served": "green", "hidden": "red"}.get(head["status"], "dim")
    line: Any = "-" if head["status"] in ("served", "group") else (0, (3, 2))
    face = colours["bg"] if head["status"] in ("served", "group") else "none"
    _box(axes, (x, y, GEOMETRY["cell"], height), facecolor=face, edgecolor=colours[edge], linestyle=line, zorder=3)
    for place, text, size, colour in ((9, head["folder"], 7.5, "dim"), (40, status_text(head), 7.5, edge)):
        _write(axes, (x + 8, y + place), text.replace("✕", "×"), colours[colour], size=size)
    _write(axes, (x + 8, y + 25), head["label"], colours["ink"], weight="bold")
    for row in head["rows"]:
        dot = shown["rows"][row]["y"] + y
        axes.plot([x + GEOMETRY["cell"] / 2], [dot], "o", color=colours["green"], markersize=4.5, zorder=4)


def _draw_cell(axes: "Axes", shown: Mapping[str, Any], cell: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    row = shown["rows"][cell["row"]]
    colour = colours[_colour(cell["shape"], row["kind"])]
    x, y, height = _left(shown, cell["column"]), row["y"] + GEOMETRY["pad"], row["height"] - 2 * GEOMETRY["pad"]
    pale = 0.45 if cell["hidden"] else 1.0
    place, style = (x, y, GEOMETRY["cell"], height), _STYLES.get(cell["shape"], "-")
    tint = {"facecolor": colours["bg"], "edgecolor": "none"}
    _box(axes, place, **tint, zorder=2)
    _box(axes, place, facecolor="none" if cell["hidden"] else (colour, 0.15), edgecolor=(colour, pale), linestyle=style,
         linewidth=2.2 if cell["now"] else 1.2, hatch="////" if cell["hidden"] else None, zorder=2.2)  # fmt: skip
    words = colours["dim"] if cell["hidden"] else colours["ink"]
    middle = y + height / 2
    lift = 0 if shown["compact"] else 8
    _write(axes, (x + 8, middle - lift), _MARKS.get(cell["shape"], "") + cell["word"], words, weight="bold")
    _write(axes, (x + 8, middle + 9), "" if shown["compact"] else cell["note"], colours["dim"], size=7.5)


def _colour(shape: str, row: str) -> str:
    if shape in ("whiteout", "opaque"):
        return "red"
    if row == "upper":
        return "orange"
    return {"dir": "sky", "symlink": "pink", "group": "dim"}.get(shape, "blue")
