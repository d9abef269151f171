"""Drawings as SVG text."""

from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from minidocker.lab.stepper import svg
from minidocker.lab.stepper.drawing_style import classes, css
from minidocker.lab.stepper.views import drawing_of, telling
from minidocker.lab.stepper.words import cut
from minidocker.trace import INSIDE, Trace


def drawing_svg(trace: Trace, view: str, index: int | None = None, *, zoom: int = INSIDE, theme: str = "auto") -> str:
    """Return a view of a trace at a step (the one that tells most, if none is named) as a document of its own."""
    at = telling(trace, view) if index is None else index
    drawing = drawing_of(trace, view, at, zoom=zoom)
    step = trace.steps[at] if at >= 0 else None
    width = max(drawing["width"] + 2 * svg.EDGE, 640)
    top, bottom = svg.ABOVE + 6, svg.ABOVE + 6 + drawing["height"]
    said = svg.said(step)
    parts = [
        svg.text(svg.EDGE, 25, "command", "$ " + cut(trace.command, width // 8)),
        f'<g class="d-drawing" transform="translate({svg.EDGE} {top})">',
        *map(_item, drawing["items"]),
        "</g>",
        svg.text(svg.EDGE, bottom + 22, "command", cut(said, width // 8)),
        svg.text(svg.EDGE, bottom + 42, "why", cut(step.why if step else "", width // 8)),
    ]
    description = "\n".join("  " * line["depth"] + line["text"] for line in drawing["lines"])
    title = f"{trace.command}: {view} after {said}"
    return svg.document(width, bottom + 56, theme, title, parts, style=css(), description=description)


def _item(item: Mapping[str, Any]) -> str:
    kind = quoteattr(classes(item["shape"], item["kind"]))
    if item["shape"] == "box":
        place = " ".join(f'{name}="{item[key]}"' for name, key in _RECT)
        return f"<rect class={kind} {place}/>"
    if item["shape"] == "line":
        return f'<polyline class={kind} points="{_points(item["points"])}"/>'
    anchor = "" if item["at"] == "start" else f' text-anchor="{item["at"]}"'
    return f'<text class={kind} x="{item["x"]}" y="{item["y"]}"{anchor}>{escape(svg.drawable(item["text"]))}</text>'


_RECT = (("x", "x"), ("y", "y"), ("width", "w"), ("height", "h"), ("rx", "r"))


def _points(points: Iterable[Iterable[int]]) -> str:
    return " ".join(",".join(map(str, point)) for point in points)
