"""Later: a learner's own few lines that run once a question is answered; their value is shown in their place."""

from collections.abc import Callable
from typing import Any

from minidocker.lab.display import Rich, Shown, Slot, in_notebook
from minidocker.lab.prediction import Prediction, locked


class Later:
    """A function under a gate. ``value`` is what it returned, None before."""

    def __init__(self, function: Callable[[], Any], gate: Prediction) -> None:
        """Take the function and the question before it."""
        self._function = function
        self._gate = gate
        self._slot: Slot | None = None
        self.done = False
        self.value: Any = None

    def wait(self) -> None:
        """Show that it waits."""
        self._slot = Slot(locked(self._gate))

    def run(self) -> None:
        """Run it, grade the prediction by what it returned, and show both."""
        self.value = self._function()
        self.done = True
        self._slot = self._slot or Slot()
        grade = self._gate.grade(self.value)
        words = [grade] if grade else []
        shown = self.value.show() if hasattr(self.value, "show") else self.value
        if isinstance(shown, Shown):
            self._slot.fill(_joined([*words, shown.words]), shown.trace, shown.verdict, shown.index)
        else:
            text = "" if shown is None else repr(shown)
            self._slot.fill(_joined([*words, Rich.text_only(text)]))

    def __repr__(self) -> str:
        return "done" if self.done else locked(self._gate).text

    def _ipython_display_(self) -> None:
        """Its place is where it was told; outside of a notebook, say how it stands."""
        if not in_notebook():
            print(repr(self.value) if self.done else repr(self))


def _joined(parts: list[Rich]) -> Rich:
    return Rich("".join(part.body for part in parts), "\n".join(part.text for part in parts if part.text))
