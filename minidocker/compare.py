"""compare: the first step in which two traces of one command differ, which is none if the model is the kernel.

Tasks run side by side, so the steps of each task are compared in their own order, and the tasks by their line of
descent. A pipe is a stream: how many reads it took is nobody's business, what was read is. Where real programs of an
image ran as themselves, there is no trace of their calls on the real kernel; then output, exit code and what they left
are compared.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from minidocker.local import MEASURED, output
from minidocker.state import shared
from minidocker.trace import INSIDE, SYSCALL, Step, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where two traces part. ``what`` names it in a sentence; ``left`` and ``right`` are the steps, if it is a step."""

    what: str
    left: Step | None = None
    right: Step | None = None

    def __str__(self) -> str:
        """Return the sentence and the two steps, a line each."""
        lines = [self.what]
        lines += [f"  {side}: {_line(step)}" for side, step in (("one", self.left), ("other", self.right))]
        return "\n".join(lines if self.left or self.right else lines[:1])


def compare(one: Trace, other: Trace, *, calls: bool | None = None) -> Difference | None:
    """Return the first difference of two traces, or None if there is none.

    ``calls`` says whether each call is compared, or only what the command led to: output, exit code and what lies in
    the writable layers. By default calls are compared unless a program ran as itself, whose calls nobody saw.
    """
    if calls or (calls is None and all_seen(one, other)):
        found = _compare_steps(one, other)
        if found is not None:
            return found
    return _compare_outcome(one, other)


def all_seen(one: Trace, other: Trace) -> bool:
    """Are all calls in both traces? Not those of a real program that ran as itself."""
    return not any(step.unseen for trace in (one, other) for step in trace.steps)


def compared(one: Trace, other: Trace) -> str:
    """Say what :func:`compare` compares of two traces, in a few words."""
    if all_seen(one, other):
        return f"{len(one)} step{'s' * (len(one) != 1)}"
    return "output, exit code and what was left (a real program ran as itself, its calls unseen)"


def _compare_steps(one: Trace, other: Trace) -> Difference | None:
    for task in sorted({*_tasks(one), *_tasks(other)}, key=_order):
        for left, right in itertools.zip_longest(_own(one, task), _own(other, task)):
            if (left is None or right is None) and (_cut_short(one, task) or _cut_short(other, task)):
                break
            if left is None or right is None:
                return Difference(
                    what=f"task {task} did more in one trace than in the other", left=_first(left), right=_first(right)
                )
            if not _equal(left, right):
                return Difference(what=f"task {task}: the steps differ", left=left[0], right=right[0])
    return None


def _compare_outcome(one: Trace, other: Trace) -> Difference | None:
    said = ("stderr",) if output(one.command) else ("stdout", "stderr")
    for name in ("exit_code", *said):
        left, right = (_unmeasured(getattr(trace, name)) for trace in (one, other))
        if left != right:
            return Difference(what=f"{name} differs: {left!r} and {right!r}")
    ours, others = _left_behind(one), _left_behind(other)
    for stack in sorted(ours.keys() | others.keys()):
        entries, theirs = ours.get(stack, {}), others.get(stack, {})
        for path in sorted(entries.keys() | theirs.keys()):
            if entries.get(path) != theirs.get(path):
                return Difference(
                    what=f"{path} in the writable layer differs: {entries.get(path)} and {theirs.get(path)}"
                )
    return None


def _unmeasured(value: Any) -> Any:
    """Return an output without what ping measured."""
    return MEASURED.sub("TIME", value) if isinstance(value, str) else value


def _left_behind(trace: Trace) -> dict[str, Any]:
    """Return the writable layers as they were last seen: before ``--rm`` removed them, if it did."""
    uppers: dict[str, Any] = {}
    for index in range(-1, len(trace)):
        uppers |= trace.at(index)["uppers"]
    return uppers


def _tasks(trace: Trace) -> list[str]:
    return list(dict.fromkeys(step.task for step in trace.steps))


def _order(task: str) -> list[int]:
    return [int(number) for number in task.split(".")]


def _own(trace: Trace, task: str) -> Iterator[Sequence[Step]]:
    """Yield a task's steps, one by one, but consecutive reads of one descriptor together."""
    steps = [step for step in trace.steps if step.task == task and step.comparable and not _of_pump(step)]
    for _, group in itertools.groupby(enumerate(steps), key=lambda pair: _stream(pair[1]) or pair[0]):
        yield [step for _, step in group]


def _cut_short(trace: Trace, task: str) -> bool:
    """Did a signal, or its namespace's end, stop the task? Then how far it came depends on who ran first."""
    ended = f"{task} ended: [{{WIFEXITED"
    return not any((step.task == task and step.call == "exit") or step.like.startswith(ended) for step in trace.steps)


def _of_pump(step: Step) -> bool:
    """Is it the daemon's taking of output? When it comes, and in how many pieces, depends on who runs first."""
    return step.task == "0" and step.depth == SYSCALL and step.call in ("read", "close", "wait4")


def _stream(step: Step) -> str | None:
    """Return which stream a read belongs to, or None if the step is no read."""
    return f"read {step.text[5:].split(',')[0]}" if step.call == "read" and step.errno is None else None


def _equal(left: Sequence[Step], right: Sequence[Step]) -> bool:
    """Are two steps equal, or two runs of reads: of one file as many bytes, of a pipe whatever pieces it came in?"""
    if len(left) == len(right) == 1 or left[0].local:
        return left[0].same_as() == right[0].same_as()
    return _stream(left[0]) == _stream(right[0]) and _length(left) == _length(right)


def _length(steps: Sequence[Step]) -> int:
    return sum(int(step.result) for step in steps)


def _first(steps: Sequence[Step] | None) -> Step | None:
    return steps[0] if steps else None


def _line(step: Step | None) -> str:
    if step is None:
        return "nothing"
    mark = "↳ " if step.depth == INSIDE else ""
    changes = "".join(f"\n      {'/'.join(c.path)}: {c.old} → {c.new}" for c in filter(None, map(shared, step.changes)))
    return f"step {step.index}, {step.actor}: {mark}{step.text} = {step.result}{changes}"
