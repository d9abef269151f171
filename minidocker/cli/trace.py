"""``minidocker trace``: one docker command on one kernel, its trace as a page, as JSON, as a picture, or as lines."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from minidocker.hosts import open_host
from minidocker.trace import INSIDE, SYSCALL, Step, Trace
from minidocker.world import Outcome

#: What a trace can be written as.
SUFFIXES: Final = (".html", ".json", ".svg")


class LoadError(Exception):
    """An archive could not be loaded; the message is docker's."""


def run(arguments: argparse.Namespace, command: Sequence[str]) -> int:
    """Do it; the exit code is the docker command's, or 2 if an archive cannot be loaded or the trace not be written."""
    output = Path(arguments.output) if arguments.output else None
    if output and output.suffix not in SUFFIXES:
        sys.stderr.write(f"{output}: the name must end in {', '.join(SUFFIXES)}\n")
        return 2
    try:
        outcome = traced(arguments.kernel, arguments.load, command, programs=arguments.programs)
        if output:
            write(outcome.trace, output)
    except LoadError as error:
        sys.stderr.write(str(error))
        return 2
    except OSError as error:
        sys.stderr.write(f"{error.filename or arguments.kernel}: {error.strerror}\n")
        return 2
    if not output:
        sys.stdout.write("".join(f"{line(step)}\n" for step in outcome.trace.steps))
    sys.stdout.write(outcome.stdout)
    sys.stderr.write(outcome.stderr)
    if outcome.hint:
        sys.stderr.write(f"hint: {outcome.hint}\n")
    return outcome.exit_code


def traced(kernel: str, archives: Sequence[str], command: Sequence[str], **options: Any) -> Outcome:
    """Return what a docker command led to on a fresh host (``options``: open_host's) that has loaded the archives."""
    host = open_host(kernel, **options)
    try:
        for archive in archives:
            loaded = host.docker(["load", "-i", archive])
            if loaded.exit_code:
                raise LoadError(loaded.stderr)
        return host.docker(list(command))
    finally:
        host.close()


def write(trace: Trace, path: Path) -> None:
    """Write a trace in the form that the file's name asks for: ``.html``, ``.json`` or ``.svg``."""
    if path.suffix == ".json":
        text = json.dumps(trace.to_json(), indent=1, ensure_ascii=False)
    else:
        text = _drawn(trace, path.suffix)
    path.write_text(text, encoding="utf-8")


def _drawn(trace: Trace, suffix: str) -> str:
    from minidocker.lab.stepper.html import to_html  # noqa: PLC0415  only what is asked for is loaded
    from minidocker.lab.stepper.svg import to_svg  # noqa: PLC0415

    return to_html(trace) if suffix == ".html" else to_svg(trace)


def line(step: Step) -> str:
    """Return a step as a line: who, how deep, what, and the result, like strace -f."""
    text = f"{step.actor:>8}  {'  ' * step.depth}{step.text}"
    return (
        f"{text} = {step.result}"
        if step.depth == SYSCALL
        else f"{text}{'  (observed)' if step.observed else ''}"
        if step.depth == INSIDE
        else text
    )
