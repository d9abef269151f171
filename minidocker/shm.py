"""Shm: the /dev/shm of a container whose IPC others may join (docker run --ipc shareable).

POSIX shared memory is files of a tmpfs (shm_overview(7)), not the IPC namespace's affair. To be shared it must be
mounted where the daemon can bind it into another container: beside the container's files, as moby does.
"""

from typing import TYPE_CHECKING, Final

from minidocker import container_files
from minidocker.linux import MS_NODEV, MS_NOEXEC, MS_NOSUID
from minidocker.mounts import SHM_BYTES
from minidocker.namespaces import other
from minidocker.tree import make_directories

if TYPE_CHECKING:
    from minidocker.container import Container
    from minidocker.engine import Engine

_SHAREABLE: Final = "shareable"


def directory(container: "Container") -> str:
    """Return where the daemon has a container's shared memory."""
    return f"{container_files.directory(container)}/mounts/shm"


def prepare(engine: "Engine", container: "Container") -> str:
    """Return the directory that becomes a container's /dev/shm, made if it is its own; none if init mounts one."""
    mode = container.host_config.ipc_mode
    if mode == _SHAREABLE:
        engine.kernel.job(make_directories, directory(container))
        flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
        engine.kernel.mount("shm", directory(container), "tmpfs", flags, f"mode=1777,size={SHM_BYTES}")
        return directory(container)
    name = other(mode)
    return directory(engine.find(name)) if name and engine.find(name).host_config.ipc_mode == _SHAREABLE else ""


def mounted(container: "Container") -> list[str]:
    """Return where a container's own is mounted, to be let go of; who has joined keeps it for as long as it runs."""
    return [directory(container)] if container.host_config.ipc_mode == _SHAREABLE else []
