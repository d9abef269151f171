"""Display: how the lab shows something, in a notebook with widgets, in one without, and in plain Python.

Nothing of Jupyter is imported before it is known to be there.
"""

import base64
import html
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from minidocker.lab.verdict import Verdict
from minidocker.state import empty_state
from minidocker.trace import Trace


@cache
def style() -> str:
    """Return the style sheet of what the lab shows."""
    return f"<style>{(files(__package__) / 'display.css').read_text('utf-8')}</style>"


def shell() -> Any:
    """Return IPython's shell, if this runs in one, else None."""
    if sys.modules.get("IPython") is None:
        return None
    from IPython.core.getipython import get_ipython  # noqa: PLC0415  is already loaded

    return get_ipython()


def running_cell() -> tuple[str, int]:
    """Return the id of the notebook's cell that is running, and the number of this run; no id where none is told."""
    told: dict[str, Any] = getattr(shell(), "get_parent", dict)() or {}
    return told.get("metadata", {}).get("cellId") or "", getattr(shell(), "execution_count", 0)


def in_notebook() -> bool:
    """Tell whether there is a front end that can show HTML, and update what it has shown."""
    return getattr(shell(), "kernel", None) is not None


def has_widgets() -> bool:
    """Tell whether the front end can show widgets."""
    return in_notebook() and find_spec("ipywidgets") is not None and find_spec("anywidget") is not None


def publish(thing: Any, **options: Any) -> Any:
    """Show something in the running cell's output, or where the front end puts what comes later."""
    display: Any = import_module("IPython.display").display
    return display(thing, **options)


def block(body: str) -> str:
    """Return HTML in the lab's style."""
    return f'{style()}<div class="md-lab">{body}</div>'


def escape(text: object) -> str:
    """Return text as HTML."""
    return html.escape(str(text), quote=False)


class Rich:
    """HTML for a notebook, and the same as plain text for everybody else."""

    def __init__(self, body: str, text: str) -> None:
        """Take the HTML inside of the lab's block, and the text."""
        self.body = body
        self.text = text

    @classmethod
    def text_only(cls, text: str) -> "Rich":
        """Return plain text as such."""
        return cls(f"<pre>{escape(text)}</pre>" if text else "", text)

    def _repr_html_(self) -> str:
        return block(self.body)

    def __repr__(self) -> str:
        return self.text


def numbered(lines: Iterable[tuple[str, int, str]]) -> Rich:
    """Return lines of code with their numbers, below the names of their functions: (function, number, line)."""
    rows, texts, function = [], [], ""
    for name, number, text in lines:
        if name != function:
            function = name
            rows.append(f'<div class="md-function">{escape(name)}</div>')
            texts.append(f"{name}:")
        rows.append(f'<div class="md-code"><span>{number}</span><code>{escape(text)}</code></div>')
        texts.append(f"{number:4}  {text}")
    return Rich(f'<div class="md-lines">{"".join(rows)}</div>', "\n".join(texts))


class Slot:
    """A place in a notebook's output that can be filled later: words, and below them a stepper.

    Outside of a notebook :meth:`fill` shows nothing: there the value itself is printed by who wants it.
    """

    def __init__(self, waiting: Rich | None = None, *, lock: bool = True) -> None:
        """Open the place where the running cell's output is.

        ``waiting`` is what stands there until it is filled, and below it, if ``lock``, a locked stepper.
        """
        self._words: Any = None
        self._stepper: Any = None
        self._open = in_notebook()
        if not self._open or waiting is None:
            return
        self._words = publish(waiting, display_id=True)
        self._stepper = _locked_stepper()
        if self._stepper is not None:
            self._stepper.layout.display = None if lock else "none"
            publish(self._stepper)

    def fill(
        self,
        words: Rich,
        trace: Trace | None = None,
        verdict: Verdict | None = None,
        index: int | None = None,
        view: str = "",
    ) -> None:
        """Show the words, and a stepper over the trace, if there is one, at a step of it, in a view of it."""
        if not self._open:
            return
        steps = trace if trace is not None and trace.steps else None
        if steps is not None and not has_widgets():
            words = Rich(words.body + picture(steps), words.text)
        if self._words is None:
            publish(words)
        else:
            self._words.update(words)
        if has_widgets():
            self._fill_stepper(steps, verdict, index, view)

    def _fill_stepper(self, trace: Trace | None, verdict: Verdict | None, index: int | None, view: str) -> None:
        """Open the locked stepper over a trace, or show a new one; away with it if there is nothing to step."""
        if trace is None:
            if self._stepper is not None:
                self._stepper.close()
            return
        at = _begin(trace, view) if index is None else index
        if self._stepper is None:
            publish(stepper(trace, verdict, at, view))
            return
        self._stepper.layout.display = None
        self._stepper.view = view
        self._stepper.unlock(trace, comparison_of(verdict))
        self._stepper.index = at


