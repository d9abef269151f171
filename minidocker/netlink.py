"""What rtnetlink(7) tells: links, addresses, routes and neighbours of one network namespace, as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface (RTM_NEWLINK). ``flags`` as ip(8) shows them, such as ``("BROADCAST", "UP", "LOWER_UP")``."""

    index: int
    name: str
    kind: str
    """``loopback``, ``veth``, ``bridge``, ``dummy``."""
    address: str
    """Its MAC address."""
    mtu: int
    flags: tuple[str, ...] = ()
    master: str = ""
    """The bridge that it is a port of."""
    qdisc: str = "noop"
    """Who decides which packet leaves next (IFLA_QDISC): ``noop`` until it was first up, then ``noqueue``."""
    peer: int = 0
    """The index of a veth's other end, in whichever namespace that is (IFLA_LINK); 0 if it has none."""
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_packets: int = 0
    tx_packets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address of a link (RTM_NEWADDR): ``172.17.0.2/16``; ``scope`` is ``global``, ``link`` or ``host``."""

    link: str
    address: str
    scope: str = "global"
    broadcast: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route (RTM_NEWROUTE). ``destination`` is ``default`` or a network; ``scope`` is ``link`` without a gateway."""

    destination: str
    link: str
    gateway: str = ""
    source: str = ""
    """The address that packets without one get (RTA_PREFSRC)."""
    scope: str = "global"
    protocol: str = "boot"
    """Who made it: ``kernel`` with an address, ``boot`` by a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Who has an address on a link (RTM_NEWNEIGH); ``state`` as ip(8) says it: ``REACHABLE``, ``STALE``, ``FAILED``."""

    address: str
    link: str
    mac: str
    state: str
