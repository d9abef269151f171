"""What a simulated host is like. The probe of the real side can write one, so that like is compared with like."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from minidocker.linux import ALL_CAPABILITIES

#: Ids of a user namespace: the first one inside, the first outside, and how many (user_namespaces(7), uid_map).
IdRange: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayDefaults:
    """Overlayfs's module parameters: what a mount option that is not given is (``/sys/module/overlay/parameters``)."""

    redirect_dir: str = "off"
    redirect_always_follow: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A simulated host: kernel, machine, disk and overlayfs's defaults."""

    release: str = "6.18"
    machine: str = "x86_64"
    hostname: str = "host"
    rootless: bool = False
    """Is the host's side root in a user namespace only? Then the next four say what is mapped."""
    uid_map: tuple[IdRange, ...] = ((0, 1000, 1),)
    gid_map: tuple[IdRange, ...] = ((0, 1000, 1),)
    setgroups: bool = False
    """May setgroups(2) be called in it?"""
    groups: tuple[int, ...] = ()
    """The supplementary groups of whoever runs the lab, as seen in it."""
    capabilities: int = ALL_CAPABILITIES
    """What root has, and can give at most: all, unless whoever started this host took some (its bounding set)."""
    overlay: OverlayDefaults = field(default_factory=OverlayDefaults)
    protected_hardlinks: bool = True
    """fs.protected_hardlinks (proc_sys_fs(5))."""
    protected_regular: int = 0
    """fs.protected_regular: may O_CREAT open what somebody else has made in a sticky directory?"""
    protected_fifos: int = 0
    """fs.protected_fifos: the same for fifos."""
    cgroups: str = "v2"
    """Where control groups are mounted at the start: ``"v2"``, ``"v1"``, ``"hybrid"`` or ``"none"``."""
    cpus: int = 2
    """How many processors there are."""
    memory_bytes: int = 1 << 33
    """How much memory there is, of which tasks map theirs."""
    disk_bytes: int = 1 << 30
    """Size of the root file system, of which written pages take room and holes do not."""
    boot_ns: int = 1_700_000_000_000_000_000
    """The virtual time of day at which the kernel starts, in nanoseconds since 1970."""

    pseudo: tuple[str, ...] = (
        "/proc/acpi/", "/proc/bus/", "/proc/fs/", "/proc/irq/", "/proc/keys", "/proc/timer_list", "/sys/firmware/",
    )  # fmt: skip
    """What there is in /proc and /sys of the things that a container is denied; a slash ends a directory's name."""

    def at_least(self, *version: int) -> bool:
        """Is the kernel of this version (``6, 2``) or newer?"""
        found = re.match(r"(\d+)\.(\d+)", self.release)
        return found is None or tuple(map(int, found.groups())) >= version

    @classmethod
    def like(cls, description: Mapping[str, Any]) -> "Profile":
        """Return a profile of the kind that a real kernel's description is of (``real.probe.describe``)."""
        names = ("release", "machine", "rootless", "capabilities", "cgroups")
        same = {name: description[name] for name in names if name in description}
        if "pseudo" in description:
            same["pseudo"] = tuple(description["pseudo"])
        ids = description.get("ids") or {}
        for name in ("uid_map", "gid_map"):
            if name in ids:
                same[name] = tuple(tuple(entry) for entry in ids[name])
        return cls(**same, setgroups=bool(ids.get("setgroups")), groups=tuple(ids.get("groups", ())))
