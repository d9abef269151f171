"""Pipes and fifos: bytes that one task writes and another reads (pipe(7)).

A pipe holds 16 pages, 64 KiB. A reader waits while it is empty and somebody may still write, a writer while it is full
and somebody may still read. Up to PIPE_BUF bytes, a page, are written all at once or not yet.
"""

import errno
from collections import deque
from typing import TYPE_CHECKING, Final

from minidocker.kernel import Stat
from minidocker.linux import (
    O_ACCMODE,
    O_CLOEXEC,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    S_IFIFO,
    SIGPIPE,
    fail,
)
from minidocker.sim.open_file import OpenFile
from minidocker.sim.signals import send
from minidocker.sim.task import Wait, WaitQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.mount import Mount
    from minidocker.sim.task import Task

PAGE: Final = 4096
PAGES: Final = 16
#: The device number of the file system that pipes are on; no path leads there.
PIPEFS: Final = 13


class Pages:
    """A pipe's buffer: 16 pages (pipe_write() in fs/pipe.c).

    A write goes on in the last page only if the part of it that fills no page fits there; else it begins a new one. So
    a pipe can be full with less than 64 KiB in it, but up to PIPE_BUF bytes are never torn.
    """

    __slots__ = ("_pages", "_start")

    def __init__(self) -> None:
        """Start empty."""
        self._pages: deque[bytearray] = deque()
        self._start = 0
        """How much of the first page has been read; that space is not used again."""

    def __bool__(self) -> bool:
        """Is there anything to read?"""
        return bool(self._pages)

    def put(self, data: bytes) -> int:
        """Take what fits, and return how many bytes that was."""
        pages, taken = self._pages, len(data) % PAGE
        if taken and pages and len(pages[-1]) + taken <= PAGE:
            pages[-1] += data[:taken]
        else:
            taken = 0
        while taken < len(data) and len(pages) < PAGES:
            pages.append(bytearray(data[taken : taken + PAGE]))
            taken += len(pages[-1])
        return taken

    def get(self, n: int) -> bytes:
        """Give at most n bytes and forget them."""
        parts = []
        while n and self._pages:
            part = self._pages[0][self._start : self._start + n]
            parts.append(part)
            n -= len(part)
            self._start += len(part)
            if self._start == len(self._pages[0]):
                self._pages.popleft()
                self._start = 0
        return b"".join(parts)

    def clear(self) -> None:
        """Forget all."""
        self._pages.clear()
        self._start = 0


class Pipe:
    """The buffer, and how many ends there are to it (Linux's struct pipe_inode_info)."""

    __slots__ = ("buffer", "changed", "openers", "readers", "writers")

    def __init__(self) -> None:
        """Start empty, with no end."""
        self.buffer = Pages()
        self.changed = WaitQueue()
        self.readers = 0
        self.writers = 0
        self.openers = Openers()

    def has_readers(self) -> bool:
        """Can what is written still be read? By one, too, who is just opening a fifo."""
        return self.readers > 0 or self.openers.admitted(for_reading=True)

    def has_writers(self) -> bool:
        """May more come?"""
        return self.writers > 0 or self.openers.admitted(for_reading=False)

    def forget(self) -> None:
        """Drop what nobody can read any more, and let those who wait see that an end is gone."""
        if not self.readers and not self.writers and not self.has_readers():
            self.buffer.clear()
        self.changed.wake()


class PipeEnd(OpenFile):
    """One end of a pipe, or both, if a fifo was opened for reading and writing."""

    __slots__ = ("_stat", "location", "pipe")

    def __init__(
        self, pipe: Pipe, flags: int, stat: "Callable[[], Stat]", location: "tuple[Mount, Dentry] | None" = None
    ) -> None:
        """Open an end; ``stat`` tells about the inode, ``location`` is where a fifo lies."""
        super().__init__(flags)
        self.location = location
        self.pipe = pipe
        self._stat = stat
        pipe.readers += self.may_read
        pipe.writers += self.may_write

    def read(self, task: "Task", n: int) -> bytes:
        """Return what is there, at most n bytes; ``b""`` once nobody can write; EAGAIN for a wait if non-blocking."""
        pipe = self.pipe
        if pipe.buffer:
            data = pipe.buffer.get(n)
            pipe.changed.wake()
            return data
        if n == 0 or not pipe.has_writers():
            return b""
        if self.nonblocking:
            fail(errno.EAGAIN)
        raise Wait(pipe.changed)

    def write(self, task: "Task", data: bytes) -> int:
        """Take data and return how many bytes. EPIPE and SIGPIPE once nobody can read.

        A blocking write of more than fits takes what fits, and waits with the rest: how many it took is kept in the
        Wait. A handler that runs then, or the last reader's leaving, makes it return that number (write(2)).
        """
        if not data:
            return 0
        taken: int = task.wait.kept if task.wait else 0
        if not self.pipe.has_readers():
            send(task, SIGPIPE)
            return taken or fail(errno.EPIPE)
        more = self.pipe.buffer.put(data[taken:])
        if more:
            taken += more
            self.pipe.changed.wake()
        if taken == len(data):
            return taken
        if self.nonblocking or task is task.kernel.host or (task.wait and task.wait.interrupted):
            return taken or fail(errno.EINTR if task.wait else errno.EAGAIN)
        raise Wait(self.pipe.changed, kept=taken)

    def stat(self) -> Stat:
        """Tell about the pipe, or the fifo's inode."""
        return self._stat()

    def readable(self) -> bool:
        """Would a read return at once, with data or the end?"""
        return bool(self.pipe.buffer) or not self.pipe.has_writers()

    def release(self) -> None:
        """Close this end."""
        self.pipe.readers -= self.may_read
        self.pipe.writers -= self.may_write
        self.pipe.forget()


