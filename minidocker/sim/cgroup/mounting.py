"""mount(2) of cgroupfs: types ``cgroup2``, and ``cgroup`` with the controllers of a v1 hierarchy (cgroups(7))."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import MS_NODEV, MS_NOEXEC, MS_NOSUID, fail
from minidocker.sim.cgroup.filesystem import CgroupFs
from minidocker.sim.cgroup.hierarchy import CONTROLLERS, Hierarchy
from minidocker.sim.cgroup.namespace import is_first
from minidocker.sim.mount import register

if TYPE_CHECKING:
    from minidocker.sim.inode import SuperBlock
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

#: Where control groups are, on every host.
PLACE: Final = "/sys/fs/cgroup"
_FLAGS: Final = MS_NOSUID | MS_NODEV | MS_NOEXEC


def mount_v2(task: "Task", source: str, data: str, readonly: bool) -> "SuperBlock":
    """Return version 2's file system; the options are switches of the whole hierarchy, EINVAL for others."""
    groups = task.kernel.cgroups
    options = [option for option in data.split(",") if option]
    for option in options:
        if option not in Hierarchy.SWITCHES:
            fail(errno.EINVAL)
    if is_first(task.ns.cgroup):
        groups.v2.switches = [name for name in Hierarchy.SWITCHES if name in options]
    groups.v2_seen = True
    return _superblock(groups.v2, source)


def mount_v1(task: "Task", source: str, data: str, readonly: bool) -> "SuperBlock":
    """Return a v1 hierarchy's file system, made if its controllers are free.

    EINVAL for an unknown option, for no controller and no name, EBUSY for controllers that are used otherwise, EPERM
    for a new hierarchy from within a cgroup namespace.
    """
    controllers, name = _parse(data)
    groups = task.kernel.cgroups
    if not is_first(task.ns.cgroup) and groups.known(controllers, name) is None:
        fail(errno.EPERM)
    return _superblock(groups.find(controllers, name), source)


def _parse(data: str) -> tuple[list[str], str]:
    """Return the controllers, in the kernel's order, and the name; no option at all means every controller."""
    chosen, name, none = set(), "", False
    for option in filter(None, data.split(",")):
        key, _, value = option.partition("=")
        if option == "none":
            none = True
        elif option == "all":
            chosen.update(_V1)
        elif option in _V1:
            chosen.add(option)
        elif key == "name" and value and len(value) < 64:
            name = value
        elif option not in ("noprefix", "xattr", "clone_children", "cpuset_v2_mode", "favordynmods"):
            fail(errno.EINVAL)
    if not chosen and not none and not name:
        chosen.update(_V1)
    if (none and chosen) or not (chosen or name):
        fail(errno.EINVAL)
    return [controller for controller in _V1 if controller in chosen], name


_V1: Final = [name for name, controller in CONTROLLERS.items() if controller.v1]


def _superblock(hierarchy: Hierarchy, source: str) -> CgroupFs:
    if hierarchy.superblock is None:
        hierarchy.superblock = CgroupFs(hierarchy, source or "none")
    return hierarchy.superblock


def furnish(kernel: "SimKernel") -> None:
    """Mount what a host's init mounts, by ``Profile.cgroups``: v2, v1, hybrid, or none."""
    layout = kernel.profile.cgroups
    if layout == "none":
        return
    if layout == "v2":
        kernel.mount("cgroup2", PLACE, "cgroup2", _FLAGS)
        return
    kernel.mount("tmpfs", PLACE, "tmpfs", _FLAGS, "mode=755")
    for controller in _V1:
        _mount_beside(kernel, controller, "cgroup", controller)
    _mount_beside(kernel, "systemd", "cgroup", "none,name=systemd")
    if layout == "hybrid":
        _mount_beside(kernel, "unified", "cgroup2", "")


def _mount_beside(kernel: "SimKernel", name: str, fstype: str, data: str) -> None:
    kernel.mkdir(f"{PLACE}/{name}", 0o755)
    kernel.mount(fstype, f"{PLACE}/{name}", fstype, _FLAGS, data)


def _owner(task: "Task") -> "UserNamespace":
    return task.ns.cgroup.owner


register("cgroup2", mount_v2, _owner)
register("cgroup", mount_v1, _owner)
