"""docker's commands on what runs: stop, restart, top."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from minidocker import lifecycle, processes
from minidocker.client.command import Command, Result, each
from minidocker.client.flags import Flag, Parsed, UsageError
from minidocker.client.table import table
from minidocker.errors import InvalidParameter

if TYPE_CHECKING:
    from minidocker.client.docker import Docker


def _stop(docker: "Docker", parsed: Parsed) -> Result:
    timeout_s = _timeout_s(parsed)

    def stop(name: str) -> None:
        container = docker.engine.find(name)
        lifecycle.stop(docker.engine, container, timeout_s, _signal(parsed))

    return each(parsed, stop)


def _restart(docker: "Docker", parsed: Parsed) -> Result:
    timeout_s = _timeout_s(parsed)

    def restart(name: str) -> None:
        container = docker.engine.find(name)
        lifecycle.restart(docker.engine, container, timeout_s, _signal(parsed))

    return each(parsed, restart)


def _top(docker: "Docker", parsed: Parsed) -> Result:
    name, *arguments = parsed.words
    docker.engine.pump()
    found = processes.top(docker.engine, docker.engine.find(name), arguments)
    return Result(table(found.titles, found.rows, least=20).encode())


def _timeout_s(parsed: Parsed) -> int | None:
    """Return the seconds of ``--timeout`` (or ``--time``, as it was called), or None."""
    word = parsed.last("timeout") or parsed.last("time")
    if not word:
        return None
    try:
        return int(word)
    except ValueError:
        text = f'invalid argument "{word}" for "-t, --timeout" flag: strconv.ParseInt: parsing "{word}": invalid syntax'
        raise UsageError(text) from None


def _signal(parsed: Parsed) -> int:
    word = parsed.last("signal")
    number = lifecycle.signal_number(word) if word else 0
    if word and not number:
        raise InvalidParameter(f"invalid signal: {word}")
    return number


_FLAGS: Final = (
    Flag(name="signal", short="s", takes="string"),
    Flag(name="timeout", short="t", takes="int"),
    Flag(name="time", takes="int"),
)

COMMANDS: Final[Mapping[str, Command]] = {
    "restart": Command(usage="restart [OPTIONS] CONTAINER [CONTAINER...]", flags=_FLAGS, run=_restart, needs=1),
    "stop": Command(usage="stop [OPTIONS] CONTAINER [CONTAINER...]", flags=_FLAGS, run=_stop, needs=1),
    "top": Command(usage="top CONTAINER [ps OPTIONS]", run=_top, interspersed=False, needs=1),
}
