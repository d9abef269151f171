"""The calls on sockets: socket(2), bind(2), listen(2), accept(2), connect(2), send(2), recv(2), shutdown(2) ….

Here arguments are checked; what a call does is the kind's to say: ``stream.py``, ``datagram.py``, ``raw.py``.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import (
    AF_INET,
    IPPROTO_ICMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SHUT_RDWR,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_STREAM,
    fail,
)
from minidocker.sim.capability import capable
from minidocker.sim.net.address import number
from minidocker.sim.net.datagram import DatagramSocket
from minidocker.sim.net.ping import PingSocket, may_ping
from minidocker.sim.net.ports import Address
from minidocker.sim.net.raw import RawSocket
from minidocker.sim.net.socket import Socket
from minidocker.sim.net.stream import StreamSocket
from minidocker.sim.refuse import refuse

if TYPE_CHECKING:
    from minidocker.sim.task import Task

_FLAGS: Final = SOCK_NONBLOCK | SOCK_CLOEXEC
#: The kinds of sockets, and the protocols of each; the first may be asked for as 0.
_KINDS: Final[dict[int, tuple[type[Socket], tuple[int, ...]]]] = {
    SOCK_STREAM: (StreamSocket, (0, IPPROTO_TCP)),
    SOCK_DGRAM: (DatagramSocket, (0, IPPROTO_UDP)),
    SOCK_RAW: (RawSocket, (IPPROTO_ICMP,)),
}
#: Beyond this there are no types and no protocols (SOCK_MAX, IPPROTO_MAX).
_TYPES, _PROTOCOLS = 11, 263


def sys_socket(task: "Task", family: int, type: int, protocol: int = 0) -> int:
    """Return a new socket of the caller's network namespace (socket(2)): AF_INET; stream, datagram, raw ICMP.

    EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT; EPERM for a raw one without CAP_NET_RAW; EACCES for datagrams of
    ICMP (``ping.py``) to who is in no group that may have them.
    """
    kind = type & ~_FLAGS
    if not 0 <= kind < _TYPES or not 0 <= protocol < _PROTOCOLS:
        fail(errno.EINVAL)
    if family != AF_INET:
        refuse(errno.EAFNOSUPPORT, "has sockets of AF_INET only")
    if kind not in _KINDS:
        fail(errno.ESOCKTNOSUPPORT)
    maker, protocols = _KINDS[kind]
    if (kind, protocol) == (SOCK_DGRAM, IPPROTO_ICMP):
        maker, protocols = PingSocket, (IPPROTO_ICMP,)
        if not may_ping(task):
            fail(errno.EACCES)
    if protocol not in protocols:
        fail(errno.EPROTONOSUPPORT)
    if kind == SOCK_RAW and not capable(task, task.ns.net.owner, "CAP_NET_RAW"):
        fail(errno.EPERM)
    return _install(task, maker(task, type & SOCK_NONBLOCK), type)


def _install(task: "Task", socket: Socket, flags: int) -> int:
    """Give a socket a descriptor; if there is none (EMFILE) it is closed again."""
    try:
        return task.files.add(socket, cloexec=bool(flags & SOCK_CLOEXEC))
    except OSError:
        socket.release()
        raise


def _socket(task: "Task", fd: int) -> Socket:
    """Return the socket of a descriptor: EBADF, ENOTSOCK."""
    file = task.files.get(fd)
    return file if isinstance(file, Socket) else fail(errno.ENOTSOCK)


def _address(address: Address) -> Address:
    """Return a checked address and port; EINVAL. A name is no address: names are for a resolver."""
    host, port = address
    if not isinstance(host, str) or not isinstance(port, int) or not 0 <= port <= 0xFFFF:
        fail(errno.EINVAL)
    number(host)
    return host, port


def sys_bind(task: "Task", fd: int, address: Address) -> None:
    """Give a socket its own address and port (bind(2)).

    EADDRINUSE, EADDRNOTAVAIL, EACCES below port 1024 without CAP_NET_BIND_SERVICE, EINVAL if it has one.
    """
    socket = _socket(task, fd)
    socket.bind(task, *_address(address))


def sys_listen(task: "Task", fd: int, backlog: int) -> None:
    """Let a socket take connections, so many at most before they are accepted (listen(2)); EADDRINUSE."""
    _socket(task, fd).listen(backlog)


def sys_accept4(task: "Task", fd: int, flags: int = 0) -> tuple[int, Address]:
    """Take a connection: its descriptor and the peer's address (accept4(2)); EINVAL if it does not listen."""
    if flags & ~_FLAGS:
        fail(errno.EINVAL)
    socket, peer = _socket(task, fd).accept(task, flags & SOCK_NONBLOCK)
    return _install(task, socket, flags), peer


def sys_connect(task: "Task", fd: int, address: Address) -> None:
    """Connect to an address (connect(2)); ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT, EINPROGRESS …."""
    socket = _socket(task, fd)
    socket.connect(task, _address(address))


def sys_sendto(task: "Task", fd: int, data: bytes, address: Address | None = None) -> int:
    """Send a datagram, or bytes of a stream (sendto(2))."""
    socket = _socket(task, fd)
    return socket.send(task, data, None if address is None else _address(address))


def sys_recvfrom(task: "Task", fd: int, n: int) -> tuple[bytes, Address | None]:
    """Receive a datagram and its sender's address, or bytes of a stream (recvfrom(2)); EAGAIN after SO_RCVTIMEO."""
    if n < 0:
        fail(errno.EINVAL)
    return _socket(task, fd).receive(task, n)


def sys_shutdown(task: "Task", fd: int, how: int) -> None:
    """Close one direction of a connection, or both (shutdown(2)); ENOTCONN, EINVAL."""
    socket = _socket(task, fd)
    if not 0 <= how <= SHUT_RDWR:
        fail(errno.EINVAL)
    socket.shutdown(how)


def sys_getsockname(task: "Task", fd: int) -> Address:
    """Return a socket's own address (getsockname(2))."""
    return _socket(task, fd).name()


def sys_getpeername(task: "Task", fd: int) -> Address:
    """Return the address at the other end (getpeername(2)); ENOTCONN."""
    return _socket(task, fd).peer()


def sys_setsockopt(task: "Task", fd: int, level: int, option: int, value: int) -> None:
    """Set an option (socket(7), ip(7)): SO_REUSEADDR, SO_BROADCAST, SO_RCVTIMEO (milliseconds), IP_TTL; ENOPROTOOPT."""
    _socket(task, fd).option(level, option, value)
