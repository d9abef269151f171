"""Overlay2: where Docker's storage driver keeps layers and mounts, and the one layer that it makes itself."""

from typing import Any, Final

from minidocker.kernel import Files
from minidocker.linux import O_CREAT, O_WRONLY
from minidocker.tree import make_directories

#: The driver's directory.
ROOT: Final = "/var/lib/docker/overlay2"

#: What is mounted between an image's layers and the writable one: mount points that an image need not have.
INIT: Final = f"{ROOT}/init/diff"

#: Said at every mount, because a host's own defaults differ (/sys/module/overlay/parameters).
OPTIONS: Final = ("index=off", "xino=off", "metacopy=off")

_DIRECTORIES: Final = ("dev", "etc", "proc", "sys")
_FILES: Final = (".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf")

#: How a trace names the init layer, and what it says of it.
INIT_ID: Final = "init"
INIT_TRACED: Final[dict[str, Any]] = {
    "name": "init",
    "digest": "",
    "created_by": "mount points, made by the engine",
    "bytes": 0,
    "entries": {
        **{f"/{name}": {"kind": "dir", "mode": 0o755, "uid": 0, "gid": 0} for name in _DIRECTORIES},
        **{f"/{name}": {"kind": "file", "mode": 0o755, "uid": 0, "gid": 0, "size": 0} for name in _FILES},
    },
    "complete": True,
}


def make_init(files: Files, root: str) -> None:
    """Make the init layer at a directory (moby's initlayer)."""
    for name in _DIRECTORIES:
        make_directories(files, f"{root}/{name}")
    for name in _FILES:
        files.close(files.open(f"{root}/{name}", O_WRONLY | O_CREAT, 0o755))
