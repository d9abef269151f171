"""Levels: a start, a goal, a hint, a solution, all of them data (``*.json``). What is reached counts, never the way.

| kind    | the learner gives                                    | and reaches                                |
|---------|------------------------------------------------------|--------------------------------------------|
| `calls` | calls on ``level.start()``, a stack of given layers  | an upper directory, or a merged view       |
| `stack` | layers to lie on given ones: ``level.check([{…}])``  | a merged view, of no more bytes than wanted |
| `step`  | a step of a command's trace: ``level.check(17)``     | the first step at which something is gone  |
| `flags` | words for the place ``{answer}`` in a docker command | what the command, or the one after it, shows |
| `own`   | words for the place ``{answer}`` in calls of one's own | what they print                          |
| `order` | the numbers of shuffled lines, in an order           | what a container made in this order says   |
"""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from minidocker.lab import layers as language
from minidocker.lab.checked import Checked
from minidocker.lab.display import Rich, escape
from minidocker.lab.facts import server, stack_of
from minidocker.lab.goal import differences, entries, own_bytes
from minidocker.lab.levels.played import PLAYED, shown
from minidocker.lab.run import Run
from minidocker.lab.union import Union
from minidocker.observe import MUTATING
from minidocker.trace import SYSCALL, Trace

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab


