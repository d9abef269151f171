"""Command: what a docker command is to the client: how it is used, its flags, what it does, and how it fails.

Errors end like docker's own: message on standard error, exit code 125 for ``run`` (126 and 127 when it is the program's
fault), 1 for all else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minidocker.client.flags import Flag, Parsed, UsageError
from minidocker.errors import EngineError, InvalidReference

if TYPE_CHECKING:
    from minidocker.client.docker import Docker


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


def each(parsed: Parsed, do: Callable[[str], int | str | None], *, failure: str = "") -> Result:
    """Do a command to each container named, and print its name or what came of it; go on where one fails (exit 1).

    ``failure`` is what the client says in the end of those with which it failed.
    """
    result = Result()
    wrong = []
    for name in parsed.words:
        try:
            came = do(name)
        except EngineError as error:
            result.stderr += f"{complaint(error)}\n".encode()
            result.exit_code, result.hint = 1, error.hint or result.hint
            wrong.append(name)
        else:
            result.stdout += f"{name if came is None else came}\n".encode()
    if failure and wrong:
        result.stderr += f"Error: {failure}: {', '.join(wrong)}\n".encode()
    return result


def complaint(error: EngineError) -> str:
    """Return an error as docker's client prints it: most come from the daemon."""
    return str(error) if error.in_stream else f"Error response from daemon: {error}"


def failed(name: str, command: Command, error: EngineError) -> Result:
    """Return what a command prints and exits with when the engine refuses."""
    in_client = isinstance(error, InvalidReference) and command.failure == 125
    words = str(error) if in_client else complaint(error)
    more = f"\n\nRun 'docker {name} --help' for more information" if command.prefix else ""
    code = error.exit_code if command.failure == 125 else command.failure
    return Result(stderr=f"{command.prefix}{words}{more}\n".encode(), exit_code=code, hint=error.hint)


def check_count(name: str, command: Command, parsed: Parsed) -> None:
    """Raise UsageError if a command was given too few or too many words."""
    count, needs, most = len(parsed.words), command.needs, command.most
    if most == needs and count != needs:
        raise _Count(f"docker: 'docker {name}' requires {needs or 'no'} argument{'s' * (needs != 1)}")
    if count < needs:
        raise _Count(f"docker: 'docker {name}' requires at least {needs} argument{'s' * (needs != 1)}")
    if most is not None and count > most:
        raise _Count(f"docker: 'docker {name}' requires at most {most} argument{'s' * (most != 1)}")


class _Count(UsageError):
    """Too few or too many words: docker says ``See`` where it else says ``Run``."""


def usage(name: str, command: Command, message: str) -> Result:
    """Return what a command says whose words don't fit."""
    see = f"See 'docker {name} --help' for more information" if message.startswith("docker: ") else ""
    see = see or f"Run 'docker {name} --help' for more information"
    text = f"{message}\n\nUsage:  docker {command.usage}\n\n{see}\n"
    return Result(stderr=text.encode(), exit_code=command.failure)


def help_text(command: Command) -> Result:
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
