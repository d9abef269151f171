"""The working directory and the umask: chdir(2), fchdir(2), getcwd(2), umask(2)."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import fail
from minidocker.sim.path import Location, lookup, path_of
from minidocker.sim.permission import MAY_EXEC, require

if TYPE_CHECKING:
    from minidocker.sim.task import Task


def _enter(task: "Task", location: Location) -> None:
    if not location.inode.is_dir:
        fail(errno.ENOTDIR)
    require(task.creds, location.inode, MAY_EXEC)
    task.fs.cwd = location


def sys_chdir(task: "Task", path: str) -> None:
    """Change the working directory (chdir(2)); ENOTDIR, EACCES."""
    _enter(task, lookup(task, path))


def sys_fchdir(task: "Task", fd: int) -> None:
    """Change the working directory to an open one (fchdir(2))."""
    location = getattr(task.files.get(fd), "location", None)
    if location is None:
        fail(errno.ENOTDIR)
    _enter(task, Location(*location))


def sys_getcwd(task: "Task") -> str:
    """Return the working directory (getcwd(2)); ENOENT if it was removed or cannot be reached from the root."""
    path = None if task.fs.cwd.inode.dead else path_of(task, task.fs.cwd)
    if path is None:
        fail(errno.ENOENT)
    return path


def sys_umask(task: "Task", mask: int) -> int:
    """Set the bits that new files don't get, and return the old ones (umask(2))."""
    old, task.fs.umask = task.fs.umask, mask & 0o777
    return old
