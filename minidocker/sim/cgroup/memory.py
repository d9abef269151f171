"""The memory controller: who is charged for which page (cgroup-v1/memory.rst, cgroup-v2.rst, "Memory").

A page is charged once, to the group of the task that touched it first, and so to every group around; it stays charged
there wherever the task goes, until it is given back. Counted are

- *anon*: anonymous memory that was touched (mmap(2) with MAP_POPULATE),
- *shmem*: what was written into a tmpfs,
- *file*: the page cache of the host's disk, of what was written there. It is clean as soon as it is written, so it is
  given back when room is wanted: *reclaim* takes the oldest first. Pages that were only read are not counted.

There is no swap, and memory of the kernel's own (stacks, dentries) is not counted: a task that maps nothing costs
nothing. When a charge would exceed a limit and reclaim frees nothing, somebody is killed: ``oom.py``. ``memory.high``
makes reclaim run, but slows nobody down; ``memory.low`` and ``memory.min`` spare the page cache of a group from reclaim
on behalf of others.
"""

from typing import TYPE_CHECKING, ClassVar

from minidocker.sim.cgroup import oom
from minidocker.sim.cgroup.group import Cgroup, State
from minidocker.sim.task import WaitQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minidocker.sim.task import Task

ANON, FILE, SHMEM = "anon", "file", "shmem"


class Memory(State):
    """What one group and those below use, and may use. All in pages; limits of None are none."""

    KINDS: ClassVar = (ANON, FILE, SHMEM)
    __slots__ = (
        "cache", "events", "failed", "freed", "high", "kill_disabled", "local", "low", "max", "min", "oom_group", "own",
        "peak", "soft", "swap_max", "swappiness", "total", "total_max", "under_oom", "usage",
    )  # fmt: skip

    def __init__(self, group: Cgroup) -> None:
        """Start without limits."""
        super().__init__(group)
        self.usage = self.peak = 0
        self.own = dict.fromkeys(self.KINDS, 0)
        """What the group's own tasks are charged for, by kind."""
        self.total = dict.fromkeys(self.KINDS, 0)
        """The same with the groups below."""
        self.cache: dict[Charges, int] = {}
        """Whose page cache it is, the oldest first."""
        self.max: int | None = None
        self.high: int | None = None
        self.swap_max: int | None = None
        self.total_max: int | None = None
        """v1's memory.memsw.limit_in_bytes."""
        self.soft: int | None = None
        self.low = self.min = 0
        self.swappiness = 60
        self.oom_group = False
        self.kill_disabled = False
        self.under_oom = False
        self.freed = WaitQueue()
        """Where tasks wait whom v1's oom_kill_disable spares."""
        self.failed = 0
        self.events = dict.fromkeys(("low", "high", "max", "oom", "oom_kill", "oom_group_kill"), 0)
        """With the groups below."""
        self.local = dict(self.events)

    def count(self, event: str) -> None:
        """Note an event, here and around (memory.events)."""
        self.local[event] += 1
        for state in self.around():
            state.events[event] += 1

    def add(self, kind: str, pages: int) -> None:
        """Change what is charged, here and around."""
        self.own[kind] += pages
        for state in self.around():
            state.usage += pages
            state.total[kind] += pages
            state.peak = max(state.peak, state.usage)
            if pages < 0 and state.freed.tasks:
                state.under_oom = False
                state.freed.wake()

    def subtree(self) -> "Iterator[Memory]":
        """Yield this state and those below."""
        for group in self.group.tree():
            state = group.states.get("memory")
            if state is not None:
                yield state


class Charges:
    """Who is charged for the pages of one thing: a file, or a task's memory."""

    __slots__ = ("by", "kind")

    def __init__(self, kind: str) -> None:
        """Start with nobody."""
        self.kind = kind
        self.by: dict[Memory, int] = {}

    @property
    def pages(self) -> int:
        """How many pages are charged at all."""
        return sum(self.by.values())

    def take(self, state: Memory, pages: int) -> None:
        """Note pages that a group was charged for."""
        self.by[state] = self.by.get(state, 0) + pages
        state.add(self.kind, pages)
        if self.kind == FILE:
            state.cache.pop(self, None)
            state.cache[self] = self.by[state]

    def give_back(self, pages: int) -> int:
        """Uncharge so many, the last charged first; return how many were still charged."""
        left = pages
        for state in reversed(list(self.by)):
            taken = min(left, self.by[state])
            self._uncharge(state, taken)
            left -= taken
            if not left:
                break
        return pages - left

    def _uncharge(self, state: Memory, pages: int) -> None:
        self.by[state] -= pages
        if self.kind == FILE:
            state.cache[self] = self.by[state]
        if not self.by[state]:
            del self.by[state]
            state.cache.pop(self, None)
        state.add(self.kind, -pages)

    def clear(self) -> None:
        """Uncharge all."""
        for state in list(self.by):
            self._uncharge(state, self.by[state])

    def drop_cache(self, state: Memory, pages: int) -> int:
        """Give back page cache of one group (reclaim); return how many pages."""
        taken = min(pages, self.by.get(state, 0))
        self._uncharge(state, taken)
        return taken


def charge(task: "Task", charges: Charges, pages: int) -> int:
    """Charge pages to a task's group and return how many it got: fewer if it was killed, or nobody could be.

    ``Wait`` if a v1 group says that nobody shall be killed. Where a limit is in the way, reclaim comes first, then the
    OOM killer, until there is room (Linux's try_charge_memcg).
    """
    state = task.memcg
    if state is None:
        return pages
    done = 0
    while done < pages:
        room, over = _room(state, pages - done)
        if room:
            charges.take(state, room)
            done += room
        elif not _make_room(task, over, pages - done):
            break
    _check_high(state)
    return done


def _room(state: Memory, pages: int) -> tuple[int, Memory]:
    """Return how many pages fit, and the group around whose limit is the nearest."""
    room, over = pages, state
    for one in state.around():
        limits = [one.max, None if one.group.hierarchy.is_v2 else one.total_max]
        for most in limits:
            if most is not None and max(0, most - one.usage) < room:
                room, over = max(0, most - one.usage), one
    return room, over


def _make_room(task: "Task", over: Memory, pages: int) -> bool:
    """Reclaim, or kill; False if neither helps the task."""
    over.failed += 1
    over.count("max")
    if reclaim(over, pages):
        return True
    return oom.kill(task, over) and not task.signals.deadly


def reclaim(over: Memory, pages: int) -> int:
    """Give page cache back, of a group and of those below, the oldest first; return how many pages."""
    freed = 0
    for state in over.subtree():
        if state is not over and state.usage <= max(state.min, state.low):
            continue
        for charges in list(state.cache):
            freed += charges.drop_cache(state, pages - freed)
            if freed >= pages:
                return freed
    return freed


def _check_high(state: Memory) -> None:
    for one in state.around():
        if one.high is not None and one.usage > one.high:
            one.count("high")
            reclaim(one, one.usage - one.high)
