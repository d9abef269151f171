"""The files of the memory controller in version 2 (cgroup-v2.rst, "Memory Interface Files")."""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.sim.cgroup import oom
from minidocker.sim.cgroup.controller import File, Read, Write, Writer
from minidocker.sim.cgroup.memory import Memory, reclaim
from minidocker.sim.cgroup.numbers import MAX, integer, size_in_pages, table
from minidocker.sim.sparse import PAGE

if TYPE_CHECKING:
    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.task import Task

#: What memory.stat has besides what is counted here: 0.
_NOT_COUNTED: Final = (
    "kernel_stack", "pagetables", "sec_pagetables", "percpu", "sock", "vmalloc", "file_mapped", "file_dirty",
    "file_writeback", "swapcached", "anon_thp", "file_thp", "shmem_thp",
)  # fmt: skip


def _state(group: "Cgroup") -> Memory:
    state: Memory = group.states["memory"]
    return state


def _number(value: Callable[[Memory], int]) -> Read:
    """Return the reading of a file that shows pages in bytes."""

    def read(group: "Cgroup", reader: "Task") -> str:
        return f"{value(_state(group)) * PAGE}\n"

    return read


def _read_limit(name: str) -> Read:
    def read(group: "Cgroup", reader: "Task") -> str:
        pages = getattr(_state(group), name)
        return f"{MAX if pages is None else pages * PAGE}\n"

    return read


def _write_limit(name: str) -> Write:
    def write(group: "Cgroup", writer: Writer, text: str) -> None:
        setattr(_state(group), name, size_in_pages(text, MAX))

    return write


def _write_protection(name: str) -> Write:
    """Return the writing of memory.low or memory.min, where ``max`` is a very large number."""

    def write(group: "Cgroup", writer: Writer, text: str) -> None:
        pages = size_in_pages(text, MAX)
        setattr(_state(group), name, (1 << 51) - 1 if pages is None else pages)

    return write


def _write_max(group: "Cgroup", writer: Writer, text: str) -> None:
    """Set the limit. Usage above it is reclaimed, and then tasks are killed until it is below (memory_max_write)."""
    state = _state(group)
    state.max = size_in_pages(text, MAX)
    while state.max is not None and state.usage > state.max:
        if not reclaim(state, state.usage - state.max) and not oom.kill(writer.task, state, asked=True):
            return


def _write_high(group: "Cgroup", writer: Writer, text: str) -> None:
    state = _state(group)
    state.high = size_in_pages(text, MAX)
    if state.high is not None and state.usage > state.high:
        reclaim(state, state.usage - state.high)


def _write_reclaim(group: "Cgroup", writer: Writer, text: str) -> None:
    """Reclaim so much; EAGAIN if less could be."""
    pages = size_in_pages(text, MAX) or 0
    if reclaim(_state(group), pages) < pages:
        fail(errno.EAGAIN)


def _events(group: "Cgroup", reader: "Task") -> str:
    local = "memory_localevents" in group.hierarchy.switches
    return table(tuple((_state(group).local if local else _state(group).events).items()))


def _events_local(group: "Cgroup", reader: "Task") -> str:
    return table(tuple(_state(group).local.items()))


def _read_oom_group(group: "Cgroup", reader: "Task") -> str:
    return f"{int(_state(group).oom_group)}\n"


def _write_oom_group(group: "Cgroup", writer: Writer, text: str) -> None:
    word = integer(text, -(1 << 31), (1 << 31) - 1)
    _state(group).oom_group = bool(word) if word in (0, 1) else fail(errno.EINVAL)


def _stat(group: "Cgroup", reader: "Task") -> str:
    """Return memory.stat, in bytes. What is not counted here is 0."""
    total = {kind: pages * PAGE for kind, pages in _state(group).total.items()}
    anon, file, shmem = total["anon"], total["file"], total["shmem"]
    rows = [("anon", anon), ("file", file + shmem), ("kernel", 0), *((name, 0) for name in _NOT_COUNTED)]
    rows += [("shmem", shmem), ("inactive_anon", shmem), ("active_anon", anon), ("inactive_file", file)]
    rows += [("active_file", 0), ("unevictable", 0), ("slab", 0)]
    return table(rows)


def _swap_events(group: "Cgroup", reader: "Task") -> str:
    return table((("high", 0), ("max", 0), ("fail", 0)))


def _nothing(group: "Cgroup", reader: "Task") -> str:
    return "0\n"


FILES: Final = (
    File(name="memory.current", read=_number(lambda state: state.usage), on_root=False),
    File(name="memory.peak", read=_number(lambda state: state.peak), on_root=False),
    File(name="memory.min", read=_read_limit("min"), write=_write_protection("min"), on_root=False),
    File(name="memory.low", read=_read_limit("low"), write=_write_protection("low"), on_root=False),
    File(name="memory.high", read=_read_limit("high"), write=_write_high, on_root=False),
    File(name="memory.max", read=_read_limit("max"), write=_write_max, on_root=False),
    File(name="memory.events", read=_events, on_root=False),
    File(name="memory.events.local", read=_events_local, on_root=False),
    File(name="memory.stat", read=_stat),
    File(name="memory.oom.group", read=_read_oom_group, write=_write_oom_group, on_root=False),
    File(name="memory.reclaim", write=_write_reclaim),
    File(name="memory.swap.current", read=_nothing, on_root=False),
    File(name="memory.swap.peak", read=_nothing, on_root=False),
    File(name="memory.swap.max", read=_read_limit("swap_max"), write=_write_limit("swap_max"), on_root=False),
    File(name="memory.swap.events", read=_swap_events, on_root=False),
)
