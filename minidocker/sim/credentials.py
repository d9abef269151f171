"""Who a task is: its user namespace, its user and group ids, and its capabilities (credentials(7), capabilities(7)).

Ids are the kernel's numbers (``user_namespace.py``). The file system ids follow the effective ones, as Linux has them.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minidocker.linux import ALL_CAPABILITIES, fail
from minidocker.sim.capability import BITS
from minidocker.sim.user_namespace import FIRST, MAX_LEVEL, UserNamespace

if TYPE_CHECKING:
    from minidocker.sim.task import Task


@dataclass(slots=True, kw_only=True)
class Credentials:
    """A task's credentials. ``euid`` and ``egid`` are those that files are asked with and given to."""

    uid: int = 0
    euid: int = 0
    suid: int = 0
    gid: int = 0
    egid: int = 0
    sgid: int = 0
    groups: tuple[int, ...] = ()
    user: UserNamespace = FIRST
    """The user namespace: the ids that it says and sees, and where its capabilities count."""
    effective: int = ALL_CAPABILITIES
    permitted: int = ALL_CAPABILITIES
    inheritable: int = 0
    bounding: int = ALL_CAPABILITIES
    ambient: int = 0
    keepcaps: bool = False
    """Does it keep its permitted capabilities when it gives up being root (prctl(2), PR_SET_KEEPCAPS)?"""
    no_new_privs: bool = False
    """Does no execve give it more than it has (PR_SET_NO_NEW_PRIVS)?"""

    def copy(self) -> "Credentials":
        """Return the credentials of a clone."""
        return Credentials(
            uid=self.uid, euid=self.euid, suid=self.suid, gid=self.gid, egid=self.egid, sgid=self.sgid,
            groups=self.groups, user=self.user, effective=self.effective, permitted=self.permitted,
            inheritable=self.inheritable, bounding=self.bounding, ambient=self.ambient, keepcaps=self.keepcaps,
            no_new_privs=self.no_new_privs,
        )  # fmt: skip

    def capable(self, space: UserNamespace, name: str) -> bool:
        """Tell whether it has a capability in a user namespace (Linux's cap_capable).

        It has what its effective set says in its own namespace; in one inside, too; and whoever made a namespace has
        all of them there.
        """
        mine = self.user
        while space is not mine:
            if space.level <= mine.level or space.parent is None:
                return False
            if space.parent is mine and space.user == self.euid:
                return True
            space = space.parent
        return bool(self.effective & BITS[name])

    def in_group(self, gid: int) -> bool:
        """Is it a member of a group?"""
        return gid == self.egid or gid in self.groups

    def real(self) -> "Credentials":
        """Return the credentials that access(2) asks with: the real ids, and root's capabilities only if that is root.

        All that is permitted then counts as effective.
        """
        asking = self.copy()
        asking.euid, asking.egid = self.uid, self.gid
        asking.effective = self.permitted if self.uid == self.user.kuid(0) else 0
        return asking

    def enter(self, user: UserNamespace) -> None:
        """Be in a user namespace, with all capabilities there (set_cred_user_ns)."""
        self.user = user
        self.effective = self.permitted = self.bounding = ALL_CAPABILITIES
        self.inheritable = self.ambient = 0
        self.keepcaps = False

    def change_users(self, uid: int, euid: int, suid: int) -> None:
        """Take other user ids; who gives up being root gives up its capabilities (cap_emulate_setxuid).

        Permitted and ambient ones go when the last of the three ids stops being root, effective ones when the effective
        id does; they come back from the permitted ones when that becomes root again.
        """
        root = self.user.kuid(0)
        was = root in (self.uid, self.euid, self.suid)
        if was and root not in (uid, euid, suid):
            self.ambient = 0
            if not self.keepcaps:
                self.permitted = self.effective = 0
        if self.euid == root != euid:
            self.effective = 0
        elif self.euid != root == euid:
            self.effective = self.permitted
        self.uid, self.euid, self.suid = uid, euid, suid


#: What the kernel itself acts as.
ROOT = Credentials()


