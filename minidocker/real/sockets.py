"""Sockets of this machine: the port's calls on plain descriptors.

Three ways to wait, as in :mod:`minidocker.real.direct`: here as the kernel does, :class:`HostSockets` never (EAGAIN, or
EINPROGRESS for connect), :class:`TaskSockets` until a handled signal comes (EINTR). Only IPv4, and no names.
"""

import errno
import os
import select
import socket
import struct
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from minidocker.linux import (
    AF_INET,
    O_CLOEXEC,
    SO_RCVTIMEO,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOL_SOCKET,
    fail,
)
from minidocker.port import Port
from minidocker.real.own import checked

Address = tuple[str, int]

_TIMEVAL: Final = struct.Struct("@ll")
_FLAGS: Final = SOCK_CLOEXEC | SOCK_NONBLOCK


class SocketCalls(Port):
    """The calls, which wait as Linux's do."""

    @abstractmethod
    def new_fd(self, fd: int, flags: int) -> int:
        """Return a new descriptor, close-on-exec as the flags say."""

    def sys_socket(self, family: int, type: int, protocol: int = 0) -> int:
        """Return a new socket (socket(2)); EAFNOSUPPORT for all but AF_INET."""
        if family != AF_INET:
            fail(errno.EAFNOSUPPORT)
        fd = socket.socket(family, type & ~SOCK_CLOEXEC, protocol).detach()
        return self.new_fd(fd, type & O_CLOEXEC)

    def sys_bind(self, fd: int, address: Address) -> None:
        """Give a socket its own address (bind(2))."""
        with self.borrowed(fd) as sock:
            sock.bind(_address(address))

    def sys_listen(self, fd: int, backlog: int) -> None:
        """Let a socket take connections (listen(2))."""
        with self.borrowed(fd) as sock:
            sock.listen(backlog)

    def sys_accept4(self, fd: int, flags: int = 0) -> tuple[int, Address]:
        """Take a connection (accept4(2))."""
        if flags & ~_FLAGS:
            fail(errno.EINVAL)
        with self.borrowed(fd) as sock:
            self.await_input(fd)
            new, peer = sock._accept()  # type: ignore[attr-defined]  # noqa: SLF001  accept() makes an object of it
        if flags & SOCK_NONBLOCK:
            os.set_blocking(new, False)
        return self.new_fd(new, flags & O_CLOEXEC), peer

    def sys_connect(self, fd: int, address: Address) -> None:
        """Connect to an address (connect(2))."""
        with self.borrowed(fd) as sock:
            sock.connect(_address(address))

    def sys_sendto(self, fd: int, data: bytes, address: Address | None = None) -> int:
        """Send a datagram, or bytes of a stream (sendto(2))."""
        with self.borrowed(fd) as sock:
            flags = self.await_output(fd)
            return sock.send(data, flags) if address is None else sock.sendto(data, flags, _address(address))

    def sys_recvfrom(self, fd: int, n: int) -> tuple[bytes, Address | None]:
        """Receive a datagram, or bytes of a stream (recvfrom(2))."""
        with self.borrowed(fd) as sock:
            return sock.recvfrom(n, self.await_input(fd))

    def sys_shutdown(self, fd: int, how: int) -> None:
        """Close a direction of a connection (shutdown(2))."""
        with self.borrowed(fd) as sock:
            sock.shutdown(how)

    def sys_getsockname(self, fd: int) -> Address:
        """Return a socket's own address (getsockname(2))."""
        with self.borrowed(fd) as sock:
            return sock.getsockname()

    def sys_getpeername(self, fd: int) -> Address:
        """Return the address at the other end (getpeername(2))."""
        with self.borrowed(fd) as sock:
            return sock.getpeername()

    def sys_setsockopt(self, fd: int, level: int, option: int, value: int) -> None:
        """Set an option (setsockopt(2)); SO_RCVTIMEO in milliseconds."""
        with self.borrowed(fd) as sock:
            if (level, option) == (SOL_SOCKET, SO_RCVTIMEO):
                sock.setsockopt(level, option, _TIMEVAL.pack(value // 1000, value % 1000 * 1000))
            else:
                sock.setsockopt(level, option, value)

    @contextmanager
    def borrowed(self, fd: int) -> Iterator[socket.socket]:
        """Give Python's object for a descriptor, which keeps it."""
        sock = socket.socket(AF_INET, socket.SOCK_STREAM, fileno=checked(fd))
        try:
            yield sock
        finally:
            sock.detach()

    def await_input(self, fd: int) -> int:
        """Wait until there is something to take, and return the flags to take it with: here the kernel waits itself."""
        return 0

    def await_output(self, fd: int) -> int:
        """Wait until there is room, and return the flags to send with."""
        return 0


class HostSockets(SocketCalls):
    """The host's side: nothing waits."""

    def await_input(self, fd: int) -> int:
        """Refuse where there is nothing (EAGAIN)."""
        if is_listening(fd) and not _ready(fd):
            fail(errno.EAGAIN)
        return socket.MSG_DONTWAIT

    def await_output(self, fd: int) -> int:
        """Have the kernel refuse where there is no room (EAGAIN)."""
        return socket.MSG_DONTWAIT

    def sys_connect(self, fd: int, address: Address) -> None:
        """Connect, or begin to (connect(2)): EINPROGRESS; asked again, EALREADY, and once it is done EISCONN or 0."""
        with unblocked(checked(fd)):
            try:
                super().sys_connect(fd, address)
            except BlockingIOError:
                if not _ready(fd, select.POLLOUT):
                    raise
                super().sys_connect(fd, address)  # says what came of it


class TaskSockets(SocketCalls):
    """A task's: handled signals end the waiting."""

    @abstractmethod
    def waiting(self) -> Callable[..., None] | None:
        """Return what waits for a descriptor or a signal, ``wait(fd, event, timeout_s)``; None if none is handled."""

    def await_input(self, fd: int) -> int:
        """Wait for input or a handled signal (EINTR), at most for SO_RCVTIMEO: then the kernel says EAGAIN."""
        if not (wait := self.waiting()) or not os.get_blocking(fd):
            return 0
        wait(fd, select.POLLIN, receive_timeout_s(fd))
        if is_listening(fd) and not _ready(fd):
            fail(errno.EAGAIN)
        return socket.MSG_DONTWAIT

    def await_output(self, fd: int) -> int:
        """Wait for room or a handled signal (EINTR)."""
        if not (wait := self.waiting()) or not os.get_blocking(fd):
            return 0
        wait(fd, select.POLLOUT)
        return socket.MSG_DONTWAIT

    def sys_connect(self, fd: int, address: Address) -> None:
        """Connect, until a handled signal comes (connect(2)): EINTR, and the kernel goes on connecting."""
        wait = self.waiting()
        if not wait or not os.get_blocking(checked(fd)):
            super().sys_connect(fd, address)
            return
        try:
            with unblocked(fd):
                super().sys_connect(fd, address)
        except BlockingIOError:
            wait(fd, select.POLLOUT)
            super().sys_connect(fd, address)  # says what came of it


@contextmanager
def unblocked(fd: int) -> Iterator[None]:
    """Have a descriptor's calls not wait, for now."""
    blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        yield
    finally:
        os.set_blocking(fd, blocking)


def is_listening(fd: int) -> bool:
    """Does a socket take connections?"""
    return bool(_option(fd, socket.SO_ACCEPTCONN))


def receive_timeout_s(fd: int) -> float | None:
    """Return how long a receiving call waits, None if for ever."""
    seconds, microseconds = _TIMEVAL.unpack(_option(fd, SO_RCVTIMEO, _TIMEVAL.size))
    return seconds + microseconds / 1e6 or None


def _option(fd: int, option: int, *size: int) -> Any:
    sock = socket.socket(AF_INET, socket.SOCK_STREAM, fileno=fd)
    try:
        return sock.getsockopt(SOL_SOCKET, option, *size)
    finally:
        sock.detach()


def _ready(fd: int, event: int = select.POLLIN) -> bool:
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(0))


def _address(address: Any) -> Address:
    """Return an address as Python's socket takes it; EINVAL for what is no dotted quad, else it would resolve names."""
    try:
        host, port = address
        socket.inet_pton(AF_INET, host)
        if not 0 <= port <= 0xFFFF:
            fail(errno.EINVAL)
    except (TypeError, ValueError, OSError):
        fail(errno.EINVAL)
    return host, port
