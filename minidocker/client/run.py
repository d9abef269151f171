"""docker run and docker create: their flags, and what the daemon is told by them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from minidocker.client import host_config, resources
from minidocker.client.command import Command, Result, failed
from minidocker.client.flags import Flag, Parsed, check_environ
from minidocker.create import RunOptions
from minidocker.errors import EngineError, NoSuchImage

if TYPE_CHECKING:
    from minidocker.client.docker import Docker, ReadFile


def _run(docker: "Docker", parsed: Parsed) -> Result:
    engine, (image, *command) = docker.engine, parsed.words
    try:
        container = engine.create(image, command, _options(parsed, docker.read_file))
    except NoSuchImage as error:
        result = failed("run", COMMANDS["run"], error)
        result.stderr = f"Unable to find image '{error.data['reference']}' locally\n".encode() + result.stderr
        return result
    warned = resources.warned(container.warnings)
    name = f"{container.id}\n".encode() if parsed.has("detach") else b""
    try:
        engine.start(container)
    except EngineError as error:
        if container.auto_remove:
            engine.remove(container)
        result = failed("run", COMMANDS["run"], error)
        result.stdout, result.stderr = name, warned + result.stderr
        return result
    if name:
        return Result(name, warned)
    code = engine.wait(container)
    return Result(container.output("stdout"), warned + container.output("stderr"), code)


def _create(docker: "Docker", parsed: Parsed) -> Result:
    image, *command = parsed.words
    container = docker.engine.create(image, command, _options(parsed, docker.read_file))
    return Result(f"{container.id}\n".encode(), resources.warned(container.warnings))


def _options(parsed: Parsed, read_file: "ReadFile") -> RunOptions:
    return RunOptions(
        name=parsed.last("name"),
        env=check_environ(parsed),
        workdir=parsed.last("workdir"),
        entrypoint=parsed.last("entrypoint") if "entrypoint" in parsed.values else None,
        user=parsed.last("user"),
        auto_remove=parsed.has("rm"),
        host_config=host_config.of(parsed, read_file),
    )


#: Flags that docker has and that the lab refuses, but for those that it has: with a value, and without.
_NOT_YET: Final = """
    add-host attach,a blkio-weight cap-add cap-drop cgroup-parent cpu-shares,c cpus cpuset-cpus device dns dns-option
    dns-search env-file expose group-add hostname,h ip ipc isolation label,l link log-driver mac-address memory,m
    memory-swap mount network network-alias oom-score-adj pid pids-limit platform publish,p pull restart runtime
    security-opt shm-size stop-signal stop-timeout sysctl tmpfs ulimit userns uts volume,v volumes-from
""".split()  # noqa: SIM905  a list of words reads as words
_NOT_YET_SWITCHES: Final = (
    "interactive,i",
    "tty,t",
    "init",
    "no-healthcheck",
    "privileged",
    "publish-all,P",
    "read-only",
)


def _not_yet(words: Sequence[str], takes: str) -> Iterator[Flag]:
    """Yield the flags of a list that the lab does not have."""
    for name, _, short in (word.partition(",") for word in words):
        if name not in {flag.name for flag in host_config.FLAGS}:
            yield Flag(name=name, short=short, takes=takes, modelled=False)


_CREATE_FLAGS: Final = (
    Flag(name="name", takes="string"),
    Flag(name="env", short="e", takes="list"),
    Flag(name="workdir", short="w", takes="string"),
    Flag(name="entrypoint", takes="string"),
    Flag(name="user", short="u", takes="string"),
    Flag(name="rm"),
    *host_config.FLAGS,
    *_not_yet(_NOT_YET, "value"),
    *_not_yet(_NOT_YET_SWITCHES, ""),
)

COMMANDS: Final[Mapping[str, Command]] = {
    "create": Command(
        usage="create [OPTIONS] IMAGE [COMMAND] [ARG...]", flags=_CREATE_FLAGS, run=_create, interspersed=False, needs=1
    ),
    "run": Command(
        usage="run [OPTIONS] IMAGE [COMMAND] [ARG...]",
        flags=(*_CREATE_FLAGS, Flag(name="detach", short="d")),
        run=_run,
        interspersed=False,
        needs=1,
        failure=125,
        prefix="docker: ",
    ),
}
