"""What a listener will be told: the finished calls of the host's side and of all tasks, in one order."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from minidocker.gauges import Gauges
from minidocker.kernel import Files
from minidocker.observe import UpperWatch
from minidocker.real import wire
from minidocker.real.host import own_fd

#: More steps than this untaken, and tasks wait with their next call: a loop in a container must not fill the memory.
MOST_UNTAKEN: Final = 10_000


class Steps:
    """The queue of packed events, and the upper directories that are looked at after each call."""

    def __init__(self, files: Files) -> None:
        """Start with nothing. ``files`` are calls that are not traced."""
        self._files = files
        self._watches: dict[str, UpperWatch] = {}
        self._gauges = Gauges(files)
        self._queue: list[tuple[Any, ...]] = []
        self._unanswered: list[int] = []
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
    ) -> None:
        """Note a finished call; ``answer`` is (True, result) or (False, error), all packed.

        ``look=False``: it can have changed no upper directory; ``child``, ``pids``: a clone's new task.
        """
        uppers: dict[str, Any] = {}
        inner: list[tuple[Any, ...]] = []
        try:
            if look:
                self._look(name, args, uppers, inner)
            with as_root():
                inner += map(wire.pack_inner, self._gauges.after(task, name, args))
        except OSError as error:
            self._queue.append((wire.LOOKING_FAILED, wire.pack_error(error)))
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
        for fd in waiting:
            _acknowledge(fd)
        return taken

    def acknowledge(self, fd: int) -> None:
        """Let a task go on, now or when the queue has been taken."""
        if len(self._queue) < MOST_UNTAKEN:
            _acknowledge(fd)
        else:
            self._unanswered.append(fd)

    def forget(self, fd: int) -> None:
        """Forget a task that is gone."""
        if fd in self._unanswered:
            self._unanswered.remove(fd)

    @property
    def waiting(self) -> bool:
        """Is there anything to take?"""
        return bool(self._queue)


class Channel:
    """The helper's end of a task's reports: frames, now and then with the descriptor of a grandchild's channel."""

    def __init__(self, sock: socket.socket) -> None:
        """Take the socket."""
        self.sock = sock
        self.exec: tuple[Any, ...] | None = None
        """The execve that succeeded if the channel ends now: close-on-exec told us."""
        self._inbox = b""
        self._fds: list[int] = []

    def reports(self) -> Iterator[tuple[Any, ...]]:
        """Yield the reports that have wholly arrived. Raise wire.Gone at the end."""
        data, fds, _, _ = socket.recv_fds(self.sock, 1 << 16, 4)
        if not data:
            raise wire.Gone
        self._fds += map(own_fd, fds)
        self._inbox += data
        while len(self._inbox) >= 4 and len(self._inbox) >= (end := 4 + int.from_bytes(self._inbox[:4], "little")):
            frame, self._inbox = self._inbox[:end], self._inbox[end:]
            yield wire.decode(frame)

    def descriptor(self) -> int:
        """Return the next descriptor that came with a report."""
        return self._fds.pop(0)


def _tick_ns() -> int:
    """Return how long time stamps stand still: a jiffy; since Linux 6.13 not at all for who looks (multigrain)."""
    major, minor = (int("".join(filter(str.isdigit, word))) for word in os.uname().release.split(".")[:2])
    return 0 if (major, minor) >= (6, 13) else 10_000_000


def _acknowledge(fd: int) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # it was killed meanwhile
        os.write(fd, b"!")


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
