"""Links: what all network interfaces have in common (Linux's struct net_device, netdevice(7))."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.netlink import Link as LinkValue
from minidocker.sim.net.address import NO_MAC, is_group
from minidocker.sim.refuse import refuse

if TYPE_CHECKING:
    from minidocker.sim.net.address import InterfaceAddress
    from minidocker.sim.net.bridge import Bridge
    from minidocker.sim.net.ethernet import Ethernet
    from minidocker.sim.net.namespace import NetNamespace

#: The longest name that a link can have (IFNAMSIZ, less the zero byte).
NAME_MAX: Final = 15
#: The largest packet of an Ethernet, in bytes, and the least that any link must take.
ETHERNET_MTU, LEAST_MTU = 1500, 68


class Link:
    """A link of one network namespace: it has a name and an index there, takes frames and hands frames in."""

    kind: str = ""
    words: tuple[str, ...] = ("BROADCAST", "MULTICAST")
    """What it is from the start, of its flags."""
    largest_mtu: int = 65535
    movable: bool = True
    """May it go to another namespace? And does it go with its own?"""

    def __init__(self, namespace: "NetNamespace", name: str, mac: str, index: int = 0) -> None:
        """Come up in a namespace: with the next index there, unless one is given; not yet switched on."""
        self.namespace = namespace
        self.name = name
        self.mac = mac
        self.mtu = ETHERNET_MTU
        self.up = False
        self.qdisc = "noop"
        self.signalled = False
        """Did its signal ever come or go? Before that nobody can say in which state it is."""
        self.carrier = True
        """Is there a signal? A veth has one while its other end is up, a bridge while a port has one."""
        self.master: Bridge | None = None
        self.addresses: list[InterfaceAddress] = []
        self.rx_bytes = self.tx_bytes = self.rx_packets = self.tx_packets = 0
        self.tx_dropped = 0
        self.index = namespace.adopt(self, index)

    @property
    def running(self) -> bool:
        """Can a frame go over it now (LOWER_UP)?"""
        return self.up and self.carrier

    @property
    def peer_index(self) -> int:
        """The index of the other end (IFLA_LINK), 0 where there is none."""
        return 0

    @property
    def operstate(self) -> str:
        """What /sys/class/net/NAME/operstate says (RFC 2863)."""
        if not self.up:
            return "down"
        if not self.signalled:
            return "unknown"
        return "up" if self.carrier else "lowerlayerdown" if self.peer_index else "down"

    def value(self) -> LinkValue:
        """Tell about the link (RTM_NEWLINK)."""
        flags = (*self.words, *(("UP", "LOWER_UP") if self.running else ("UP",) if self.up else ()))
        return LinkValue(
            index=self.index, name=self.name, kind=self.kind, address=self.mac, mtu=self.mtu,
            flags=("NO-CARRIER", *flags) if self.up and not self.carrier else flags, qdisc=self.qdisc,
            master=self.master.name if self.master else "", peer=self.peer_index,
            rx_bytes=self.rx_bytes, tx_bytes=self.tx_bytes, rx_packets=self.rx_packets, tx_packets=self.tx_packets,
        )  # fmt: skip

    # what frames do

    def transmit(self, frame: "Ethernet") -> None:
        """Send a frame; without a signal it is lost, and nobody is told (as by noop_qdisc)."""
        if not self.running:
            self.tx_dropped += 1
            return
        self.tx_packets += 1
        self.tx_bytes += frame.size
        self.send(frame)

    def send(self, frame: "Ethernet") -> None:
        """Put a frame on the wire."""

    def receive(self, frame: "Ethernet") -> None:
        """Take a frame off the wire: a port gives it to its bridge, any other link to its namespace."""
        self.rx_packets += 1
        self.rx_bytes += frame.size
        if self.master is not None:
            self.master.take(self, frame)
        else:
            self.namespace.receive(self, frame)

    # what is done to it

    def set_up(self, up: bool) -> None:
        """Switch it on or off. Routes and what ARP knows come and go with that."""
        if up is self.up:
            return
        self.up = up
        self.qdisc = "noqueue" if up else self.qdisc
        self.changed_state()
        if up:
            self.namespace.link_up(self)
        else:
            self.namespace.link_down(self)

    def changed_state(self) -> None:
        """Let others see that it was switched on or off, or that its signal came or went."""
        if self.master is not None:
            self.master.port_changed()

    def set_mtu(self, mtu: int) -> None:
        """Set the largest packet, in bytes; EINVAL."""
        if mtu != self.mtu and not LEAST_MTU <= mtu <= self.largest_mtu:
            fail(errno.EINVAL)
        self.mtu = mtu
        if self.master is not None:
            self.master.fit_mtu()

    def set_mac(self, mac: str) -> None:
        """Set its address; EADDRNOTAVAIL for a group's, and for zeros."""
        if is_group(mac) or mac == NO_MAC:
            fail(errno.EADDRNOTAVAIL)
        self.mac = mac
        self.namespace.forget_neighbours(self)
        if self.master is not None:
            self.master.fit_mac()

    def leave_namespace(self) -> None:
        """Go out of everything in the namespace that one can be in: switched off, no addresses, no bridge."""
        self.set_up(up=False)
        if self.master is not None:
            self.master.release(self)
        self.addresses.clear()
        self.namespace.drop(self)

    def remove(self) -> None:
        """Be no more (unregister_netdevice)."""
        self.leave_namespace()


class Loopback(Link):
    """``lo``: what is sent comes in again. Each namespace has its own, with index 1, and never loses it."""

    kind = "loopback"
    words = ("LOOPBACK",)
    movable = False
    largest_mtu = 0xFFFFFFFF

    def __init__(self, namespace: "NetNamespace") -> None:
        """Be switched off at first."""
        super().__init__(namespace, "lo", NO_MAC)
        self.mtu = 65536

    def send(self, frame: "Ethernet") -> None:
        """Come in again."""
        self.namespace.softirq.raise_for(self, self, frame)

    def set_mtu(self, mtu: int) -> None:
        """Set the largest packet. Below 68 Linux would take IP off this link; that is not modelled (EINVAL)."""
        if mtu < LEAST_MTU:
            refuse(errno.EINVAL, f"has no loopback without IP, which needs {LEAST_MTU} bytes")
        super().set_mtu(mtu)


class Dummy(Link):
    """A link that takes whatever is sent and brings nothing: for an address that does not depend on a wire."""

    kind = "dummy"
    words = ("BROADCAST", "NOARP")
