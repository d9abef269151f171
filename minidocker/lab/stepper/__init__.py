"""Stepper: a trace to step through, as a widget, one HTML page, an SVG picture or a matplotlib figure.

Nothing heavy is imported before it is asked for: not anywidget, not matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from minidocker.lab.stepper.figure import to_figure
    from minidocker.lab.stepper.html import to_html
    from minidocker.lab.stepper.meters import cgroup_figure
    from minidocker.lab.stepper.svg import to_svg
    from minidocker.lab.stepper.widget import Stepper

__all__ = ["Stepper", "cgroup_figure", "to_figure", "to_html", "to_svg"]

_HOMES: Final = {
    "Stepper": "widget", "cgroup_figure": "meters", "to_figure": "figure", "to_html": "html", "to_svg": "svg",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
