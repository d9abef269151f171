"""Predict: a question that must be answered before what it is about is run, and a grade against what then ran.

``p = predict("How many bytes …?", number="bytes", fact=facts.upper_bytes)`` shows the question;
``lab.docker("run …", after=p)`` stays locked until an answer is committed. Only then does it run: what a learner is to
predict does not exist before.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from minidocker.lab.display import Rich, escape, has_widgets, in_notebook, later, publish
from minidocker.lab.facts import Fact, FactOf

#: The environment variable that names a JSON file of answers: {question's name: answer}, perhaps one level deeper.
ANSWERS: Final = "MINIDOCKER_ANSWERS"

_UNITS: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_NUMBER: Final = re.compile(r"([0-9][0-9 ,_']*\.?[0-9]*)\s*([a-z]*)")

_asked: dict[str, "Prediction"] = {}


class Prediction:
    """A question, and once committed the answer. At most one of ``choices``, ``several`` and ``number`` is given."""

    def __init__(
        self,
        question: str,
        *,
        choices: Sequence[str] = (),
        several: Sequence[str] = (),
        number: str = "",
        fact: FactOf | None = None,
        within: float = 0.0,
        name: str = "",
    ) -> None:
        """Ask. :func:`predict` has the meaning of the arguments."""
        self.question = question
        self.choices = tuple(choices)
        self.several = tuple(several)
        self.unit = number
        self.fact = fact
        self.within = within
        self.name = name or question
        self.given: Any = None
        self.committed = False
        self.superseded = False
        self._then: list[Callable[[], None]] = []
        if self.name in _asked:
            _asked[self.name].superseded = not _asked[self.name].committed
        _asked[self.name] = self

    def commit(self, answer: Any) -> None:
        """Take the answer; there is no way back. ValueError if it is none of the choices, or no number."""
        if self.committed:
            raise ValueError("an answer is committed once; run the cell again to be asked again")
        self.given = self._read(answer)
        self.committed = True
        waiting, self._then = self._then, []
        for do in waiting:
            do()

    def then(self, do: Callable[[], None]) -> None:
        """Call this once an answer is committed."""
        self._then.append(do)

    def right(self, fact: Any) -> bool:
        """Tell whether the committed answer is what happened."""
        value = fact.value if isinstance(fact, Fact) else fact
        if self.several:
            return set(self.given) == set(value)
        if self.unit:
            return bool(abs(self.given - value) <= self.within * abs(value))
        return _plain(self.given) == _plain(value)

    def grade(self, ran: Any) -> Rich | None:
        """Return the prediction beside the fact, and why; None if the question has no fact of its own."""
        if self.fact is None:
            return None
        found = self.fact(ran)
        fact = found if isinstance(found, Fact) else Fact(value=found)
        return card(self, fact, right=self.right(fact))

    def words(self, value: Any) -> str:
        """Return an answer or a fact as text, with its unit."""
        if isinstance(value, list | tuple | set | frozenset):
            return ", ".join(sorted(map(str, value))) or "none of them"
        unit = self.unit.removesuffix("s") if value == 1 else self.unit
        return f"{value:,} {unit}" if self.unit and isinstance(value, int | float) else str(value)

    def _read(self, answer: Any) -> Any:
        if self.several:
            if isinstance(answer, str) or not set(answer) <= set(self.several):
                raise ValueError(f"choose from: {', '.join(self.several)}")
            return tuple(sorted(answer))
        if self.unit:
            return number_of(answer)
        if self.choices and answer not in self.choices:
            raise ValueError(f"choose one of: {', '.join(self.choices)}")
        if not str(answer).strip():
            raise ValueError("say something first")
        return str(answer)

    def _ipython_display_(self) -> None:
        """Shown when it was asked; the value of a cell's last line shows nothing more."""

    def __repr__(self) -> str:
        kinds = " / ".join(self.choices or self.several) or (
            f"a number of {self.unit}" if self.unit else "in your words"
        )
        state = f"you said: {self.words(self.given)}" if self.committed else f"answer with .commit(…): {kinds}"
        return f"{self.question}\n  {state}"


