"""Which socket a segment or a datagram is for, in one network namespace: TCP's, UDP's and ICMP's tables."""

from collections import deque
from typing import TYPE_CHECKING

from minidocker.sim.net.address import ANY
from minidocker.sim.net.connection import TIME_WAIT_NS, Connection
from minidocker.sim.net.datagram import DatagramSocket
from minidocker.sim.net.icmp import ERRNO, FRAGMENTATION_NEEDED, PORT_UNREACHABLE, UNREACHABLE, Icmp
from minidocker.sim.net.ipv4 import IPv4, Quote
from minidocker.sim.net.ports import Ports
from minidocker.sim.net.tcp import ACK, RST, SYN, Tcp
from minidocker.sim.net.udp import Udp

if TYPE_CHECKING:
    from minidocker.sim.net.namespace import NetNamespace
    from minidocker.sim.net.ports import Address


class TcpTable:
    """The connections, by both ends, and who has which port (Linux's tcp_hashinfo)."""

    __slots__ = ("_ending", "_namespace", "connections", "ports")

    def __init__(self, namespace: "NetNamespace") -> None:
        """Start with none."""
        self._namespace = namespace
        self.ports = Ports()
        self.connections: dict[tuple[Address, Address], Connection] = {}
        self._ending: deque[Connection] = deque()

    def receive(self, packet: IPv4, segment: Tcp) -> None:
        """Give a segment to its connection, to who listens, or back: RST (tcp_v4_rcv)."""
        here, there = (packet.dst, segment.destination_port), (packet.src, segment.source_port)
        connection = self.connections.get((here, there))
        if connection is not None and self._over(connection, segment):
            self.forget(connection)
            connection = None
        if connection is not None:
            connection.receive(segment)
        elif not self._begin(here, there, segment) and not segment.flags & RST:
            self._refuse(packet, segment)

    def _begin(self, here: "Address", there: "Address", segment: Tcp) -> bool:
        """Let a connection begin with who listens; True if somebody does, and it is a SYN."""
        listener = self.listener(here)
        if listener is None or segment.flags & (SYN | ACK | RST) != SYN:
            return False
        if len(listener.accepted) <= listener.backlog:
            new = Connection(self._namespace)
            new.remote = there
            self.ports.take(new, *here)
            self.connections[here, there] = new
            new.answer(listener, segment)
        return True  # with a full backlog it is lost, and will come again

    def listener(self, here: "Address") -> Connection | None:
        """Return who listens at an address: at just this one before at any."""
        ends = [end for end in self.ports.at(here[1]) if isinstance(end, Connection) and end.state == "LISTEN"]
        found = [end for end in ends if end.local[0] in (ANY, here[0])]
        return max(found, key=lambda end: end.local[0] != ANY, default=None)

    def _refuse(self, packet: IPv4, segment: Tcp) -> None:
        """Say that there is no such connection (tcp_v4_send_reset)."""
        flags, seq, ack = (RST, segment.ack, 0) if segment.flags & ACK else (RST | ACK, 0, segment.seq + segment.length)
        answer = Tcp(
            source_port=segment.destination_port, destination_port=segment.source_port, seq=seq, ack=ack % (1 << 32),
            flags=flags,
        )  # fmt: skip
        self._namespace.ip.try_send(IPv4(src=packet.dst, dst=packet.src, payload=answer))

    def forget(self, connection: Connection) -> None:
        """Free a connection's ends."""
        if self.connections.get(connection.key) is connection:
            del self.connections[connection.key]
        if connection.orphan or not connection.bound:
            self.ports.give_back(connection)

    def tidy(self) -> None:
        """Forget those that have been in TIME_WAIT for a minute, or waited as long for a FIN without a socket."""
        ending, now_ns = self._ending, self._namespace.now_ns()
        while ending and ending[0].until_ns <= now_ns:
            one = ending.popleft()
            if self._over(one):
                self.forget(one)

    def remember(self, connection: Connection) -> None:
        """Keep a connection that ends for a minute from now on."""
        connection.until_ns = self._namespace.now_ns() + TIME_WAIT_NS
        self._ending.append(connection)

    def _over(self, one: Connection, segment: Tcp | None = None) -> bool:
        """Is nothing to be remembered of a connection, or does a new one begin between the same ends?"""
        if one.state == "TIME_WAIT" and segment is not None and segment.flags & (SYN | ACK) == SYN:
            return True
        ended = one.state == "TIME_WAIT" or (one.state == "FIN_WAIT2" and one.orphan)
        return ended and self._namespace.now_ns() >= one.until_ns

    def told(self, quote: Quote, message: Icmp) -> None:
        """Take an error about a segment: it ends who is connecting; others will see for themselves (tcp_v4_err)."""
        ends = (quote.src, quote.source_port), (quote.dst, quote.destination_port)
        connection = self.connections.get(ends)
        if connection is None or message.type != UNREACHABLE:
            return
        if message.code == FRAGMENTATION_NEEDED:
            connection.fit(message.rest & 0xFFFF)
        elif connection.state == "SYN_SENT" and quote.sequence == connection.iss:
            connection.fail(ERRNO[message.code])

    def close(self) -> None:
        """Break off all: the namespace ends, and nobody is left to be told."""
        for one in list(self.connections.values()):
            one.fail(0)


class UdpTable(Ports):
    """The datagram sockets, by port (Linux's udp_table)."""

    __slots__ = ()

    def receive(self, namespace: "NetNamespace", packet: IPv4, datagram: Udp, *, everybody: bool) -> None:
        """Give a datagram to the socket that fits best, one to everybody to each that fits; else say that none does."""
        sender = packet.src, datagram.source_port
        ends = [end for end in self.at(datagram.destination_port) if isinstance(end, DatagramSocket)]
        fitting = [end for end in ends if end.fits(packet.dst, sender)]
        if everybody:
            for end in fitting:
                end.keep(datagram.data, sender)
        elif fitting:
            max(fitting, key=lambda end: end.fits(packet.dst, sender)).keep(datagram.data, sender)
        else:
            namespace.ip.send_error(packet, UNREACHABLE, PORT_UNREACHABLE)

    def told(self, quote: Quote, message: Icmp) -> None:
        """Take an error about a datagram: who sent it is told, if connected (__udp4_lib_err)."""
        if message.type != UNREACHABLE:
            return
        for end in self.at(quote.source_port):
            if isinstance(end, DatagramSocket) and end.remote == (quote.dst, quote.destination_port):
                end.refuse(ERRNO[message.code])
