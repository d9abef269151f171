"""A task by a descriptor, which still means that task when its number is another's (pidfd_open(2))."""

import errno
from typing import TYPE_CHECKING

from minidocker.kernel import Stat
from minidocker.linux import O_CLOEXEC, O_NONBLOCK, O_RDWR, S_IFREG, fail
from minidocker.sim.open_file import OpenFile

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: The device number of the file system that they are on; no path leads there.
PIDFS = 8


class PidFile(OpenFile):
    """A descriptor of a task. It is readable once the task has ended."""

    __slots__ = ("_number", "subject")

    def __init__(self, subject: "Task", number: int, flags: int) -> None:
        """Hold a task, ended or not."""
        super().__init__(flags)
        self.subject = subject
        self._number = number

    def readable(self) -> bool:
        """Has the task ended?"""
        return not self.subject.alive

    def stat(self) -> Stat:
        """Tell a number that is the task's own (pidfs)."""
        return Stat(
            st_mode=S_IFREG | 0o700, st_ino=self._number, st_dev=PIDFS, st_nlink=1, st_uid=0, st_gid=0, st_size=0
        )


def sys_pidfd_open(task: "Task", pid: int, flags: int = 0) -> int:
    """Return a descriptor of a task, closed by execve (pidfd_open(2)). ESRCH, EINVAL; flags: PIDFD_NONBLOCK."""
    if flags & ~O_NONBLOCK or pid <= 0:
        fail(errno.EINVAL)
    subject = task.ns.pid.find(pid)
    if subject is None:
        fail(errno.ESRCH)
    return task.files.add(PidFile(subject, subject.pid, O_RDWR | flags), cloexec=bool(O_CLOEXEC))
