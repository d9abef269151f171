"""Questions about a union of layers: who serves a path, how a call ends, what lies where and by which call."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from minidocker.lab import facts
from minidocker.lab.display import Shown
from minidocker.lab.layers import Layer, lines
from minidocker.lab.questions import cases
from minidocker.lab.questions.question import Question, at_step, mixed
from minidocker.trace import INSIDE, SYSCALL, Step, Trace

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab

#: What a call may end with, to choose from beside the truth.
_RESULTS: Final = ("it works", "ENOENT", "EXDEV", "ENOTEMPTY", "EEXIST", "EISDIR")

#: What may lie at a path of the writable layer.
_KINDS: Final = ("nothing", "file", "whiteout", "directory", "opaque directory")


def ask(lab: "Lab", draw: random.Random, kind: int) -> Iterator[Question]:
    """Yield questions of a kind, by its number, about a new case."""
    maker = list(_MAKERS.values())[kind % len(_MAKERS)]
    return maker(draw, *_case(lab, draw))


def _case(lab: "Lab", draw: random.Random) -> tuple[Sequence[Layer], Shown]:
    layers = cases.stack(draw)
    union = lab.union(layers)
    try:
        cases.play(union, cases.calls(draw))
        return layers, union.show()
    finally:
        union.unmount()


def _results(draw: random.Random, layers: Sequence[Layer], shown: Shown) -> Iterator[Question]:
    """Ask how a call ends."""
    for step in _calls(shown.trace):
        answer = step.errno or "it works"
        others = [result for result in _RESULTS[1:] if result != answer]
        rest = draw.sample(others, 3) if answer == _RESULTS[0] else [_RESULTS[0], *draw.sample(others, 2)]
        yield Question(
            kind="result",
            given=_given(layers, shown.trace, step.index),
            text=f"The next call is {step.text}. How does it end?",
            choices=mixed(draw, answer, rest),
            answer=answer,
            why=_why(step),
            shown=at_step(shown, step.index),
        )


def _lies(_: random.Random, layers: Sequence[Layer], shown: Shown) -> Iterator[Question]:
    """Ask what lies in the writable layer after a call."""
    for step in _calls(shown.trace):
        after = _upper(shown.trace, _last_inside(shown.trace, step))
        touched = {path for path, entry in after.items() if _upper(shown.trace, step.index - 1).get(path) != entry}
        for path in sorted(touched or ({step.text.split('"')[1]} if '"' in step.text else set())):
            yield Question(
                kind="lies",
                given=_given(layers, shown.trace, step.index),
                text=f"The next call is {step.text}. What lies at {path} in the upper directory then?",
                choices=_KINDS,
                answer=facts.word(after[path]) if path in after else "nothing",
                why=_why(step),
                shown=at_step(shown, step.index),
            )


def _makers_of(draw: random.Random, layers: Sequence[Layer], shown: Shown) -> Iterator[Question]:
    """Ask which call made what now lies in the writable layer: from the state back to the call."""
    made = _calls(shown.trace)
    texts = [step.text for step in made]
    final = _upper(shown.trace, len(shown.trace) - 1)
    for path, entry in final.items():
        steps = [step for step in made if _touches(shown.trace, step, path)]
        if len(steps) == 1 and texts.count(steps[0].text) == 1 and len(set(texts)) > 2:
            others = sorted(set(texts) - {steps[0].text})
            choices = mixed(draw, steps[0].text, draw.sample(others, min(3, len(others))))
            story = f"Some calls were made. At the end the upper directory has {path}: {facts.word(entry)}."
            yield Question(
                kind="call",
                given=_layers(layers),
                text=f"{story} Which of the calls put it there?",
                choices=choices,
                answer=steps[0].text,
                why=_why(steps[0]),
                shown=at_step(shown, steps[0].index),
            )


def _serves(_: random.Random, layers: Sequence[Layer], shown: Shown) -> Iterator[Question]:
    """Ask which layer serves a path."""
    last = len(shown.trace) - 1
    names = [name for name, _ in facts.stack_of(shown.trace, last)]
    for path in cases.FILES:
        yield Question(
            kind="serves",
            given=_given(layers, shown.trace, last + 1),
            text=f"Which layer serves {path}?",
            choices=(*names, "none"),
            answer=facts.server(shown.trace, last, path),
            why=facts.serving(shown.trace, path),
            shown=at_step(shown, last),
        )


def _calls(trace: Trace) -> list[Step]:
    """Return the calls of the case that are worth a question: those on paths."""
    return [
        step
        for step in trace.steps
        if step.actor == "you" and step.depth == SYSCALL and step.call not in ("write", "close")
    ]


def _last_inside(trace: Trace, step: Step) -> int:
    """Return the last step of what the kernel did inside of a call."""
    last = step.index
    while last + 1 < len(trace) and trace.steps[last + 1].depth == INSIDE:
        last += 1
    return last


def _touches(trace: Trace, step: Step, path: str) -> bool:
    inside = trace.steps[step.index : _last_inside(trace, step) + 1]
    return any(change.path[0] == "uppers" and change.path[2:3] == (path,) for one in inside for change in one.changes)


def _upper(trace: Trace, index: int) -> dict[str, Any]:
    state = trace.at(index)
    return dict(next(iter(state["uppers"].values()), {}))


def _why(step: Step) -> str:
    return f"{step.text} = {step.result}. {step.why}"


def _given(layers: Sequence[Layer], trace: Trace, before: int) -> str:
    """Return the stack as it is before a call, in words."""
    upper = _upper(trace, before - 1)
    told = ", ".join(f"{path} ({facts.word(entry)})" for path, entry in upper.items()) or "nothing yet"
    return f"upper:   {told}\n{_layers(layers)}"


def _layers(layers: Sequence[Layer]) -> str:
    return "\n".join(f"layer {number}: {', '.join(lines(layer))}" for number, layer in [*enumerate(layers, 1)][::-1])


_MAKERS: Final[Mapping[str, Callable[[random.Random, Sequence[Layer], Shown], Iterator[Question]]]] = {
    "serves": _serves, "lies": _lies, "call": _makers_of, "result": _results,
}  # fmt: skip