class Level:
    """One level, on a lab."""

    def __init__(self, data: Mapping[str, Any], lab: "Lab") -> None:
        """Take the level's data (the JSON file) and the lab to play it on."""
        self.data = data
        self.lab = lab
        self.union: Union | None = None
        self.run: Run | None = None

    @classmethod
    def named(cls, name: str, lab: "Lab") -> "Level":
        """Return the level of a name; KeyError says which there are."""
        if name not in names():
            raise KeyError(f"no level {name!r}: there is {', '.join(names())}")
        return cls(json.loads((files(__name__) / f"{name}.json").read_text("utf-8")), lab)

    @property
    def kind(self) -> str:
        """What the learner gives: ``calls``, ``stack``, ``step``, ``flags``, ``own`` or ``order``."""
        return str(self.data["kind"])

    def start(self) -> Union:
        """Begin, or begin again: return the stack of the level, as it is given (kind ``calls``)."""
        self.union = self.lab.union(self.data["layers"])
        return self.union

    def command(self) -> Run:
        """Run the level's command and show it (kind ``step``)."""
        self.run = self.lab.docker(self.data["command"])
        return self.run

    def check(self, answer: Any = None) -> Checked:
        """Say whether the goal is reached, and if not, the first thing that is not as it should be."""
        if self.kind == "step":
            return self._check_step(answer)
        if self.kind == "stack":
            return self._check_stack(answer or [])
        if self.kind in PLAYED:
            return self._check_played(answer)
        return self._check_calls()

    def hint(self) -> Rich:
        """Return the hint."""
        return Rich(escape(self.data["hint"]), self.data["hint"])

    def solution(self) -> Any:
        """Return one solution: calls, layers, the words of a step, words, or numbers in order, as the kind says."""
        return self.data["solution"]

    def _check_calls(self) -> Checked:
        if self.union is None:
            return Checked(self.data["title"], ok=False, look="Begin with u = level.start(), and make calls on u.")
        goal = self.data["goal"]
        found = self.union.upper if "upper" in goal else self.union.tree()
        wrong = differences(goal.get("upper", goal.get("merged")), found)
        if wrong:
            return Checked(self.data["title"], ok=False, look=wrong[0])
        return self._reached(calls(self.union.trace), "call")

    def _check_stack(self, layers: Sequence[language.Layer]) -> Checked:
        union = self.lab.union([*self.data["layers"], *layers])
        try:
            wrong = differences(self.data["goal"]["merged"], union.tree())
        finally:
            union.unmount()
        most = self.data.get("bytes")
        if most is not None and (size := own_bytes(layers)) > most:
            wrong.append(f"your layers hold {size:,} bytes; {most:,} are enough")
        if wrong:
            return Checked(self.data["title"], ok=False, look=wrong[0])
        return self._reached(sum(len(entries(layer)) for layer in layers), "entry")

    def _check_played(self, answer: Any) -> Checked:
        if answer is None:
            return Checked(self.data["title"], ok=False, look="Give your answer to level.check(…).")
        if self.lab.waits:
            look = "It runs on the same machine as the questions above: answer them, and then run this cell again."
            return Checked(self.data["title"], ok=None, look=look)
        wrong = PLAYED[self.kind](self.lab, self.data, answer)
        if wrong:
            return Checked(self.data["title"], ok=False, look=wrong)
        if isinstance(answer, str):
            return self._reached(len(answer.split()), "word")
        return self._reached(len(answer), "line" if self.kind == "order" else "word")

    def _check_step(self, number: int | None) -> Checked:
        if self.run is None:
            return Checked(self.data["title"], ok=False, look="Begin with level.command(), and step through it.")
        if not self.run.done:
            return Checked(self.data["title"], ok=None, look="Its command waits for the answer to a question above.")
        wanted = first_without(self.run.trace, self.data["goal"]["gone"])
        if number is None or number - 1 != wanted:
            look = (
                "Step on: there it is still served."
                if (number or 0) - 1 < wanted
                else "Step back: there it is hidden already."
            )
            return Checked(self.data["title"], ok=False, look=look)
        return Checked(self.data["title"], ok=True, look=self.run.trace.steps[wanted].text)

    def _reached(self, count: int, noun: str) -> Checked:
        fewest = self.data["fewest"]
        words = f"{count} {noun if count == 1 else {'entry': 'entries'}.get(noun, noun + 's')}"
        more = "; nobody needs fewer" if count <= fewest else f"; {fewest} would do"
        return Checked(self.data["title"], ok=True, look=f"Reached with {words}{more}.")

    def _repr_html_(self) -> str:
        return self._rich()._repr_html_()

    def __repr__(self) -> str:
        return self._rich().text

    def _rich(self) -> Rich:
        """Return title, story and goal; neither hint nor solution."""
        title, story = self.data["title"], self.data["story"]
        goal = (
            "" if self.kind in (*PLAYED, "step") else "\n".join(language.lines(next(iter(self.data["goal"].values()))))
        )
        given = "\n".join(
            f"layer {n}: {'; '.join(language.lines(layer))}" for n, layer in enumerate(self.data.get("layers", ()), 1)
        )
        given = "\n".join(filter(None, (given, shown(self.data)))) if self.kind in PLAYED else given
        parts = [f"<b>{escape(title)}</b><br>{escape(story)}"]
        parts += [f"<pre>{escape(given)}</pre>"] if given else []
        parts += [f"The goal, {escape(_goal_words(self.data['goal']))}:<pre>{escape(goal)}</pre>"] if goal else []
        text = "\n".join(part for part in (title, story, given, "goal:" if goal else "", goal) if part)
        return Rich(f'<div class="md-card">{"".join(parts)}</div>', text)


def names() -> list[str]:
    """Return the names of all levels."""
    return sorted(file.name.removesuffix(".json") for file in files(__name__).iterdir() if file.name.endswith(".json"))


def calls(trace: Trace) -> int:
    """Return how many calls the learner made that can change something; looking is free."""
    return sum(step.actor == "you" and step.depth == SYSCALL and _changes(step.call, step.text) for step in trace.steps)


def _changes(call: str, text: str) -> bool:
    looks = call == "open" and "O_RDONLY" in text and "O_CREAT" not in text and "O_TRUNC" not in text
    return call in MUTATING and not looks


def first_without(trace: Trace, path: str) -> int:
    """Return the first step after which the merged view has no such path any more, though it once had."""
    was = False
    for step in trace.steps:
        if stack_of(trace, step.index):
            there = server(trace, step.index, path) != "none"
            if was and not there:
                return step.index
            was = was or there
    raise ValueError(f"{path} is never hidden in this trace")


def _goal_words(goal: Mapping[str, Any]) -> str:
    return {"upper": "what shall lie in the upper directory", "merged": "what shall be seen"}[next(iter(goal))]
