"""What a listener will be told: the finished calls of the host's side and of all tasks, in one order."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from minidocker.gauges import Gauges
from minidocker.kernel import Files
from minidocker.observe import UpperWatch
from minidocker.real import reports, wire
from minidocker.real.host import own_fd
from minidocker.real.reports import BadReport, Report

#: More steps than this untaken, and tasks wait with their next call: a loop in a container must not fill the memory.
MOST_UNTAKEN: Final = 10_000
MOST_UNTAKEN_BYTES: Final = 64 << 20
#: Descriptors that may have come and wait for their report: a clone's channel and pidfd.
MOST_FDS: Final = 2

#: Linux's, which socket does not name: a pidfd of the sender, if somebody has set SO_PASSPIDFD; close-on-exec.
_SCM_PIDFD: Final = 4
_MSG_CMSG_CLOEXEC: Final = 0x40000000
#: Room for as many descriptors as one message can bring (SCM_MAX_FD): what the kernel drops itself, it closes as it is.
_ANCILLARY: Final = socket.CMSG_SPACE(253 * 4) + 2 * socket.CMSG_SPACE(16)


class Steps:
    """The queue of packed events, and the upper directories that are looked at after each call."""

    def __init__(self, files: Files) -> None:
        """Start with nothing. ``files`` are calls that are not traced."""
        self._files = files
        self._watches: dict[str, UpperWatch] = {}
        self._gauges = Gauges(files)
        self._queue: list[tuple[Any, ...]] = []
        self._untaken_bytes = 0
        self._unanswered: list[Channel] = []
        self.unseen = False
        """Has a program of an image run as itself, whose calls nobody sees?"""

    def observe(self, name: str, lowers: Sequence[str], upper: str) -> None:
        """Look at an upper directory from now on."""
        with as_root():
            self._watches[name] = UpperWatch(self._files, lowers, upper, tick_ns=_tick_ns())

    def unobserve(self, name: str) -> None:
        """Stop looking."""
        self._watches.pop(name, None)

    def add(
        self,
        task: str,
        actor: str,
        name: str,
        args: Sequence[Any],
        kwargs: Any,
        answer: tuple[Any, ...],
        *,
        look: bool = True,
        child: str = "",
        pids: tuple[int, ...] = (),
        size: int = 0,
    ) -> None:
        """Note a finished call; ``answer`` is (True, result) or (False, error), all packed.

        ``look=False``: it can have changed no upper directory; ``child``, ``pids``: a clone's new task;
        ``size``: its cost in memory.
        """
        self._untaken_bytes += size
        uppers: dict[str, Any] = {}
        inner: list[tuple[Any, ...]] = []
        try:
            if look:
                self._look(name, args, uppers, inner)
            with as_root():
                inner += map(wire.pack_inner, self._gauges.after(task, name, args))
        except OSError as error:
            self.failed(error)
        self._queue.append((task, actor, name, args, kwargs, *answer, inner, uppers, child, pids))

    def _look(self, name: str, args: Sequence[Any], uppers: dict[str, Any], inner: list[tuple[Any, ...]]) -> None:
        # An execve changes nothing. What a program of the image then did by itself is found when an end is waited for.
        look_as = {"wait4": "execve" if self.unseen else "wait4", "execve": "wait4"}.get(name, name)
        with as_root():
            for upper, watch in self._watches.items():
                changed, concluded = watch.after(look_as, args)
                if changed:
                    uppers[upper] = changed
                inner += map(wire.pack_inner, concluded)

    def take(self) -> list[tuple[Any, ...]]:
        """Return the events since the last time, and let the tasks go on that wait for this."""
        taken, self._queue = self._queue, []
        waiting, self._unanswered = self._unanswered, []
        self._untaken_bytes = 0
        for channel in waiting:
            channel.acknowledge()
        return taken

    def acknowledge(self, channel: "Channel") -> None:
        """Let a task go on, now or when the queue has been taken."""
        if len(self._queue) < MOST_UNTAKEN and self._untaken_bytes < MOST_UNTAKEN_BYTES:
            channel.acknowledge()
        else:
            channel.unanswered = True
            self._unanswered.append(channel)

    def forget(self, channel: "Channel") -> None:
        """Forget a task that is gone."""
        if channel.unanswered:
            self._unanswered.remove(channel)

    def failed(self, error: Exception) -> None:
        """Have the lab told of an error that is no call's."""
        self._queue.append((wire.LOOKING_FAILED, wire.pack_error(error)))

    @property
    def waiting(self) -> bool:
        """Is there anything to take?"""
        return bool(self._queue)


