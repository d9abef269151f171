"""Question: one question about something that ran, with its answer and where to see it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from minidocker.lab.display import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about one case. ``kind`` says what it asks for, in a word of its subject: ``serves``, ``file`` …"""

    kind: str
    given: str
    text: str
    choices: tuple[str, ...]
    answer: str
    why: str
    shown: Shown


def at_step(shown: Shown, index: int) -> Shown:
    """Return the case, shown at the step that the question is about."""
    return Shown(shown.trace, shown.verdict, index)


def mixed(draw: random.Random, answer: str, others: Sequence[str]) -> tuple[str, ...]:
    """Return the answer among others, in an order of chance."""
    choices = [answer, *others]
    draw.shuffle(choices)
    return tuple(choices)
