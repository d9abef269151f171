"""Svg: the layer-stack picture of one step as SVG text, at the places that ``layout.py`` gives."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from minidocker.lab.stepper.layout import GEOMETRY, last_mounted, picture
from minidocker.lab.stepper.shapes import ICONS, detail, outline
from minidocker.lab.stepper.views import default_view
from minidocker.lab.stepper.words import cut, size_text
from minidocker.trace import INSIDE, Step, Trace

#: Colours of Okabe and Ito, dark enough or light enough for text; what they tell, shapes, marks and words tell too.
LIGHT: Final[Mapping[str, str]] = {
    "bg": "#ffffff", "ink": "#1b2430", "dim": "#5c6774", "line": "#d9dee5", "panel": "#f5f7fa", "glass": "#e8f2fa",
    "now": "#fff4d6", "blue": "#0072b2", "sky": "#2f8fc9", "orange": "#b87a00", "amber": "#e69f00", "green": "#008661",
    "red": "#b54400", "pink": "#a8507f", "dark": "#1b1400",
}  # fmt: skip
DARK: Final[Mapping[str, str]] = {
    "bg": "#11161d", "ink": "#e6ebf1", "dim": "#9aa7b6", "line": "#2d3743", "panel": "#181f28", "glass": "#14293c",
    "now": "#3a3013", "blue": "#56b4e9", "sky": "#56b4e9", "orange": "#e69f00", "amber": "#e69f00", "green": "#2fc79c",
    "red": "#ff8a4c", "pink": "#e3a2c5", "dark": "#1b1400",
}  # fmt: skip

#: Pixels around the picture, for the command above it, and for the words below it.
EDGE: Final = 14
ABOVE: Final = 34
BELOW: Final = 68

#: A file of its own shows so many columns; the widget scrolls instead.
MOST_COLUMNS: Final = 12

_STYLE: Final = """
text{font:12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;fill:var(--ink)}
.title,.word,.name,.command{font-weight:600}.dim,.note,.folder,.status{fill:var(--dim)}
.note,.dim{font-size:11px}.folder,.status{font-size:10.5px}.why{font:13.5px system-ui,"DejaVu Sans",sans-serif}
.band{fill:var(--panel)}.band.merged{fill:var(--glass)}.band.upper{fill:var(--now);stroke:var(--amber);stroke-width:1.5}
.line{stroke:var(--green);stroke-width:2.5;fill:none}.dot{fill:var(--green);stroke:var(--bg);stroke-width:1.5}
.head .box{fill:var(--bg);stroke:var(--line);stroke-width:1.4}.head.served .box{stroke:var(--green);stroke-width:1.8}
.head.hidden .box{fill:none;stroke:var(--red);stroke-dasharray:4 3}
.head.hidden .name{text-decoration:line-through;fill:var(--dim)}
.head.absent .box,.head.unmounted .box{fill:none;stroke:var(--dim);stroke-dasharray:1.5 3.5}
.head.served .status{fill:var(--green)}.head.hidden .status{fill:var(--red)}
.cell{--kind:var(--blue)}.cell.dir{--kind:var(--sky)}.cell.symlink{--kind:var(--pink)}.cell.upper{--kind:var(--orange)}
.cell.group{--kind:var(--dim)}.cell.whiteout,.cell.opaque{--kind:var(--red)}
.cell .back{fill:var(--bg)}.cell .box{fill:var(--kind);fill-opacity:.15;stroke:var(--kind);stroke-width:1.6}
.cell .detail{fill:none;stroke:var(--kind);stroke-width:1.4}.cell.opaque .detail{stroke-width:4}
.cell.whiteout .box{fill-opacity:0;stroke-dasharray:5 3}.cell.opaque .box{stroke-dasharray:8 3}
.cell.group .box{fill-opacity:0}
.cell .icon{fill:none;stroke:var(--kind);stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}
.cell.whiteout .word,.cell.opaque .word{fill:var(--kind)}.cell.now .box{stroke-width:3}
.cell .hatch{fill:none}.cell.hidden .hatch{fill:url(#hatch)}.cell.hidden .pale{opacity:.5}
.cell.hidden .box{fill-opacity:0}
#hatch line{stroke:var(--dim);stroke-opacity:.35;stroke-width:2}
"""


def to_svg(
    trace: Trace,
    index: int | None = None,
    *,
    view: str = "",
    zoom: int = INSIDE,
    theme: str = "auto",
    **options: Any,
) -> str:
    """Return the picture of a trace at a step (the last mounted one, if none is named) as a document of its own.

    ``view``: layers, or one of :data:`~minidocker.lab.stepper.views.VIEWS`; the first with something to show, if none
    is named. ``theme``: light, dark, or auto (as the reader has it). Options are those of the layout's scene.
    """
    chosen = view or default_view(trace)
    if chosen != "layers":
        from minidocker.lab.stepper.drawing_svg import drawing_svg  # noqa: PLC0415  it draws with what is here

        return drawing_svg(trace, chosen, index, zoom=zoom, theme=theme)
    at = last_mounted(trace) if index is None else index
    shown = picture(trace, at, zoom=zoom, **options)
    step = trace.steps[at] if at >= 0 else None
    head = text(EDGE, 25, "command", "$ " + cut(trace.command, 110))
    if shown is None:
        return document(
            760, 90, theme, "No layers", [head, text(EDGE, 60, "dim", "No layers are mounted in this trace.")]
        )
    left_out = len(shown["columns"]) - MOST_COLUMNS
    width = (
        2 * EDGE + GEOMETRY["label"] + (GEOMETRY["cell"] + GEOMETRY["gap"]) * min(len(shown["columns"]), MOST_COLUMNS)
    )
    width = max(width + GEOMETRY["gap"], 700)
    body = [f'<g transform="translate({EDGE} {ABOVE + 6})">', *_picture(shown, width - 2 * EDGE), "</g>"]
    words = _words(shown, step, ABOVE + 6 + shown["height"], max(0, left_out), width)
    title = f"{trace.command}: the layers after {said(step)}"
    return document(width, ABOVE + shown["height"] + BELOW + 12, theme, title, [head, *body, *words])


def document(
    width: int,
    height: int,
    theme: str,
    title: str,
    parts: Iterable[str],
    *,
    style: str = "",
    description: str = "",
) -> str:
    """Return an SVG document of its own, with these parts in it and its title and description for who cannot see."""
    light, dark = ("".join(f"--{name}:{value};" for name, value in colours.items()) for colours in (LIGHT, DARK))
    chosen = {"light": f"svg{{{light}}}", "dark": f"svg{{{dark}}}"}
    described = f"<desc>{escape(drawable(description, keep=chr(10)))}</desc>" if description else ""
    colours = chosen.get(theme) or f"svg{{{light}}}@media (prefers-color-scheme:dark){{svg{{{dark}}}}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img">'
        f"<title>{escape(drawable(title))}</title>{described}<style>{colours}{_STYLE}{style}</style>"
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line x1="0" y1="0" x2="0" y2="6"/></pattern></defs>'
        f'<rect width="{width}" height="{height}" rx="12" fill="var(--bg)"/>{"".join(parts)}</svg>'
    )


def text(x: float, y: float, kind: str, words: str) -> str:
    """Return a text at a place."""
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(drawable(words))}</text>'


def drawable(words: str, keep: str = "") -> str:
    """Return the text with what XML cannot hold (controls, bytes that are no UTF-8) replaced."""
    return "".join(each if each.isprintable() or each in keep else "\N{REPLACEMENT CHARACTER}" for each in words)


def _picture(shown: Mapping[str, Any], width: int) -> Iterable[str]:
    """Yield the rows, the lines, the cells and the merged view."""
    for row in shown["rows"]:
        size = f'width="{width - 2}" height="{row["height"] - 2}"'
        yield f'<rect class="band {row["kind"]}" x="1" y="{row["y"] + 1}" {size} rx="9"/>'
        yield from _row_text(row, compact=shown["compact"])
    heads = [head for head in shown["heads"] if head["column"] < MOST_COLUMNS]
    cells = [cell for cell in shown["cells"] if cell["column"] < MOST_COLUMNS]
    for head in heads:
        yield _line(shown, head)
    for cell in cells:
        yield from _cell(shown, cell)
    for head in heads:
        yield from _head(shown, head)


def _row_text(row: Mapping[str, Any], *, compact: bool) -> Iterable[str]:
    first = 28 if row["kind"] == "merged" else 22 if compact else 23
    yield text(14, row["y"] + first, "title", row["title"])
    if not compact or row["kind"] == "merged":
        yield text(14, row["y"] + first + 17, "dim", row["note"])


def _left(shown: Mapping[str, Any], column: int) -> int:
    return GEOMETRY["label"] + int(shown["columns"][column]["x"])


def _line(shown: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    if not head["rows"]:
        return ""
    x = _left(shown, head["column"]) + GEOMETRY["cell"] // 2
    bottom = shown["rows"][head["rows"][-1]]["y"] + GEOMETRY["pad"]
    return f'<path class="line" d="M{x} {GEOMETRY["head"] - GEOMETRY["pad"]}V{bottom}"/>'


def _head(shown: Mapping[str, Any], head: Mapping[str, Any]) -> Iterable[str]:
    x, y = _left(shown, head["column"]), GEOMETRY["pad"]
    yield f'<g class="head {head["status"]}" transform="translate({x} {y})">'
    yield f'<rect class="box" width="{GEOMETRY["cell"]}" height="{GEOMETRY["head"] - 2 * y}" rx="8"/>'
    yield text(9, 13, "folder", head["folder"]) + text(9, 29, "name", head["label"])
    yield text(9, 44, "status", status_text(head)) + "</g>"
    for row in head["rows"]:
        yield f'<circle class="dot" cx="{x + GEOMETRY["cell"] // 2}" cy="{shown["rows"][row]["y"] + y}" r="4"/>'


def status_text(head: Mapping[str, Any]) -> str:
    """Return what the merged view says of a name."""
    word = str(head["word"])
    if head["status"] == "served":
        return f"dir, {len(head['rows'])} layers" if word == "dir" and len(head["rows"]) > 1 else word
    return {"hidden": "✕ hidden", "absent": "absent", "unmounted": "not mounted"}.get(head["status"], word)


def _cell(shown: Mapping[str, Any], cell: Mapping[str, Any]) -> Iterable[str]:
    row = shown["rows"][cell["row"]]
    compact, w, h = shown["compact"], GEOMETRY["cell"], row["height"] - 2 * GEOMETRY["pad"]
    classes = ["cell", cell["shape"], row["kind"], *(mark for mark in ("hidden", "now") if cell[mark])]
    place = f"translate({_left(shown, cell['column'])} {row['y'] + GEOMETRY['pad']})"
    shape = outline(cell["shape"], w, h)
    yield f'<g class={quoteattr(" ".join(classes))} transform="{place}"><path class="back" d="{shape}"/>'
    yield f'<path class="hatch" d="{shape}"/><g class="pale"><path class="box" d="{shape}"/>'
    yield f'<path class="detail" d="{detail(cell["shape"], w, h)}"/>'
    where = f"translate(9 {5 if compact else 6.5}) scale(.875)"
    yield f'<path class="icon" d="{ICONS[cell["shape"]]}" transform="{where}"/>'
    yield text(26, 16 if compact else 18, "word", cell["word"])
    yield ("" if compact else text(9, 34, "note", cell["note"])) + "</g></g>"


def _words(shown: Mapping[str, Any], step: Step | None, y: int, left_out: int, width: int) -> Iterable[str]:
    """Yield the line of bytes, the step's call, and the sentence why."""
    told = {name: size_text(size) for name, size in shown["bytes"].items()}
    line = f"{told['writable']} in the writable layer  ·  {told['image']} image, shared and unchanged"
    line += f"  ·  {told['hidden']} hidden but kept"
    more = f"  ·  {left_out} more columns" if left_out else ""
    letters = width // 8
    yield text(EDGE + 14, y + 14, "dim", line + more)
    yield text(EDGE + 14, y + 36, "command", cut(said(step), letters))
    yield text(EDGE + 14, y + 56, "why", cut(step.why if step else "", letters))


def said(step: Step | None) -> str:
    """Return a step's call and result."""
    if step is None:
        return "Before the first step"
    return f"{step.text} = {step.result}" if step.result else step.text