class Channel:
    """The helper's end of a task's reports: frames, now and then with the descriptor of a grandchild's channel.

    The other end may be anybody's (see :mod:`minidocker.real.reports`), and so may be what a task sent as a new
    channel: the sender may have kept a copy of it. So nothing here waits, and what does not belong
    here ends the channel.
    """

    def __init__(self, sock: socket.socket, line: str) -> None:
        """Take the socket, and the line of descent of the task whose reports come here."""
        self.sock = sock
        self.line = line
        self.exec: Report | None = None
        """The execve that succeeded if the channel ends now: close-on-exec told us."""
        self.unanswered = False
        """Has the task to wait for its answer?"""
        self._born = 0
        self._inbox = bytearray()
        self._fds: list[int] = []

    @property
    def family(self) -> str:
        """The line of the lab's own child from which this task descends: its container's."""
        return ".".join(self.line.split(".", 2)[:2])

    def reports(self) -> Iterator[Report]:
        """Yield the reports that have wholly arrived. Raise wire.Gone at the end, BadReport if it is nonsense."""
        with suppress(BlockingIOError):
            self._receive()
        while len(self._inbox) >= 4 and len(self._inbox) >= (end := reports.length(self._inbox)):
            if self.unanswered:
                raise BadReport  # it does not wait: that would fill the memory
            frame = bytes(self._inbox[:end])
            del self._inbox[:end]
            yield reports.decode(frame)

    def _receive(self) -> None:
        data, ancillary, flags, _ = self.sock.recvmsg(1 << 16, _ANCILLARY, socket.MSG_DONTWAIT | _MSG_CMSG_CLOEXEC)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind in (socket.SCM_RIGHTS, _SCM_PIDFD):
                self._fds += memoryview(content).cast("i")
        if len(self._fds) > MOST_FDS or flags & socket.MSG_CTRUNC:
            raise BadReport
        if not data:
            raise wire.Gone
        self._inbox += data

    def child(self) -> "Channel":
        """Return the channel of the task's new child, which came with the report of the clone."""
        if not self._fds:
            raise BadReport
        fd = self._fds.pop(0)
        try:
            sock = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            raise BadReport from None
        if (sock.family, sock.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
            sock.detach()
            drop(fd)
            raise BadReport
        self._born += 1
        return Channel(sock, f"{self.line}.{self._born}")

    def pidfd(self) -> int | None:
        """Return the pidfd that came with the report of a clone, if one did: only a traced task sends one."""
        return self._fds.pop(0) if self._fds else None

    def move(self) -> None:
        """Move the descriptor out of a program's way. OSError if there is no room."""
        self.sock = socket.socket(fileno=own_fd(self.sock.detach()))

    def acknowledge(self) -> None:
        """Let the task go on."""
        self.unanswered = False
        with suppress(OSError):  # it was killed meanwhile, or takes no answers
            self.sock.send(b"!", socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Let go of it, and of descriptors that nobody asked for."""
        while self._fds:
            drop(self._fds.pop())
        self.sock.close()


def drop(fd: int) -> None:
    """Close a descriptor that may be anybody's. A TCP socket could have the last close wait (socket(7), SO_LINGER)."""
    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        os.close(fd)
        return
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
    sock.close()


def _tick_ns() -> int:
    """Return how long time stamps stand still: a jiffy; since Linux 6.13 not at all for who looks (multigrain)."""
    major, minor = (int("".join(filter(str.isdigit, word))) for word in os.uname().release.split(".")[:2])
    return 0 if (major, minor) >= (6, 13) else 10_000_000


@contextmanager
def as_root() -> Iterator[None]:
    """Act with root's rights even while the host's side has taken a user's."""
    euid = os.geteuid()
    if euid == 0 or os.getuid() != 0:
        yield
        return
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(euid)
