"""Processors in virtual time: when each is free again, and which one a task runs on.

One Python runs all tasks, one turn after the other; the clock of a simulated host shall nevertheless tell what several
processors would. So each processor has a time of its own, up to which it was busy. A turn begins when both its task and
the processor are ready, which may be earlier than what the clock shows: then the two ran *at the same time*, and the
clock stands still until this processor has caught up. Two tasks that spin on two processors take one second of the
clock to use two seconds of processors.

Within a turn nobody else acts, so what tasks on two processors do to each other is ordered by turns, not by calls: for
at most a turn one may see what the other does only later. Who is woken is ready no earlier than who woke it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minidocker.sim.cgroup.fair import Share
    from minidocker.sim.task import Task


class Processors:
    """The processors of one host. Times are the clock's, in nanoseconds."""

    __slots__ = ("free_ns", "now_ns")

    def __init__(self, number: int) -> None:
        """Start with all of them free."""
        self.free_ns = [0] * number
        self.now_ns = 0
        """No turn begins before this: it is when the host's side last let tasks run."""

    def fit(self, task: "Task") -> int:
        """Return the processor on which a task can begin first: its last one, if that is as good as any."""
        allowed = task.cpus or range(len(self.free_ns))
        ready_ns = max(task.ready_ns, self.now_ns)
        last = task.last_cpu
        if last in allowed and self.free_ns[last] <= ready_ns:
            return last
        return min(allowed, key=lambda cpu: (max(self.free_ns[cpu], ready_ns), cpu != last, cpu))

    def next(self, root: "Share") -> "tuple[Task, int]":
        """Return who has the next turn, and on which processor: the processor that can begin first, the fairest task.

        Without groups it is simply whoever has waited longest.
        """
        if not root.active:
            task = root.queue[0]
            return task, self.fit(task)
        waiting = list(root.waiting())
        start_ns, cpu = min(self._start(cpu, waiting) for cpu in range(len(self.free_ns)))
        chosen = root.choose(lambda task: task.ready_ns <= start_ns and (task.cpus is None or cpu in task.cpus))
        assert chosen is not None
        return chosen, cpu

    def _start(self, cpu: int, waiting: "list[Task]") -> tuple[int, int]:
        """Return when a processor can give the next turn."""
        ready = [task.ready_ns for task in waiting if task.cpus is None or cpu in task.cpus]
        return (max(self.free_ns[cpu], self.now_ns, min(ready)) if ready else _NEVER), cpu

    def begin(self, task: "Task", cpu: int) -> int:
        """Begin a turn, and return when."""
        task.last_cpu = cpu
        return max(self.free_ns[cpu], task.ready_ns, self.now_ns)


_NEVER = 1 << 100
