"""What is measured: images made here, hosts on each kernel, and the rights that a peer needs."""

import os
import pathlib
import shutil
import tarfile
from collections.abc import Iterable

from bench.measure import MissingRightError
from minidocker.engine import Engine
from minidocker.kernel import Kernel
from tests.archive_builder import config, docker_files, entry, tar, tar_of_files

BUSYBOX = "/bin/busybox"


def need_root(*commands: str) -> None:
    """Raise MissingRightError unless this is root on Linux and the commands are there."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise MissingRightError("root")
    for command in commands:
        if not shutil.which(command):
            raise MissingRightError(f"{command} is not installed")


def chromium() -> str | None:
    """The path of a Chromium, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("MINIDOCKER_CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)


def need_chromium() -> None:
    """Raise MissingRightError unless there is a Chromium."""
    if not chromium():
        raise MissingRightError("no Chromium is installed")


def busybox() -> bytes:
    """The machine's own busybox, which must be static: it runs with no library beside it."""
    return pathlib.Path(shutil.which("busybox") or BUSYBOX).read_bytes()


def busybox_layer() -> bytes:
    """A layer of busybox and a `true` that is a link to it."""
    directories = [entry(name) for name in ("bin", "dev", "proc", "sys", "tmp")]
    return tar([*directories, entry("bin/busybox", busybox(), mode=0o755), entry("bin/true", "busybox")])


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


def engine(kernel: Kernel) -> Engine:
    """An engine that nobody listens to."""
    return Engine(kernel)
