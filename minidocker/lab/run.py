"""Run: a docker command or a learner's own calls: output, exit code and trace, and whether the model is the kernel."""

from typing import Any

from minidocker.lab.display import Rich, Slot, badge, difference, escape, shell
from minidocker.lab.prediction import Prediction, locked
from minidocker.lab.verdict import Verdict
from minidocker.trace import Trace
from minidocker.world import Outcome


class Unanswered(Exception):
    """What was asked for does not exist yet: a question waits for its answer."""


class Run:
    """A docker command, from when it was told. Until its question is answered it has not run, and has no results."""

    def __init__(
        self, line: str, gate: Prediction | None, *, show: bool, prompt: str = "$ docker ", view: str = ""
    ) -> None:
        """Take the command, what stands before it when it is shown, and the view that its stepper opens with."""
        self.line = line
        self.said = prompt + line
        self._gate = gate
        self._show = show
        self._view = view
        self._outcome: Outcome | None = None
        self.verdict = Verdict(ran="")
        self.traces: dict[str, Trace] = {}
        self._slot: Slot | None = None
        self._shown_by: Any = None

    def wait(self) -> None:
        """Show that it waits."""
        if self._show:
            self._slot = Slot(_waiting(self.said, self._gate))
            self._shown_by = _cell()

    def finish(self, outcomes: dict[str, Outcome], verdict: Verdict) -> None:
        """Take what came of it (by kernel), and show it."""
        self._outcome = next(iter(outcomes.values()))
        self.traces = {kernel: outcome.trace for kernel, outcome in outcomes.items()}
        self.verdict = verdict
        if self._show:
            self._slot = self._slot or Slot()
            self._slot.fill(self.words, self.trace, verdict, view=self._view)
            self._shown_by = self._shown_by or _cell()

    @property
    def done(self) -> bool:
        """Whether it has run."""
        return self._outcome is not None

    @property
    def outcome(self) -> Outcome:
        """What came of it; Unanswered if it still waits."""
        if self._outcome is None:
            raise Unanswered(f"{self.line!r} has not run: commit an answer to the question first")
        return self._outcome

    @property
    def stdout(self) -> str:
        """What it printed."""
        return self.outcome.stdout

    @property
    def stderr(self) -> str:
        """What it complained of."""
        return self.outcome.stderr

    @property
    def exit_code(self) -> int:
        """Its exit code."""
        return self.outcome.exit_code

    @property
    def hint(self) -> str:
        """What was probably meant, if it failed."""
        return self.outcome.hint

    @property
    def trace(self) -> Trace:
        """All that happened, step by step (with both kernels: the model's)."""
        return self.outcome.trace

    @property
    def words(self) -> Rich:
        """The command, its output, the grade of its prediction and the badge."""
        outcome = self.outcome
        grade = self._gate.grade(self) if self._gate is not None else None
        parts = [f'<div class="md-line"><span>{escape(self.said)}</span>{badge(self.verdict)}</div>']
        parts += [difference(self.verdict)]
        parts += [f"<pre>{escape(outcome.stdout)}</pre>"] if outcome.stdout else []
        parts += [f'<pre class="md-err">{escape(outcome.stderr)}</pre>'] if outcome.stderr else []
        parts += [f'<div class="md-note">exit code {outcome.exit_code}</div>'] if outcome.exit_code else []
        parts += [f'<div class="md-note">{escape(outcome.hint)}</div>'] if outcome.hint else []
        parts += [grade.body] if grade else []
        return Rich("".join(parts), self._text(grade))

    def _text(self, grade: Rich | None) -> str:
        outcome = self.outcome
        lines = [self.said, outcome.stdout.rstrip("\n"), outcome.stderr.rstrip("\n")]
        lines += [f"exit code {outcome.exit_code}"] if outcome.exit_code else []
        lines += [outcome.hint, grade.text if grade else ""]
        lines += [f"{len(outcome.trace)} steps · {self.verdict.badge}"]
        return "\n".join(line for line in lines if line)

    def __repr__(self) -> str:
        return self.words.text if self.done else f"{self.said}\n{_waiting(self.said, self._gate).text}"

    def _ipython_display_(self) -> None:
        """Show it, unless this very cell has already."""
        if self._slot is not None and self._shown_by == _cell() is not None:
            return
        if not self.done:
            print(repr(self))
        else:
            Slot().fill(self.words, self.trace, self.verdict, view=self._view)


def _waiting(said: str, gate: Prediction | None) -> Rich:
    command = f'<div class="md-line"><span>{escape(said)}</span></div>'
    if gate is None or gate.committed:
        text = "This waits for the answer to a question above."
        return Rich(f'{command}<div class="md-note">{text}</div>', text)
    told = locked(gate)
    return Rich(command + told.body, told.text)


def _cell() -> Any:
    """Return the number of the running cell, or None outside of IPython."""
    return getattr(shell(), "execution_count", None)
