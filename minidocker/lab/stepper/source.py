"""Source: the stepper's JavaScript as one ES module, and its style sheet.

It is written in files a reader can take in (``js/``); a browser gets one module without imports, so that a notebook's
widget and a page without a network can hold it.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from minidocker.lab.stepper.drawing_style import css

#: In the order in which they need each other; the last one has the default export.
PARTS: Final = (
    "words", "provider", "scene", "layout", "shapes", "replay", "dom", "picture", "calls", "drawing", "namespaces",
    "cgroups", "network", "states", "mounts", "tables", "views", "names", "header", "caption", "controls", "stepper",
)  # fmt: skip

_IMPORT: Final = re.compile(r"^import .*?;\n", re.MULTILINE)


@cache
def script() -> str:
    """Return the module: ``export default {render}``, and the pure functions by their names."""
    folder = files(__package__) / "js"
    parts = ((folder / f"{name}.js").read_text("utf-8") for name in PARTS)
    return "\n".join(_IMPORT.sub("", part) for part in parts)


@cache
def style() -> str:
    """Return the style sheet: what stands around, and the rules of drawings."""
    return (files(__package__) / "stepper.css").read_text("utf-8") + css()