def new_user_namespace(task: "Task", number: int) -> Credentials:
    """Return credentials in a new user namespace that the caller makes (Linux's create_user_ns).

    ENOSPC beyond 33 levels. EPERM for who has another root than its mount namespace, or ids without numbers here.
    """
    creds = task.creds.copy()
    parent = creds.user
    if parent.level >= MAX_LEVEL:
        fail(errno.ENOSPC)
    mounts = task.ns.mnt.root
    if task.fs.root != mounts.cross(mounts.root):
        fail(errno.EPERM)
    if not (parent.has_uid(creds.euid) and parent.has_gid(creds.egid)):
        fail(errno.EPERM)
    creds.enter(UserNamespace(number, parent, creds))
    return creds


def commit_creds(task: "Task", creds: Credentials) -> None:
    """Give a task other credentials. If it is another user now, or may more, nobody may look into it until execve."""
    old, task.creds = task.creds, creds
    changed = (old.euid, old.egid) != (creds.euid, creds.egid)
    if changed or not _within(old, creds):
        task.memory.dumpable = False


def _within(old: Credentials, new: Credentials) -> bool:
    """Tell whether new credentials allow no more than old ones did (cred_cap_issubset)."""
    if old.user is new.user:
        return not new.permitted & ~old.permitted
    return any(space.parent is old.user and space.user == old.euid for space in new.user.around())


def sys_seteuid(task: "Task", euid: int) -> None:
    """Set the effective user id (seteuid(2)); EPERM unless it is the real or saved one, or with CAP_SETUID."""
    creds = task.creds.copy()
    euid = creds.user.valid_kuid(euid)
    if not creds.capable(creds.user, "CAP_SETUID") and euid not in (creds.uid, creds.euid, creds.suid):
        fail(errno.EPERM)
    creds.change_users(creds.uid, euid, creds.suid)
    commit_creds(task, creds)


def sys_setegid(task: "Task", egid: int) -> None:
    """Set the effective group id (setegid(2)); EPERM unless it is the real or saved one, or with CAP_SETGID."""
    creds = task.creds.copy()
    egid = creds.user.valid_kgid(egid)
    if not creds.capable(creds.user, "CAP_SETGID") and egid not in (creds.gid, creds.egid, creds.sgid):
        fail(errno.EPERM)
    creds.egid = egid
    commit_creds(task, creds)


def sys_setuid(task: "Task", uid: int) -> None:
    """With CAP_SETUID set all three user ids, and so never come back; else only the effective one (setuid(2))."""
    creds = task.creds.copy()
    uid = creds.user.valid_kuid(uid)
    if creds.capable(creds.user, "CAP_SETUID"):
        creds.change_users(uid, uid, uid)
    elif uid in (creds.uid, creds.suid):
        creds.change_users(creds.uid, uid, creds.suid)
    else:
        fail(errno.EPERM)
    commit_creds(task, creds)


def sys_setgid(task: "Task", gid: int) -> None:
    """With CAP_SETGID set all three group ids; else only the effective one (setgid(2))."""
    creds = task.creds.copy()
    gid = creds.user.valid_kgid(gid)
    if creds.capable(creds.user, "CAP_SETGID"):
        creds.gid = creds.egid = creds.sgid = gid
    elif gid in (creds.gid, creds.sgid):
        creds.egid = gid
    else:
        fail(errno.EPERM)
    commit_creds(task, creds)


def sys_setgroups(task: "Task", groups: Sequence[int]) -> None:
    """Set the supplementary groups, with CAP_SETGID (setgroups(2)).

    EPERM without it, before gid_map is written, and where ``/proc/PID/setgroups`` says deny; EINVAL for what is not
    mapped.
    """
    creds = task.creds
    users = creds.user
    if not (creds.capable(users, "CAP_SETGID") and users.gid_map and users.setgroups):
        fail(errno.EPERM)
    creds.groups = tuple(sorted(users.valid_kgid(gid) for gid in groups))


def sys_getgroups(task: "Task") -> list[int]:
    """Return the supplementary groups (getgroups(2))."""
    return [task.creds.user.shown_gid(gid) for gid in task.creds.groups]


def sys_getuid(task: "Task") -> int:
    """Return the real user id (getuid(2))."""
    return task.creds.user.shown_uid(task.creds.uid)


def sys_geteuid(task: "Task") -> int:
    """Return the effective user id (geteuid(2))."""
    return task.creds.user.shown_uid(task.creds.euid)


def sys_getgid(task: "Task") -> int:
    """Return the real group id (getgid(2))."""
    return task.creds.user.shown_gid(task.creds.gid)


def sys_getegid(task: "Task") -> int:
    """Return the effective group id (getegid(2))."""
    return task.creds.user.shown_gid(task.creds.egid)
