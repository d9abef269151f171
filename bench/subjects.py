"""What is measured: images made here, hosts on each kernel, and the rights that a measurement needs."""

import pathlib
import shutil
import tarfile
from collections.abc import Iterable

from bench.measure import MissingRightError
from minidocker.client.docker import Docker
from tests import rights
from tests.archive_builder import config, docker_files, entry, tar, tar_of_files

BUSYBOX = "/bin/busybox"

IMAGE = "busybox:minidocker-bench"
"""The name of the image of the machine's own busybox."""

LIMITS = ("--memory", "64m", "--pids-limit", "64")
"""The limits of each container that is measured; a network, an address and all namespaces it has by itself."""


def need(*names: str) -> None:
    """Raise MissingRightError unless this machine has all of the rights (tests/rights.py)."""
    for name in names:
        if why := rights.missing(name):
            raise MissingRightError(f"{name}: {why}")


def busybox() -> bytes:
    """The machine's own busybox, which must be static: it runs with no library beside it."""
    return pathlib.Path(shutil.which("busybox") or BUSYBOX).read_bytes()


def busybox_layer() -> bytes:
    """A layer of busybox, with links to it by the names of its programs."""
    directories = [entry(name) for name in ("bin", "dev", "proc", "sys", "tmp")]
    links = [entry(f"bin/{name}", "busybox") for name in ("true", "sleep")]
    return tar([*directories, entry("bin/busybox", busybox(), mode=0o755), *links])


def many_files_layer(count: int, size: int = 1000) -> bytes:
    """A layer of ``count`` files of ``size`` bytes, a hundred to a directory, no two alike."""
    return tar(_many(count, size))


def _many(count: int, size: int) -> Iterable[tuple[tarfile.TarInfo, bytes | None]]:
    for number in range(count):
        if number % 100 == 0:
            yield entry(f"d{number // 100:03}")
        yield entry(f"d{number // 100:03}/f{number:05}", f"{number:08}".encode() * (size // 8))


def archive(layers: list[bytes], tag: str) -> bytes:
    """What `docker save` would write of an image of these layers."""
    return tar_of_files(docker_files(layers, [tag], config(layers)))


def busybox_image() -> bytes:
    """An image of it, as `docker save` would write it."""
    return archive([busybox_layer()], IMAGE)


def must(docker: Docker, *words: str) -> str:
    """Run one of docker's commands, which must not fail; return its output."""
    result = docker(words)
    assert result.exit_code == 0, f"docker {' '.join(words)}: {result.stderr.decode()}"
    return result.stdout.decode().strip()
