"""Namespaces: what a task sees of mounts, process ids, names, queues, links and control groups (namespaces(7)).

Here is what they have in common: the set of one task (Linux's struct nsproxy), and the calls that change it. What a
kind isolates is told in its own file.
"""

import errno
from typing import TYPE_CHECKING, ClassVar, Final

from minidocker.linux import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    fail,
)
from minidocker.sim.credentials import Credentials, commit_creds, new_user_namespace
from minidocker.sim.ipc import IpcNamespace
from minidocker.sim.mount import MountNamespace
from minidocker.sim.namespace import FIRST_NUMBERS, Namespace, numbers
from minidocker.sim.net.namespace import NetNamespace
from minidocker.sim.pid_namespace import PidNamespace
from minidocker.sim.refuse import refuse
from minidocker.sim.time_namespace import TimeNamespace
from minidocker.sim.user_namespace import FIRST
from minidocker.sim.uts import UtsNamespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.mount import Mount
    from minidocker.sim.path import FsContext
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

#: The kinds that are modelled, by their names in ``/proc/PID/ns``.
KINDS: Final = {
    "mnt": CLONE_NEWNS, "pid": CLONE_NEWPID, "uts": CLONE_NEWUTS, "ipc": CLONE_NEWIPC, "net": CLONE_NEWNET,
    "cgroup": CLONE_NEWCGROUP, "user": CLONE_NEWUSER, "time": CLONE_NEWTIME,
}  # fmt: skip
#: The names in ``/proc/PID/ns``.
NAMES: Final = sorted([*KINDS, "pid_for_children", "time_for_children"])
MODELLED: Final = sum(KINDS.values())
#: The places of namespaces that end when nobody refers to them any more.
COUNTED: Final = ("mnt", "uts", "ipc", "net", "cgroup", "time", "time_for_children")


class CgroupNamespace(Namespace):
    """Which control group is seen as the root (cgroup_namespaces(7); see ``cgroup/namespace.py``)."""

    __slots__ = ("roots",)
    kind: ClassVar = "cgroup"

    def __init__(self, number: int, owner: "UserNamespace", roots: "Mapping[int, Cgroup] | None" = None) -> None:
        """Take a root for each hierarchy, by its number; None: the hierarchies' own."""
        super().__init__(number, owner)
        self.roots = roots


