"""The style of drawings: one table of rules, for the browser, for SVG files and for matplotlib.

A rule says for a shape and words of its ``kind`` what it looks like; later rules win. Colours are names of the palette
(``svg.py``); what they tell, words, marks and dashes tell too.
"""

from collections.abc import Mapping
from typing import Any, Final

#: Colours that tell namespaces apart, by their number; each has its ID written on it.
TINTS: Final = ("blue", "orange", "green", "pink", "sky", "red")

Style = dict[str, Any]

_RULES: Final[tuple[tuple[str, str, Style], ...]] = (
    ("box", "", {"fill": "bg", "stroke": "line", "width": 1.2}),
    ("box", "row", {"fill": "panel", "stroke": "none"}),
    ("box", "lane", {"fill": "panel", "stroke": "line"}),
    *(("box", f"lane tint{n}", {"fill": tint, "opacity": 0.16, "stroke": tint, "width": 1.6})
      for n, tint in enumerate(TINTS)),
    ("box", "number own", {"stroke": "green", "width": 2}),
    ("box", "row frozen", {"fill": "sky", "opacity": 0.12, "stroke": "sky", "dash": (5, 3)}),
    ("box", "badge", {"stroke": "dim", "width": 1.4}),
    ("box", "badge frozen", {"stroke": "sky"}),
    ("box", "badge oom", {"stroke": "red"}),
    ("box", "badge throttled", {"stroke": "orange"}),
    ("box", "level", {"fill": "blue", "opacity": 0.28, "stroke": "none"}),
    ("box", "high", {"fill": "red", "opacity": 0.34, "stroke": "none"}),
    ("box", "space", {"fill": "panel", "stroke": "line"}),
    ("box", "space first", {"stroke": "dim", "width": 1.6}),
    ("box", "link", {"stroke": "blue", "width": 1.6}),
    ("box", "link loopback", {"stroke": "dim"}),
    ("box", "link bridge", {"fill": "green", "opacity": 0.14, "stroke": "green"}),
    ("box", "link down", {"stroke": "dim", "dash": (4, 3)}),
    ("box", "frame", {"fill": "amber", "stroke": "ink", "width": 1.4}),
    ("box", "state", {"stroke": "line", "width": 1.6}),
    ("box", "state removing", {"dash": (5, 3)}),
    ("box", "state dead", {"dash": (2, 3)}),
    ("box", "state lit", {"fill": "blue", "opacity": 0.16, "stroke": "blue", "width": 2.2}),
    ("box", "now", {"stroke": "amber", "width": 3}),
    ("box", "row now", {"fill": "now", "width": 1.8}),
    ("line", "", {"fill": "none", "stroke": "dim", "width": 1.5}),
    ("line", "spark", {"stroke": "blue"}),
    ("line", "port", {"stroke": "green", "width": 2.5}),
    ("line", "cable up", {"stroke": "green", "width": 2.5}),
    ("line", "cable down", {"dash": (5, 4), "width": 2}),
    ("line", "cable now", {"stroke": "amber", "width": 3.5}),
    ("line", "way", {"stroke": "orange", "width": 3}),
    ("line", "flap", {"stroke": "dark", "width": 1.4}),
    ("line", "arrow now", {"stroke": "orange", "width": 3}),
    ("text", "", {"fill": "ink", "size": 12}),
    ("text", "title", {"weight": 600}),
    ("text", "note", {"fill": "dim", "size": 11}),
    ("text", "strong", {"fill": "ink"}),
    ("text", "dim", {"fill": "dim"}),
    ("text", "dead", {"fill": "dim", "struck": True}),
    ("text", "own", {"fill": "ink"}),
    ("text", "changed", {"fill": "blue", "weight": 600}),
)  # fmt: skip

_CSS: Final[Mapping[str, str]] = {
    "stroke": "stroke", "width": "stroke-width", "opacity": "fill-opacity", "weight": "font-weight",
}  # fmt: skip


def style_of(shape: str, kind: str) -> Style:
    """Return what a shape of a kind looks like: fill, opacity, stroke, width, dash, size, weight, struck."""
    words, found = set(kind.split()), Style()
    for of, wanted, said in _RULES:
        if of == shape and set(wanted.split()) <= words:
            found |= said
    return found


def css() -> str:
    """Return the rules as a style sheet, for nodes of the classes that :func:`classes` gives."""
    return "\n".join(f"{_selector(shape, kind)} {{ {_declarations(said)} }}" for shape, kind, said in _RULES) + "\n"


def classes(shape: str, kind: str) -> str:
    """Return the classes of a node."""
    return " ".join(f"d-{word}" for word in (shape, *kind.split()))


def _selector(shape: str, kind: str) -> str:
    # :where, so that the order of the rules decides, not how many words they have; the class twice, so that these win.
    return ".d-drawing.d-drawing :where(" + "".join(f".d-{word}" for word in (shape, *kind.split())) + ")"


def _declarations(said: Style) -> str:
    parts = []
    for name, value in said.items():
        if name in ("fill", "stroke"):
            parts.append(f"{name}: {'none' if value == 'none' else f'var(--{value})'}")
            if name == "fill" and "opacity" not in said:
                parts.append("fill-opacity: 1")
        elif name == "dash":
            parts.append("stroke-dasharray: " + " ".join(map(str, value)))
        elif name == "size":
            parts.append(f"font-size: {value}px")
        elif name == "struck":
            parts.append("text-decoration: line-through")
        else:
            parts.append(f"{_CSS[name]}: {value}")
    return "; ".join(parts)
