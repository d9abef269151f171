"""docker's commands on containers: start, wait, kill, rm, logs, diff, ps."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from minidocker import humans
from minidocker.client.command import Command, Result, each
from minidocker.client.flags import Flag, Parsed
from minidocker.client.table import table
from minidocker.container import CREATED, PAUSED, Container
from minidocker.errors import InvalidParameter
from minidocker.lifecycle import signal_number

if TYPE_CHECKING:
    from minidocker.client.docker import Docker


def _start(docker: "Docker", parsed: Parsed) -> Result:
    start = docker.engine.start
    return each(parsed, lambda name: start(docker.engine.find(name)), failure="failed to start containers")


def _wait(docker: "Docker", parsed: Parsed) -> Result:
    return each(parsed, lambda name: docker.engine.wait(docker.engine.find(name)))


def _kill(docker: "Docker", parsed: Parsed) -> Result:
    word = parsed.last("signal", "KILL")

    def kill(name: str) -> None:
        container = docker.engine.find(name)
        docker.engine.kill(container, _signal(name, word))

    return each(parsed, kill)


def _rm(docker: "Docker", parsed: Parsed) -> Result:
    force = parsed.has("force")
    return each(parsed, lambda name: docker.engine.remove(docker.engine.find(name), force=force))


def _logs(docker: "Docker", parsed: Parsed) -> Result:
    container = docker.engine.find(parsed.words[0])
    docker.engine.pump()
    return Result(container.output("stdout"), container.output("stderr"))


def _diff(docker: "Docker", parsed: Parsed) -> Result:
    changes = docker.engine.changes(docker.engine.find(parsed.words[0]))
    return Result("".join(f"{kind} {path}\n" for kind, path in changes).encode())


def _ps(docker: "Docker", parsed: Parsed) -> Result:
    engine = docker.engine
    engine.pump()
    shown = [c for c in reversed(engine.containers.values()) if parsed.has("all") or c.is_running]
    if parsed.has("quiet"):
        return Result("".join(f"{c.id[:12]}\n" for c in shown).encode())
    now = engine.now_ns()
    rows = [
        (c.id[:12], c.image, _quoted(c.argv), f"{humans.ago(now, c.created_ns)} ago", _status(c, now), "", c.name)
        for c in shown
    ]
    header = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")
    return Result(table(header, rows).encode())


def _quoted(argv: Sequence[str]) -> str:
    """Return a command as ``docker ps`` shows it: quoted, cut after nineteen characters."""
    text = " ".join(word if word and not set(word) & set(" '\"\\$&|;<>()*") else shlex.quote(word) for word in argv)
    return f'"{text}"' if len(text) <= 20 else f'"{text[:19]}…"'


def _status(container: Container, now_ns: int) -> str:
    if container.is_running:
        paused = " (Paused)" if container.status == PAUSED else ""
        return f"Up {humans.ago(now_ns, container.started_ns)}{paused}"
    if container.status == CREATED:
        return "Created"
    return f"Exited ({container.exit_code}) {humans.ago(now_ns, container.finished_ns)} ago"


def _signal(container: str, word: str) -> int:
    number = signal_number(word)
    if not number:
        raise InvalidParameter(
            f"cannot kill container: {container}: invalid signal: {word}",
            hint="Names like TERM or SIGTERM, or numbers like 15.",
        )
    return number


COMMANDS: Final[Mapping[str, Command]] = {
    "diff": Command(usage="diff CONTAINER", run=_diff, needs=1, most=1),
    "kill": Command(
        usage="kill [OPTIONS] CONTAINER [CONTAINER...]",
        flags=(Flag(name="signal", short="s", takes="string"),),
        run=_kill,
        needs=1,
    ),
    "logs": Command(usage="logs [OPTIONS] CONTAINER", run=_logs, needs=1, most=1),
    "ps": Command(
        usage="ps [OPTIONS]", flags=(Flag(name="all", short="a"), Flag(name="quiet", short="q")), run=_ps, most=0
    ),
    "rm": Command(
        usage="rm [OPTIONS] CONTAINER [CONTAINER...]", flags=(Flag(name="force", short="f"),), run=_rm, needs=1
    ),
    "start": Command(usage="start [OPTIONS] CONTAINER [CONTAINER...]", run=_start, needs=1),
    "wait": Command(usage="wait CONTAINER [CONTAINER...]", run=_wait, needs=1),
}
