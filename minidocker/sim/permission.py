"""May this task do that with this inode? The classic owner, group, others (path_resolution(7), capabilities(7))."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import S_IFDIR, S_IFMT, fail
from minidocker.sim.user_namespace import UNMAPPED

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.inode import Inode

MAY_EXEC: Final = 1
MAY_WRITE: Final = 2
MAY_READ: Final = 4

S_ISUID: Final = 0o4000
S_ISGID: Final = 0o2000
S_ISVTX: Final = 0o1000


def privileged_over(creds: "Credentials", inode: "Inode") -> bool:
    """Tell whether root's capabilities reach an inode: not if its owner or group is nobody in the user namespace."""
    return creds.privileged and UNMAPPED not in (inode.uid, inode.gid)


def permitted(creds: "Credentials", inode: "Inode", mask: int) -> bool:
    """Tell whether mode and owner, or root's CAP_DAC_OVERRIDE, allow all that mask asks for.

    Root may do anything but execute a file that nobody may execute.
    """
    mode = inode.mode
    if privileged_over(creds, inode):
        return not mask & MAY_EXEC or mode & S_IFMT == S_IFDIR or bool(mode & 0o111)
    if inode.uid == creds.euid:
        mode >>= 6
    elif creds.in_group(inode.gid):
        mode >>= 3
    return mode & mask == mask


def keeps_setgid(creds: "Credentials", inode: "Inode") -> bool:
    """Tell whether the task may leave a set-group-id bit there: one of the group, or root (in_group_or_capable)."""
    return creds.in_group(inode.gid) or privileged_over(creds, inode)


def require(creds: "Credentials", inode: "Inode", mask: int, path: str | None = None) -> None:
    """Raise EACCES unless permitted."""
    if not permitted(creds, inode, mask):
        fail(errno.EACCES, path)


def owns(creds: "Credentials", inode: "Inode") -> bool:
    """Tell whether the task may do what is the owner's to do (or has CAP_FOWNER)."""
    return creds.euid == inode.uid or (creds.privileged and inode.uid != UNMAPPED)


def require_removable(creds: "Credentials", directory: "Inode", victim: "Inode") -> None:
    """Raise EACCES or EPERM unless a name of victim may be removed from directory.

    In a sticky directory that is for the owner of the file or of the directory (or CAP_FOWNER): /tmp.
    """
    require(creds, directory, MAY_WRITE | MAY_EXEC)
    owners = (victim.uid, directory.uid)
    if directory.mode & S_ISVTX and creds.euid not in owners and not privileged_over(creds, victim):
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
