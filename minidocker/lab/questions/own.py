"""Questions about a learner's own calls: one line is left out; what becomes of it, and which line was it?"""

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from minidocker.lab.display import Shown
from minidocker.lab.own import Own
from minidocker.lab.own_text import Line
from minidocker.lab.questions.question import Question, mixed

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab
    from minidocker.lab.run import Run

#: Lines without which it depends on who is first, or on whom one waits for, what happens: no questions about those.
_NEVER: Final = ("read", "write(gate", "wait4", "clone", "pipe2", "return", "new =", "pivot_root", "execve")

_SAME: Final = "nothing that can be seen"


def about(own: Own) -> "Callable[[Lab, random.Random, int], Iterator[Question]]":
    """Return who makes questions about these calls."""
    whole: list[str] = []

    def ask(_: "Lab", draw: random.Random, kind: int) -> Iterator[Question]:
        if not whole:
            whole.extend(own.run(show=False).stdout.splitlines())
        lines = draw.sample([line for line in own.text.lines if _fit(line)], 4)
        runs = [own.without(line.number).run(show=False) for line in (lines if kind % 2 else lines[:1])]
        happened = [_happened(ran, whole) for ran in runs]
        if kind % 2 and happened[0] != _SAME and happened.count(happened[0]) == 1:
            yield _backwards(draw, lines, runs[0], happened[0])
        else:
            yield _forwards(draw, lines[0], runs[0], happened[0])

    return ask


def _fit(line: Line) -> bool:
    return line.function in ("outside", "inside") and not any(word in line.text for word in _NEVER)


def _happened(ran: "Run", whole: list[str]) -> str:
    """Return what differs from the whole: the call that fails, else the first line that says something else."""
    if ran.stderr and "\n" in ran.stderr.strip():
        failed = ran.stderr.splitlines()
        return f"{failed[0].partition(': ')[2]} fails with {failed[1].split()[0]}"
    changed = [line for line in ran.stdout.splitlines() if line not in whole]
    return changed[0] if changed else _SAME


def _forwards(draw: random.Random, line: Line, ran: "Run", happened: str) -> Question:
    others = sorted({_SAME, "/proc: not its own", "host name: not its own", "it may mount", "tasks are not limited",
                     "pivot_root(…) fails with EINVAL", "outside cannot be reached"} - {happened})  # fmt: skip
    return Question(
        kind="left out", given="", text=f"This line is left out: {line.text.strip()}. What comes of it?",
        choices=mixed(draw, happened, draw.sample(others, 3)), answer=happened, why=f"It says: {happened}.",
        shown=Shown(ran.trace, ran.verdict),
    )  # fmt: skip


def _backwards(draw: random.Random, lines: list[Line], ran: "Run", happened: str) -> Question:
    """Ask which line was left out; ``lines`` are the one that was, and others without which something else comes."""
    line, *others = lines
    return Question(
        kind="which", given="", text=f"One line was left out, and this came of it: {happened}. Which line?",
        choices=mixed(draw, line.text.strip(), [other.text.strip() for other in others]), answer=line.text.strip(),
        why=f"Without line {line.number}: {happened}.", shown=Shown(ran.trace, ran.verdict),
    )  # fmt: skip
