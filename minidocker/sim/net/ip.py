"""IP: what comes in is delivered, forwarded or dropped; what goes out finds its link (ip(7), net/ipv4).

Not modelled: multicast groups, options, redirects, source address checks (rp_filter is 0, Linux's default), and IPv6.
"""

import errno
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from minidocker.linux import IPPROTO_TCP, IPPROTO_UDP, fail
from minidocker.sim.net.address import ANY, BROADCAST, NO_MAC, is_loopback, is_multicast
from minidocker.sim.net.arp import Arp
from minidocker.sim.net.ethernet import Ethernet
from minidocker.sim.net.fragment import Fragment, Pieces, cut
from minidocker.sim.net.icmp import (
    ECHO_REPLY,
    ECHO_REQUEST,
    FRAGMENTATION_NEEDED,
    HOST_UNREACHABLE,
    NET_UNREACHABLE,
    QUOTED,
    TIME_EXCEEDED,
    UNREACHABLE,
    Icmp,
)
from minidocker.sim.net.ipv4 import LARGEST, IPv4
from minidocker.sim.net.ping import PingSocket
from minidocker.sim.net.ports import Ports
from minidocker.sim.net.tcp import Tcp
from minidocker.sim.net.transport import TcpTable, UdpTable
from minidocker.sim.net.udp import Udp

if TYPE_CHECKING:
    from minidocker.sim.net.link import Link
    from minidocker.sim.net.namespace import NetNamespace
    from minidocker.sim.net.raw import RawSocket
    from minidocker.sim.net.route import Route

#: The errors of ICMP; about these no error is ever sent.
_ERRORS: Final = (UNREACHABLE, TIME_EXCEEDED)


