"""Streams: the daemon's ends of the pipes of what it has started."""

from collections.abc import Callable
from typing import Final

from minidocker.kernel import Kernel
from minidocker.linux import O_CLOEXEC
from minidocker.process import LogLine, Process

_READ_SIZE: Final = 1 << 16


class Streams:
    """The pipes that are open, each with the process that writes into it."""

    def __init__(self, kernel: Kernel, clock_ns: Callable[[], int]) -> None:
        """Have none yet. ``clock_ns`` stamps what is read."""
        self._kernel = kernel
        self._clock_ns = clock_ns
        self._owners: dict[int, Process] = {}

    def open(self, process: Process, *names: str) -> list[int]:
        """Make a pipe for each name, watch the reading ends, and return the writing ones."""
        writing = []
        for name in names:
            fd, end = self._kernel.pipe2(O_CLOEXEC)
            process.open_streams[fd], self._owners[fd] = name, process
            writing.append(end)
        return writing

    def watch(self, process: Process) -> None:
        """Have poll tell of what comes through a process's pipes."""
        for fd in process.open_streams:
            self._kernel.watch(fd)

    def take(self, fd: int) -> bool:
        """Take what a pipe has into its process's log; False if that was nothing."""
        process = self._owners.get(fd)
        if process is None:
            return False
        try:
            data = self._kernel.read(fd, _READ_SIZE)
        except BlockingIOError:
            return False
        if data:
            process.log.append(LogLine(stream=process.open_streams[fd], data=data, time_ns=self._clock_ns()))
        else:
            self.close(process, fd)
        return bool(data)

    def drain(self, process: Process) -> None:
        """Take all that is left in the pipes of a process that has ended."""
        for fd in list(process.open_streams):
            while self.take(fd):
                pass

    def close(self, process: Process, fd: int) -> None:
        """Close the daemon's end of a pipe."""
        self._kernel.close(fd)
        del process.open_streams[fd], self._owners[fd]

    def close_all(self, process: Process) -> None:
        """Close whatever is still open of a process's pipes."""
        for fd in list(process.open_streams):
            self.close(process, fd)
