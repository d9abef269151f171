"""docker's commands on images: images, load."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from minidocker import humans
from minidocker.client.command import Command, Result
from minidocker.client.flags import Flag, Parsed, UsageError
from minidocker.client.table import table
from minidocker.image import Image

if TYPE_CHECKING:
    from minidocker.client.docker import Docker


def _images(docker: "Docker", parsed: Parsed) -> Result:
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
            f"{humans.ago(now, _created_ns(s.image))} ago",
            humans.size(s.size),
        )
        for s in lines
    ]
    return Result(table(("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"), cells).encode())


def _load(docker: "Docker", parsed: Parsed) -> Result:
    path = parsed.last("input")
    if not path:
        raise UsageError("requested load from stdin, but stdin is empty")
    try:
        data = docker.read_file(path)
    except OSError as error:
        return Result(stderr=f"open {path}: {(error.strerror or str(error)).lower()}\n".encode(), exit_code=1)
    return Result("".join(f"{line}\n" for line in docker.engine.images.load(data)).encode())


def _created_ns(image: Image) -> int:
    """Return when an image was made; its config says so in ISO 8601, to the nanosecond."""
    seconds, _, fraction = image.created.removesuffix("Z").partition(".")
    try:
        made = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(made.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0")[:9])


COMMANDS: Final[Mapping[str, Command]] = {
    "images": Command(
        usage="images [OPTIONS] [REPOSITORY[:TAG]]", flags=(Flag(name="quiet", short="q"),), run=_images, most=1
    ),
    "load": Command(usage="load [OPTIONS]", flags=(Flag(name="input", short="i", takes="string"),), run=_load, most=0),
}
