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
    """One thing to do, and the gate before it. ``label`` and ``told`` tell what is the same thing told again.

    ``told`` is the notebook's cell, and which of its runs this is; the same words in two cells are two things to do.
    """

    label: str
    gate: Gate | None
    do: Callable[[], None]
    told: tuple[str, int] = ("", 0)


class Queue:
    """Things to do, in order."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._waiting: list[Waiting] = []
        self._doing = False

    def add(self, label: str, gate: Gate | None, do: Callable[[], None], told: tuple[str, int] = ("", 0)) -> bool:
        """Do something once all before it is done and its gate is open; tell whether that was at once.

        What is told while something is done is a part of that: it comes before all that waits.
        """
        if self._doing and (gate is None or gate.committed):
            do()
            return True
        new = Waiting(label, gate, do, told)
        self._waiting = [old for old in self._waiting if not _replaced(old, new)]
        self._waiting.append(new)
        if gate is not None and not gate.committed:
            gate.then(self.advance)
        self.advance()
        return new not in self._waiting

    def advance(self) -> None:
        """Do what can be done now."""
        while self._waiting and (self._waiting[0].gate is None or self._waiting[0].gate.committed):
            self._doing = True
            try:
                self._waiting.pop(0).do()
            finally:
                self._doing = False

    @property
    def blocked(self) -> bool:
        """Whether what is told now would have to wait for an answer."""
        return bool(self._waiting) and not self._doing


def _replaced(old: Waiting, new: Waiting) -> bool:
    """Tell whether the new one is the old one told again: its question was asked again, or its cell was run again."""
    if old.gate is not None and old.gate.superseded:
        return True
    same = old.label == new.label and old.gate is new.gate
    (cell, turn), (new_cell, new_turn) = old.told, new.told
    return same and (old.gate is not None or (cell == new_cell != "" and turn != new_turn))
