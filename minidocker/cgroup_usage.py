"""Usage: what a group's tasks have used and use, as its files tell (cgroup-v1/, cgroup-v2.rst)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: The files that tell it: v1's, with their controllers, and v2's.
V1_FILES: Final = {
    "cpuacct.usage": "cpuacct", "cpuacct.usage_percpu": "cpuacct", "cpuacct.stat": "cpuacct", "cpu.stat": "cpu",
    "memory.usage_in_bytes": "memory", "memory.max_usage_in_bytes": "memory", "memory.limit_in_bytes": "memory",
    "memory.stat": "memory", "memory.failcnt": "memory", "memory.oom_control": "memory", "pids.current": "pids",
    "pids.max": "pids",
}  # fmt: skip
V2_FILES: Final = (
    "cpu.stat", "memory.current", "memory.peak", "memory.max", "memory.stat", "memory.events", "pids.current",
    "pids.max",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a group has used and uses. Bytes and nanoseconds; a limit of 0 is none; what nobody counts is 0 too."""

    cpu_ns: int = 0
    per_cpu_ns: tuple[int, ...] = ()
    """By processor: v1 alone tells."""
    user_ns: int = 0
    system_ns: int = 0
    periods: int = 0
    """How many of the quota's periods have begun, in how many it was held up, and for how long."""
    throttled_periods: int = 0
    throttled_ns: int = 0
    memory: int = 0
    memory_cache: int = 0
    """Of the memory, what was read from files and could go at once: docker stats leaves it out."""
    memory_peak: int = 0
    memory_limit: int = 0
    memory_failures: int = 0
    """How often the limit was reached."""
    oom_kills: int = 0
    pids: int = 0
    pids_limit: int = 0


#: From here on v1's memory limit means none: the largest page-aligned number (PAGE_COUNTER_MAX).
_NO_LIMIT: Final = (1 << 63) - 4096

#: The unit of v1's cpuacct.stat: USER_HZ is 100.
_TICK_NS: Final = 10_000_000


def table(text: str) -> dict[str, int]:
    """Return the numbers of a flat keyed file: ``oom_kill 1``."""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def _number(text: str) -> int:
    """Return a number that a file says; 0 for ``max`` and for nothing."""
    return int(text) if text.strip().isdecimal() else 0


def of_v1(texts: Mapping[str, str]) -> Usage:
    """Return what v1's files say."""
    cpu, memory, ticks = (table(texts.get(name, "")) for name in ("cpu.stat", "memory.stat", "cpuacct.stat"))
    limit = _number(texts.get("memory.limit_in_bytes", ""))
    return Usage(
        cpu_ns=_number(texts.get("cpuacct.usage", "")),
        per_cpu_ns=tuple(map(int, texts.get("cpuacct.usage_percpu", "").split())),
        user_ns=ticks.get("user", 0) * _TICK_NS,
        system_ns=ticks.get("system", 0) * _TICK_NS,
        periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_time", 0),
        memory=_number(texts.get("memory.usage_in_bytes", "")),
        memory_cache=memory.get("total_inactive_file", 0),
        memory_peak=_number(texts.get("memory.max_usage_in_bytes", "")),
        memory_limit=0 if limit >= _NO_LIMIT else limit,
        memory_failures=_number(texts.get("memory.failcnt", "")),
        oom_kills=table(texts.get("memory.oom_control", "")).get("oom_kill", 0),
        pids=_number(texts.get("pids.current", "")),
        pids_limit=_number(texts.get("pids.max", "")),
    )


def of_v2(texts: Mapping[str, str]) -> Usage:
    """Return what v2's files say."""
    cpu, memory, events = (table(texts.get(name, "")) for name in ("cpu.stat", "memory.stat", "memory.events"))
    return Usage(
        cpu_ns=cpu.get("usage_usec", 0) * 1000,
        user_ns=cpu.get("user_usec", 0) * 1000,
        system_ns=cpu.get("system_usec", 0) * 1000,
        periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_usec", 0) * 1000,
        memory=_number(texts.get("memory.current", "")),
        memory_cache=memory.get("inactive_file", 0),
        memory_peak=_number(texts.get("memory.peak", "")),
        memory_limit=_number(texts.get("memory.max", "")),
        memory_failures=events.get("max", 0),
        oom_kills=events.get("oom_kill", 0),
        pids=_number(texts.get("pids.current", "")),
        pids_limit=_number(texts.get("pids.max", "")),
    )