def predict(
    question: str,
    *,
    choices: Sequence[str] = (),
    several: Sequence[str] = (),
    number: str = "",
    fact: FactOf | None = None,
    within: float = 0.0,
    name: str = "",
) -> Prediction:
    """Ask, and return the prediction to give to ``after=``.

    ``choices``: one of these. ``several``: any of these, also none. ``number``: a number of this unit, right within the
    fraction ``within``. None of them: a short text. ``fact`` finds in what ran what was to be predicted
    (:mod:`minidocker.lab.facts`, or any function of it). ``name`` is the question's key in the file of answers.
    """
    asked = Prediction(
        question, choices=choices, several=several, number=number, fact=fact, within=within, name=name
    )  # fmt: skip
    known = answers()
    if asked.name in known:
        asked.commit(known[asked.name])
    _show(asked)
    return asked


def answers() -> Mapping[str, Any]:
    """Return the answers of the file that $MINIDOCKER_ANSWERS names, by the questions' names; none without it."""
    path = os.environ.get(ANSWERS)
    if not path:
        return {}
    found: dict[str, Any] = {}
    for key, value in json.loads(Path(path).read_text("utf-8")).items():
        found |= value if isinstance(value, dict) else {key: value}
    return found


def number_of(answer: Any) -> float:
    """Return the number that an answer says: ``1000``, ``1,000``, ``1 kB``. ValueError if it says none."""
    match = _NUMBER.fullmatch(str(answer).strip().lower())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{answer!r} is not a number; write 4096, 4,096 or 4 kB")
    value = float(re.sub(r"[ ,_']", "", match[1])) * _UNITS[match[2]]
    return int(value) if value.is_integer() else value


def card(asked: Prediction, fact: Fact, *, right: bool) -> Rich:
    """Return what was predicted beside what happened, and why."""
    said, is_ = asked.words(asked.given), asked.words(fact.value)
    verdict = "✓ As you predicted" if right else "✗ Not as you predicted"
    because = fact.because
    rows = f"<b>{verdict}.</b><br>You said: <code>{escape(said)}</code> · it is: <code>{escape(is_)}</code>"
    text = f"{verdict}. You said: {said} · it is: {is_}"
    kind = "md-yes" if right else "md-no"
    why = f'<br><span class="md-note">{escape(because)}</span>' if because else ""
    return Rich(
        f'<div class="md-card {kind}">{escape(asked.question.splitlines()[-1])}<br>{rows}{why}</div>',
        f"{text}\n  {because}".rstrip(),
    )


def question_html(asked: Prediction) -> str:
    """Return the question as HTML: what is given, a line each, and the last line, which asks."""
    *given, question = asked.question.splitlines()
    lines = f"<pre>{escape(chr(10).join(given))}</pre>" if given else ""
    return f"{lines}<b>{escape(question)}</b>"


def locked(_: Prediction) -> Rich:
    """Return what stands in the place of what waits for an answer; with widgets, the locked stepper says it."""
    text = "Locked: this runs when you have committed an answer above."
    return Rich("" if has_widgets() else f'<div class="md-card md-wait">{LOCK} {text}</div>', text)


#: A padlock as inline SVG: fonts often have none.
LOCK: Final = (
    '<svg width="14" height="16" viewBox="0 0 14 16" role="img" aria-label="locked" style="vertical-align:-2px">'
    '<path d="M4 7V4.5a3 3 0 0 1 6 0V7" fill="none" stroke="currentColor" stroke-width="1.8"/>'
    '<rect x="1.5" y="7" width="11" height="8" rx="1.5" fill="currentColor"/></svg>'
)


def _plain(value: Any) -> str:
    return " ".join(str(value).split()).casefold()


def _show(asked: Prediction) -> None:
    if has_widgets():
        from minidocker.lab.ask import form  # noqa: PLC0415  widgets are there

        form(asked, later)
    elif in_notebook():
        publish(
            Rich(f'<div class="md-card"><b>{escape(asked.question)}</b><pre>{escape(asked)}</pre></div>', repr(asked))
        )