class Ip:
    """IP in one network namespace."""

    __slots__ = ("_identification", "_namespace", "_pieces", "ping", "raw", "tcp", "udp")

    def __init__(self, namespace: "NetNamespace") -> None:
        """Start with packet number one."""
        self._namespace = namespace
        self._identification = 0
        self._pieces = Pieces()
        self.ping = Ports()
        self.raw: list[RawSocket] = []
        self.tcp = TcpTable(namespace)
        self.udp = UdpTable()

    def next_id(self) -> int:
        """Return the number for a packet of our own."""
        self._identification = self._identification % 0xFFFF + 1
        return self._identification

    # coming in

    def receive(self, link: "Link", frame: Ethernet) -> None:
        """Take what a frame carried."""
        payload = frame.payload
        if isinstance(payload, Arp):
            self._namespace.neighbours.receive(link, payload)
        else:
            self._receive(link, payload)

    def _receive(self, link: "Link", packet: IPv4) -> None:
        """Deliver a packet for us or for everybody; forward another, if that is what this host does (ip_rcv)."""
        namespace, dst = self._namespace, packet.dst
        if link is not namespace.loopback and (is_loopback(dst) or is_loopback(packet.src)):
            return  # a Martian: such an address cannot be seen on a wire
        if dst == BROADCAST:
            self._deliver(packet, everybody=True)
            return
        route = namespace.routes.lookup(dst)
        if route is not None and route.kind != "unicast":
            self._deliver(packet, everybody=route.kind == "broadcast")
        elif namespace.forwarding and not is_multicast(dst):
            self._forward(link, packet, route)

    def _forward(self, link: "Link", packet: IPv4, route: "Route | None") -> None:
        """Pass a packet on, one hop older (ip_forward)."""
        if packet.ttl <= 1:
            self.send_error(packet, TIME_EXCEEDED, 0)
        elif route is None:
            self.send_error(packet, UNREACHABLE, NET_UNREACHABLE)
        elif packet.size > route.link.mtu and packet.dont_fragment:
            self.send_error(packet, UNREACHABLE, FRAGMENTATION_NEEDED, route.link.mtu)
        else:
            self._output(route, route.link.mtu, replace(packet, ttl=packet.ttl - 1))

    def _deliver(self, packet: IPv4, *, everybody: bool) -> None:
        """Give a packet to the protocol that it carries, once it is whole."""
        payload = packet.payload
        if isinstance(payload, Fragment):
            whole = self._pieces.take(packet, self._namespace.now_ns())
            if whole is not None:
                self._deliver(whole, everybody=everybody)
            return
        if isinstance(payload, Icmp):
            for socket in list(self.raw):
                socket.take(packet)
            self._icmp(packet, payload, everybody=everybody)
        elif isinstance(payload, Udp):
            self.udp.receive(self._namespace, packet, payload, everybody=everybody)
        elif not everybody:
            self.tcp.receive(packet, payload)

    def _icmp(self, packet: IPv4, message: Icmp, *, everybody: bool) -> None:
        """Answer an echo that is for us alone; tell sockets of an error (icmp_rcv)."""
        if not message.right:
            return
        if message.type == ECHO_REQUEST and not everybody:
            answer = Icmp(type=ECHO_REPLY, rest=message.rest, data=message.data)
            self.try_send(IPv4(
                src=packet.dst, dst=packet.src, payload=answer, identification=self.next_id(), dont_fragment=False
            ))  # fmt: skip
        elif message.type == ECHO_REPLY:
            for socket in self.ping.at(message.identifier):
                if isinstance(socket, PingSocket):
                    socket.take(packet, message)
        elif (quote := message.quote) is not None and quote.protocol == IPPROTO_TCP:
            self.tcp.told(quote, message)
        elif quote is not None and quote.protocol == IPPROTO_UDP:
            self.udp.told(quote, message)

    # going out

    def route(self, dst: str) -> "Route":
        """Return the route to an address; ENETUNREACH."""
        return self._namespace.routes.lookup(dst) or fail(errno.ENETUNREACH)

    def source(self, dst: str) -> str:
        """Return the address of ours that a packet to an address would have; 0.0.0.0 if there is none."""
        route = self._namespace.routes.lookup(dst)
        return self._namespace.source_for(route, dst) if route else ANY

    def send(self, packet: IPv4) -> None:
        """Send a packet of our own. ENETUNREACH; EMSGSIZE for more than IP can tell of."""
        if packet.size > LARGEST:
            fail(errno.EMSGSIZE)
        route = self.route(packet.dst)
        link = self._namespace.loopback if route.kind == "local" else route.link
        self._output(route, link.mtu, packet)

    def _output(self, route: "Route", mtu: int, packet: IPv4) -> None:
        """Send a packet, in pieces if it is too large for its link (ip_finish_output)."""
        if packet.size <= mtu:
            self._to_link(route, packet)
        elif not isinstance(packet.payload, Tcp):
            for piece in cut(packet, mtu):
                self._to_link(route, piece)

    def _to_link(self, route: "Route", packet: IPv4) -> None:
        namespace = self._namespace
        if route.kind == "local":
            loopback = namespace.loopback
            loopback.transmit(Ethernet(dst=loopback.mac, src=loopback.mac or NO_MAC, payload=packet))
        elif route.kind == "broadcast" or packet.dst == BROADCAST:
            namespace.neighbours.broadcast(route.link, packet)
        else:
            namespace.neighbours.send(route.link, route.gateway or packet.dst, packet)

    def try_send(self, packet: IPv4) -> None:
        """Send what nobody can be told the failure of."""
        try:
            self.send(packet)
        except OSError:
            return

    def confirm(self, dst: str) -> None:
        """Take note that an address answers."""
        route = self._namespace.routes.lookup(dst)
        if route is not None and route.kind == "unicast":
            self._namespace.neighbours.confirm(route.link, route.gateway or dst)

    # errors

    def host_unreachable(self, packet: IPv4) -> None:
        """Return a packet whose next hop does not answer ARP."""
        self.send_error(packet, UNREACHABLE, HOST_UNREACHABLE)

    def send_error(self, packet: IPv4, type: int, code: int, rest: int = 0) -> None:
        """Tell who sent a packet what became of it (icmp_send); never about an error, or to nobody in particular."""
        about = packet.payload
        if isinstance(about, Icmp) and about.type in _ERRORS:
            return
        if packet.src == ANY or is_multicast(packet.dst) or packet.dst == BROADCAST:
            return
        ours = self._namespace.routes.is_local(packet.dst)
        source = packet.dst if ours else self.source(packet.src)
        message = Icmp(type=type, code=code, rest=rest, data=packet.encode()[:QUOTED])
        self.try_send(IPv4(
            src=source, dst=packet.src, payload=message, identification=self.next_id(), dont_fragment=False, tos=0xC0
        ))  # fmt: skip
