"""Datagram sockets: UDP (udp(7)). Each datagram comes whole, once, late or never, and nobody answers for it."""

import errno
from collections import deque
from typing import TYPE_CHECKING, Final

from minidocker.linux import SHUT_RD, SHUT_RDWR, SHUT_WR, fail
from minidocker.sim.net.address import ANY
from minidocker.sim.net.ipv4 import IPv4
from minidocker.sim.net.ports import NOWHERE, Address
from minidocker.sim.net.socket import SELF, Socket
from minidocker.sim.net.udp import Udp

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: The longest datagram: what IP's 65535 bytes leave.
LONGEST: Final = 65507
#: How many bytes wait to be received; more are lost (net.core.rmem_default).
BUFFER: Final = 212_992


class DatagramSocket(Socket):
    """A UDP socket."""

    __slots__ = ("_closed", "_held", "_queue", "has_port")

    kind = "udp"
    exclusive = False

    def __init__(self, task: "Task", flags: int) -> None:
        """Start without an address."""
        super().__init__(task, flags)
        self._queue: deque[tuple[bytes, Address]] = deque()
        self._held = 0
        self.has_port = False
        self._closed = [False, False]

    def bind(self, task: "Task", address: str, port: int) -> None:
        """Take an address and a port; EINVAL if it has one."""
        if self.has_port:
            fail(errno.EINVAL)
        self.may_bind(task, address, port)
        self.namespace.ip.udp.bind(self, address, port)

    def _autobind(self) -> None:
        if not self.has_port:
            self.namespace.ip.udp.bind(self, self.local[0], 0)

    def connect(self, task: "Task", address: Address) -> None:
        """Say whom one talks to: only from there anything is received, and errors are told."""
        host = SELF if address[0] == ANY else address[0]
        source = self.source(host)
        self._autobind()
        self.local, self.remote = (source, self.local[1]), (host, address[1])

    def send(self, task: "Task", data: bytes, address: Address | None) -> int:
        """Send one datagram. EDESTADDRREQ: to whom? EMSGSIZE: too long. ECONNREFUSED: of the one before."""
        if address is None and self.remote == NOWHERE:
            self._autobind()
            fail(errno.EDESTADDRREQ)
        if len(data) > LONGEST:
            fail(errno.EMSGSIZE)
        host, port = address or self.remote
        if not port:
            fail(errno.EINVAL)
        self._autobind()
        host = SELF if host == ANY else host
        source = self.source(host)
        self.tell_error()
        if self._closed[SHUT_WR]:
            fail(errno.EPIPE)  # without a signal: that is for streams
        ip = self.namespace.ip
        datagram = Udp(source_port=self.local[1], destination_port=port, data=bytes(data))
        ip.send(IPv4(src=source, dst=host, payload=datagram, ttl=self.ttl, identification=ip.next_id()))
        return len(data)

    def receive(self, task: "Task", n: int) -> tuple[bytes, Address | None]:
        """Give the next datagram; what of it is longer than n is lost."""
        self.tell_error()
        if self._queue:
            data, sender = self._queue.popleft()
            self._held -= len(data)
            return data[:n], sender
        if self._closed[SHUT_RD]:
            return b"", None
        return self.wait(task, receiving=True)

    def take(self, data: bytes, sender: Address) -> None:
        """Keep a datagram that came, if there is room."""
        if self._held + len(data) <= BUFFER:
            self._held += len(data)
            self._queue.append((data, sender))
            self.changed.wake()

    def fits(self, dst: str, sender: Address) -> int:
        """Tell how well a datagram fits: 0 is not at all, who is connected to the sender fits best."""
        if self.local[0] not in (ANY, dst) or self.remote not in (NOWHERE, sender):
            return 0
        return 1 + (self.local[0] == dst) + 2 * (self.remote == sender)

    def refuse(self, error: int) -> None:
        """Take note of an error of ICMP's: only who is connected is told."""
        if self.remote != NOWHERE:
            self.error = error
            self.changed.wake()

    def shutdown(self, how: int) -> None:
        """Close a direction, or both; who is not connected is told so (ENOTCONN), and yet it is done."""
        self._closed[SHUT_RD] |= how in (SHUT_RD, SHUT_RDWR)
        self._closed[SHUT_WR] |= how in (SHUT_WR, SHUT_RDWR)
        self.changed.wake()
        if self.remote == NOWHERE:
            fail(errno.ENOTCONN)

    def readable(self) -> bool:
        """Would receiving return at once?"""
        return bool(self._queue or self.error or self._closed[SHUT_RD])

    def release(self) -> None:
        """Give the port back."""
        self.namespace.ip.udp.give_back(self)
        super().release()
