"""docker inspect: what is known of containers and images, as JSON or by a template."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from minidocker import inspect
from minidocker.client.command import Command, Result, complaint
from minidocker.client.flags import Flag, Parsed
from minidocker.client.template import TemplateError, render
from minidocker.errors import EngineError, NotFound

if TYPE_CHECKING:
    from minidocker.client.docker import Docker


def _inspect(docker: "Docker", parsed: Parsed) -> Result:
    engine = docker.engine
    engine.pump()
    ways: dict[str, Callable[[str], dict[str, Any]]] = {
        "container": lambda name: inspect.of(engine, engine.find(name)),
        "image": lambda name: engine.images.inspect(engine.images.find(name)),
    }
    wanted = parsed.last("type")
    if wanted and wanted not in ways:
        refusal = f"minidocker does not have --type {wanted} yet; it does not pretend to\n"
        return Result(stderr=refusal.encode(), exit_code=1)
    chosen = [ways[wanted]] if wanted else list(ways.values())
    found, wrong = [], b""
    for name in parsed.words:
        try:
            found.append(_first(name, chosen))
        except EngineError as error:
            wrong += f"{complaint(error) if wanted else f'Error: No such object: {name}'}\n".encode()
    return _printed(found, wrong, parsed.last("format"))


def _first(name: str, ways: "list[Callable[[str], dict[str, Any]]]") -> dict[str, Any]:
    """Return what the first kind of object knows that has the name."""
    for way in ways[:-1]:
        try:
            return way(name)
        except NotFound:
            continue
    return ways[-1](name)


def _printed(found: list[dict[str, Any]], wrong: bytes, template: str) -> Result:
    code = 1 if wrong else 0
    if not template or template == "json":
        form: dict[str, Any] = {"indent": 4} if not template else {"separators": (",", ":")}
        text = json.dumps(found, ensure_ascii=False, **form) if found else "[]"
        return Result(f"{text}\n".encode(), wrong, code)
    lines = b""
    try:
        for value in found:
            lines += f"{render(template, value)}\n".encode()
    except TemplateError as error:
        return Result(b"" if error.exit_code == 64 else lines, f"{error}\n".encode(), error.exit_code)
    return Result(lines, wrong, code)


COMMANDS: Final[Mapping[str, Command]] = {
    "inspect": Command(
        usage="inspect [OPTIONS] NAME|ID [NAME|ID...]",
        flags=(
            Flag(name="format", short="f", takes="string"),
            Flag(name="type", takes="string"),
            Flag(name="size", short="s", modelled=False),
        ),
        run=_inspect,
        needs=1,
    ),
}
