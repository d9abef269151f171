"""A group's share of the processors: its weight, its quota, and how much it has had."""

from typing import TYPE_CHECKING, Final

from minidocker.sim.cgroup.group import State

if TYPE_CHECKING:
    from minidocker.sim.cgroup.group import Cgroup

#: The weight of one task, and of a group that was not told otherwise (NICE_0_LOAD).
NICE_0: Final = 1024
DEFAULT_PERIOD_NS: Final = 100_000_000
MAX_PERIOD_NS: Final = 1_000_000_000
#: The shortest quota and period.
MIN_NS: Final = 1_000_000


class Share(State):
    """One group of the cpu controller (Linux's struct task_group and cfs_bandwidth)."""

    __slots__ = (
        "nr_periods", "nr_throttled", "period_ns", "quota_ns", "throttled_ns", "throttled_since_ns", "weight",
    )  # fmt: skip

    def __init__(self, group: "Cgroup") -> None:
        """Start with a task's weight and no quota."""
        super().__init__(group)
        self.weight = NICE_0
        self.quota_ns: int | None = None
        self.period_ns = DEFAULT_PERIOD_NS
        self.nr_periods = self.nr_throttled = self.throttled_ns = 0
        self.throttled_since_ns: int | None = None

    def set_weight(self, weight: int) -> None:
        """Have another weight from now on."""
        self.weight = weight

    def set_bandwidth(self, quota_ns: int | None, period_ns: int) -> None:
        """Have another quota, from a new period on."""
        self.quota_ns, self.period_ns = quota_ns, period_ns

    def throttled_now_ns(self, now_ns: int) -> int:
        """Return how long the group was throttled, up to now."""
        since = self.throttled_since_ns
        return self.throttled_ns + (0 if since is None else max(0, now_ns - since))
