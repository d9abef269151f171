"""Which file of a control group holds which limit: v1 and v2 side by side, one table for engine and lesson.

Version 1 has a hierarchy for each controller, version 2 one for all (cgroups(7)). What is written where is runc's
(libcontainer/cgroups, fs and fs2): Docker thinks in version 1, and version 2 gets it converted.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from minidocker.resources import PERIOD_US, Resources

#: The controllers that a container is put under, in v1 and in v2.
V1_CONTROLLERS: Final = ("cpu", "cpuacct", "cpuset", "memory", "pids", "freezer")
V2_CONTROLLERS: Final = ("cpu", "cpuset", "memory", "pids")

#: The group that all containers' groups lie in (docker's cgroupfs driver).
PARENT: Final = "docker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The hierarchies that a kernel shows. ``v1``: controller → where it is mounted; ``unified``: where v2 is.

    ``controllers`` are those that v2 can give to groups: on a hybrid host none of them, for v1 has them.
    """

    v1: Mapping[str, str] = field(default_factory=dict)
    unified: str = ""
    controllers: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """``"v2"``, ``"v1"``, ``"hybrid"`` (v1 with a v2 hierarchy beside it) or ``"none"``."""
        if self.v1:
            return "hybrid" if self.unified else "v1"
        return "v2" if self.unified else "none"

    def has(self, controller: str) -> bool:
        """Is there this controller?"""
        return controller in self.v1 or controller in self.controllers

    @property
    def roots(self) -> tuple[str, ...]:
        """Where a container gets a group: each hierarchy once. Freezing is v2's affair where there is a v2."""
        used = [root for name, root in self.v1.items() if not (name == "freezer" and self.unified)]
        return tuple(dict.fromkeys([*used, *([self.unified] if self.unified else [])]))

    def group(self, controller: str, container_id: str) -> str:
        """Return the directory of a container's group under a controller."""
        return f"{self.v1.get(controller, self.unified)}/{PARENT}/{container_id}"

    @property
    def freezes_by(self) -> str:
        """The file by which a group is frozen: ``cgroup.freeze``, or v1's ``freezer.state``; empty if by none."""
        return "cgroup.freeze" if self.unified else "freezer.state" if "freezer" in self.v1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: the flag that asks for it, and its controller, file and value."""

    flag: str
    controller: str
    file: str
    value: str


def parse_layout(mountinfo: str) -> Layout:
    """Return the hierarchies that /proc/PID/mountinfo shows, without those that something else is mounted over."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        target = before.split()[4]
        for hidden in [place for place in mounts if f"{place}/".startswith(f"{target}/")]:
            del mounts[hidden]
        fstype, _, options = after.split(" ", 2)
        mounts[target] = (fstype, options)
    v1 = {
        name: target
        for target, (fstype, options) in mounts.items()
        if fstype == "cgroup"
        for name in re.split(",| ", options)
        if name in V1_CONTROLLERS
    }
    unified = next((target for target, (fstype, _) in mounts.items() if fstype == "cgroup2"), "")
    return Layout(v1={name: v1[name] for name in V1_CONTROLLERS if name in v1}, unified=unified)


def limits(resources: Resources, version: int) -> list[Limit]:
    """Return what is written where for these resources, in v1's or v2's files, in the order of writing."""
    return [limit for of in _TABLES[version] for limit in of(resources)]


def files(resources: Resources, layout: Layout) -> list[Limit]:
    """Return what is written where on a kernel with this layout. What it cannot limit is not among it."""
    found = limits(resources, 1 if layout.v1 else 2)
    return [limit for limit in found if layout.has(limit.controller)]


def weight(shares: int) -> int:
    """Return v2's weight (1–10000) for v1's shares (2–262144), as runc up to 1.3 does: 1024 become 39.

    The scale is bent to the ends, not to the middle: what Docker gives everybody (1024) is less than v2's own 100.
    """
    return 1 + (shares - 2) * 9999 % (1 << 64) // 262142  # in Go's uint64: fewer than 2 become a number refused


# version 1


def _v1_cpuset(wanted: Resources) -> list[Limit]:
    return _one("--cpuset-cpus", "cpuset", "cpuset.cpus", wanted.cpuset_cpus)


def _v1_memory(wanted: Resources) -> list[Limit]:
    return [
        *_one("--memory", "memory", "memory.limit_in_bytes", wanted.memory),
        *_one("--memory-swap", "memory", "memory.memsw.limit_in_bytes", wanted.memory_swap),
        *_one("--memory-reservation", "memory", "memory.soft_limit_in_bytes", wanted.memory_reservation),
    ]


def _v1_cpu(wanted: Resources) -> list[Limit]:
    return [
        *_one("--cpu-shares", "cpu", "cpu.shares", wanted.cpu_shares),
        *_one(_period_flag(wanted), "cpu", "cpu.cfs_period_us", wanted.period_us),
        *_one(_quota_flag(wanted), "cpu", "cpu.cfs_quota_us", wanted.quota_us),
    ]


# version 2


def _v2_memory(wanted: Resources) -> list[Limit]:
    swap = ""
    if wanted.memory_swap:
        swap = _or_max(-1 if wanted.memory_swap < 0 else wanted.memory_swap - wanted.memory)
    return [
        *_one("--memory-swap", "memory", "memory.swap.max", swap),
        *_one("--memory", "memory", "memory.max", wanted.memory),
        *_one("--memory-reservation", "memory", "memory.low", wanted.memory_reservation),
    ]


def _v2_cpu(wanted: Resources) -> list[Limit]:
    quota, period = wanted.quota_us, wanted.period_us
    bandwidth = f"{quota if quota > 0 else 'max'} {period or PERIOD_US}" if quota or period else ""
    return [
        *_one("--cpu-shares", "cpu", "cpu.weight", weight(wanted.cpu_shares) if wanted.cpu_shares else 0),
        *_one(_quota_flag(wanted) if quota else _period_flag(wanted), "cpu", "cpu.max", bandwidth),
    ]


def _pids(wanted: Resources) -> list[Limit]:
    if wanted.pids_limit is None:
        return []
    return _one("--pids-limit", "pids", "pids.max", _or_max(wanted.pids_limit or -1))


def _or_max(number: int) -> str:
    return "max" if number < 0 else str(number)


def _period_flag(wanted: Resources) -> str:
    return "--cpus" if wanted.nano_cpus else "--cpu-period"


def _quota_flag(wanted: Resources) -> str:
    return "--cpus" if wanted.nano_cpus else "--cpu-quota"


def _one(flag: str, controller: str, file: str, value: int | str) -> list[Limit]:
    """Return the limit, or nothing if nothing was said."""
    return [Limit(flag=flag, controller=controller, file=file, value=str(value))] if value else []


_TABLES: Final[Mapping[int, tuple[Callable[[Resources], list[Limit]], ...]]] = {
    1: (_v1_cpuset, _v1_memory, _v1_cpu, _pids),
    2: (_pids, _v2_memory, _v2_cpu, _v1_cpuset),
}
