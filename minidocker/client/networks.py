"""docker network: ls and inspect. Networks of one's own come later."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from minidocker.client.command import Command, Result, check_count, complaint, usage
from minidocker.client.flags import Flag, Parsed, UsageError, parse
from minidocker.client.table import table
from minidocker.errors import NoSuchNetwork
from minidocker.network_settings import DRIVERS, id_of

if TYPE_CHECKING:
    from minidocker.client.docker import Docker

#: What docker has and the lab does not have yet.
_NOT_YET: Final = ("connect", "create", "disconnect", "prune", "rm")


def _network(docker: "Docker", parsed: Parsed) -> Result:
    """Run ``docker network COMMAND``."""
    name, *words = parsed.words or [""]
    command = _COMMANDS.get(name)
    if name in _NOT_YET:
        return Result(
            stderr=f"minidocker does not have docker network {name} yet; it does not pretend to\n".encode(), exit_code=1
        )
    if not command:
        return _unknown(name)
    try:
        given = parse(words, command.flags)
        check_count(f"network {name}", command, given)
        return command.run(docker, given)
    except UsageError as error:
        return usage(f"network {name}", command, str(error))


def _unknown(name: str) -> Result:
    if not name:
        return Result(f"Usage:  docker network COMMAND\n\nCommands: {', '.join(sorted(_COMMANDS))}\n".encode())
    text = f"docker: unknown command: docker network {name}\n\nRun 'docker network --help' for more information\n"
    return Result(stderr=text.encode(), exit_code=1, hint=f"The lab has: {', '.join(sorted(_COMMANDS))}.")


def _ls(_docker: "Docker", parsed: Parsed) -> Result:
    digits = 64 if parsed.has("no-trunc") else 12
    rows = [(id_of("network", name)[:digits], name, driver, "local") for name, driver in sorted(DRIVERS.items())]
    if parsed.has("quiet"):
        return Result("".join(f"{row[0]}\n" for row in rows).encode())
    return Result(table(("NETWORK ID", "NAME", "DRIVER", "SCOPE"), rows).encode())


def _inspect(docker: "Docker", parsed: Parsed) -> Result:
    found, result = [], Result()
    for name in parsed.words:
        try:
            found.append(docker.engine.network.inspect(name))
        except NoSuchNetwork as error:
            result.stderr += f"{complaint(error)}\n".encode()
            result.exit_code = 1
    result.stdout = (json.dumps(found, indent=4) + "\n").encode()
    return result


_COMMANDS: Final[Mapping[str, Command]] = {
    "ls": Command(
        usage="network ls [OPTIONS]", flags=(Flag(name="quiet", short="q"), Flag(name="no-trunc")), run=_ls, most=0
    ),
    "inspect": Command(usage="network inspect [OPTIONS] NETWORK [NETWORK...]", run=_inspect, needs=1),
}
COMMANDS: Final[Mapping[str, Command]] = {
    "network": Command(usage="network COMMAND", run=_network, interspersed=False),
}
