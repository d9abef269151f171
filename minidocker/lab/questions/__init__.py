"""Questions: made from what ran, in both directions, without end.

From a state and a call to the result; from a state that came about back to the call that made it. Every answer is read
in the trace of the case, which was run on the lab's kernels when the question was made.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from minidocker.lab import facts
from minidocker.lab.checked import Checked
from minidocker.lab.display import Rich, Slot, publish
from minidocker.lab.own import Own
from minidocker.lab.prediction import Prediction, card, predict
from minidocker.lab.questions import layers, limits, namespaces, own
from minidocker.lab.questions.question import Question

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab

__all__ = ["Question", "Quiz", "questions"]

#: Who makes questions about a subject: lab, chance, the number of the kind wanted → questions about one new case.
Maker: TypeAlias = "Callable[[Lab, random.Random, int], Iterator[Question]]"

#: The subjects, by name; a learner's own calls are one more.
MAKERS: Final[Mapping[str, Maker]] = {"layers": layers.ask, "namespaces": namespaces.ask, "limits": limits.ask}


class Quiz:
    """Some questions of one seed, each with its own place for the answer's explanation."""

    def __init__(self, lab: "Lab", seed: int, count: int = 5, about: "str | Own" = "layers") -> None:
        """Make the questions. They are asked when the quiz is the last line of a cell, or by :meth:`ask`.

        ``about`` is ``"layers"``, ``"namespaces"``, ``"limits"``, or calls of one's own (``lab.calls(…)``).
        """
        self.seed = seed
        self.waits = about != "layers" and lab.waits
        self.questions = [] if self.waits else questions(lab, seed, count, about)
        self.predictions: list[Prediction] = []

    def ask(self) -> list[Prediction]:
        """Show every question, and its explanation once it is answered; return the predictions."""
        for number, question in enumerate(self.questions, 1):
            asked = predict(
                f"{question.given}\n{number} of {len(self.questions)}. {question.text}",
                choices=question.choices,
                name=f"quiz {self.seed}.{number}",
            )
            self.predictions.append(asked)
            slot = Slot(None if asked.committed else Rich("", ""), lock=False)
            reveal = _reveal(asked, question, slot)
            if asked.committed:
                reveal()
            else:
                asked.then(reveal)
        return self.predictions

    @property
    def score(self) -> str:
        """How many were right so far."""
        pairs = zip(self.predictions, self.questions, strict=False)
        graded = [asked.right(question.answer) for asked, question in pairs if asked.committed]
        return f"{sum(graded)} of {len(graded)} right, {len(self.questions) - len(graded)} to go"

    def _ipython_display_(self) -> None:
        if self.waits:
            publish(self._waiting())
        self.ask()

    def _waiting(self) -> Checked:
        look = "They are about the same machine as the questions above: answer those, and then run this cell again."
        return Checked("More questions", ok=None, look=look)

    def __repr__(self) -> str:
        if self.waits:
            return repr(self._waiting())
        told = (f"{q.given}\n{n}. {q.text}\n   {' / '.join(q.choices)}" for n, q in enumerate(self.questions, 1))
        return "\n\n".join(told)


def _reveal(asked: Prediction, question: Question, slot: Slot) -> Callable[[], None]:
    def reveal() -> None:
        fact = facts.Fact(value=question.answer, why=question.why)
        words = card(asked, fact, right=asked.right(fact))
        both = Rich(words.body + question.shown.words.body, words.text)
        slot.fill(both, question.shown.trace, question.shown.verdict, question.shown.index)

    return reveal


def questions(lab: "Lab", seed: int, count: int = 5, about: "str | Own" = "layers") -> list[Question]:
    """Return questions of a seed: of different kinds and cases, as far as the cases allow."""
    draw = random.Random(seed)  # noqa: S311  a lesson needs to be repeatable, not secret
    maker = own.about(about) if isinstance(about, Own) else MAKERS[about]
    made: list[Question] = []
    while len(made) < count:
        found = list(maker(lab, draw, len(made)))
        made += [draw.choice(found)] if found else []
    return made
