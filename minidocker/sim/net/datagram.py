"""Datagram sockets: UDP (udp(7)). Each datagram comes whole, once, late or never, and nobody answers for it."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import SHUT_RD, SHUT_RDWR, SHUT_WR, fail
from minidocker.sim.net.address import ANY
from minidocker.sim.net.ipv4 import IPv4
from minidocker.sim.net.message_socket import PortSocket
from minidocker.sim.net.ports import NOWHERE, Address
from minidocker.sim.net.udp import Udp

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: The longest datagram: what IP's 65535 bytes leave.
LONGEST: Final = 65507


class DatagramSocket(PortSocket):
    """A UDP socket."""

    __slots__ = ("_closed",)

    kind = "udp"

    def __init__(self, task: "Task", flags: int) -> None:
        """Start without an address."""
        super().__init__(task, flags)
        self.ports = self.namespace.ip.udp
        self._closed = [False, False]

    def bind(self, task: "Task", address: str, port: int) -> None:
        """Take an address and a port; EINVAL if it has one."""
        if self.has_port:
            fail(errno.EINVAL)
        self.may_bind(task, address, port)
        self.ports.bind(self, address, port)

    def send(self, task: "Task", data: bytes, address: Address | None) -> int:
        """Send one datagram. EDESTADDRREQ: to whom? EMSGSIZE: too long. ECONNREFUSED: of the one before."""
        if address is None and self.remote == NOWHERE:
            self.autobind()
            fail(errno.EDESTADDRREQ)
        if len(data) > LONGEST:
            fail(errno.EMSGSIZE)
        host, port = self.destination(address)
        if not port:
            fail(errno.EINVAL)
        self.autobind()
        source = self.source(host)
        self.tell_error()
        if self._closed[SHUT_WR]:
            fail(errno.EPIPE)  # without a signal: that is for streams
        ip = self.namespace.ip
        datagram = Udp(source_port=self.local[1], destination_port=port, data=bytes(data))
        ip.send(IPv4(src=source, dst=host, payload=datagram, ttl=self.ttl, identification=ip.next_id()))
        return len(data)

    def receive(self, task: "Task", n: int) -> tuple[bytes, Address | None]:
        """Give the next datagram; nothing once there will be no more."""
        if self._closed[SHUT_RD] and not super().readable():
            return b"", None
        return super().receive(task, n)

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
        return super().readable() or self._closed[SHUT_RD]