class Namespaces:
    """The namespaces of one task (Linux's struct nsproxy), and those in which only its children will be."""

    __slots__ = ("_ids", "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "uts")

    def __init__(self, root: "Mount", hostname: str = "host") -> None:
        """Start the outermost namespaces, those of a kernel that boots, around a tree of mounts."""
        self._ids = numbers()
        self.mnt = MountNamespace(root, FIRST_NUMBERS["mnt"], FIRST)
        self.pid = self.pid_for_children = PidNamespace(FIRST_NUMBERS["pid"], None, FIRST)
        self.uts = UtsNamespace(FIRST_NUMBERS["uts"], FIRST, hostname)
        self.ipc = IpcNamespace(FIRST_NUMBERS["ipc"], FIRST)
        self.net = NetNamespace(FIRST_NUMBERS["net"], FIRST, root.superblock.kernel)
        self.cgroup = CgroupNamespace(FIRST_NUMBERS["cgroup"], FIRST)
        self.time = self.time_for_children = TimeNamespace(FIRST_NUMBERS["time"], FIRST)
        for kind in COUNTED:
            self.of_kind(kind).get()

    def copy(self) -> "Namespaces":
        """Return the same namespaces once more: for a child, or to be changed and then taken all at once."""
        new = Namespaces.__new__(Namespaces)
        new._ids = self._ids  # noqa: SLF001  its own class
        new.mnt, new.uts, new.ipc, new.net, new.cgroup = self.mnt, self.uts, self.ipc, self.net, self.cgroup
        new.pid, new.pid_for_children = self.pid, self.pid_for_children
        new.time, new.time_for_children = self.time, self.time_for_children
        for kind in COUNTED:
            new.of_kind(kind).get()
        return new

    def release(self) -> None:
        """Refer to none of them any more: the task ended, or has others now."""
        for kind in COUNTED:
            self.of_kind(kind).put()

    def next_id(self) -> int:
        """Return an inode number for a new namespace."""
        return next(self._ids)

    def of_kind(self, kind: str) -> Namespace:
        """Return the namespace that ``/proc/PID/ns/KIND`` names."""
        namespace: Namespace = getattr(self, kind)
        return namespace

    def enter(self, namespace: Namespace) -> None:
        """Put a namespace in the place of the one of its kind; a PID namespace is only for children."""
        if isinstance(namespace, PidNamespace):
            self.pid_for_children = namespace
            return
        self._put(namespace.kind, namespace)
        if isinstance(namespace, TimeNamespace):
            self._put("time_for_children", namespace)
            namespace.frozen = True

    def _put(self, place: str, namespace: Namespace) -> None:
        old = self.of_kind(place)
        namespace.get()
        setattr(self, place, namespace)
        old.put()

    def begin_time(self) -> None:
        """Come into the time namespace for children: as a child, or by execve (timens_on_fork)."""
        if self.time is not self.time_for_children:
            self.enter(self.time_for_children)

    def enter_new(self, flags: int, fs: "FsContext", owner: "UserNamespace") -> None:
        """Put new namespaces in the place of old ones. Root and working directory in fs move to the copied mounts."""
        if flags & CLONE_NEWPID:
            self.enter(PidNamespace(self.next_id(), self.pid_for_children, owner))
        if flags & CLONE_NEWNS:
            self.enter(self.mnt.copy(fs, self.next_id(), owner))
        if flags & CLONE_NEWUTS:
            self.enter(UtsNamespace(self.next_id(), owner, self.uts.hostname, self.uts.domainname))
        if flags & CLONE_NEWIPC:
            self.enter(IpcNamespace(self.next_id(), owner))
        if flags & CLONE_NEWCGROUP:
            self.enter(CgroupNamespace(self.next_id(), owner))
        if flags & CLONE_NEWTIME:
            self._put("time_for_children", TimeNamespace(self.next_id(), owner, self.time_for_children))
        if flags & CLONE_NEWNET:
            self.enter(NetNamespace(self.next_id(), owner, self.net.kernel))


def namespace_of(task: "Task", name: str) -> Namespace | None:
    """Return the namespace that ``/proc/PID/ns/NAME`` names; a zombie has only pid and user ones."""
    if name == "user":
        return task.creds.user
    return task.ns.of_kind(name) if task.alive or name == "pid" else None


def check_flags(flags: int) -> None:
    """Refuse flags that are not modelled (EINVAL)."""
    if flags & ~MODELLED:
        refuse(errno.EINVAL, f"does not model flags {flags & ~MODELLED:#x}")


def new_namespaces(task: "Task", flags: int, creds: Credentials) -> "tuple[Namespaces, FsContext]":
    """Return a task's namespaces, but new ones of the kinds in flags, and its places in their mounts (copy_namespaces).

    They belong to the user namespace of creds, in which that takes CAP_SYS_ADMIN (EPERM). A PID namespace can only be
    made by who is in the one around it (EINVAL).
    """
    if flags & ~CLONE_NEWUSER and not creds.capable(creds.user, "CAP_SYS_ADMIN"):
        fail(errno.EPERM)
    if flags & CLONE_NEWPID:
        around = task.ns.pid_for_children
        if around is not task.ns.pid or around.owner not in creds.user.around():
            fail(errno.EINVAL)
    namespaces, fs = task.ns.copy(), task.fs.copy()
    try:
        namespaces.enter_new(flags, fs, creds.user)
        if flags & CLONE_NEWCGROUP:
            namespaces.cgroup.roots = task.cgroups
    except OSError:
        namespaces.release()
        raise
    return namespaces, fs


def credentials_for(task: "Task", flags: int) -> Credentials:
    """Return a copy of a task's credentials, with CLONE_NEWUSER in a new user namespace (copy_creds)."""
    return new_user_namespace(task, task.ns.next_id()) if flags & CLONE_NEWUSER else task.creds.copy()


def sys_unshare(task: "Task", flags: int) -> None:
    """Move the caller into new namespaces (unshare(2)): all or none. New PID and time namespaces take children only.

    A new user namespace comes first, so that the others belong to it, and nobody needs to be root for them.
    """
    check_flags(flags)
    creds = credentials_for(task, flags)
    namespaces, task.fs = new_namespaces(task, flags, creds)
    old, task.ns = task.ns, namespaces
    old.release()
    commit_creds(task, creds)
