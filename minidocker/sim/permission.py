"""May this task do that with this inode? The classic owner, group, others (path_resolution(7), capabilities(7))."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import S_IFDIR, S_IFMT, fail
from minidocker.sim.capability import BITS

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.inode import Inode
    from minidocker.sim.task import Task

MAY_EXEC: Final = 1
MAY_WRITE: Final = 2
MAY_READ: Final = 4

S_ISUID: Final = 0o4000
S_ISGID: Final = 0o2000
S_ISVTX: Final = 0o1000


def capable_over(creds: "Credentials", inode: "Inode", name: str) -> bool:
    """Tell whether a capability of the task reaches an inode (Linux's capable_wrt_inode_uidgid).

    In a user namespace it does only if owner and group have numbers there.
    """
    if not creds.effective & BITS[name]:
        return False
    user = creds.user
    return user.parent is None or (user.has_uid(inode.uid) and user.has_gid(inode.gid))


def permitted(creds: "Credentials", inode: "Inode", mask: int) -> bool:
    """Tell whether mode and owner, or a capability, allow all that mask asks for (generic_permission)."""
    mode = inode.mode
    if inode.uid == creds.euid:
        mode >>= 6
    elif creds.in_group(inode.gid):
        mode >>= 3
    return mode & mask == mask or _overrides(creds, inode, mask)


def _overrides(creds: "Credentials", inode: "Inode", mask: int) -> bool:
    """Tell whether CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH allows what the mode does not.

    The first allows anything but to execute a file that nobody may execute, the second to read, and to search
    directories.
    """
    mode = inode.mode
    is_dir = mode & S_IFMT == S_IFDIR
    if not mask & MAY_WRITE and (is_dir or mask == MAY_READ) and capable_over(creds, inode, "CAP_DAC_READ_SEARCH"):
        return True
    overridable = is_dir or not mask & MAY_EXEC or bool(mode & 0o111)
    return (overridable and capable_over(creds, inode, "CAP_DAC_OVERRIDE")) or inode.lets_in(creds)


def keeps_setgid(creds: "Credentials", inode: "Inode") -> bool:
    """Tell whether the task may leave a set-group-id bit there: if of the group, or by CAP_FSETID."""
    return creds.in_group(inode.gid) or capable_over(creds, inode, "CAP_FSETID")


def require(creds: "Credentials", inode: "Inode", mask: int, path: str | None = None) -> None:
    """Raise EACCES unless permitted; EPERM for writing what is immutable."""
    if mask & MAY_WRITE and inode.immutable:
        fail(errno.EPERM, path)
    if not permitted(creds, inode, mask):
        fail(errno.EACCES, path)


def owns(creds: "Credentials", inode: "Inode") -> bool:
    """Tell whether the task may do what is the owner's to do: that one, or with CAP_FOWNER (inode_owner_or_capable)."""
    if creds.euid == inode.uid:
        return True
    return bool(creds.effective & BITS["CAP_FOWNER"]) and creds.user.has_uid(inode.uid)


def require_creatable(task: "Task", directory: "Inode") -> None:
    """Raise unless the task may make a name: EOVERFLOW if the file system cannot keep its ids, EACCES (may_create)."""
    creds, user = task.creds, directory.superblock.user
    if user.parent is not None and not (user.has_uid(creds.euid) and user.has_gid(creds.egid)):
        fail(errno.EOVERFLOW)
    require(creds, directory, MAY_WRITE | MAY_EXEC)


def require_removable(creds: "Credentials", directory: "Inode", victim: "Inode") -> None:
    """Raise EACCES or EPERM unless a name of victim may be removed from directory.

    In a sticky directory that is for the owner of the file or of the directory (or CAP_FOWNER): /tmp.
    """
    require(creds, directory, MAY_WRITE | MAY_EXEC)
    owners = (victim.uid, directory.uid)
    if directory.mode & S_ISVTX and creds.euid not in owners and not capable_over(creds, victim, "CAP_FOWNER"):
        fail(errno.EPERM)


def new_owner(creds: "Credentials", directory: "Inode", mode: int) -> tuple[int, int, int]:
    """Return mode, uid and gid of an inode made in a directory (Linux's inode_init_owner).

    In a set-group-id directory the group is the directory's, and directories inherit the bit. A set-group-id *file*
    keeps the bit only if its maker is a member of that group, or root.
    """
    if not directory.mode & S_ISGID:
        return mode, creds.euid, creds.egid
    if mode & S_IFMT == S_IFDIR:
        mode |= S_ISGID
    elif mode & (S_ISGID | 0o010) == S_ISGID | 0o010 and not keeps_setgid(creds, directory):
        mode &= ~S_ISGID
    return mode, creds.euid, directory.gid


def without_setid(creds: "Credentials", inode: "Inode") -> int:
    """Return the mode after the data or the owner changed: no set-user-id, and no set-group-id.

    A set-group-id bit without the group's execute bit stays if the caller is root or of the group: it once meant
    mandatory locking (Linux's setattr_should_drop_sgid).
    """
    mode = inode.mode & ~S_ISUID
    if mode & S_ISGID and (mode & 0o010 or not keeps_setgid(creds, inode)):
        mode &= ~S_ISGID
    return mode
