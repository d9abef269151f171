"""Create: what a container will be, out of an image's configuration and what the command says."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from minidocker.errors import InvalidParameter
from minidocker.host_config import HostConfig
from minidocker.image import Image

DEFAULT_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: What a container may be called (moby, daemon/names).
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What ``docker run`` and ``docker create`` are told besides image and command."""

    name: str = ""
    env: tuple[str, ...] = ()
    workdir: str = ""
    entrypoint: str | None = None
    user: str = ""
    auto_remove: bool = False
    host_config: HostConfig = field(default_factory=HostConfig)


def check_name(name: str) -> str:
    """Return a container's name, or refuse it."""
    if not _NAME.fullmatch(name):
        raise InvalidParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return name


def working_dir(image: Image, workdir: str) -> str:
    """Return the directory in which the program starts: the command's, else the image's, else the root."""
    if workdir and not workdir.startswith("/"):
        raise InvalidParameter(f"the working directory '{workdir}' is invalid, it needs to be an absolute path")
    return posixpath.normpath(workdir or image.config.working_dir or "/")


def argv_of(image: Image, command: Sequence[str], entrypoint: str | None) -> tuple[str, ...]:
    """Return what runs: the entrypoint with the command behind it (docker run, ENTRYPOINT and CMD)."""
    argv = (*entrypoint_of(image, entrypoint), *cmd_of(image, command, entrypoint))
    if not argv:
        raise InvalidParameter("no command specified", hint="The image has no CMD: say what to run after its name.")
    return argv


def entrypoint_of(image: Image, entrypoint: str | None) -> tuple[str, ...]:
    """Return the first words of what runs: the command's, of which an empty one is none, else the image's."""
    if entrypoint is None:
        return image.config.entrypoint
    return (entrypoint,) if entrypoint else ()


def cmd_of(image: Image, command: Sequence[str], entrypoint: str | None) -> tuple[str, ...]:
    """Return the words after the entrypoint; the image's count only with the image's own entrypoint."""
    return tuple(command) or (image.config.cmd if entrypoint is None else ())


def environ_of(image: Image, hostname: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return the environment: the image's, HOSTNAME, and what the command gives; a later name replaces an earlier."""
    base = list(image.config.env)
    if not any(pair.startswith("PATH=") for pair in base):
        base.insert(0, DEFAULT_PATH)
    return with_environ((*base, f"HOSTNAME={hostname}"), given)


def with_environ(base: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """Return an environment with more in it: a later name replaces an earlier, a name without a value is left out."""
    values: dict[str, str] = {}
    for pair in (*base, *given):
        name, equals, value = pair.partition("=")
        if equals:
            values[name] = value
    return tuple(f"{name}={value}" for name, value in values.items())
