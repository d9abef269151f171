"""mqueue: the POSIX message queues of an IPC namespace as files (mq_overview(7)).

The directory is there and empty: queues are not modelled, and to make one is refused (ENOSYS).
"""

import errno
from typing import TYPE_CHECKING, NoReturn

from minidocker.linux import S_IFDIR, strerror
from minidocker.sim.dentry import Dentry
from minidocker.sim.inode import SuperBlock
from minidocker.sim.mount import register
from minidocker.sim.refuse import refuse
from minidocker.sim.tmpfs import Tmpfs, TmpfsInode

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace


class QueueDirectory(TmpfsInode):
    """The root of an mqueue file system."""

    __slots__ = ()

    def make(self, dentry: Dentry, mode: int, creds: "Credentials", *, rdev: int = 0, target: str = "") -> NoReturn:
        """Refuse to make a queue."""
        refuse(errno.ENOSYS, "does not model POSIX message queues")


def _owner(task: "Task") -> "UserNamespace":
    return task.ns.ipc.owner


def mount_mqueue(task: "Task", source: str, data: str, readonly: bool) -> SuperBlock:
    """Make the file system of the caller's IPC namespace; it has no options: EINVAL."""
    if data:
        raise OSError(errno.EINVAL, f"{strerror(errno.EINVAL)}: mqueue: unknown parameter {data!r}")
    creds = task.creds
    queues = Tmpfs(task.kernel, source=source or "none", creds=creds)
    queues.user = task.ns.ipc.owner
    queues.fstype = "mqueue"
    queues.root = Dentry("", None, QueueDirectory(queues, S_IFDIR | 0o1777, creds.euid, creds.egid), queues)
    return queues


register("mqueue", mount_mqueue, _owner)
