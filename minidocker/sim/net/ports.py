"""Ports: which socket has which, for one protocol in one network namespace (net/ipv4/inet_connection_sock.c, udp.c)."""

import errno
from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

from minidocker.linux import fail
from minidocker.sim.net.address import ANY

Address: TypeAlias = tuple[str, int]

#: The ports that a socket is given that asks for none (net.ipv4.ip_local_port_range).
FIRST, LAST = 32768, 60999
#: What one binds to for any address, and any port.
NOWHERE: Final[Address] = (ANY, 0)


class Endpoint(Protocol):
    """What can have a port: a datagram socket, or a connection."""

    local: Address
    remote: Address
    reuse: bool
    has_port: bool

    @property
    def exclusive(self) -> bool:
        """Does it want its port for itself, even if others may have it by SO_REUSEADDR: does it listen?"""


class Ports:
    """The ports taken, and by whom. Those given out go up from 32768, so that each run is the same."""

    __slots__ = ("_ends", "_next")

    def __init__(self) -> None:
        """Start with all free."""
        self._ends: dict[int, list[Endpoint]] = {}
        self._next = FIRST

    def at(self, port: int) -> list[Endpoint]:
        """Return who has a port."""
        return self._ends.get(port, [])

    def __iter__(self) -> Iterator[Endpoint]:
        """Yield all who have one."""
        for ends in list(self._ends.values()):
            yield from ends

    def bind(self, end: Endpoint, address: str, port: int) -> None:
        """Give an end an address and a port, any if it is 0. EADDRINUSE."""
        if not port:
            port = self._free() or fail(errno.EADDRINUSE)
        elif any(self._conflict(end, address, other) for other in self.at(port)):
            fail(errno.EADDRINUSE)
        self.take(end, address, port)

    def take(self, end: Endpoint, address: str, port: int) -> None:
        """Give an end a port without asking: a connection has its listener's."""
        end.local, end.has_port = (address, port), True
        self._ends.setdefault(port, []).append(end)

    def give_back(self, end: Endpoint) -> None:
        """Let an end's port go."""
        if end.has_port:
            end.has_port = False
            ends = self._ends[end.local[1]]
            ends.remove(end)
            if not ends:
                del self._ends[end.local[1]]

    def contested(self, end: Endpoint) -> bool:
        """Does somebody else listen where an end is about to?"""
        others = (other for other in self.at(end.local[1]) if other is not end and other.exclusive)
        return any(self._overlap(end.local[0], other.local[0]) for other in others)

    def _conflict(self, end: Endpoint, address: str, other: Endpoint) -> bool:
        """Tell whether two cannot be at one port: the same address, or any, unless both allow it and nobody listens."""
        return self._overlap(address, other.local[0]) and not (end.reuse and other.reuse and not other.exclusive)

    @staticmethod
    def _overlap(one: str, other: str) -> bool:
        return one == other or ANY in (one, other)

    def _free(self) -> int:
        """Return the next port that nobody has at all, 0 if there is none."""
        for _ in range(LAST - FIRST + 1):
            port, self._next = self._next, self._next + 1 if self._next < LAST else FIRST
            if port not in self._ends:
                return port
        return 0
