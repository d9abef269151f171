"""What is mounted in a container: the file systems that Docker gives it, and what of them it shall not see or change.

The table is that of Docker's default specification (moby, oci/defaults.go); a row is mount(2)'s arguments, the targets
as the container sees them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from minidocker.cgroup_files import PARENT
from minidocker.errors import InvalidParameter
from minidocker.linux import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, MS_STRICTATIME

if TYPE_CHECKING:
    from minidocker.cgroup_files import Layout
    from minidocker.host_config import HostConfig

_CGROUPS: Final = "/sys/fs/cgroup"
_SAFE: Final = MS_NOSUID | MS_NODEV | MS_NOEXEC
_DEV: Final = "mode=755,size=65536k"
SHM_BYTES: Final = 64 << 20

#: What a container cannot see: covered by /dev/null or an empty directory. What is not there is left out.
MASKED: Final = (
    "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
)  # fmt: skip
#: What it can read and not write.
READ_ONLY: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount(2). ``target`` is a path within the container."""

    source: str
    target: str
    fstype: str = ""
    flags: int = 0
    data: str = ""

    def to_json(self) -> list[Any]:
        """Return the arguments in mount's order."""
        return [self.source, self.target, self.fstype, self.flags, self.data]


def of(config: "HostConfig", *, shm: str = "", cgroups: "Sequence[Mount]" = (), rootless: bool = False) -> list[Mount]:
    """Return a container's mounts, in Docker's order. ``shm`` is a directory of the host's to be its /dev/shm."""
    readonly = 0 if config.privileged else MS_RDONLY
    pts = "newinstance,ptmxmode=0666,mode=0620" + ("" if rootless else ",gid=5")
    return [
        Mount(source="proc", target="/proc", fstype="proc", flags=_SAFE),
        Mount(
            source="tmpfs", target="/dev", fstype="tmpfs", flags=MS_NOSUID | MS_STRICTATIME, data="mode=755,size=65536k"
        ),
        Mount(source="devpts", target="/dev/pts", fstype="devpts", flags=MS_NOSUID | MS_NOEXEC, data=pts),
        _sys(config, rootless=rootless, readonly=readonly),
        *cgroups,
        Mount(source="mqueue", target="/dev/mqueue", fstype="mqueue", flags=_SAFE),
        *_shm(config, shm),
        *(_tmpfs(word) for word in config.tmpfs),
    ]


def cgroups(layout: "Layout", container_id: str, config: "HostConfig") -> Iterator[Mount]:
    """Yield the mounts that show a container its control groups, read-only unless it is privileged (runc).

    Version 2 is mounted anew: in a cgroup namespace of its own the container's group is the root. Of version 1 each
    hierarchy is; without such a namespace the group's directory is bound there, and the names above it are not seen.
    """
    flags = _SAFE | (0 if config.privileged else MS_RDONLY)
    private = config.cgroupns_mode == "private"
    if layout.kind == "v2":
        yield Mount(source="cgroup", target=_CGROUPS, fstype="cgroup2", flags=flags)
        return
    yield Mount(source="tmpfs", target=_CGROUPS, fstype="tmpfs", flags=_SAFE, data="mode=755")
    for root in dict.fromkeys(at for at in layout.v1.values() if at in layout.roots):
        target = f"{_CGROUPS}/{root.rpartition('/')[2]}"
        named = ",".join(name for name, at in layout.v1.items() if at == root)
        if private:
            yield Mount(source="cgroup", target=target, fstype="cgroup", flags=flags, data=named)
        else:
            yield Mount(source=f"{root}/{PARENT}/{container_id}", target=target, flags=flags | MS_BIND | MS_REC)


def _sys(config: "HostConfig", *, rootless: bool, readonly: int) -> Mount:
    """Mount a sysfs of the network namespace; where a user namespace does not own that one, bind the host's (runc)."""
    if rootless and config.network_mode == "host":
        return Mount(source="/sys", target="/sys", flags=MS_BIND | MS_REC)
    return Mount(source="sysfs", target="/sys", fstype="sysfs", flags=_SAFE | readonly)


def _shm(config: "HostConfig", shm: str) -> Iterator[Mount]:
    if shm:
        yield Mount(source=shm, target="/dev/shm", flags=MS_BIND)
    elif config.ipc_mode != "none":
        yield Mount(source="shm", target="/dev/shm", fstype="tmpfs", flags=_SAFE, data=f"mode=1777,size={SHM_BYTES}")


_TMPFS_FLAGS: Final = {"ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}
_TMPFS_UNSET: Final = {"rw": MS_RDONLY, "suid": MS_NOSUID, "exec": MS_NOEXEC}
_TMPFS_VALUES: Final = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol")


def _tmpfs(word: str) -> Mount:
    """Return the mount of ``--tmpfs /path:options``; InvalidParameter in Docker's words."""
    target, _, options = word.partition(":")
    if not target.startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{target}' mount path must be absolute")
    flags, data = _SAFE, []
    for option in filter(None, options.split(",")):
        if option in _TMPFS_FLAGS:
            flags |= _TMPFS_FLAGS[option]
        elif option in _TMPFS_UNSET:
            flags &= ~_TMPFS_UNSET[option]
        elif option.partition("=")[0] in _TMPFS_VALUES and "=" in option:
            data.append(option)
        elif option == "dev":
            raise InvalidParameter("minidocker does not have --tmpfs with dev; it does not pretend to")
        else:
            raise InvalidParameter(f'invalid tmpfs option "{option}"')
    return Mount(source="tmpfs", target=target, fstype="tmpfs", flags=flags, data=",".join(data))


def check(tmpfs: Sequence[str]) -> None:
    """Refuse what ``--tmpfs`` cannot be."""
    for word in tmpfs:
        _tmpfs(word)
