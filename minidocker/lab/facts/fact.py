"""Fact: what a prediction is graded against, and the facts that any run has."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from minidocker.trace import SYSCALL, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A value, and the step of the trace that shows it (None: no single one does)."""

    value: Any
    step: Step | None = None
    why: str = ""

    @property
    def because(self) -> str:
        """One sentence why, from the step itself."""
        if self.step is None:
            return self.why
        result = f" = {self.step.result}" if self.step.depth == SYSCALL else ""
        return f"Step {self.step.index + 1}: {self.step.text}{result}. {self.why or self.step.why}"


FactOf: TypeAlias = Callable[[Any], Any]


def stdout(ran: Any) -> Fact:
    """What the command printed, without the newline at its end."""
    return Fact(value=ran.stdout.rstrip("\n"))


def exit_code(ran: Any) -> Fact:
    """The command's exit code."""
    ends = [step for step in ran.trace.steps if step.text == f"exit({ran.exit_code})"]
    return Fact(value=ran.exit_code, step=ends[-1] if ends else None)


def result_of(call: str, nth: int = 0) -> FactOf:
    """Return the fact of how a system call ended: an errno's name, or ``"it works"``."""

    def fact(ran: Any) -> Fact:
        step = [step for step in ran.trace.steps if step.depth == SYSCALL and step.call == call and _inside(step)][nth]
        return Fact(value=step.errno or "it works", step=step)

    return fact


def at_least(fact_of: FactOf, limit: float, yes: str, no: str) -> FactOf:
    """Return the fact of whether a number reaches a limit, in the words of the question's choices."""

    def fact(ran: Any) -> Fact:
        found = fact_of(ran)
        return replace(found, value=yes if found.value >= limit else no)

    return fact


def agreement(ran: Any) -> Fact:
    """Whether model and kernel agree on what ran: yes, no, or nobody asked the kernel."""
    words = {True: "yes", False: "no", None: "nobody asked"}
    return Fact(value=words[ran.verdict.ok], why=ran.verdict.badge)


def answer(question: Any) -> FactOf:
    """Return the fact that a generated question has found in its own trace."""
    return lambda _: Fact(value=question.answer, why=question.why)


def _inside(step: Step) -> bool:
    return step.task != "0"
