"""Raw sockets: ICMP as it is (raw(7)). One makes the messages oneself, and gets each that comes, IP's header too."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import IPPROTO_ICMP, fail
from minidocker.sim.net.address import ANY
from minidocker.sim.net.icmp import decode
from minidocker.sim.net.ipv4 import IPv4
from minidocker.sim.net.message_socket import MessageSocket
from minidocker.sim.net.ports import NOWHERE, Address
from minidocker.sim.refuse import refuse

if TYPE_CHECKING:
    from minidocker.sim.task import Task


class RawSocket(MessageSocket):
    """A raw socket of ICMP; making one needs CAP_NET_RAW."""

    __slots__ = ()

    kind = "raw"

    def __init__(self, task: "Task", flags: int) -> None:
        """Hear of all ICMP messages from now on."""
        super().__init__(task, flags)
        self.local = ANY, IPPROTO_ICMP
        self.namespace.ip.raw.append(self)

    def bind(self, task: "Task", address: str, port: int) -> None:
        """Take an address: hear only of messages to it."""
        self.may_bind(task, address, 0)
        self.local = address, IPPROTO_ICMP

    def connect(self, task: "Task", address: Address) -> None:
        """Say whom one talks to: hear only of messages from there."""
        host, port = self.destination(address)
        self.local = self.source(host), IPPROTO_ICMP
        self.remote = host, port

    def send(self, task: "Task", data: bytes, address: Address | None) -> int:
        """Send a message, of eight bytes at least, just as it is: a wrong checksum stays wrong."""
        if address is None and self.remote == NOWHERE:
            fail(errno.EDESTADDRREQ)
        if len(data) < 2:
            fail(errno.EFAULT)  # raw_probe_proto_opt(): type and code are read from it
        host, _ = self.destination(address)
        source = self.source(host)
        if len(data) < 8:
            refuse(errno.EINVAL, "sends no ICMP message of less than eight bytes")
        ip = self.namespace.ip
        ip.send(IPv4(src=source, dst=host, payload=decode(data), ttl=self.ttl, identification=ip.next_id()))
        return len(data)

    def take(self, packet: IPv4) -> None:
        """Keep a packet that came, if it is from whom and to whom it should, and there is room."""
        if self.local[0] in (ANY, packet.dst) and (self.remote == NOWHERE or self.remote[0] == packet.src):
            self.keep(packet.encode(), (packet.src, 0))

    def shutdown(self, how: int) -> None:
        """Close a direction; ENOTCONN unless connected. That is kept by nobody: datagrams have no end."""
        if self.remote == NOWHERE:
            fail(errno.ENOTCONN)

    def release(self) -> None:
        """Hear of nothing any more."""
        self.namespace.ip.raw.remove(self)
        super().release()
