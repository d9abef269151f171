"""What the host's side waits for: poll and watch (epoll(7)). While it waits, the scheduler runs the tasks."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.kernel import Event
from minidocker.linux import fail

if TYPE_CHECKING:
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.open_file import OpenFile
    from minidocker.sim.task import Task

#: How long a poll lets tasks run that never wait, beyond its timeout.
GRACE_NS: Final = 10_000_000


class Events:
    """The descriptors that the host's side watches, and the children of its that ended."""

    __slots__ = ("_ended", "_kernel", "_watched")

    def __init__(self, kernel: "SimKernel") -> None:
        """Start with nothing watched."""
        self._kernel = kernel
        self._watched: dict[int, OpenFile] = {}
        self._ended: list[Task] = []

    def watch(self, fd: int) -> None:
        """Have poll tell when fd is readable; EBADF. Closing it ends that."""
        self._watched[fd] = self._kernel.host.files.get(fd)

    def ended(self, task: "Task") -> None:
        """Take note of a child of the host's that ended; it is told once."""
        self._ended.append(task)

    def poll(self, timeout_s: float | None = 0.0) -> list[Event]:
        """Let tasks run until something happened, and return what.

        A descriptor is told as long as it is readable, an ended child once. A timeout is the clock's: virtual time
        passes while everybody waits. If nothing can ever happen (no timer, nobody who could run), the answer is ``[]``.
        """
        scheduler, clock = self._kernel.scheduler, self._kernel.clock
        self._forget_closed()
        if timeout_s is None:
            scheduler.run(self._any)
        else:
            if timeout_s < 0:
                fail(errno.EINVAL)
            now_ns = clock.now_ns()
            scheduler.run(self._any, now_ns + int(timeout_s * 1e9), GRACE_NS)
        return self._take()

    def _any(self) -> bool:
        return bool(self._ended) or any(file.readable() for file in self._watched.values())

    def _forget_closed(self) -> None:
        files = self._kernel.host.files.files
        self._watched = {fd: file for fd, file in self._watched.items() if files.get(fd) is file}

    def _take(self) -> list[Event]:
        events = [Event(kind="readable", fd=fd) for fd, file in self._watched.items() if file.readable()]
        ended, self._ended = self._ended, []
        number = self._kernel.host.ns.pid.number
        return events + [Event(kind="exited", pid=number(task)) for task in ended if task.parent is self._kernel.host]