def sys_pipe2(task: "Task", flags: int = 0) -> tuple[int, int]:
    """Return the reading and the writing end of a new pipe (pipe2(2)); flags: O_CLOEXEC, O_NONBLOCK, else EINVAL."""
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        fail(errno.EINVAL)
    pipe = Pipe()
    now_ns, creds = task.kernel.clock.now_ns(), task.creds
    status = Stat(
        st_mode=S_IFIFO | 0o600, st_ino=task.kernel.scheduler.next_number(), st_dev=PIPEFS, st_nlink=1,
        st_uid=creds.euid, st_gid=creds.egid, st_size=0, st_atime_ns=now_ns, st_mtime_ns=now_ns, st_ctime_ns=now_ns,
    )  # fmt: skip
    ends = [PipeEnd(pipe, access | flags & O_NONBLOCK, lambda: status) for access in (O_RDONLY, O_WRONLY)]
    cloexec = bool(flags & O_CLOEXEC)
    reading = task.files.add(ends[0], cloexec=cloexec)
    try:
        return reading, task.files.add(ends[1], cloexec=cloexec)
    except OSError:
        task.files.close(reading)
        raise


class Openers:
    """Who is opening a fifo and waits for the other side (fifo(7)).

    Both sides wait for each other, so the second to come admits the first: from then on that one counts as an end,
    although its task has yet to make its call again.
    """

    __slots__ = ("_waits", "came")

    def __init__(self) -> None:
        """Start with nobody."""
        self.came = WaitQueue()
        self._waits: list[tuple[Task, Wait]] = []

    def admitted(self, *, for_reading: bool) -> bool:
        """Is there one who may open that side, and hasn't yet?"""
        self._waits = [(task, wait) for task, wait in self._waits if task.alive and task.wait in (wait, None)]
        return any(wait.kept == (for_reading, True) for _, wait in self._waits)

    def admit(self, *, for_reading: bool) -> bool:
        """Admit all who wait to open that side; tell whether there were any."""
        self.admitted(for_reading=for_reading)
        found = [wait for _, wait in self._waits if wait.kept[0] is for_reading]
        for wait in found:
            wait.kept = (for_reading, True)
        if found:
            self.came.wake()
        return bool(found)

    def leave(self, task: "Task") -> None:
        """Forget a task: it waits no more, or anew."""
        self._waits = [(other, wait) for other, wait in self._waits if other is not task]

    def wait(self, task: "Task", *, for_reading: bool) -> None:
        """Wait for the other side, unless it came."""
        granted = task.wait is not None and task.wait.kept == (for_reading, True)
        self.leave(task)
        if granted:
            return
        wait = Wait(self.came, kept=(for_reading, False))
        self._waits.append((task, wait))
        raise wait


def open_fifo(task: "Task", inode: "Inode", location: "tuple[Mount, Dentry]", flags: int) -> PipeEnd:
    """Open a fifo (fifo(7)): each side waits for the other; ENXIO for a non-blocking writer whom nobody reads.

    The inode's ``mapping`` is the pipe that its openers share.
    """
    if inode.mapping is None:
        inode.mapping = Pipe()
    pipe: Pipe = inode.mapping
    access = flags & O_ACCMODE
    if access == O_RDWR:
        pipe.openers.admit(for_reading=True)
        pipe.openers.admit(for_reading=False)
    else:
        _meet(task, pipe, for_reading=access == O_RDONLY, nonblocking=bool(flags & O_NONBLOCK))
    return PipeEnd(pipe, flags, lambda: inode.stat(location[1]), location)


def _meet(task: "Task", pipe: Pipe, *, for_reading: bool, nonblocking: bool) -> None:
    """Wait for somebody at the other side."""
    others = pipe.writers if for_reading else pipe.readers
    if pipe.openers.admit(for_reading=not for_reading) or others:
        pipe.openers.leave(task)
    elif not nonblocking:
        pipe.openers.wait(task, for_reading=for_reading)
    elif not for_reading:
        fail(errno.ENXIO)
