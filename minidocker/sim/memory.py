"""A task's address space: what it has mapped, and who may look into it (Linux's struct mm_struct; mmap(2)).

A mapping is private anonymous memory. What counts is its size, and whether its pages were *touched*: a page that nobody
touched does not exist yet, and costs nothing. ``MAP_POPULATE`` touches all at once. A clone has the same pages as its
parent until one of them writes (copy on write), and writing charges nobody here (``process_vm.py``): so they are
charged once, to whom they were charged first, and given back with the last task that has them.
"""

import errno
from typing import TYPE_CHECKING, Final, NamedTuple

from minidocker.linux import MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, fail
from minidocker.sim.cgroup.memory import ANON, Charges, charge
from minidocker.sim.refuse import refuse
from minidocker.sim.sparse import PAGE, pages
from minidocker.sim.task import Wait
from minidocker.sim.user_namespace import FIRST, UserNamespace

if TYPE_CHECKING:
    from minidocker.sim.shared_memory import Attachment
    from minidocker.sim.task import Task

#: Where the first mapping ends, and below it the next ones: as high as a task's addresses go (mmap_base).
TOP: Final = 0x7FFF_F7FF_F000
_FLAGS: Final = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE


class Block:
    """Pages that were touched together: who is charged for them, and how many address spaces have some of them."""

    __slots__ = ("charges", "spaces")

    def __init__(self, charges: Charges) -> None:
        """Belong to one address space."""
        self.charges = charges
        self.spaces = 1


class Area(NamedTuple):
    """One mapping: how many pages it has, and of which block they are if they were touched."""

    pages: int
    block: Block | None


class AddressSpace:
    """One address space. A clone gets a copy, an execve a new one. ``areas`` are its mappings, by address."""

    __slots__ = ("_bottom", "areas", "attached", "dumpable", "pending", "user", "written")

    def __init__(self, user: UserNamespace = FIRST, *, dumpable: bool = True) -> None:
        """Start with nothing mapped."""
        self.user: UserNamespace = user
        """The user namespace in which the program was executed."""
        self.dumpable: bool = dumpable
        """May others of the same user look into it (prctl(2), PR_SET_DUMPABLE; proc(5))?"""
        self.areas: dict[int, Area] = {}
        self._bottom = TOP
        self.pending: Charges | None = None
        """What is being touched just now."""
        self.attached: dict[int, Attachment] = {}
        """The shared memory segments, by their addresses (``shared_memory.py``)."""
        self.written: dict[int, bytearray] = {}
        """What lies in private memory, page by page; what was never written is zeros."""

    def copy(self) -> "AddressSpace":
        """Return a clone's (fork(2))."""
        twin = AddressSpace(self.user, dumpable=self.dumpable)
        twin.areas, twin._bottom = dict(self.areas), self._bottom
        for block in self._blocks():
            block.spaces += 1
        if self.written:
            twin.written = {page: bytearray(data) for page, data in self.written.items()}
        for address, attachment in self.attached.items():
            twin.attached[address] = attachment
        return twin

    def maps(self, address: int) -> bool:
        """Is private memory mapped at an address?"""
        return any(start <= address < start + area.pages * PAGE for start, area in self.areas.items())

    def _blocks(self) -> set[Block]:
        return {area.block for area in self.areas.values() if area.block is not None}

    @property
    def resident(self) -> int:
        """How many pages were touched (the resident set size)."""
        touched = sum(area.pages for area in self.areas.values() if area.block is not None)
        return touched + (self.pending.pages if self.pending else 0)

    def map(self, number: int, touched: int, block: Block | None) -> int:
        """Map pages below the others, the first of them touched, and return the address."""
        self._bottom -= number * PAGE
        if touched:
            self.areas[self._bottom] = Area(touched, block)
        if touched < number:
            self.areas[self._bottom + touched * PAGE] = Area(number - touched, None)
        return self._bottom

    def unmap(self, start: int, end: int) -> None:
        """Unmap what is mapped in a range. Pages that another address space has too stay charged until it goes."""
        before = self._blocks()
        for address, area in list(self.areas.items()):
            first, last = max(start, address), min(end, address + area.pages * PAGE)
            if first < last:
                self._cut(address, area, (first - address) // PAGE, (last - address) // PAGE)
        for block in before - self._blocks():
            block.spaces -= 1
        for page in [page for page in self.written if start <= page * PAGE < end]:
            del self.written[page]
        self._bottom = min(self.areas, default=TOP)

    def _cut(self, address: int, area: Area, first: int, last: int) -> None:
        """Take the pages from first to last out of a mapping."""
        del self.areas[address]
        if first:
            self.areas[address] = Area(first, area.block)
        if last < area.pages:
            self.areas[address + last * PAGE] = Area(area.pages - last, area.block)
        if area.block is not None and area.block.spaces == 1:
            area.block.charges.give_back(last - first)

    def clear(self) -> None:
        """Unmap everything: the task ended, or became another program."""
        if self.areas:
            self.unmap(0, TOP)


def sys_mmap(task: "Task", length: int, flags: int = 0) -> int:
    """Map private anonymous memory and return the address (mmap(2)): EINVAL for nothing, ENOMEM for more than there is.

    With MAP_POPULATE the pages are touched, and so charged to the caller's memory cgroup: at its limit the OOM killer
    comes, and may end the caller within this call.
    """
    if flags & ~_FLAGS:
        refuse(errno.EINVAL, f"does not model flags {flags & ~_FLAGS:#x} of mmap")
    if length <= 0:
        fail(errno.EINVAL)
    number = pages(length)
    if number > pages(task.kernel.profile.memory_bytes):
        fail(errno.ENOMEM)  # vm.overcommit_memory=0: an obvious overcommit
    if not flags & MAP_POPULATE:
        return task.memory.map(number, 0, None)
    touched, block = _touch(task, number)
    return task.memory.map(number, touched, block)


def _touch(task: "Task", number: int) -> tuple[int, Block]:
    """Charge pages; those that there is no room for are not touched, and the mapping stands all the same."""
    charges = task.memory.pending = Charges(ANON)
    try:
        return charge(task, charges, number), Block(charges)
    except Wait:
        charges.clear()
        raise
    finally:
        task.memory.pending = None


def sys_munmap(task: "Task", address: int, length: int) -> None:
    """Give memory back (munmap(2)): EINVAL unless it begins at a page. What is not mapped is skipped."""
    if address % PAGE or length <= 0:
        fail(errno.EINVAL)
    task.memory.unmap(address, address + pages(length) * PAGE)
