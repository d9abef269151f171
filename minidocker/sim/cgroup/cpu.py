"""The cpu controller: weights and quotas, as files (sched-design-CFS.rst, sched-bwc.rst, cgroup-v2.rst, "CPU").

A *weight* counts only while groups compete: groups inside one group share its time in proportion to their weights, and
each task that is in that group itself competes like a group of weight 1024 (v1's cpu.shares) or 100 (v2's cpu.weight).
A *quota* counts always: in each period the group's tasks get so much time on all processors together, and are then
*throttled* until the period ends. How the scheduler does it is told in ``fair.py``.
"""

import errno
from typing import TYPE_CHECKING, Any, Final

from minidocker.linux import fail
from minidocker.sim.cgroup.controller import Controller, File, Writer
from minidocker.sim.cgroup.fair import MAX_PERIOD_NS, MIN_NS, NICE_0, Share
from minidocker.sim.cgroup.group import Cgroup
from minidocker.sim.cgroup.numbers import MAX, integer, strip, table, unsigned

if TYPE_CHECKING:
    from minidocker.sim.task import Task

MIN_SHARES, MAX_SHARES = 2, 1 << 18
MAX_WEIGHT: Final = 10_000
_US: Final = 1000
#: The largest quota, in microseconds (max_cfs_runtime).
_MAX_QUOTA_US: Final = (1 << 44) // _US


def _state(group: Cgroup) -> Share:
    state: Share = group.states["cpu"]
    return state


def _not_root(group: Cgroup) -> None:
    if group.parent is None:
        fail(errno.EINVAL)


def set_bandwidth(share: Share, quota_ns: int | None, period_ns: int) -> None:
    """Set a quota and its period (tg_set_cfs_bandwidth).

    EINVAL: either shorter than a millisecond, the period longer than a second, and in version 1 a larger part of the
    processors than the group around has, or a smaller one than a group inside.
    """
    if quota_ns is not None and (quota_ns < MIN_NS or quota_ns // _US > _MAX_QUOTA_US):
        fail(errno.EINVAL)
    if not MIN_NS <= period_ns <= MAX_PERIOD_NS:
        fail(errno.EINVAL)
    if not share.group.hierarchy.is_v2:
        _check_ratio(share, quota_ns, period_ns)
    share.set_bandwidth(quota_ns, period_ns)


def _check_ratio(share: Share, quota_ns: int | None, period_ns: int) -> None:
    if quota_ns is None:
        return
    ratio = quota_ns / period_ns
    around = [one.quota_ns / one.period_ns for one in share.around() if one is not share and one.quota_ns is not None]
    inside = [_state(group) for group in share.group.tree()]
    ratios = [one.quota_ns / one.period_ns for one in inside if one is not share and one.quota_ns is not None]
    if any(ratio > other for other in around) or any(other > ratio for other in ratios):
        fail(errno.EINVAL)


# version 1


def _read_shares(group: Cgroup, reader: "Task") -> str:
    return f"{_state(group).weight}\n"


def _write_shares(group: Cgroup, writer: Writer, text: str) -> None:
    value = unsigned(text)
    _not_root(group)
    _state(group).set_weight(min(max(value, MIN_SHARES), MAX_SHARES))


def _read_quota(group: Cgroup, reader: "Task") -> str:
    quota_ns = _state(group).quota_ns
    return f"{-1 if quota_ns is None else quota_ns // _US}\n"


def _write_quota(group: Cgroup, writer: Writer, text: str) -> None:
    value = integer(text)
    _not_root(group)
    set_bandwidth(_state(group), None if value < 0 else value * _US, _state(group).period_ns)


def _read_period(group: Cgroup, reader: "Task") -> str:
    return f"{_state(group).period_ns // _US}\n"


def _write_period(group: Cgroup, writer: Writer, text: str) -> None:
    value = unsigned(text)
    _not_root(group)
    set_bandwidth(_state(group), _state(group).quota_ns, value * _US)


def _read_stat_v1(group: Cgroup, reader: "Task") -> str:
    share = _state(group)
    return table(_periods(share, "time", share.throttled_now_ns(reader.kernel.clock.now_ns())))


def _read_local_v1(group: Cgroup, reader: "Task") -> str:
    return table((("throttled_time", _state(group).throttled_now_ns(reader.kernel.clock.now_ns())),))


def _periods(share: Share, unit: str, throttled: int) -> "tuple[tuple[str, int], ...]":
    return (
        ("nr_periods", share.nr_periods), ("nr_throttled", share.nr_throttled), (f"throttled_{unit}", throttled),
        ("nr_bursts", 0), (f"burst_{unit}", 0),
    )  # fmt: skip


# version 2


def _read_weight(group: Cgroup, reader: "Task") -> str:
    return f"{(_state(group).weight * 100 + NICE_0 // 2) // NICE_0}\n"


def _write_weight(group: Cgroup, writer: Writer, text: str) -> None:
    value = unsigned(text)
    if not 1 <= value <= MAX_WEIGHT:
        fail(errno.ERANGE)
    _state(group).set_weight((value * NICE_0 + 50) // 100)


def _read_max(group: Cgroup, reader: "Task") -> str:
    share = _state(group)
    quota = MAX if share.quota_ns is None else share.quota_ns // _US
    return f"{quota} {share.period_ns // _US}\n"


def _write_max(group: Cgroup, writer: Writer, text: str) -> None:
    """Take ``QUOTA`` or ``QUOTA PERIOD``, in microseconds; a quota of ``max`` is none. EINVAL."""
    words = strip(text).split()
    if not words or not all(word.isdecimal() for word in words[1:2]):
        fail(errno.EINVAL)
    share = _state(group)
    period_ns = int(words[1]) * _US if len(words) > 1 else share.period_ns
    if words[0] != MAX and not words[0].isdecimal():
        fail(errno.EINVAL)
    set_bandwidth(share, None if words[0] == MAX else int(words[0]) * _US, period_ns)


def _read_stat(group: Cgroup, reader: "Task") -> str:
    """Return cpu.stat: each group has its use, one with the controller what its quota did."""
    usage: Any = group.usage
    rows = [("usage_usec", usage.total // _US), ("user_usec", usage.user // _US)]
    rows += [("system_usec", usage.system // _US), ("nice_usec", 0)]
    share = group.states.get("cpu")
    if share is not None and group.parent is not None:
        rows += _periods(share, "usec", share.throttled_now_ns(reader.kernel.clock.now_ns()) // _US)
    return table(rows)


def _read_local(group: Cgroup, reader: "Task") -> str:
    share = group.states.get("cpu")
    if share is None or group.parent is None:
        return ""
    return table((("throttled_usec", share.throttled_now_ns(reader.kernel.clock.now_ns()) // _US),))


#: What each v2 group has, with the controller or without.
STAT_FILES: Final = (File(name="cpu.stat", read=_read_stat), File(name="cpu.stat.local", read=_read_local))

CONTROLLER: Final = Controller(
    name="cpu",
    make=Share,
    v1=(
        File(name="cpu.shares", read=_read_shares, write=_write_shares),
        File(name="cpu.cfs_quota_us", read=_read_quota, write=_write_quota),
        File(name="cpu.cfs_period_us", read=_read_period, write=_write_period),
        File(name="cpu.stat", read=_read_stat_v1),
        File(name="cpu.stat.local", read=_read_local_v1),
    ),
    v2=(
        File(name="cpu.weight", read=_read_weight, write=_write_weight, on_root=False),
        File(name="cpu.max", read=_read_max, write=_write_max, on_root=False),
    ),
)
