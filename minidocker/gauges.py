"""Gauges: what control groups use, read after the calls that may have changed it: the meters of a trace.

The same code reads on both kernels, through the port, and is not traced itself. What it finds is *local*: two kernels
never use the same number of bytes.
"""

from collections.abc import Sequence
from typing import Any, Final

from minidocker.cgroup_table import ROOT, USAGE, number_behind, split
from minidocker.kernel import Files, Inner
from minidocker.linux import O_CLOEXEC, O_RDONLY

#: The calls after which it is worth looking: tasks come, go and move, memory is mapped, time has passed.
MOVING: Final = frozenset({
    "clone", "execve", "exit", "wait4", "mmap", "munmap", "sleep", "pause", "kill", "write", "fork",
})  # fmt: skip

#: The counters of a hierarchy: of v2's one for all, and of v1's that have any.
COUNTERS: Final = {
    "": ("memory.current", "pids.current", "cpu.stat"),
    "memory": ("memory.usage_in_bytes",),
    "pids": ("pids.current",),
    "cpuacct": ("cpuacct.usage",),
    "cpu,cpuacct": ("cpuacct.usage",),
}  # fmt: skip

_ENOUGH: Final = 4096


class Gauges:
    """The control groups that the host's side has made, and what they used when somebody last looked."""

    def __init__(self, files: Files) -> None:
        """Begin with none. ``files`` must not be traced itself."""
        self._files = files
        self._known: dict[str, dict[str, int]] = {}

    def after(self, task: str, name: str, args: Sequence[Any]) -> tuple[Inner, ...]:
        """Look again after a call that may have moved something; return what each group uses now, where it is new."""
        if task == "0" and name in ("mkdir", "rmdir") and str(args[0]).startswith(ROOT + "/"):
            self._follow(name, str(args[0]))
        if name not in MOVING or not self._known:
            return ()
        return tuple(found for group in list(self._known) if (found := self._look(group)) is not None)

    def _follow(self, name: str, group: str) -> None:
        if name == "mkdir":
            self._known.setdefault(group, {})
        else:
            self._known.pop(group, None)

    def _look(self, group: str) -> Inner | None:
        before, now = self._known[group], {}
        for counter in COUNTERS.get(split(group)[0], ()):
            number = self._read(f"{group}/{counter}", USAGE[counter])
            if number is not None and before.get(counter) != number:
                now[counter] = number
        self._known[group] = {**before, **now}
        return Inner(name="usage", path=group, data=now) if now else None

    def _read(self, path: str, word: str) -> int | None:
        """Return the number in a file; None where there is no such file, or the group is gone."""
        try:
            fd = self._files.open(path, O_RDONLY | O_CLOEXEC)
        except OSError:
            return None
        try:
            return number_behind(self._files.read(fd, _ENOUGH).decode(errors="replace"), word)
        except OSError:
            return None
        finally:
            self._files.close(fd)
