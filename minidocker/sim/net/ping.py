"""Ping sockets: datagrams of ICMP that can only ask for an echo, so that one needs no rights (net/ipv4/ping.c).

Who may have one is said by group: net.ipv4.ping_group_range, "1 0" (nobody) in a new network namespace. The echoes'
identifier is the socket's port, whatever the program puts there; the kernel makes the checksum.
"""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import fail
from minidocker.sim.net.address import ANY
from minidocker.sim.net.icmp import ECHO_REQUEST, Icmp, decode
from minidocker.sim.net.ipv4 import IPv4
from minidocker.sim.net.message_socket import PortSocket
from minidocker.sim.net.ports import NOWHERE, Address

if TYPE_CHECKING:
    from minidocker.sim.task import Task


def may_ping(task: "Task") -> bool:
    """Tell whether a task has a group that may have ping sockets in its network."""
    least, most = task.ns.net.ping_groups
    return any(least <= group <= most for group in (task.creds.egid, *task.creds.groups))


class PingSocket(PortSocket):
    """A ping socket."""

    __slots__ = ()

    kind = "icmp"

    def __init__(self, task: "Task", flags: int) -> None:
        """Start without an identifier."""
        super().__init__(task, flags)
        self.ports = self.namespace.ip.ping

    def bind(self, task: "Task", address: str, port: int) -> None:
        """Take an address, and an identifier."""
        if self.has_port:
            fail(errno.EINVAL)
        self.may_bind(task, address, 0)
        self.ports.bind(self, address, port)

    def send(self, task: "Task", data: bytes, address: Address | None) -> int:
        """Ask for an echo; EINVAL for any other message."""
        if address is None and self.remote == NOWHERE:
            fail(errno.EDESTADDRREQ)
        if len(data) < 8 or (data[0], data[1]) != (ECHO_REQUEST, 0):
            fail(errno.EINVAL)
        host, _ = self.destination(address)
        source = self.source(host)
        self.autobind()
        ip, given = self.namespace.ip, decode(data)
        message = Icmp(type=ECHO_REQUEST, rest=self.local[1] << 16 | given.sequence, data=given.data)
        ip.send(IPv4(src=source, dst=host, payload=message, ttl=self.ttl, identification=ip.next_id()))
        return len(data)

    def take(self, packet: IPv4, message: Icmp) -> None:
        """Keep an answer, if it is from whom and to whom it should, and there is room."""
        if self.local[0] in (ANY, packet.dst) and (self.remote == NOWHERE or self.remote[0] == packet.src):
            self.keep(message.encode(), (packet.src, 0))
