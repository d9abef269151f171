"""Control groups in docker's words: the flags of limits, and update, pause, unpause, stats."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from minidocker import control, humans
from minidocker.client.command import Command, Result, complaint, each
from minidocker.client.flags import Flag, Parsed
from minidocker.client.table import table
from minidocker.container import Container
from minidocker.control import Sample
from minidocker.errors import EngineError
from minidocker.resources import Resources, parse_bytes, parse_cpus, parse_int, parse_swap

if TYPE_CHECKING:
    from minidocker.client.docker import Docker

#: The flags of run, create and update, by the field of Resources that each sets.
_FIELDS: Final[Mapping[str, Flag]] = {
    "memory": Flag(name="memory", short="m", takes="bytes", parse=parse_bytes),
    "memory_reservation": Flag(name="memory-reservation", takes="bytes", parse=parse_bytes),
    "memory_swap": Flag(name="memory-swap", takes="bytes", parse=parse_swap),
    "nano_cpus": Flag(name="cpus", takes="decimal", parse=parse_cpus),
    "cpu_shares": Flag(name="cpu-shares", short="c", takes="int", parse=parse_int),
    "cpu_period": Flag(name="cpu-period", takes="int", parse=parse_int),
    "cpu_quota": Flag(name="cpu-quota", takes="int", parse=parse_int),
    "cpuset_cpus": Flag(name="cpuset-cpus", takes="string"),
    "pids_limit": Flag(name="pids-limit", takes="int", parse=parse_int),
}
FLAGS: Final = tuple(_FIELDS.values())

_ALL: Final = Flag(name="all", short="a")
_NO_STREAM: Final = Flag(name="no-stream")
_NO_TRUNC: Final = Flag(name="no-trunc")


def of(parsed: Parsed) -> Resources:
    """Return what the flags say."""
    given: dict[str, Any] = {
        name: parsed.value(flag, None) if flag.parse else parsed.last(flag.name)
        for name, flag in _FIELDS.items()
        if flag.name in parsed.values
    }
    return Resources(**given)


def warned(warnings: Sequence[str]) -> bytes:
    """Return the daemon's warnings as run and create print them."""
    return "".join(f"WARNING: {warning}\n" for warning in warnings).encode()


def _update(docker: "Docker", parsed: Parsed) -> Result:
    if not parsed.values:
        return Result(stderr=b"you must provide one or more flags when using this command\n", exit_code=1)
    wanted, warnings = of(parsed), list[str]()

    def update(name: str) -> None:
        warnings.extend(control.update(docker.engine, name, wanted))

    result = each(parsed, update)
    result.stdout += "".join(f"{warning}\n" for warning in warnings).encode()
    return result


def _pause(docker: "Docker", parsed: Parsed) -> Result:
    return each(parsed, lambda name: control.pause(docker.engine, docker.engine.find(name)))


def _unpause(docker: "Docker", parsed: Parsed) -> Result:
    return each(parsed, lambda name: control.unpause(docker.engine, docker.engine.find(name)))


def _stats(docker: "Docker", parsed: Parsed) -> Result:
    if not parsed.has("no-stream"):
        words = b"minidocker does not have a stream of stats; it does not pretend to\n"
        return Result(stderr=words, exit_code=1, hint="docker stats --no-stream reads once.")
    containers, result = _asked(docker, parsed)
    if result.exit_code == 0:
        rows = [_row(sample, whole=parsed.has("no-trunc")) for sample in control.stats(docker.engine, containers)]
        result.stdout = table(_HEADER, rows).encode()
    return result


def _asked(docker: "Docker", parsed: Parsed) -> tuple[list[Container], Result]:
    """Return the containers that were named, or all that run, and complaints about those that are not there."""
    engine, result, found = docker.engine, Result(), []
    engine.pump()
    if not parsed.words:
        return [c for c in reversed(engine.containers.values()) if parsed.has("all") or c.is_running], result
    for name in parsed.words:
        try:
            found.append(engine.find(name))
        except EngineError as error:
            result.stderr += f"{complaint(error)}\n".encode()
            result.exit_code = 1
    return found, result


_HEADER: Final = (
    "CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS",
)  # fmt: skip


def _row(sample: Sample, *, whole: bool) -> tuple[str, ...]:
    container, limit = sample.container, sample.memory_limit
    return (
        container.id if whole else container.id[:12],
        container.name,
        f"{sample.cpus * 100:.2f}%",
        f"{humans.binary_size(sample.memory)} / {humans.binary_size(limit)}",
        f"{sample.memory / limit * 100 if limit else 0:.2f}%",
        f"{humans.size(sample.received)} / {humans.size(sample.sent)}",
        "0B / 0B",  # the lab's disk is memory: no block device is read or written
        str(sample.usage.pids),
    )


COMMANDS: Final[Mapping[str, Command]] = {
    "pause": Command(usage="pause CONTAINER [CONTAINER...]", run=_pause, needs=1),
    "stats": Command(usage="stats [OPTIONS] [CONTAINER...]", flags=(_ALL, _NO_STREAM, _NO_TRUNC), run=_stats),
    "unpause": Command(usage="unpause CONTAINER [CONTAINER...]", run=_unpause, needs=1),
    "update": Command(usage="update [OPTIONS] CONTAINER [CONTAINER...]", flags=FLAGS, run=_update, needs=1),
}
