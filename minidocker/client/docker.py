"""docker's client: it finds the command that a line names, parses the words, and has it done.

The commands are in modules by what they are about; here is the one table of them.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from minidocker.client import containers, exec, images, inspect, networks, resources, run, running
from minidocker.client.command import Command, Result, check_count, failed, help_text, usage
from minidocker.client.flags import UsageError, parse
from minidocker.engine import Engine
from minidocker.errors import EngineError

__all__ = ["COMMANDS", "Docker", "ReadFile", "Result"]

#: How a file that a command names is read, by whoever runs the command: the lab or the command line.
ReadFile: TypeAlias = Callable[[str], bytes]

_MODULES: Final = (containers, exec, images, inspect, networks, resources, run, running)
COMMANDS: Final[Mapping[str, Command]] = dict(sorted(pair for module in _MODULES for pair in module.COMMANDS.items()))


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
            return help_text(command)
        try:
            parsed = parse(words[1:], command.flags, interspersed=command.interspersed)
            check_count(words[0], command, parsed)
            return command.run(self, parsed)
        except UsageError as error:
            return usage(words[0], command, str(error))
        except EngineError as error:
            return failed(words[0], command, error)


def _unknown(name: str) -> Result:
    if not name:
        return Result(f"Usage:  docker COMMAND\n\nCommands: {', '.join(COMMANDS)}\n".encode())
    text = f"docker: unknown command: docker {name}\n\nRun 'docker --help' for more information\n"
    return Result(stderr=text.encode(), exit_code=1, hint=f"The lab has: {', '.join(COMMANDS)}.")


def _no_files(path: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory", path)
