"""``minidocker compare``: one docker command on both kernels; exit code 1, and the first step that differs."""

import argparse
import sys
from collections.abc import Sequence

from minidocker.cli.trace import traced
from minidocker.compare import compare
from minidocker.trace import Trace


def run(arguments: argparse.Namespace, command: Sequence[str]) -> int:
    """Do it: 0 if model = kernel, 1 if not."""
    model, kernel = (
        traced(name, arguments.load, command, programs=arguments.programs).trace for name in ("sim", "real")
    )
    calls = by_calls(model, kernel)
    difference = compare(model, kernel, calls=calls)
    if difference is None:
        what = f"{len(model)} steps" if calls else "output, exit code and what was left (a real program ran as itself)"
        sys.stdout.write(f"model = kernel ✓  {what}\n")
        return 0
    sys.stdout.write(f"model ≠ kernel ✗  {difference}\n")
    return 1


def by_calls(model: Trace, kernel: Trace) -> bool:
    """Can the traces be compared call by call? Not where a real program ran as itself: nobody saw its calls."""
    return _programs(model) == _programs(kernel)


def _programs(trace: Trace) -> set[tuple[str, str]]:
    """Return the tasks whose calls the trace has, after they became a program."""
    return {(step.task, step.actor) for step in trace.steps if step.actor not in ("client", "daemon", "init", "kernel")}
