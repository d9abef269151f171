"""sysfs: the kernel's objects as directories (sysfs(5)). Only those that a container is given or denied are there.

The directories are those of a Linux with cgroup file systems; what lies in them on a real machine, devices above all,
is not modelled, and a name that is missing is ENOENT. Nobody makes or removes a name here (EPERM).
"""

import errno
from typing import TYPE_CHECKING, Final, cast

from minidocker.sim.dentry import Dentry
from minidocker.sim.inode import SuperBlock
from minidocker.sim.mount import register
from minidocker.sim.net.sysfs_net import Links
from minidocker.sim.proc import Directory, Proc

if TYPE_CHECKING:
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.net.namespace import NetNamespace
    from minidocker.sim.task import Task

#: What every Linux has; the profile says what else.
_TREE: Final = (
    "block", "bus", "class", "dev", "devices/virtual", "fs", "kernel", "module", "power",
)  # fmt: skip


class SysDirectory(Directory):
    """A directory of sysfs."""

    __slots__ = ()

    def lookup(self, dentry: Dentry) -> None:
        """Find nothing but what is in the cache. To make something there is refused later: EROFS, or EPERM."""


class Sysfs(SuperBlock):
    """One sysfs. It belongs to the network namespace that its mounter was in: /sys/class/net shows that one's links."""

    def __init__(self, kernel: "SimKernel", source: str, net: "NetNamespace") -> None:
        """Make the directories."""
        super().__init__(kernel, "sysfs", source=source)
        self.user, self.tells_of_system = net.owner, True
        self.root = Dentry("", None, self._inode(0o555), self)
        mine = [path.removeprefix("/sys/") for path in kernel.profile.pseudo if path.startswith("/sys/")]
        for path in (*_TREE, *mine):
            here = self.root
            for name in path.strip("/").split("/"):
                here = here.children.get(name) or self._put(here, name, self._inode())
        self._put(self._find("fs"), "cgroup", self._inode(0o555))  # to be mounted on (sysfs_create_mount_point)
        self._put(self._find("class"), "net", Links(self, net, to="../../devices/virtual/net"))
        self._put(self._find("devices/virtual"), "net", Links(self, net))

    def _inode(self, mode: int = 0o755) -> SysDirectory:
        return SysDirectory(cast("Proc", self), mode)  # proc's directories ask nothing that is only proc's

    def _find(self, path: str) -> Dentry:
        here = self.root
        for name in path.split("/"):
            here = here.children[name]
        return here

    def _put(self, parent: Dentry, name: str, inode: Directory) -> Dentry:
        dentry = Dentry(name, parent, None, self)
        dentry.instantiate(inode)
        return dentry


def mount_sysfs(task: "Task", source: str, data: str, readonly: bool) -> SuperBlock:
    """Make a sysfs (mount(2)); it has no options: EINVAL."""
    if data:
        raise OSError(errno.EINVAL, f"Invalid argument: sysfs: unknown parameter {data!r}")
    return Sysfs(task.kernel, source or "none", task.ns.net)


register("sysfs", mount_sysfs, lambda task: task.ns.net.owner)
