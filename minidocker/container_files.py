"""The three files that Docker writes for a container and binds over those of its image: hostname, hosts, resolv.conf.

They lie on the host's side, beside the layers, so that no image has to have them and no commit takes them along.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from minidocker.kernel import Files, Kernel
from minidocker.linux import MS_BIND, MS_RDONLY, MS_REC, O_CREAT, O_EXCL, O_TRUNC, O_WRONLY
from minidocker.mounts import Mount
from minidocker.programs import program_file
from minidocker.tree import make_directories, remove_tree

if TYPE_CHECKING:
    from minidocker.container import Container

#: Where Docker keeps what is a container's and no layer.
ROOT: Final = "/var/lib/docker/containers"

#: The init of --init: on the host, and where Docker binds it.
INIT: Final = "/var/lib/docker/docker-init"
IN_CONTAINER: Final = "/sbin/docker-init"

#: What moby's etchosts writes before a container's own line.
_HOSTS: Final = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)
_RESOLV_CONF: Final = "# There is no name server in the lab: a network of its own, with no way out.\n"

#: Name in the directory → path in the container.
_PATHS: Final = {"resolv.conf": "/etc/resolv.conf", "hostname": "/etc/hostname", "hosts": "/etc/hosts"}


def directory(container: "Container") -> str:
    """Return where a container's files are."""
    return f"{ROOT}/{container.id}"


def mounts(owner: "Container") -> list[Mount]:
    """Return the mounts that show the files of their owner in a container, where programs look for them."""
    return [
        Mount(source=f"{directory(owner)}/{name}", target=path, flags=MS_BIND | MS_REC) for name, path in _PATHS.items()
    ]


def init_mount(kernel: Kernel) -> Mount:
    """Return the mount that gives a container docker-init, the file of which is made when it is first asked for."""
    kernel.job(write_init, INIT)
    return Mount(source=INIT, target=IN_CONTAINER, flags=MS_BIND | MS_RDONLY)


def write_init(files: Files, path: str) -> None:
    """Write the file that runs docker-init, unless it is there (a job)."""
    make_directories(files, path.rpartition("/")[0])
    try:
        fd = files.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o755)
    except FileExistsError:
        return
    files.write(fd, program_file("docker-init"))
    files.close(fd)


def write(kernel: Kernel, container: "Container", address: str = "") -> None:
    """Write the files of a container that is about to start."""
    name = container.hostname
    domain = container.host_config.domainname
    names = f"{name}.{domain} {name}" if domain else name
    texts = {
        "hostname": f"{name}\n",
        "hosts": _HOSTS + (f"{address}\t{names}\n" if address else ""),
        "resolv.conf": _RESOLV_CONF,
    }
    kernel.job(write_all, directory(container), texts)


def write_all(files: Files, where: str, texts: Mapping[str, str]) -> None:
    """Write small files into a directory, which is made."""
    make_directories(files, where, 0o710)
    for name, text in texts.items():
        fd = files.open(f"{where}/{name}", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        files.write(fd, text.encode())
        files.close(fd)


def remove_all(files: Files, layer: str, where: str) -> None:
    """Remove a container's writable layer and its files, of which it has none if it was never started."""
    remove_tree(files, layer)
    with suppress(FileNotFoundError):
        remove_tree(files, where)
