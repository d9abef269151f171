"""Widget: the stepper in a notebook. The browser gets the trace itself, so stepping asks no kernel."""

import base64
import html
from typing import Any, Final

import anywidget
import traitlets

from minidocker.lab.stepper import source
from minidocker.lab.stepper.svg import to_svg
from minidocker.trace import INSIDE, Trace

_WIDGET_TYPE: Final = "application/vnd.jupyter.widget-view+json"


class Stepper(anywidget.AnyWidget):
    """A trace, stepped forwards and backwards.

    While ``locked`` the browser has no trace: what a learner is to predict cannot be read out of the page either.
    """

    _esm = source.script()
    _css = source.style()

    trace = traitlets.Dict(help="The trace's JSON (docs/trace.md); empty while locked.").tag(sync=True)
    index = traitlets.Int(-1, help="The current step; -1 is before the first.").tag(sync=True)
    zoom = traitlets.Int(INSIDE, min=0, max=INSIDE, help="How deep to look: 0 docker … 3 kernel.").tag(sync=True)
    view = traitlets.Unicode("", help="The view shown, such as network; empty: the first that the trace has.").tag(
        sync=True
    )
    locked = traitlets.Bool(False, help="Whether an answer is still awaited.").tag(sync=True)
    comparison: Any = traitlets.Dict(
        default_value=None, allow_none=True, help='{"equal", "step", "says"} or None.'
    ).tag(sync=True)

    def __init__(
        self,
        trace: Trace,
        *,
        index: int = -1,
        zoom: int = INSIDE,
        view: str = "",
        locked: bool = False,
        comparison: dict[str, Any] | None = None,
    ) -> None:
        """Show a trace; ``comparison`` says whether another kernel's trace is equal, or at which step it differs."""
        self._kept = trace
        self._kept_comparison = comparison
        shown: dict[str, Any] = {} if locked else {"trace": trace.to_json(), "comparison": comparison}
        super().__init__(index=index, zoom=zoom, view=view, locked=locked, **shown)

    def unlock(self, trace: Trace | None = None, comparison: dict[str, Any] | None = None) -> None:
        """Reveal the trace: an answer has been given. A trace that has only been made since may be brought along."""
        self._kept = trace or self._kept
        self._kept_comparison = comparison or self._kept_comparison
        with self.hold_sync():
            self.trace = self._kept.to_json()
            self.comparison = self._kept_comparison
            self.locked = False

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the widget, and for readers without one a picture that survives untrusted notebooks."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, "text/html": fallback(self._kept, locked=self.locked)}, metadata


def fallback(trace: Trace, *, locked: bool = False) -> str:
    """Return HTML without scripts: a summary that unfolds to a picture of the last state."""
    if locked:
        return "<p><b>Predict first.</b> The steps appear once you have answered.</p>"
    picture = base64.b64encode(to_svg(trace).encode()).decode()
    command = html.escape(trace.command)
    return (
        f"<details open><summary><code>$ {command}</code> · {len(trace)} steps; "
        f'run the cell to step</summary><img alt="What is there after {command}" '
        f'src="data:image/svg+xml;base64,{picture}">'
        "</details>"
    )
