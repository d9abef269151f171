"""Streams: the daemon's ends of the pipes of what it has started."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from minidocker.kernel import Files, Kernel
from minidocker.linux import SIGKILL, WNOHANG
from minidocker.process import LogLine, Process

_READ_SIZE: Final = 1 << 16


class Streams:
    """The pipes that are open, each with the process that writes into it."""

    def __init__(self, kernel: Kernel, clock_ns: Callable[[], int]) -> None:
        """Have none yet. ``clock_ns`` stamps what is read."""
        self._kernel = kernel
        self._clock_ns = clock_ns
        self._owners: dict[int, Process] = {}

    def take_over(self, process: Process, names: Mapping[int, str]) -> None:
        """Take from now on what comes through pipes, each named by what a process writes there; they are watched."""
        process.open_streams.update(names)
        self._owners.update(dict.fromkeys(names, process))

    def take(self, fd: int) -> bool:
        """Take what a pipe has into its process's log; False if that was nothing."""
        return self.put(fd, self._kernel.together(read_or_close, fd))

    def put(self, fd: int, data: bytes | None) -> bool:
        """Put what was read from a pipe (see :func:`read_or_close`) into its process's log; False if it is nothing.

        A pipe of a start that was interrupted is nobody's.
        """
        process = self._owners.get(fd)
        if process is None:
            return False
        if data:
            process.log.append(LogLine(stream=process.open_streams[fd], data=data, time_ns=self._clock_ns()))
        elif data is not None:
            del process.open_streams[fd], self._owners[fd]
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


def take_news(kernel: Kernel, kind: str, number: int) -> Any:
    """Do about an event what there is to do: read the pipe (:func:`read_or_close`), or reap the child (wait4(2)).

    A child that was reaped by a call whose answer Ctrl-C has cut off counts as killed: nobody knows how it ended.
    """
    if kind == "readable":
        return read_or_close(kernel, number)
    try:
        return kernel.wait4(number, WNOHANG)
    except ChildProcessError:
        return number, SIGKILL


def read_or_close(files: Files, fd: int) -> bytes | None:
    """Read what a pipe has: None if that is nothing yet, and nothing at its end, at which it is closed."""
    try:
        data = files.read(fd, _READ_SIZE)
    except BlockingIOError:
        return None
    if not data:
        files.close(fd)
    return data
