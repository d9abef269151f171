"""Fair shares: which group's task has the next turn, and when a group has had enough (sched-design-CFS.rst).

*Fair.* Each group that competes has a *virtual runtime*: the time it has had, divided by its weight (in units of a
task's, 1024). Whoever has the least goes next. So of two groups with weights 1 and 3 that want all they can get, the
heavier one's runtime grows at a third of the pace, and it is chosen three times as often. Groups lie in groups: first
one of the root's is chosen, then one inside it, until tasks are reached. The tasks of one group compete with the groups
inside it: together they weigh as much as they are many, and take turns among themselves. Who slept does not save up
time: when a group has something to run again, its virtual runtime begins at that of the others.

*Enough* (sched-bwc.rst). A group with a quota has so much runtime in each period, for all processors. Each turn is
taken off that of the group and of all groups around it. At zero the group is *throttled*: none of its tasks is chosen
until the period ends. A turn that took a little more than there was is a debt that the next period pays.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from minidocker.port import Inner
from minidocker.sim.cgroup.group import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.task import Task

#: The weight of one task, and of a group that was not told otherwise (NICE_0_LOAD).
NICE_0: Final = 1024
DEFAULT_PERIOD_NS: Final = 100_000_000
MAX_PERIOD_NS: Final = 1_000_000_000
#: The shortest quota and period.
MIN_NS: Final = 1_000_000
#: How far the virtual runtime of a group may fall behind the others', when it has fewer tasks than its share of several
#: processors would feed.
_LAG_NS: Final = 100_000_000


class Share(State):
    """One group of the cpu controller (Linux's struct task_group with its cfs_rq and cfs_bandwidth)."""

    __slots__ = (
        "active", "latest_ns", "nr_periods", "nr_throttled", "own_vruntime", "period_end_ns", "period_ns", "queue",
        "quota_ns", "runnable", "runtime_ns", "throttled_ns", "throttled_since_ns", "vruntime", "weight",
    )  # fmt: skip

    def __init__(self, group: "Cgroup") -> None:
        """Start with a task's weight, no quota, and nobody who wants to run."""
        super().__init__(group)
        self.weight = NICE_0
        self.queue: deque[Task] = deque()
        """Its own tasks that wait for a turn."""
        self.active: dict[Share, None] = {}
        """The groups inside that have such tasks, and are not throttled."""
        self.runnable = 0
        """How many tasks wait here and in the active groups inside."""
        self.vruntime = self.own_vruntime = 0.0
        """The virtual runtimes of the group among its like, and of its own tasks among the groups inside."""
        self.latest_ns = 0.0
        """The virtual runtime of the last that was chosen: where one begins that comes anew."""
        self.quota_ns: int | None = None
        self.period_ns = DEFAULT_PERIOD_NS
        self.period_end_ns = self.runtime_ns = 0
        self.nr_periods = self.nr_throttled = self.throttled_ns = 0
        self.throttled_since_ns: int | None = None

    # who waits for a turn

    def add(self, task: "Task", *, woken: bool) -> None:
        """Let a task wait for a turn; ``woken``: it was asleep, and begins where the others are."""
        if woken and not self.queue:
            self.own_vruntime = max(self.own_vruntime, self.latest_ns)
        self.queue.append(task)
        self._count(1, woken=woken)

    def remove(self, task: "Task") -> None:
        """Let a task wait no longer."""
        self.queue.remove(task)
        self._count(-1, woken=False)

    def take(self, task: "Task") -> None:
        """Give a task the turn that it was chosen for."""
        for share in self.around():
            if share.parent is not None:
                share.parent.latest_ns = max(share.parent.latest_ns, share.vruntime)
        self.latest_ns = max(self.latest_ns, self.own_vruntime)
        if self.queue[0] is task:
            self.queue.popleft()
        else:
            self.queue.remove(task)
        self._count(-1, woken=False)

    def _count(self, change: int, *, woken: bool) -> None:
        """Count waiting tasks, here and around, up to a throttled group: what is in it counts when it may run again."""
        share = self
        while True:
            share.runnable += change
            parent: Share | None = share.parent
            if parent is None or share.throttled_since_ns is not None:
                return
            if not share.runnable:
                parent.active.pop(share, None)
            elif share not in parent.active:
                if woken:
                    share.vruntime = max(share.vruntime, parent.latest_ns)
                parent.active[share] = None
            share = parent

    def choose(self, fits: "Callable[[Task], bool]") -> "Task | None":
        """Return the task that is to have the next turn, of those that fit: the least virtual runtime goes first."""
        own = next((task for task in self.queue if fits(task)), None)
        for share in sorted(self.active, key=lambda share: share.vruntime):
            if own is not None and self.own_vruntime <= share.vruntime:
                return own
            task = share.choose(fits)
            if task is not None:
                return task
        return own

    def waiting(self) -> "Iterator[Task]":
        """Yield all tasks that wait for a turn and are not throttled."""
        yield from self.queue
        for share in self.active:
            yield from share.waiting()

    # what they have had

    def charge(self, ns: int) -> None:
        """Count a turn of one of its own tasks as virtual runtime."""
        self.own_vruntime = self._grown(self.own_vruntime, ns / (len(self.queue) + 1), self.latest_ns)
        for share in self.around():
            parent: Share | None = share.parent
            if parent is not None:
                share.vruntime = self._grown(share.vruntime, ns * NICE_0 / share.weight, parent.latest_ns)

    @staticmethod
    def _grown(vruntime: float, by: float, latest: float) -> float:
        return max(vruntime + by, latest - _LAG_NS)

    def set_weight(self, weight: int) -> None:
        """Have another weight from now on."""
        self.weight = weight

    # quota

    def set_bandwidth(self, quota_ns: int | None, period_ns: int) -> None:
        """Have another quota, from a new period on, which begins now."""
        self.quota_ns, self.period_ns = quota_ns, period_ns
        self.period_end_ns = 0
        if self.throttled_since_ns is not None:
            self._unthrottle(self.group.hierarchy.kernel.clock.now_ns())

    def left_ns(self, now_ns: int) -> int | None:
        """Return how long a turn that begins now may take before a quota here or around is used up; None: no quota."""
        least: int | None = None
        for share in self.around():
            if share.quota_ns is not None:
                share._roll(now_ns)  # noqa: SLF001  its own class
                least = share.runtime_ns if least is None else min(least, share.runtime_ns)
        return least

    def _roll(self, now_ns: int) -> None:
        """Begin a new period, if it is time. While a group was idle one is counted, and no more (Linux's timer)."""
        quota = self.quota_ns or 0
        if not self.period_end_ns:
            self.period_end_ns, self.runtime_ns = now_ns + self.period_ns, quota
        elif now_ns >= self.period_end_ns:
            passed = (now_ns - self.period_end_ns) // self.period_ns + 1
            self.nr_periods += min(passed, 2)
            self.period_end_ns += passed * self.period_ns
            self.runtime_ns = min(quota, self.runtime_ns + passed * quota)

    def use(self, ns: int, now_ns: int) -> None:
        """Take a turn that ended now off the runtime, here and around; who has none left is throttled."""
        for share in self.around():
            if share.quota_ns is not None:
                share.runtime_ns -= ns
                if share.runtime_ns <= 0 and share.throttled_since_ns is None:
                    share._throttle(now_ns)  # noqa: SLF001  its own class

    def _throttle(self, now_ns: int) -> None:
        """Let none of its tasks be chosen until the period ends."""
        if self.runnable and self.parent is not None:
            self.parent.active.pop(self, None)
            self.parent._count(-self.runnable, woken=False)  # noqa: SLF001  its own class
        self.throttled_since_ns = now_ns
        kernel = self.group.hierarchy.kernel
        kernel.scheduler.call_at(self.period_end_ns, self._period_ended)
        path = self.group.path()
        if kernel.listener is not None and not any(one.path == path for one in kernel.softirq.later):
            kernel.softirq.later.append(Inner(name="throttle", path=path, simulated=True))

    def _period_ended(self) -> None:
        """Begin a new period with a new quota, less the debt; go on being throttled if that is not enough."""
        if self.throttled_since_ns is None or self.quota_ns is None:
            return
        end_ns = self.period_end_ns
        self.nr_periods += 1
        self.nr_throttled += 1
        self.runtime_ns = min(self.quota_ns, self.runtime_ns + self.quota_ns)
        self.period_end_ns += self.period_ns
        if self.runtime_ns > 0:
            self._unthrottle(end_ns)
        else:
            self.group.hierarchy.kernel.scheduler.call_at(self.period_end_ns, self._period_ended)

    def _unthrottle(self, now_ns: int) -> None:
        """Let its tasks be chosen again, from now on."""
        self.throttled_ns += max(0, now_ns - (self.throttled_since_ns or now_ns))
        self.throttled_since_ns = None
        for task in self.waiting():
            task.ready_ns = max(task.ready_ns, now_ns)
        parent: Share | None = self.parent
        if self.runnable and parent is not None:
            self.vruntime = max(self.vruntime, parent.latest_ns)
            parent.active[self] = None
            parent._count(self.runnable, woken=True)  # noqa: SLF001  its own class

    def throttled_now_ns(self, now_ns: int) -> int:
        """Return how long the group was throttled, up to now."""
        since = self.throttled_since_ns
        return self.throttled_ns + (0 if since is None else max(0, now_ns - since))
