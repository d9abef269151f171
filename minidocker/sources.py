"""What a task's descriptors read from, where that differs between kernels: a pipe, or a file of /proc."""

from collections.abc import Mapping
from typing import Final

from minidocker.kernel import SyscallEvent

PIPE: Final = "a pipe"
PROC: Final = "/proc"


def in_proc(path: str) -> bool:
    """Is it a path of the /proc that a container has?"""
    return f"{path}/".startswith("/proc/")


class Sources:
    """Task → descriptor → source, followed through the calls that make, copy and close descriptors."""

    def __init__(self) -> None:
        """Begin with nothing open."""
        self._open: dict[str, dict[int, str]] = {}

    def of(self, event: SyscallEvent) -> str:
        """Return the source that a read reads from, or nothing if it is an ordinary file."""
        return self._open.get(event.task, {}).get(event.args[0], "")

    def inherit(self, parent: str, child: str, fds: Mapping[int, int] | None) -> None:
        """Give a child its parent's descriptors, or those that ``fds`` names (child's number → parent's)."""
        theirs = self._open.get(parent, {})
        if child not in self._open:
            self._open[child] = (
                dict(theirs) if fds is None else {n: theirs[fd] for n, fd in fds.items() if fd in theirs}
            )

    def follow(self, event: SyscallEvent) -> None:
        """Take note of what a finished call did to the task's descriptors."""
        if event.error is not None:
            return
        mine = self._open.setdefault(event.task, {})
        if event.name == "open":
            mine.pop(event.result, None)
            if in_proc(event.args[0]):
                mine[event.result] = PROC
        elif event.name == "pipe2":
            mine.update(dict.fromkeys(event.result, PIPE))
        elif event.name in ("dup", "dup2"):
            mine.pop(event.result, None)
            if event.args[0] in mine:
                mine[event.result] = mine[event.args[0]]
        elif event.name == "close":
            mine.pop(event.args[0], None)
