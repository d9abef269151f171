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
    strerror,
)
from minidocker.sim.mount import MountNamespace
from minidocker.sim.namespace import FIRST_NUMBERS, Namespace, numbers
from minidocker.sim.net.namespace import NetNamespace
from minidocker.sim.open_file import OpenFile
from minidocker.sim.pid_namespace import PidNamespace
from minidocker.sim.uts import UtsNamespace

if TYPE_CHECKING:
    from minidocker.kernel import Stat
    from minidocker.sim.mount import Mount
    from minidocker.sim.path import FsContext
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

#: The kinds that are modelled, by their names in ``/proc/PID/ns``.
KINDS: Final = {
    "mnt": CLONE_NEWNS, "pid": CLONE_NEWPID, "uts": CLONE_NEWUTS, "ipc": CLONE_NEWIPC, "net": CLONE_NEWNET,
    "cgroup": CLONE_NEWCGROUP,
}  # fmt: skip
MODELLED: Final = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP
NOT_MODELLED: Final = {CLONE_NEWTIME: "CLONE_NEWTIME", CLONE_NEWUSER: "CLONE_NEWUSER"}
#: The kinds that end when nobody refers to them any more.
COUNTED: Final = ("mnt", "uts", "ipc", "net", "cgroup")


class IpcNamespace(Namespace):
    """System V message queues and shared memory (ipc_namespaces(7))."""

    __slots__ = ()
    kind: ClassVar = "ipc"


class CgroupNamespace(Namespace):
    """Which control group is seen as the root (cgroup_namespaces(7))."""

    __slots__ = ()
    kind: ClassVar = "cgroup"


class Namespaces:
    """The namespaces of one task (Linux's struct nsproxy, and the PID namespace that its children will be in)."""

    __slots__ = ("_ids", "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "uts")

    def __init__(self, root: "Mount", hostname: str = "host") -> None:
        """Start the outermost namespaces, those of a kernel that boots, around a tree of mounts."""
        self._ids = numbers()
        self.mnt = MountNamespace(root, FIRST_NUMBERS["mnt"])
        self.pid = self.pid_for_children = PidNamespace(FIRST_NUMBERS["pid"], None)
        self.uts = UtsNamespace(FIRST_NUMBERS["uts"], hostname)
        self.ipc = IpcNamespace(FIRST_NUMBERS["ipc"], None)
        self.net = NetNamespace(FIRST_NUMBERS["net"], None, root.superblock.kernel)
        self.cgroup = CgroupNamespace(FIRST_NUMBERS["cgroup"], None)
        for kind in COUNTED:
            self.of_kind(kind).get()

    def copy(self) -> "Namespaces":
        """Return the same namespaces once more: for a child, or to be changed and then taken all at once."""
        new = Namespaces.__new__(Namespaces)
        new._ids = self._ids  # noqa: SLF001  its own class
        new.mnt, new.uts, new.ipc, new.net, new.cgroup = self.mnt, self.uts, self.ipc, self.net, self.cgroup
        new.pid, new.pid_for_children = self.pid, self.pid_for_children
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
        if namespace.kind == "pid":
            assert isinstance(namespace, PidNamespace)
            self.pid_for_children = namespace
            return
        old = self.of_kind(namespace.kind)
        namespace.get()
        setattr(self, namespace.kind, namespace)
        old.put()

    def enter_new(self, flags: int, fs: "FsContext", owner: "UserNamespace | None" = None) -> None:
        """Put new namespaces in the place of old ones. Root and working directory in fs move to the copied mounts."""
        if flags & CLONE_NEWPID:
            self.enter(PidNamespace(self.next_id(), self.pid_for_children, owner))
        if flags & CLONE_NEWNS:
            self.enter(self.mnt.copy(fs, self.next_id()))
        if flags & CLONE_NEWUTS:
            self.enter(UtsNamespace(self.next_id(), self.uts.hostname, self.uts.domainname, owner))
        if flags & CLONE_NEWIPC:
            self.enter(IpcNamespace(self.next_id(), owner))
        if flags & CLONE_NEWCGROUP:
            self.enter(CgroupNamespace(self.next_id(), owner))
        if flags & CLONE_NEWNET:
            self.enter(NetNamespace(self.next_id(), owner, self.net.kernel))


class NamespaceFile(OpenFile):
    """What opening ``/proc/PID/ns/KIND`` gives: a hold on that namespace, for setns."""

    __slots__ = ("_stat", "kind", "namespace")

    def __init__(self, kind: str, namespace: Namespace, stat: "Stat", flags: int) -> None:
        """Hold a namespace, which lives as long as somebody does."""
        super().__init__(flags)
        self.kind = kind
        self.namespace = namespace
        self._stat = stat
        namespace.get()

    def stat(self) -> "Stat":
        """Tell its number as the inode's: equal numbers are the same namespace."""
        return self._stat

    def release(self) -> None:
        """Let go of the namespace."""
        self.namespace.put()


def check_flags(task: "Task", flags: int, allowed: int = MODELLED) -> None:
    """Refuse flags that are not modelled (EINVAL, by name), and new namespaces for others than root (EPERM)."""
    for flag, name in NOT_MODELLED.items():
        if flags & flag:
            raise OSError(errno.EINVAL, f"{strerror(errno.EINVAL)}: the simulator does not model {name}")
    if flags & ~allowed:
        text = f"{strerror(errno.EINVAL)}: the simulator does not model flags {flags & ~allowed:#x}"
        raise OSError(errno.EINVAL, text)
    if flags and not task.creds.privileged:
        fail(errno.EPERM)
    if flags & CLONE_NEWPID and task.ns.pid is not task.ns.pid_for_children:
        fail(errno.EINVAL)  # copy_pid_ns(): only from the namespace that the caller is in


def sys_unshare(task: "Task", flags: int) -> None:
    """Move the caller into new namespaces (unshare(2)); a new PID namespace takes the next child."""
    check_flags(task, flags)
    task.ns.enter_new(flags, task.fs)


def sys_setns(task: "Task", fd: int, nstype: int = 0) -> None:
    """Join the namespace that an open ``/proc/PID/ns`` file names (setns(2)); a PID namespace takes the next child."""
    file = task.files.get(fd)
    if not isinstance(file, NamespaceFile) or nstype not in (0, KINDS[file.kind]):
        fail(errno.EINVAL)
    if not task.creds.privileged:
        fail(errno.EPERM)
    namespace = file.namespace
    if isinstance(namespace, PidNamespace) and task.ns.pid not in namespace.around():
        fail(errno.EINVAL)  # only one's own or one inside
    task.ns.enter(namespace)
    if isinstance(namespace, MountNamespace):
        namespace.move_in(task.fs)
