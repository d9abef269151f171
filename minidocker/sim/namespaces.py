"""Namespaces: which mounts, process ids and host name a task sees (namespaces(7)).

Three kinds are modelled: MNT, PID and UTS. A PID namespace lies inside another, and a task has a number in its own and
in each one around it (pid_namespaces(7)). What names namespaces in ``/proc/PID/ns`` are inode numbers, as Linux's.
"""

import errno
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

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
from minidocker.sim.open_file import OpenFile
from minidocker.sim.propagation import leave

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minidocker.kernel import Stat
    from minidocker.sim.mount import MountNamespace
    from minidocker.sim.path import FsContext
    from minidocker.sim.task import Task

#: The kinds that are modelled, by their names in ``/proc/PID/ns``.
KINDS: Final = {"mnt": CLONE_NEWNS, "pid": CLONE_NEWPID, "uts": CLONE_NEWUTS}
MODELLED: Final = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS
NOT_MODELLED: Final = {
    CLONE_NEWTIME: "CLONE_NEWTIME",
    CLONE_NEWCGROUP: "CLONE_NEWCGROUP",
    CLONE_NEWIPC: "CLONE_NEWIPC",
    CLONE_NEWUSER: "CLONE_NEWUSER",
    CLONE_NEWNET: "CLONE_NEWNET",
}
PID_MAX: Final = 32768
#: The inode numbers of the namespaces that a Linux starts with, and of the first one made later.
FIRST_PID, FIRST_UTS, FIRST_MNT, FIRST_MADE = 4026531836, 4026531838, 4026531841, 4026532192


class UtsNamespace:
    """A host name (uts_namespaces(7))."""

    __slots__ = ("hostname", "id")

    def __init__(self, number: int, hostname: str) -> None:
        """Start with a host name; a new namespace starts with its parent's."""
        self.id = number
        self.hostname = hostname


class PidNamespace:
    """Numbers for tasks, and the first of them, init, whose end is the end of all (pid_namespaces(7))."""

    __slots__ = ("_last", "_numbers", "id", "init", "level", "parent", "tasks")

    def __init__(self, number: int, parent: "PidNamespace | None") -> None:
        """Start empty; the first task that enters is pid 1, init."""
        self.id = number
        self.parent = parent
        self.level: int = parent.level + 1 if parent else 0
        self.init: Task | None = None
        self.tasks: dict[int, Task] = {}
        self._numbers: dict[Task, int] = {}
        self._last = 0

    def enter(self, task: "Task") -> None:
        """Number a new task here and in each namespace around."""
        for namespace in self.around():
            namespace._number(task)  # noqa: SLF001  its own class
        if self.init is None:
            self.init = task

    def leave(self, task: "Task") -> None:
        """Forget a task that was reaped."""
        for namespace in self.around():
            namespace.tasks.pop(namespace._numbers.pop(task, 0), None)  # noqa: SLF001  its own class

    def number(self, task: "Task") -> int:
        """Return a task's pid as seen from here, 0 if it cannot be seen."""
        return self._numbers.get(task, 0)

    def find(self, pid: int) -> "Task | None":
        """Return the task that has a pid here."""
        return self.tasks.get(pid)

    def around(self) -> "Iterator[PidNamespace]":
        """Yield this namespace, the one that it lies in, and so on to the outermost."""
        namespace: PidNamespace | None = self
        while namespace:
            yield namespace
            namespace = namespace.parent

    def free(self) -> None:
        """Check that a task can be added: ENOMEM once init has ended, EAGAIN if all numbers are taken (clone(2)).

        As in alloc_pid(), a clone that finds no living init has taken a number in each namespace, never used then.
        """
        if any(len(namespace.tasks) >= PID_MAX - 1 for namespace in self.around()):
            fail(errno.EAGAIN)
        if self.init is not None and not self.init.alive:
            for namespace in self.around():
                namespace._last = namespace._next()  # noqa: SLF001  its own class
            fail(errno.ENOMEM)

    def _number(self, task: "Task") -> None:
        pid = self._last = self._next()
        self.tasks[pid] = task
        self._numbers[task] = pid

    def _next(self) -> int:
        """Return the next free number, round and round as alloc_pid() does."""
        pid = self._last % (PID_MAX - 1) + 1
        while pid in self.tasks:
            pid = pid % (PID_MAX - 1) + 1
        return pid


