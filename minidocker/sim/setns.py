"""setns: joining namespaces, one by its file or several of a task by its pidfd (setns(2))."""

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minidocker.linux import fail
from minidocker.sim.capability import require_capable
from minidocker.sim.credentials import Credentials, commit_creds
from minidocker.sim.mount import MountNamespace
from minidocker.sim.namespaces import KINDS, MODELLED, Namespaces, check_flags, namespace_of
from minidocker.sim.nsfs import NamespaceFile
from minidocker.sim.pid_namespace import PidNamespace
from minidocker.sim.pidfd import PidFile
from minidocker.sim.ptrace import may_access
from minidocker.sim.user_namespace import UserNamespace

if TYPE_CHECKING:
    from minidocker.sim.namespace import Namespace
    from minidocker.sim.path import FsContext
    from minidocker.sim.task import Task

#: In this order several are joined: the user namespace first, since in its right the others are (validate_nsset).
ORDER = ("user", "mnt", "uts", "ipc", "pid", "cgroup", "net", "time")


@dataclass(slots=True)
class Joining:
    """What a task is about to become: all of it or nothing is taken over (Linux's struct nsset)."""

    task: "Task"
    ns: Namespaces
    creds: Credentials
    fs: "FsContext"

    def install(self, space: "Namespace") -> None:
        """Put one namespace into the set: that takes CAP_SYS_ADMIN in its owner and in one's own user namespace."""
        if isinstance(space, UserNamespace):
            self._install_user(space)
            return
        require_capable(self.task, space.owner, "CAP_SYS_ADMIN")
        if isinstance(space, MountNamespace):
            self._require_own("CAP_SYS_CHROOT")
        self._require_own("CAP_SYS_ADMIN")
        if isinstance(space, PidNamespace) and self.task.ns.pid not in space.around():
            fail(errno.EINVAL)  # only one's own or one inside
        self.ns.enter(space)
        if isinstance(space, MountNamespace):
            space.move_in(self.fs)

    def _require_own(self, name: str) -> None:
        """Ask for a capability in the user namespace that one will be in."""
        if not self.creds.capable(self.creds.user, name):
            fail(errno.EPERM)

    def _install_user(self, space: UserNamespace) -> None:
        """Join a user namespace; not one's own, to get back capabilities that were given up (EINVAL)."""
        if space is self.task.creds.user:
            fail(errno.EINVAL)
        require_capable(self.task, space, "CAP_SYS_ADMIN")
        self.creds.enter(space)


def sys_setns(task: "Task", fd: int, nstype: int = 0) -> None:
    """Join the namespace of an open ``/proc/PID/ns`` file, or with a pidfd those of its task that nstype says.

    A PID namespace takes the next child (setns(2)). EINVAL for another kind than nstype says, for a file of neither
    sort, for one's own user namespace, for a PID namespace outside; EPERM, ESRCH.
    """
    wanted = _wanted(task, fd, nstype)
    joining = Joining(task, task.ns.copy(), task.creds.copy(), task.fs.copy())
    try:
        for space in wanted:
            joining.install(space)
    except OSError:
        joining.ns.release()
        raise
    old, task.ns, task.fs = task.ns, joining.ns, joining.fs
    old.release()
    if joining.creds.user is not task.creds.user:
        commit_creds(task, joining.creds)


def _wanted(task: "Task", fd: int, nstype: int) -> "list[Namespace]":
    file = task.files.get(fd)
    if isinstance(file, NamespaceFile):
        return [file.namespace] if nstype in (0, KINDS[file.namespace.kind]) else fail(errno.EINVAL)
    if not isinstance(file, PidFile) or not nstype:
        fail(errno.EINVAL)
    check_flags(nstype & ~MODELLED)
    subject = file.subject
    if not subject.alive and subject.parent is None:
        fail(errno.ESRCH)
    if not may_access(task, subject, real=True):
        fail(errno.EPERM)
    if not subject.alive:
        fail(errno.ESRCH)
    spaces = [namespace_of(subject, kind) for kind in ORDER if nstype & KINDS[kind]]
    return [space for space in spaces if space is not None]
