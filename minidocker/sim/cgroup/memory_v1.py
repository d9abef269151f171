"""The files of the memory controller in version 1 (cgroup-v1/memory.rst)."""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.sim.cgroup.controller import File, Read, Writer
from minidocker.sim.cgroup.memory import Memory, reclaim
from minidocker.sim.cgroup.numbers import PAGES_MAX, size_in_pages, table, unsigned
from minidocker.sim.sparse import PAGE

if TYPE_CHECKING:
    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.task import Task

#: What version 1 calls "no limit".
_NONE: Final = "-1"


def _state(group: "Cgroup") -> Memory:
    state: Memory = group.states["memory"]
    return state


def _number(value: Callable[[Memory], int]) -> Read:
    def read(group: "Cgroup", reader: "Task") -> str:
        return f"{value(_state(group)) * PAGE}\n"

    return read


def _limit(pages: int | None) -> int:
    return PAGES_MAX if pages is None else pages


def _failed(group: "Cgroup", reader: "Task") -> str:
    return f"{_state(group).failed}\n"


def _write_failed(group: "Cgroup", writer: Writer, text: str) -> None:
    """Count anew, whatever is written."""
    _state(group).failed = 0


def _write_peak(group: "Cgroup", writer: Writer, text: str) -> None:
    """Measure anew, whatever is written."""
    _state(group).peak = _state(group).usage


def _write_limit(group: "Cgroup", writer: Writer, text: str) -> None:
    """Set the limit: EBUSY if more is used than reclaim can free, EINVAL above that of memory and swap."""
    pages = _parsed(group, text)
    state = _state(group)
    if _limit(pages) > _limit(state.total_max):
        fail(errno.EINVAL)
    _shrink(state, pages)
    state.max = pages


def _write_total_limit(group: "Cgroup", writer: Writer, text: str) -> None:
    """Set the limit of memory and swap together: never below that of memory (EINVAL)."""
    pages = _parsed(group, text)
    state = _state(group)
    if _limit(pages) < _limit(state.max):
        fail(errno.EINVAL)
    _shrink(state, pages)
    state.total_max = pages


def _parsed(group: "Cgroup", text: str) -> int | None:
    pages = size_in_pages(text, _NONE)
    return pages if group.parent else fail(errno.EINVAL)


def _shrink(state: Memory, pages: int | None) -> None:
    """Get below a new limit, or refuse it."""
    if pages is not None and state.usage > pages:
        reclaim(state, state.usage - pages)
        if state.usage > pages:
            fail(errno.EBUSY)


def _write_soft_limit(group: "Cgroup", writer: Writer, text: str) -> None:
    _state(group).soft = size_in_pages(text, _NONE)


def _read_swappiness(group: "Cgroup", reader: "Task") -> str:
    return f"{_state(group).swappiness}\n"


def _write_swappiness(group: "Cgroup", writer: Writer, text: str) -> None:
    value = unsigned(text)
    _state(group).swappiness = value if value <= 200 else fail(errno.EINVAL)


def _one(group: "Cgroup", reader: "Task") -> str:
    return "1\n"


def _write_hierarchy(group: "Cgroup", writer: Writer, text: str) -> None:
    """Take 1 alone: there are no others than hierarchical groups any more."""
    if unsigned(text) != 1:
        fail(errno.EINVAL)


def _read_oom(group: "Cgroup", reader: "Task") -> str:
    state = _state(group)
    return table((
        ("oom_kill_disable", int(state.kill_disabled)), ("under_oom", int(state.under_oom)),
        ("oom_kill", state.local["oom_kill"]),
    ))  # fmt: skip


def _write_oom(group: "Cgroup", writer: Writer, text: str) -> None:
    """Say with 1 that nobody is to be killed: who wants more memory than there is waits until there is some."""
    value = unsigned(text)
    state = _state(group)
    if group.parent is None or value > 1:
        fail(errno.EINVAL)
    state.kill_disabled = bool(value)
    if not value:
        state.under_oom = False
        state.freed.wake()


def _write_force_empty(group: "Cgroup", writer: Writer, text: str) -> None:
    """Reclaim all that can be."""
    if group.parent is None:
        fail(errno.EINVAL)
    reclaim(_state(group), _state(group).usage)


def _stat(group: "Cgroup", reader: "Task") -> str:
    """Return memory.stat: the group's own, the limits around, and the sums with the groups below."""
    state = _state(group)
    rows = _counts(state.own)
    around = list(state.around())
    rows.append(("hierarchical_memory_limit", min(_limit(one.max) for one in around) * PAGE))
    rows.append(("hierarchical_memsw_limit", min(_limit(one.total_max) for one in around) * PAGE))
    rows += [(f"total_{name}", value) for name, value in _counts(state.total)]
    return table(rows)


def _counts(kinds: dict[str, int]) -> list[tuple[str, int]]:
    anon, file, shmem = (kinds[kind] * PAGE for kind in ("anon", "file", "shmem"))
    known = {"cache": file + shmem, "rss": anon, "shmem": shmem, "inactive_anon": shmem, "active_anon": anon}
    known["inactive_file"] = file
    names = (
        "cache", "rss", "rss_huge", "shmem", "mapped_file", "dirty", "writeback", "workingset_refault_anon",
        "workingset_refault_file", "swap", "swapcached", "pgpgin", "pgpgout", "pgfault", "pgmajfault", "inactive_anon",
        "active_anon", "inactive_file", "active_file", "unevictable",
    )  # fmt: skip
    return [(name, known.get(name, 0)) for name in names]


def _usage(state: Memory) -> int:
    return state.usage


_PREFIX: Final = "memory.memsw."

FILES: Final = (
    File(name="memory.usage_in_bytes", read=_number(_usage)),
    File(name="memory.max_usage_in_bytes", read=_number(lambda state: state.peak), write=_write_peak),
    File(name="memory.limit_in_bytes", read=_number(lambda state: _limit(state.max)), write=_write_limit),
    File(name="memory.soft_limit_in_bytes", read=_number(lambda state: _limit(state.soft)), write=_write_soft_limit),
    File(name="memory.failcnt", read=_failed, write=_write_failed),
    File(name="memory.stat", read=_stat),
    File(name="memory.force_empty", write=_write_force_empty),
    File(name="memory.use_hierarchy", read=_one, write=_write_hierarchy),
    File(name="memory.swappiness", read=_read_swappiness, write=_write_swappiness),
    File(name="memory.oom_control", read=_read_oom, write=_write_oom),
    File(name=_PREFIX + "usage_in_bytes", read=_number(_usage)),
    File(name=_PREFIX + "max_usage_in_bytes", read=_number(lambda state: state.peak), write=_write_peak),
    File(
        name=_PREFIX + "limit_in_bytes", read=_number(lambda state: _limit(state.total_max)), write=_write_total_limit
    ),
    File(name=_PREFIX + "failcnt", read=_failed, write=_write_failed),
)
