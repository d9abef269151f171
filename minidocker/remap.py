"""Remap: containers whose root is nobody outside (dockerd --userns-remap, user_namespaces(7)).

Each container has a user namespace: its ids from 0 on are the host's from ``first`` on. What root in it may do counts
only for what belongs to that namespace. The image's files must belong to those ids, too: layers are unpacked so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from minidocker.errors import InvalidParameter
from minidocker.kernel import Files, Kernel
from minidocker.linux import O_CLOEXEC, O_WRONLY, S_IFDIR, S_IFLNK, S_IFMT
from minidocker.namespaces import other
from minidocker.tree import make_directories

if TYPE_CHECKING:
    from minidocker.host_config import HostConfig

#: Where the daemon's directories are: others than root must be able to pass through.
_WAY: Final = ("/var/lib/docker", "/var/lib/docker/containers")
_SETID: Final = 0o6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Remap:
    """Which of the host's ids a container's are; Docker's user ``dockremap`` has these, too."""

    first: int = 100_000
    count: int = 65_536

    def prepare(self, kernel: Kernel) -> None:
        """Let container's root pass through the daemon's directory, which it can neither list nor write."""
        kernel.job(open_way, list(_WAY))

    def give(self, kernel: Kernel, path: str) -> None:
        """Give a tree of the host's root to root of a container."""
        kernel.job(shift_tree, path, self.first)

    def write_maps(self, kernel: Kernel, pid: int) -> None:
        """Write the maps of a new user namespace: once, from outside, before anything else is done in it."""
        for name in ("gid_map", "uid_map"):
            fd = kernel.open(f"/proc/{pid}/{name}", O_WRONLY | O_CLOEXEC)
            try:
                kernel.write(fd, f"0 {self.first} {self.count}\n".encode())
            finally:
                kernel.close(fd)


def check(config: "HostConfig") -> None:
    """Refuse what does not go together with a user namespace, in Docker's words where Docker refuses it, too."""
    if config.privileged:
        raise InvalidParameter(
            "privileged mode is incompatible with user namespaces.  "
            "You must run the container in the host namespace when running privileged mode"
        )
    if config.network_mode == "host":
        raise InvalidParameter("cannot share the host's network namespace when user namespaces are enabled")
    if config.pid_mode == "host":
        raise InvalidParameter("cannot share the host PID namespace when user namespaces are enabled")
    for mode in (config.pid_mode, config.network_mode, config.ipc_mode):
        if other(mode):
            raise InvalidParameter(f"minidocker does not join {mode} with userns-remap; it does not pretend to")


def open_way(files: Files, paths: Sequence[str]) -> None:
    """Let others pass through directories, made if they are missing (a job)."""
    for path in paths:
        make_directories(files, path)
        files.chmod(path, 0o711)


def shift_tree(files: Files, path: str, first: int) -> None:
    """Add ``first`` to the owners of a directory and all in it, but for what has had it added already (a job)."""
    stat = files.lstat(path)
    if stat.st_uid < first:
        files.lchown(path, stat.st_uid + first, stat.st_gid + first)
        if stat.st_mode & _SETID and stat.st_mode & S_IFMT != S_IFLNK:
            files.chmod(path, stat.st_mode & 0o7777)  # a change of owner has taken these bits away
    if stat.st_mode & S_IFMT == S_IFDIR:
        for name in files.listdir(path):
            shift_tree(files, f"{path}/{name}", first)
