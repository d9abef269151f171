"""Hierarchies: trees of control groups, and which controllers each has (cgroups(7)).

Version 2 has one hierarchy, whose number is 0 and which always exists. In version 1 whoever mounts a controller that
has no hierarchy yet makes one; mounted once more it is the same tree. It stays when it is unmounted. A controller is in
one hierarchy at a time, so what version 1 uses version 2 has not: the *hybrid* layout. With which one a host boots says
``Profile.cgroups``.
"""

import errno
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Final

from minidocker.linux import fail
from minidocker.sim.cgroup import cpu, cpuacct, cpuset, freezer, memory_v1, memory_v2, pids
from minidocker.sim.cgroup.controller import Controller
from minidocker.sim.cgroup.group import Cgroup
from minidocker.sim.cgroup.membership import refresh, refresh_tree
from minidocker.sim.cgroup.memory import Memory
from minidocker.sim.cgroup.usage import Usage

if TYPE_CHECKING:
    from minidocker.sim.cgroup.filesystem import CgroupFs
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.task import Task

_MEMORY: Final = Controller(name="memory", make=Memory, v1=memory_v1.FILES, v2=memory_v2.FILES, threaded=False)
#: The controllers that are modelled, in the kernel's order (linux/cgroup_subsys.h).
CONTROLLERS: Final[Mapping[str, Controller]] = {
    controller.name: controller
    for controller in (
        cpuset.CONTROLLER, cpu.CONTROLLER, cpuacct.CONTROLLER, _MEMORY, freezer.CONTROLLER, pids.CONTROLLER,
    )
}  # fmt: skip


class Hierarchy:
    """One tree of groups. ``controllers`` are its own, by name; ``name`` is what ``name=`` gave a v1 one."""

    SWITCHES: ClassVar = (
        "nsdelegate", "favordynmods", "memory_localevents", "memory_recursiveprot", "pids_localevents",
    )  # fmt: skip

    def __init__(self, kernel: "SimKernel", number: int, controllers: Sequence[str], name: str = "") -> None:
        """Start with a root group that has all the controllers."""
        self.kernel = kernel
        self.number = number
        self.name = name
        self.switches: list[str] = []
        """The mount options of version 2 that are on: they are the whole hierarchy's."""
        self.superblock: CgroupFs | None = None
        """Its file system, from its first mount on."""
        self._numbers = count(1)
        self.controllers: dict[str, Controller] = {name: CONTROLLERS[name] for name in controllers}
        self.root = Cgroup(self, "", None)
        for controller in controllers:
            self.root.switch_on(controller)

    @property
    def is_v2(self) -> bool:
        """Is it the hierarchy of version 2?"""
        return self.number == 0

    def next_number(self) -> int:
        """Return a number for a group (cgroup.stat's is not shown; inode numbers are made of it)."""
        return next(self._numbers)

    def new_usage(self) -> "Usage | None":
        """Return a count of processor time for a group: in v2 each group has one, in v1 those of cpuacct."""
        counted = self.is_v2 or "cpuacct" in self.controllers
        return Usage(self.kernel.profile.cpus) if counted else None

    @property
    def known(self) -> list[str]:
        """The controllers whose names cgroup.subtree_control knows, be they in use elsewhere or not."""
        return [name for name, controller in CONTROLLERS.items() if controller.v2]

    def refresh_tree(self, group: Cgroup) -> None:
        """Let the tasks of a group and of those below notice what was changed there."""
        refresh_tree(group)

    def options(self) -> list[str]:
        """Return the options of its mounts as /proc/mounts lists them."""
        return list(self.switches) if self.is_v2 else self.title().split(",")

    def title(self) -> str:
        """Return what ``/proc/PID/cgroup`` calls it: ``cpu,cpuacct``, ``name=systemd``, or nothing for v2."""
        named = [f"name={self.name}"] if self.name else []
        return "" if self.is_v2 else ",".join([*self.controllers, *named])


class ControlGroups:
    """All hierarchies of a kernel. ``v2_seen``: was version 2 ever mounted? Only then ``/proc`` tells of it."""

    names = tuple(CONTROLLERS)

    def __init__(self, kernel: "SimKernel") -> None:
        """Start with version 2 alone, which has every controller that it can have."""
        self.kernel = kernel
        self.v2 = Hierarchy(kernel, 0, [name for name, controller in CONTROLLERS.items() if controller.v2])
        self.by_number: dict[int, Hierarchy] = {0: self.v2}
        self.v2_seen = False
        kernel.scheduler.root = self.v2.root.states["cpu"]

    def known(self, controllers: Sequence[str], name: str) -> Hierarchy | None:
        """Return the v1 hierarchy that has just these controllers, or this name; EBUSY if they do not fit together."""
        for hierarchy in self.by_number.values():
            if hierarchy.is_v2:
                continue
            same = list(hierarchy.controllers) == list(controllers)
            if name and hierarchy.name == name:
                return hierarchy if same or not controllers else fail(errno.EBUSY)
            if not name and same:
                return hierarchy
        return None

    def find(self, controllers: Sequence[str], name: str) -> Hierarchy:
        """Return the v1 hierarchy that has just these controllers and this name, made if they are free (EBUSY)."""
        return self.known(controllers, name) or self._new(controllers, name)

    def _new(self, controllers: Sequence[str], name: str) -> Hierarchy:
        for controller in controllers:
            used = any(controller in one.controllers for one in self.by_number.values() if not one.is_v2)
            if used or any(controller in group.states for group in self.v2.root.tree() if group.parent):
                fail(errno.EBUSY)  # rebind_subsystems(): a controller moves only while no group but the root has it
        for task in self.kernel.host.ns.pid.tasks.values():
            self.kernel.scheduler.unready(task)
        for controller in controllers:
            self.v2.root.switch_off(controller)
            self.v2.root.subtree_control.discard(controller)
            self.v2.controllers.pop(controller, None)
        hierarchy = Hierarchy(self.kernel, max(self.by_number) + 1, controllers, name)
        self.by_number[hierarchy.number] = hierarchy
        if "cpu" in controllers:
            self.kernel.scheduler.root = hierarchy.root.states["cpu"]
        for task in self.kernel.host.ns.pid.tasks.values():
            task.cgroups = {**task.cgroups, hierarchy.number: hierarchy.root}
            hierarchy.root.add(task)
            refresh(task)
            self.kernel.scheduler.ready(task)
        return hierarchy

    def of(self, controller: str) -> Hierarchy | None:
        """Return the hierarchy that has a controller."""
        for hierarchy in self.by_number.values():
            if controller in hierarchy.controllers:
                return hierarchy
        return None

    def state(self, task: "Task", controller: str) -> object:
        """Return a controller's state that counts for a task, None if no hierarchy has the controller."""
        hierarchy = self.of(controller)
        return task.cgroups[hierarchy.number].effective(controller) if hierarchy else None