Namespace: TypeAlias = "MountNamespace | PidNamespace | UtsNamespace"


class Namespaces:
    """The namespaces of one task (Linux's struct nsproxy, and the PID namespace that its children will be in)."""

    __slots__ = ("_ids", "mnt", "pid", "pid_for_children", "uts")

    def __init__(self, mnt: "MountNamespace", hostname: str = "host") -> None:
        """Start the outermost namespaces, those of a kernel that boots."""
        self._ids = count(FIRST_MADE)
        self.mnt = mnt
        self.pid = self.pid_for_children = PidNamespace(FIRST_PID, None)
        self.uts = UtsNamespace(FIRST_UTS, hostname)

    def copy(self) -> "Namespaces":
        """Return the same namespaces for a child, which lives in what was chosen for children."""
        new = Namespaces.__new__(Namespaces)
        new._ids = self._ids  # noqa: SLF001  its own class
        new.mnt, new.uts = self.mnt, self.uts
        new.pid = new.pid_for_children = self.pid_for_children
        return new

    def next_id(self) -> int:
        """Return an inode number for a new namespace."""
        return next(self._ids)

    def of_kind(self, kind: str) -> Namespace:
        """Return the namespace that ``/proc/PID/ns/KIND`` names."""
        namespace: Namespace = getattr(self, kind)
        return namespace

    def enter_new(self, flags: int, fs: "FsContext") -> None:
        """Put new namespaces in the place of old ones. Root and working directory in fs move to the copied mounts."""
        if flags & CLONE_NEWUTS:
            self.uts = UtsNamespace(self.next_id(), self.uts.hostname)
        if flags & CLONE_NEWPID:
            self.pid_for_children = PidNamespace(self.next_id(), self.pid_for_children)
        if flags & CLONE_NEWNS:
            self.mnt = self.mnt.copy(fs, self.next_id())


class NamespaceFile(OpenFile):
    """What opening ``/proc/PID/ns/KIND`` gives: a hold on that namespace, for setns."""

    __slots__ = ("_stat", "kind", "namespace")

    def __init__(self, kind: str, namespace: Namespace, stat: "Stat", flags: int) -> None:
        """Hold a namespace, which lives as long as somebody does."""
        super().__init__(flags)
        self.kind = kind
        self.namespace = namespace
        self._stat = stat

    def stat(self) -> "Stat":
        """Tell its number as the inode's: equal numbers are the same namespace."""
        return self._stat


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
    if isinstance(namespace, UtsNamespace):
        task.ns.uts = namespace
    elif isinstance(namespace, PidNamespace):
        if task.ns.pid not in namespace.around():
            fail(errno.EINVAL)  # only one's own or one inside
        task.ns.pid_for_children = namespace
    else:
        task.ns.mnt = namespace
        namespace.move_in(task.fs)


def sys_gethostname(task: "Task") -> str:
    """Return the host name of the caller's UTS namespace (uname(2))."""
    return task.ns.uts.hostname


def sys_sethostname(task: "Task", name: str) -> None:
    """Set the host name of the caller's UTS namespace (sethostname(2)): at most 64 bytes, by root."""
    if not task.creds.privileged:
        fail(errno.EPERM)
    if len(name.encode()) > 64:  # __NEW_UTS_LEN
        fail(errno.EINVAL)
    task.ns.uts.hostname = name


def release_mounts(task: "Task") -> None:
    """Let the mounts of an ended task's namespace leave their peers, if nobody lives there any more (put_mnt_ns)."""
    mine = task.ns.mnt
    if mine is not task.kernel.host.ns.mnt and not any(other.ns.mnt is mine for other in task.kernel.tasks()):
        for mount in mine.root.tree():
            leave(mount)
