"""The descriptor table of a task: small numbers for open files (Linux's struct files_struct)."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail

if TYPE_CHECKING:
    from minidocker.sim.open_file import OpenFile
    from minidocker.sim.task import Task

#: How many descriptors a task may have: RLIMIT_NOFILE's usual soft limit.
LIMIT: Final = 1024

#: The same for the daemon and what it starts (docker.service, LimitNOFILE=infinity, is /proc/sys/fs/nr_open).
DAEMON_LIMIT: Final = 1 << 20


class Descriptors:
    """Number → open file. Each number counts as one reference; with the last one the open file is released."""

    __slots__ = ("cloexec", "files", "limit")

    def __init__(self, limit: int = LIMIT) -> None:
        """Start empty."""
        self.files: dict[int, OpenFile] = {}
        self.cloexec: set[int] = set()
        self.limit = limit

    def get(self, fd: int) -> "OpenFile":
        """Return the open file of a descriptor; EBADF if it is not open."""
        file = self.files.get(fd)
        if file is None:
            fail(errno.EBADF)
        return file

    def add(self, file: "OpenFile", *, cloexec: bool = False, lowest: int = 0) -> int:
        """Give an open file the lowest free number, from ``lowest`` up; EMFILE if there is none."""
        files = self.files
        fd = max(lowest, len(files)) if _dense(files) else lowest
        while fd in files:
            fd += 1
        if fd >= self.limit:
            fail(errno.EMFILE)
        self.put(fd, file, cloexec=cloexec)
        return fd

    def put(self, fd: int, file: "OpenFile", *, cloexec: bool = False) -> None:
        """Make fd a descriptor of file, closing what it was before."""
        file.references += 1
        if fd in self.files:
            self.close(fd)
        self.files[fd] = file
        if cloexec:
            self.cloexec.add(fd)

    def close(self, fd: int) -> None:
        """Free a number; EBADF if it is not open."""
        file = self.files.pop(fd, None)
        if file is None:
            fail(errno.EBADF)
        self.cloexec.discard(fd)
        file.references -= 1
        if not file.references:
            file.release()

    def close_all(self) -> None:
        """Free all numbers: the task ended."""
        for fd in list(self.files):
            self.close(fd)

    def close_on_exec(self) -> None:
        """Free those opened with O_CLOEXEC: execve(2) succeeded."""
        for fd in list(self.cloexec):
            self.close(fd)

    def copy(self) -> "Descriptors":
        """Return a clone's table: its own numbers, the same open files."""
        twin = Descriptors(self.limit)
        for fd, file in self.files.items():
            twin.put(fd, file, cloexec=fd in self.cloexec)
        return twin


def _dense(files: "dict[int, OpenFile]") -> bool:
    """Are the numbers 0 … n-1 all taken? Then the search for a free one starts at n."""
    return not files or max(files) == len(files) - 1


def sys_close(task: "Task", fd: int) -> None:
    """Close a descriptor (close(2))."""
    task.files.close(fd)


def sys_dup(task: "Task", fd: int) -> int:
    """Return another descriptor of the same open file (dup(2))."""
    return task.files.add(task.files.get(fd))


def sys_dup2(task: "Task", fd: int, fd2: int) -> int:
    """Make fd2 a descriptor of fd's open file; fd2 is closed first, unless it is fd (dup2(2))."""
    file = task.files.get(fd)
    if not 0 <= fd2 < task.files.limit:
        fail(errno.EBADF)
    if fd2 != fd:
        task.files.put(fd2, file)
    return fd2
