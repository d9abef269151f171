"""docker's commands, in docker's words: what the client parses, asks of the engine, and prints.

One function a command; the table at the end is what there is. Errors end like docker's own: message on standard error,
exit code 125 for ``run`` (126 and 127 when it is the program's fault), 1 for all else.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

from minidocker import humans
from minidocker.client.flags import Flag, Parsed, UsageError, parse
from minidocker.client.table import table
from minidocker.container import CREATED, RUNNING, Container
from minidocker.engine import Engine, RunOptions
from minidocker.errors import EngineError, InvalidParameter, InvalidReference, NoSuchImage
from minidocker.image import Image
from minidocker.linux import SIGNALS

#: How a file that a command names is read, by whoever runs the command: the lab or the command line.
ReadFile: TypeAlias = Callable[[str], bytes]


@dataclass(slots=True)
class Result:
    """What a command printed and its exit code. ``hint`` is for learners: what was probably meant."""

    stdout: bytes = b""
    stderr: bytes = b""
    exit_code: int = 0
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: how it is used, its flags, and the function that does it."""

    usage: str
    flags: Sequence[Flag] = ()
    run: "Callable[[Docker, Parsed], Result]"
    interspersed: bool = True
    needs: int = 0
    most: int | None = None
    failure: int = 1
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Docker:
    """docker's client over one engine."""

    engine: Engine
    read_file: ReadFile = field(default_factory=lambda: _no_files)

    def __call__(self, line: str | Sequence[str]) -> Result:
        """Run one command line, with or without the word ``docker`` in front."""
        try:
            words = shlex.split(line) if isinstance(line, str) else list(line)
        except ValueError as error:
            return Result(stderr=f"docker: cannot read the command: {error}\n".encode(), exit_code=2)
        words = words[1:] if words[:1] == ["docker"] else words
        command = COMMANDS.get(words[0]) if words else None
        if command is None:
            return _unknown(words[0] if words else "")
        if words[1:2] == ["--help"]:
            return _help(command)
        try:
            parsed = parse(words[1:], command.flags, interspersed=command.interspersed)
            _check_count(words[0], command, parsed)
            return command.run(self, parsed)
        except UsageError as error:
            return _usage(words[0], command, str(error))
        except EngineError as error:
            return _failed(words[0], command, error)


def _run(docker: Docker, parsed: Parsed) -> Result:
    engine, (image, *command) = docker.engine, parsed.words
    try:
        container = engine.create(image, command, _options(parsed))
    except NoSuchImage as error:
        result = _failed("run", COMMANDS["run"], error)
        result.stderr = f"Unable to find image '{error.data['reference']}' locally\n".encode() + result.stderr
        return result
    name = f"{container.id}\n".encode() if parsed.has("detach") else b""
    try:
        engine.start(container)
    except EngineError as error:
        if container.auto_remove:
            engine.remove(container)
        result = _failed("run", COMMANDS["run"], error)
        result.stdout = name
        return result
    if name:
        return Result(name)
    code = engine.wait(container)
    return Result(container.output("stdout"), container.output("stderr"), code)


def _create(docker: Docker, parsed: Parsed) -> Result:
    image, *command = parsed.words
    container = docker.engine.create(image, command, _options(parsed))
    return Result(f"{container.id}\n".encode())


def _start(docker: Docker, parsed: Parsed) -> Result:
    return _each("start", parsed, lambda name: docker.engine.start(docker.engine.find(name)))


def _wait(docker: Docker, parsed: Parsed) -> Result:
    return _each("wait", parsed, lambda name: docker.engine.wait(docker.engine.find(name)))


def _kill(docker: Docker, parsed: Parsed) -> Result:
    word = parsed.last("signal", "KILL")

    def kill(name: str) -> None:
        container = docker.engine.find(name)
        docker.engine.kill(container, _signal(name, word))

    return _each("kill", parsed, kill)


def _rm(docker: Docker, parsed: Parsed) -> Result:
    force = parsed.has("force")
    return _each("rm", parsed, lambda name: docker.engine.remove(docker.engine.find(name), force=force))


def _each(command: str, parsed: Parsed, do: Callable[[str], int | None]) -> Result:
    """Do a command to each container named, and print its name or what came of it; go on where one fails (exit 1)."""
    result = Result()
    for name in parsed.words:
        try:
            came = do(name)
        except EngineError as error:
            failed = _failed(command, COMMANDS[command], error)
            result.stderr += failed.stderr
            result.exit_code, result.hint = 1, failed.hint or result.hint
        else:
            result.stdout += f"{name if came is None else came}\n".encode()
    return result


