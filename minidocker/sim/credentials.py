"""Who a task is: user and group ids, real, effective and saved (credentials(7)).

The file system ids follow the effective ones, as Linux has them. Root's capabilities are all or none: a task has them
while its effective user id is 0 (capabilities(7), "Effect of user ID changes on capabilities"). Ids that the user
namespace does not map are EINVAL.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from minidocker.linux import fail

if TYPE_CHECKING:
    from minidocker.sim.task import Task


@dataclass(slots=True, kw_only=True)
class Credentials:
    """A task's ids. ``euid`` and ``egid`` are those that files are asked with and given to."""

    uid: int = 0
    euid: int = 0
    suid: int = 0
    gid: int = 0
    egid: int = 0
    sgid: int = 0
    groups: tuple[int, ...] = ()

    def copy(self) -> "Credentials":
        """Return the credentials of a clone."""
        return replace(self)

    @property
    def privileged(self) -> bool:
        """Has it root's capabilities (CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_MKNOD, CAP_SYS_ADMIN …)?"""
        return self.euid == 0

    def in_group(self, gid: int) -> bool:
        """Is it a member of a group?"""
        return gid == self.egid or gid in self.groups

    def real(self) -> "Credentials":
        """Return the credentials that access(2) asks with: the real ids in place of the effective ones."""
        return replace(self, euid=self.uid, egid=self.gid)


#: What overlayfs and the kernel itself act as.
ROOT = Credentials()


def sys_seteuid(task: "Task", euid: int) -> None:
    """Set the effective user id; EPERM unless it is the real or saved one, or the caller is root (seteuid(2))."""
    creds, euid = task.creds, task.kernel.users.uid(euid)
    if not creds.privileged and euid not in (creds.uid, creds.euid, creds.suid):
        fail(errno.EPERM)
    creds.euid = euid


def sys_setegid(task: "Task", egid: int) -> None:
    """Set the effective group id; EPERM unless it is the real or saved one, or the caller is root (setegid(2))."""
    creds, egid = task.creds, task.kernel.users.gid(egid)
    if not creds.privileged and egid not in (creds.gid, creds.egid, creds.sgid):
        fail(errno.EPERM)
    creds.egid = egid


def sys_setuid(task: "Task", uid: int) -> None:
    """Root sets all three user ids, and so cannot come back; others only the effective one (setuid(2))."""
    creds, uid = task.creds, task.kernel.users.uid(uid)
    if creds.privileged:
        creds.uid = creds.euid = creds.suid = uid
    elif uid in (creds.uid, creds.suid):
        creds.euid = uid
    else:
        fail(errno.EPERM)


def sys_setgid(task: "Task", gid: int) -> None:
    """Root sets all three group ids; others only the effective one (setgid(2))."""
    creds, gid = task.creds, task.kernel.users.gid(gid)
    if creds.privileged:
        creds.gid = creds.egid = creds.sgid = gid
    elif gid in (creds.gid, creds.sgid):
        creds.egid = gid
    else:
        fail(errno.EPERM)


def sys_setgroups(task: "Task", groups: Sequence[int]) -> None:
    """Set the supplementary groups; EPERM for all but root, and where the user namespace denies it (setgroups(2))."""
    users = task.kernel.users
    if not (task.creds.privileged and users.setgroups):
        fail(errno.EPERM)
    task.creds.groups = tuple(sorted(users.gid(gid) for gid in groups))


def sys_getgroups(task: "Task") -> list[int]:
    """Return the supplementary groups (getgroups(2))."""
    return list(task.creds.groups)


def sys_getuid(task: "Task") -> int:
    """Return the real user id (getuid(2))."""
    return task.creds.uid


def sys_geteuid(task: "Task") -> int:
    """Return the effective user id (geteuid(2))."""
    return task.creds.euid


def sys_getgid(task: "Task") -> int:
    """Return the real group id (getgid(2))."""
    return task.creds.gid


def sys_getegid(task: "Task") -> int:
    """Return the effective group id (getegid(2))."""
    return task.creds.egid
