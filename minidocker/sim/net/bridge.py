"""A bridge: a switch in the kernel (ip-link(8), net/bridge). Its ports are links, and it is one itself, to the host.

It learns behind which port an address lives from the frames that come from there, sends a frame to that port alone,
and a frame for an address that it does not know, or for everybody, to all. The spanning tree protocol is off, as
Docker's bridges have it, so that two bridges joined by two wires carry a broadcast round for ever.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.sim.net.address import NO_MAC, is_group
from minidocker.sim.net.link import Link, Loopback

if TYPE_CHECKING:
    from minidocker.sim.net.ethernet import Ethernet
    from minidocker.sim.net.namespace import NetNamespace

#: How long a bridge remembers an address that it hears nothing from (ageing_time).
AGEING_NS: Final = 300_000_000_000


class Bridge(Link):
    """A bridge, with its ports and what it has learnt (fdb): address → (port, when it was last heard)."""

    kind = "bridge"
    movable = False

    def __init__(self, namespace: "NetNamespace", name: str, mac: str, *, given: bool) -> None:
        """Start without ports. An address that was given stays; else it is its ports' lowest."""
        super().__init__(namespace, name, mac)
        self.ports: dict[Link, None] = {}
        self.fdb: dict[str, tuple[Link, int]] = {}
        self.mac_given = given
        self.mtu_given = False

    # ports

    def enslave(self, link: Link) -> None:
        """Make a link a port; EINVAL for a loopback or a link without an address, ELOOP for a bridge."""
        if isinstance(link, Loopback) or link.mac == NO_MAC:
            fail(errno.EINVAL)
        if isinstance(link, Bridge):
            fail(errno.ELOOP)
        self.ports[link] = None
        link.master = self
        self._fit_to(link)

    def release(self, link: Link) -> None:
        """Let a port go, and forget who lives behind it."""
        del self.ports[link]
        link.master = None
        self.fdb = {mac: heard for mac, heard in self.fdb.items() if heard[0] is not link}
        self.fit_mac()
        self.fit_mtu()
        self.port_changed()

    def _fit_to(self, link: Link) -> None:
        """Take note of a new port, in constant time: it can only be the least, or the first with a signal."""
        if not self.mac_given and (len(self.ports) == 1 or link.mac < self.mac):
            self.mac = link.mac
        if not self.mtu_given:
            self.mtu = link.mtu if len(self.ports) == 1 else min(self.mtu, link.mtu)
        self.signalled = True
        self.carrier = link.running or (self.carrier and len(self.ports) > 1)

    def port_changed(self) -> None:
        """Have a signal while a port has one."""
        self.carrier = any(port.running for port in self.ports)

    def fit_mac(self) -> None:
        """Have the lowest of the ports' addresses, unless one was given; zeros when the last port has gone."""
        if not self.mac_given:
            self.mac = min((port.mac for port in self.ports), default=NO_MAC)

    def fit_mtu(self) -> None:
        """Take no larger packets than every port does, unless a size was given."""
        if not self.mtu_given:
            self.mtu = min((port.mtu for port in self.ports), default=1500)

    def set_mac(self, mac: str) -> None:
        """Set the address for good."""
        super().set_mac(mac)
        self.mac_given = True

    def set_mtu(self, mtu: int) -> None:
        """Set the size for good, unless it is what it was."""
        was = self.mtu
        super().set_mtu(mtu)
        self.mtu_given |= mtu != was

    # frames

    def send(self, frame: "Ethernet") -> None:
        """Send a frame of the host's own (br_dev_xmit)."""
        self._forward(frame, None)

    def take(self, port: Link, frame: "Ethernet") -> None:
        """Take a frame that came in at a port: learn, then pass it up to the host or on to other ports, or both."""
        if not self.up or not port.running:
            return
        self.fdb[frame.src] = (port, self.namespace.now_ns())
        if frame.dst == self.mac:
            self._pass_up(port, frame)
            return
        if is_group(frame.dst):
            self._pass_up(port, frame)
        self._forward(frame, port)

    def _forward(self, frame: "Ethernet", source: Link | None) -> None:
        """Send to the port behind which the address lives, or to all but where it came from."""
        heard = self.fdb.get(frame.dst)
        if heard is not None and self.namespace.now_ns() - heard[1] > AGEING_NS:
            del self.fdb[frame.dst]
            heard = None
        if heard is None:
            for port in list(self.ports):
                self._to_port(frame, source, port)
        else:
            self._to_port(frame, source, heard[0])

    def _to_port(self, frame: "Ethernet", source: Link | None, port: Link) -> None:
        if port is source or not port.running:
            return
        self.namespace.softirq.tell(source or self, port, frame, self.name if source else "")
        port.transmit(frame)

    def _pass_up(self, port: Link, frame: "Ethernet") -> None:
        """Let the frame come in at the bridge itself."""
        self.namespace.softirq.tell(port, self, frame)
        self.rx_packets += 1
        self.rx_bytes += frame.size
        self.namespace.receive(self, frame)

    def remove(self) -> None:
        """Let all ports go first."""
        for port in list(self.ports):
            self.ports.pop(port)
            port.master = None
        self.fdb.clear()
        super().remove()