def _logs(docker: Docker, parsed: Parsed) -> Result:
    container = docker.engine.find(parsed.words[0])
    docker.engine.pump()
    return Result(container.output("stdout"), container.output("stderr"))


def _diff(docker: Docker, parsed: Parsed) -> Result:
    changes = docker.engine.changes(docker.engine.find(parsed.words[0]))
    return Result("".join(f"{kind} {path}\n" for kind, path in changes).encode())


def _ps(docker: Docker, parsed: Parsed) -> Result:
    engine = docker.engine
    engine.pump()
    shown = [c for c in reversed(engine.containers.values()) if parsed.has("all") or c.status == RUNNING]
    if parsed.has("quiet"):
        return Result("".join(f"{c.id[:12]}\n" for c in shown).encode())
    now = engine.now_ns()
    rows = [
        (c.id[:12], c.image, _quoted(c.argv), f"{_ago(now, c.created_ns)} ago", _status(c, now), "", c.name)
        for c in shown
    ]
    header = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")
    return Result(table(header, rows).encode())


def _images(docker: Docker, parsed: Parsed) -> Result:
    wanted = parsed.words[0] if parsed.words else ""
    lines = [s for s in docker.engine.images.summaries() if wanted in ("", s.repository, f"{s.repository}:{s.tag}")]
    if parsed.has("quiet"):
        return Result("".join(f"{line.image.id.short}\n" for line in lines).encode())
    now = docker.engine.now_ns()
    cells = [
        (
            s.repository or "<none>",
            s.tag or "<none>",
            s.image.id.short,
            f"{_ago(now, _created_ns(s.image))} ago",
            humans.size(s.size),
        )
        for s in lines
    ]
    return Result(table(("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"), cells).encode())


def _load(docker: Docker, parsed: Parsed) -> Result:
    path = parsed.last("input")
    if not path:
        raise UsageError("requested load from stdin, but stdin is empty")
    try:
        data = docker.read_file(path)
    except OSError as error:
        return Result(stderr=f"open {path}: {(error.strerror or str(error)).lower()}\n".encode(), exit_code=1)
    return Result("".join(f"{line}\n" for line in docker.engine.images.load(data)).encode())


def _options(parsed: Parsed) -> RunOptions:
    for pair in parsed.all("env"):
        if pair.startswith("=") or not pair:
            raise UsageError(f'invalid argument "{pair}" for "-e, --env" flag: invalid environment variable: {pair}')
    return RunOptions(
        name=parsed.last("name"),
        env=parsed.all("env"),
        workdir=parsed.last("workdir"),
        entrypoint=parsed.last("entrypoint") if "entrypoint" in parsed.values else None,
        user=parsed.last("user"),
        auto_remove=parsed.has("rm"),
    )


def _quoted(argv: Sequence[str]) -> str:
    """Return a command as ``docker ps`` shows it: quoted, cut after nineteen characters."""
    text = " ".join(word if word and not set(word) & set(" '\"\\$&|;<>()*") else shlex.quote(word) for word in argv)
    return f'"{text}"' if len(text) <= 20 else f'"{text[:19]}…"'


def _status(container: Container, now_ns: int) -> str:
    if container.status == RUNNING:
        return f"Up {_ago(now_ns, container.started_ns)}"
    if container.status == CREATED:
        return "Created"
    return f"Exited ({container.exit_code}) {_ago(now_ns, container.finished_ns)} ago"


def _ago(now_ns: int, then_ns: int) -> str:
    return humans.duration((now_ns - then_ns) / 1e9)