def _locked_stepper() -> Any:
    if not has_widgets():
        return None
    from minidocker.lab.stepper import Stepper  # noqa: PLC0415  widgets are there

    return Stepper(Trace(command="", steps=(), kernel={}, initial=empty_state()), locked=True)


def stepper(trace: Trace, verdict: Verdict | None, index: int, view: str = "") -> Any:
    """Return the stepper over a trace, at a step, in a view (empty: the first that the trace has)."""
    from minidocker.lab.stepper import Stepper  # noqa: PLC0415  widgets are there

    return Stepper(trace, index=index, view=view, comparison=comparison_of(verdict))


def picture(trace: Trace) -> str:
    """Return the picture of a trace's last step as HTML without scripts."""
    from minidocker.lab.stepper.svg import to_svg  # noqa: PLC0415  only what is asked for is loaded

    data = base64.b64encode(to_svg(trace).encode()).decode()
    summary = f"{len(trace)} steps, the last one shown"
    return (
        f"<details open><summary>{summary}</summary>"
        f'<img alt="What is there after {html.escape(trace.command)}" src="data:image/svg+xml;base64,{data}"></details>'
    )


def first_step(trace: Trace, since: int = 0) -> int:
    """Return where a stepper begins: before the first change of a writable layer, else at a program's last step."""
    steps = trace.steps[since:]
    changing = (step.index for step in steps if any(c.path[0] == "uppers" and len(c.path) > 2 for c in step.changes))
    programs = [step.index for step in steps if step.actor not in ("client", "daemon", "init", "kernel")]
    return max(0, next(changing, (programs or [len(trace) - 1])[-1] + 1) - 1)


def _begin(trace: Trace, view: str) -> int:
    """Return the first step as above, but where a drawing shows most if all would be over by then."""
    from minidocker.lab.stepper.views import TABLES, telling  # noqa: PLC0415  only what is asked for is loaded

    at = first_step(trace)
    return telling(trace, view) if at == len(trace) - 1 and view in TABLES else at


def comparison_of(verdict: Verdict | None) -> dict[str, Any] | None:
    """Return a verdict as the stepper's badge takes it."""
    if verdict is None or verdict.ok is None:
        return None
    found = verdict.difference
    return {
        "equal": bool(verdict.ok),
        "step": found.left.index if found and found.left else None,
        "says": verdict.badge if verdict.ok else str(found),
    }


class Shown:
    """A trace with its verdict, to be the last line of a cell."""

    def __init__(self, trace: Trace, verdict: Verdict, index: int | None = None) -> None:
        """Take what to show, and the step to begin at."""
        self.trace = trace
        self.verdict = verdict
        self.index = index

    @property
    def words(self) -> Rich:
        """The badge."""
        return Rich(
            f'<div class="md-line"><span></span>{badge(self.verdict)}</div>{difference(self.verdict)}', repr(self)
        )

    def _ipython_display_(self) -> None:
        Slot().fill(self.words, self.trace, self.verdict, self.index)
        if not in_notebook():
            print(repr(self))

    def __repr__(self) -> str:
        return f"{len(self.trace)} steps · {self.verdict.badge}"


def badge(verdict: Verdict) -> str:
    """Return a verdict as HTML."""
    if verdict.ok is None and has_widgets():
        return ""  # the stepper below says so
    return f'<span class="md-badge">{escape(verdict.badge)}</span>'


def difference(verdict: Verdict) -> str:
    """Return as HTML where model and kernel part; empty if they don't."""
    return f'<pre class="md-err">{escape(verdict.difference)}</pre>' if verdict.difference else ""


def later(message: str, do: Callable[[], None]) -> None:
    """Run something that a click asked for; what it raises is shown where the reader looks, not lost in a log."""
    try:
        do()
    except Exception as error:  # noqa: BLE001  a learner's own code may raise anything
        text = f"{message}: {type(error).__name__}: {error}"
        publish(Rich(f'<pre class="md-err">{escape(text)}</pre>', text))
