"""docker exec."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from minidocker.client.command import Command, Result, complaint
from minidocker.client.flags import Flag, Parsed, check_environ
from minidocker.errors import EngineError
from minidocker.execs import ExecOptions

if TYPE_CHECKING:
    from minidocker.client.docker import Docker


def _exec(docker: "Docker", parsed: Parsed) -> Result:
    name, *argv = parsed.words
    options = ExecOptions(
        env=check_environ(parsed),
        user=parsed.last("user"),
        workdir=parsed.last("workdir"),
        privileged=parsed.has("privileged"),
    )
    container = docker.engine.find(name)
    try:
        process = docker.engine.exec(container, argv, options)
    except EngineError as error:
        return _refused(error, detached=parsed.has("detach"))
    if parsed.has("detach"):
        return Result()
    code = docker.engine.wait_exec(process)
    return Result(process.output("stdout"), process.output("stderr"), code)


def _refused(error: EngineError, *, detached: bool) -> Result:
    """Say why nothing runs. Once attached, the client prints what comes, be it runc's words, and ends with 126."""
    code = int(error.data.get("exit_code", error.exit_code))
    if detached or code != 126:
        return Result(stderr=f"{complaint(error)}\n".encode(), exit_code=1, hint=error.hint)
    return Result(f"{error}\n".encode(), exit_code=code, hint=error.hint)


#: Flags that docker has and the lab refuses.
_NOT_YET: Final = (
    Flag(name="interactive", short="i", modelled=False),
    Flag(name="tty", short="t", modelled=False),
    Flag(name="detach-keys", takes="string", modelled=False),
    Flag(name="env-file", takes="list", modelled=False),
)

COMMANDS: Final[Mapping[str, Command]] = {
    "exec": Command(
        usage="exec [OPTIONS] CONTAINER COMMAND [ARG...]",
        flags=(
            Flag(name="detach", short="d"),
            Flag(name="env", short="e", takes="list"),
            Flag(name="privileged"),
            Flag(name="user", short="u", takes="string"),
            Flag(name="workdir", short="w", takes="string"),
            *_NOT_YET,
        ),
        run=_exec,
        interspersed=False,
        needs=2,
    ),
}