def _created_ns(image: Image) -> int:
    """Return when an image was made; its config says so in ISO 8601, to the nanosecond."""
    seconds, _, fraction = image.created.removesuffix("Z").partition(".")
    try:
        made = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(made.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0")[:9])


def _signal(container: str, word: str) -> int:
    name = word.upper().removeprefix("SIG")
    number = SIGNALS.get(name) or (int(name) if name.isdigit() else 0)
    if not 0 < number <= _LAST_SIGNAL:
        raise InvalidParameter(
            f"cannot kill container: {container}: invalid signal: {word}",
            hint="Names like TERM or SIGTERM, or numbers like 15.",
        )
    return number


def _check_count(name: str, command: Command, parsed: Parsed) -> None:
    count, needs, most = len(parsed.words), command.needs, command.most
    if most == needs and count != needs:
        raise _Count(f"docker: 'docker {name}' requires {needs or 'no'} argument{'s' * (needs != 1)}")
    if count < needs:
        raise _Count(f"docker: 'docker {name}' requires at least {needs} argument{'s' * (needs != 1)}")
    if most is not None and count > most:
        raise _Count(f"docker: 'docker {name}' requires at most {most} argument{'s' * (most != 1)}")


class _Count(UsageError):
    """Too few or too many words: docker says ``See`` where it else says ``Run``."""


def _usage(name: str, command: Command, message: str) -> Result:
    see = f"See 'docker {name} --help' for more information" if message.startswith("docker: ") else ""
    see = see or f"Run 'docker {name} --help' for more information"
    text = f"{message}\n\nUsage:  docker {command.usage}\n\n{see}\n"
    return Result(stderr=text.encode(), exit_code=command.failure)


def _help(command: Command) -> Result:
    """Say how a command is used, and which flags the lab has."""
    rows = [
        f"  {f'-{flag.short}, ' if flag.short else '    '}--{flag.name} {flag.takes}"
        for flag in command.flags
        if flag.modelled
    ]
    options = "".join(f"{row.rstrip()}\n" for row in rows)
    return Result(
        f"Usage:  docker {command.usage}\n{f'{chr(10)}Options:{chr(10)}{options}' if options else ''}".encode()
    )


def _unknown(name: str) -> Result:
    if not name:
        return Result(f"Usage:  docker COMMAND\n\nCommands: {', '.join(COMMANDS)}\n".encode())
    text = f"docker: unknown command: docker {name}\n\nRun 'docker --help' for more information\n"
    return Result(stderr=text.encode(), exit_code=1, hint=f"The lab has: {', '.join(COMMANDS)}.")


def _failed(name: str, command: Command, error: EngineError) -> Result:
    in_client = error.in_stream or (isinstance(error, InvalidReference) and command.failure == 125)
    daemon = "" if in_client else "Error response from daemon: "
    more = f"\n\nRun 'docker {name} --help' for more information" if command.prefix else ""
    code = error.exit_code if command.failure == 125 else command.failure
    return Result(stderr=f"{command.prefix}{daemon}{error}{more}\n".encode(), exit_code=code, hint=error.hint)


def _no_files(path: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory", path)


_LAST_SIGNAL: Final = 64

#: Flags that docker has and the lab does not have yet: with a value, and without.
_NOT_YET: Final = """
    add-host attach,a blkio-weight cap-add cap-drop cgroup-parent cpu-shares,c cpus cpuset-cpus device dns env-file
    expose group-add hostname,h ipc isolation label,l link log-driver mac-address memory,m memory-swap mount network
    oom-score-adj pid pids-limit platform publish,p pull restart runtime security-opt shm-size stop-signal stop-timeout
    sysctl tmpfs ulimit userns uts volume,v volumes-from
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


def _not_yet(word: str, takes: str) -> Flag:
    name, _, short = word.partition(",")
    return Flag(name=name, short=short, takes=takes, modelled=False)


_CREATE_FLAGS: Final = (
    Flag(name="name", takes="string"),
    Flag(name="env", short="e", takes="list"),
    Flag(name="workdir", short="w", takes="string"),
    Flag(name="entrypoint", takes="string"),
    Flag(name="user", short="u", takes="string"),
    Flag(name="rm"),
    *(_not_yet(word, "value") for word in _NOT_YET),
    *(_not_yet(word, "") for word in _NOT_YET_SWITCHES),
)

COMMANDS: Final[Mapping[str, Command]] = {
    "create": Command(
        usage="create [OPTIONS] IMAGE [COMMAND] [ARG...]", flags=_CREATE_FLAGS, run=_create, interspersed=False, needs=1
    ),
    "diff": Command(usage="diff CONTAINER", run=_diff, needs=1, most=1),
    "images": Command(
        usage="images [OPTIONS] [REPOSITORY[:TAG]]", flags=(Flag(name="quiet", short="q"),), run=_images, most=1
    ),
    "kill": Command(
        usage="kill [OPTIONS] CONTAINER [CONTAINER...]",
        flags=(Flag(name="signal", short="s", takes="string"),),
        run=_kill,
        needs=1,
    ),
    "load": Command(usage="load [OPTIONS]", flags=(Flag(name="input", short="i", takes="string"),), run=_load, most=0),
    "logs": Command(usage="logs [OPTIONS] CONTAINER", run=_logs, needs=1, most=1),
    "ps": Command(
        usage="ps [OPTIONS]", flags=(Flag(name="all", short="a"), Flag(name="quiet", short="q")), run=_ps, most=0
    ),
    "rm": Command(
        usage="rm [OPTIONS] CONTAINER [CONTAINER...]", flags=(Flag(name="force", short="f"),), run=_rm, needs=1
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
    "start": Command(usage="start [OPTIONS] CONTAINER [CONTAINER...]", run=_start, needs=1),
    "wait": Command(usage="wait CONTAINER [CONTAINER...]", run=_wait, needs=1),
}
