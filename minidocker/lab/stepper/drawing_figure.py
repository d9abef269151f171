"""Drawings as matplotlib figures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minidocker.lab.stepper.drawing_style import style_of
from minidocker.lab.stepper.svg import DARK, LIGHT, said
from minidocker.lab.stepper.views import drawing_of, telling
from minidocker.lab.stepper.words import cut
from minidocker.trace import INSIDE, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Pixels of a drawing that make an inch, and what a font's point is to a pixel there.
PER_INCH = 96
POINTS = 0.75

_ALIGN = {"start": "left", "middle": "center", "end": "right"}


def drawing_figure(
    trace: Trace, view: str, index: int | None = None, *, zoom: int = INSIDE, theme: str = "light"
) -> "Figure":
    """Return a view of a trace at a step (the one at which it tells most, if none is named)."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (half a second that only those pay who want a figure)

    at = telling(trace, view) if index is None else index
    drawing = drawing_of(trace, view, at, zoom=zoom)
    colours = {**(DARK if theme == "dark" else LIGHT)}
    width, height = max(drawing["width"] + 24, 640), drawing["height"] + 76
    figure = Figure(figsize=(width / PER_INCH, height / PER_INCH), dpi=2 * PER_INCH, facecolor=colours["bg"])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-12, width - 12)
    axes.set_ylim(drawing["height"] + 38, -38)
    axes.set_axis_off()
    for item in drawing["items"]:
        _DRAWERS[item["shape"]](axes, item, style_of(item["shape"], item["kind"]), colours)
    step = trace.steps[at] if at >= 0 else None
    for y, text in ((-18, "$ " + trace.command), (drawing["height"] + 20, said(step))):
        words = {"key": "", "kind": "title", "x": 2, "y": y, "at": "start", "text": cut(text, width // 8)}
        _text(axes, words, style_of("text", "title"), colours)
    return figure


def _colour(colours: Mapping[str, str], name: str) -> str:
    return "none" if name == "none" else colours[name]


def _box(axes: "Axes", item: Mapping[str, Any], style: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415 (as above)

    fill = _colour(colours, style["fill"])
    face: Any = fill if fill == "none" else (fill, style.get("opacity", 1.0))
    line: Any = (0, style["dash"]) if "dash" in style else "-"
    corner = min(item["r"], item["w"] // 2, item["h"] // 2)
    box = FancyBboxPatch(
        (item["x"], item["y"]), item["w"], item["h"], boxstyle=f"round,pad=0,rounding_size={corner}",
        facecolor=face, edgecolor=_colour(colours, style["stroke"]), linestyle=line,
        linewidth=style.get("width", 1.2) * POINTS,
    )  # fmt: skip
    box.set_zorder(1)
    axes.add_patch(box)


def _line(axes: "Axes", item: Mapping[str, Any], style: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    xs, ys = zip(*item["points"], strict=True)
    line: Any = (0, style["dash"]) if "dash" in style else "-"
    axes.plot(
        xs, ys, color=_colour(colours, style["stroke"]), linewidth=style["width"] * POINTS, linestyle=line, zorder=1
    )


def _text(axes: "Axes", item: Mapping[str, Any], style: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    axes.text(
        item["x"], item["y"], item["text"].replace("$", r"\$"), color=_colour(colours, style["fill"]),
        fontsize=style["size"] * POINTS * 0.96, family="DejaVu Sans Mono", ha=_ALIGN[item["at"]], va="baseline",
        weight="bold" if style.get("weight", 400) >= 600 else "normal", zorder=2,
    )  # fmt: skip


_DRAWERS = {"box": _box, "line": _line, "text": _text}
