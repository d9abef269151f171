"""PID namespaces: numbers for tasks, one inside another (pid_namespaces(7))."""

import errno
from typing import TYPE_CHECKING, ClassVar, Final

from minidocker.linux import fail
from minidocker.sim.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

PID_MAX: Final = 32768
#: How many PID namespaces may lie around one (MAX_PID_NS_LEVEL).
MAX_LEVEL: Final = 32


class PidNamespace(Namespace):
    """Numbers for tasks, and the first of them, init, whose end is the end of all (pid_namespaces(7)).

    A namespace lies inside another, and a task has a number in its own and in each one around it.
    """

    __slots__ = ("_last", "_numbers", "init", "level", "parent", "tasks")

    kind: ClassVar = "pid"

    def __init__(self, number: int, parent: "PidNamespace | None", owner: "UserNamespace") -> None:
        """Start empty; the first task that enters is pid 1, init. ENOSPC beyond 32 levels."""
        super().__init__(number, owner)
        self.parent = parent
        self.level: int = parent.level + 1 if parent else 0
        if self.level > MAX_LEVEL:
            fail(errno.ENOSPC)
        self.init: Task | None = None
        self.tasks: dict[int, Task] = {}
        self._numbers: dict[Task, int] = {}
        self._last = 0

    def enter(self, task: "Task") -> None:
        """Number a new task here and in each namespace around."""
        for namespace in self.around():
            namespace._number(task)  # noqa: SLF001  its own class
        if self.init is None:
            self.init = task

    def leave(self, task: "Task") -> None:
        """Forget a task that was reaped."""
        for namespace in self.around():
            namespace.tasks.pop(namespace._numbers.pop(task, 0), None)  # noqa: SLF001  its own class

    def number(self, task: "Task") -> int:
        """Return a task's pid as seen from here, 0 if it cannot be seen."""
        return self._numbers.get(task, 0)

    def find(self, pid: int) -> "Task | None":
        """Return the task that has a pid here."""
        return self.tasks.get(pid)

    def around(self) -> "Iterator[PidNamespace]":
        """Yield this namespace, the one that it lies in, and so on to the outermost."""
        namespace: PidNamespace | None = self
        while namespace:
            yield namespace
            namespace = namespace.parent

    def free(self) -> None:
        """Check that a task can be added: ENOMEM once init has ended, EAGAIN if all numbers are taken (clone(2)).

        As in alloc_pid(), a clone that finds no living init has taken a number in each namespace, never used then.
        """
        if any(len(namespace.tasks) >= PID_MAX - 1 for namespace in self.around()):
            fail(errno.EAGAIN)
        if self.init is not None and not self.init.alive:
            self.skip()
            fail(errno.ENOMEM)

    def skip(self) -> None:
        """Let the next numbers pass unused, here and in each namespace around."""
        for namespace in self.around():
            namespace._last = namespace._next()  # noqa: SLF001  its own class

    def _number(self, task: "Task") -> None:
        pid = self._last = self._next()
        self.tasks[pid] = task
        self._numbers[task] = pid

    def _next(self) -> int:
        """Return the next free number, round and round as alloc_pid() does."""
        pid = self._last % (PID_MAX - 1) + 1
        while pid in self.tasks:
            pid = pid % (PID_MAX - 1) + 1
        return pid
