"""Extended attributes: setxattr(2), getxattr(2), listxattr(2), removexattr(2); who may is xattr(7)'s to say."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import S_IFDIR, S_IFREG, XATTR_CREATE, XATTR_REPLACE, fail
from minidocker.sim.capability import capable, require_capable
from minidocker.sim.mount import want_write
from minidocker.sim.path import lookup
from minidocker.sim.permission import MAY_READ, MAY_WRITE, S_ISVTX, capable_over, owns, require
from minidocker.sim.user_namespace import FIRST

if TYPE_CHECKING:
    from minidocker.sim.inode import Inode
    from minidocker.sim.task import Task

NAME_MAX: Final = 255
SIZE_MAX: Final = 65536


def _check_name(name: str) -> None:
    """Refuse an empty or too long name (ERANGE)."""
    if not 0 < len(name.encode("utf-8", "surrogateescape")) <= NAME_MAX:
        fail(errno.ERANGE)


def _may(task: "Task", inode: "Inode", name: str, mask: int) -> None:
    """Ask whether it may be used so (xattr_permission): trusted.* by root, user.* on files and directories."""
    if mask & MAY_WRITE and inode.immutable:
        fail(errno.EPERM)
    refusal = errno.EPERM if mask & MAY_WRITE else errno.ENODATA
    if name.startswith("security."):
        if mask & MAY_WRITE:
            _require_security(task, inode, name)
        return
    if name.startswith("system."):
        return
    if name.startswith("trusted."):
        if not _sees_trusted(task):
            fail(refusal)
        return
    if name.startswith("user."):
        if inode.kind not in (S_IFREG, S_IFDIR):
            fail(refusal)
        if inode.is_dir and inode.mode & S_ISVTX and mask & MAY_WRITE and not owns(task.creds, inode):
            fail(errno.EPERM)
    require(task.creds, inode, mask)


def _sees_trusted(task: "Task") -> bool:
    """May it use trusted.*? That takes CAP_SYS_ADMIN in the first user namespace (xattr(7))."""
    return capable(task, FIRST, "CAP_SYS_ADMIN")


def _require_security(task: "Task", inode: "Inode", name: str) -> None:
    """Only CAP_SYS_ADMIN sets security.*, where the file system was mounted; file capabilities take CAP_SETFCAP."""
    if name == "security.capability":
        if not capable_over(task.creds, inode, "CAP_SETFCAP"):
            fail(errno.EPERM)
    else:
        require_capable(task, inode.superblock.user, "CAP_SYS_ADMIN")


def _set(task: "Task", path: str, name: str, value: bytes, flags: int, *, follow: bool) -> None:
    if flags & ~(XATTR_CREATE | XATTR_REPLACE):
        fail(errno.EINVAL)
    _check_name(name)
    if len(value) > SIZE_MAX:
        fail(errno.E2BIG)
    location = lookup(task, path, follow=follow)
    inode = location.inode
    want_write(location.mount)
    _may(task, inode, name, MAY_WRITE)
    inode.set_xattr(location.dentry, name, bytes(value), flags)


def _get(task: "Task", path: str, name: str, *, follow: bool) -> bytes:
    _check_name(name)
    inode = lookup(task, path, follow=follow).inode
    _may(task, inode, name, MAY_READ)
    return inode.get_xattr(name)


def _list(task: "Task", path: str, *, follow: bool) -> list[str]:
    names = lookup(task, path, follow=follow).inode.list_xattrs()
    return [name for name in names if _sees_trusted(task) or not name.startswith("trusted.")]


def _remove(task: "Task", path: str, name: str, *, follow: bool) -> None:
    _check_name(name)
    location = lookup(task, path, follow=follow)
    inode = location.inode
    want_write(location.mount)
    _may(task, inode, name, MAY_WRITE)
    inode.remove_xattr(location.dentry, name)


def sys_setxattr(task: "Task", path: str, attribute: str, value: bytes, flags: int = 0) -> None:
    """Set an extended attribute (setxattr(2))."""
    _set(task, path, attribute, value, flags, follow=True)


def sys_lsetxattr(task: "Task", path: str, attribute: str, value: bytes, flags: int = 0) -> None:
    """Set an extended attribute, of a symlink itself (lsetxattr(2))."""
    _set(task, path, attribute, value, flags, follow=False)


def sys_getxattr(task: "Task", path: str, attribute: str) -> bytes:
    """Return an extended attribute (getxattr(2)); ENODATA if there is none."""
    return _get(task, path, attribute, follow=True)


def sys_lgetxattr(task: "Task", path: str, attribute: str) -> bytes:
    """Return an extended attribute, of a symlink itself (lgetxattr(2))."""
    return _get(task, path, attribute, follow=False)


def sys_listxattr(task: "Task", path: str) -> list[str]:
    """Return the names of the extended attributes (listxattr(2))."""
    return _list(task, path, follow=True)


def sys_llistxattr(task: "Task", path: str) -> list[str]:
    """Return the names of the extended attributes, of a symlink itself (llistxattr(2))."""
    return _list(task, path, follow=False)


def sys_removexattr(task: "Task", path: str, attribute: str) -> None:
    """Remove an extended attribute (removexattr(2)); ENODATA if there is none."""
    _remove(task, path, attribute, follow=True)


def sys_lremovexattr(task: "Task", path: str, attribute: str) -> None:
    """Remove an extended attribute, of a symlink itself (lremovexattr(2))."""
    _remove(task, path, attribute, follow=False)
