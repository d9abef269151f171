"""Queue: what a lab is to do, in the order in which it was told; an open question holds up the rest.

So a notebook may be run from top to bottom at once: what waits fills its place when its question is answered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Gate(Protocol):
    """What must be answered first."""

    @property
    def committed(self) -> bool:
        """Whether it has been answered."""

    @property
    def superseded(self) -> bool:
        """Whether the same question was asked again since: then this one will never be answered."""

    def then(self, do: Callable[[], None]) -> None:
        """Call this when it is answered."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """One thing to do, and the gate before it. ``label`` tells what is the same thing told again (a cell run twice)."""

    label: str
    gate: Gate | None
    do: Callable[[], None]


class Queue:
    """Things to do, in order."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._waiting: list[Waiting] = []

    def add(self, label: str, gate: Gate | None, do: Callable[[], None]) -> bool:
        """Do something once all before it is done and its gate is open; tell whether that was at once."""
        new = Waiting(label, gate, do)
        self._waiting = [old for old in self._waiting if not _replaced(old, new)]
        self._waiting.append(new)
        if gate is not None and not gate.committed:
            gate.then(self.advance)
        self.advance()
        return new not in self._waiting

    def advance(self) -> None:
        """Do what can be done now."""
        while self._waiting and (self._waiting[0].gate is None or self._waiting[0].gate.committed):
            self._waiting.pop(0).do()

    @property
    def blocked(self) -> bool:
        """Whether something waits for an answer."""
        return bool(self._waiting)


def _replaced(old: Waiting, new: Waiting) -> bool:
    return old.label == new.label or (old.gate is not None and old.gate.superseded)
