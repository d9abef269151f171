"""Links, addresses and routes of this machine's network namespaces: the port's words as rtnetlink(7) has them.

IPv4 only, as the port. Every call speaks to the namespace in which its caller is at that moment (setns(2)).
"""

import errno
import socket
from typing import Any, Final

from minidocker.linux import fail
from minidocker.netlink import Address, Link, Neighbour, Route
from minidocker.real import rtnetlink
from minidocker.real.rtnetlink import (
    AddressMessage,
    LinkMessage,
    NeighbourMessage,
    RouteMessage,
    index_of,
    message,
    name_of,
)

_KINDS: Final = ("bridge", "veth", "dummy")
_AF_INET: Final = 2
_ARPHRD_LOOPBACK: Final = 772
_IFF_UP: Final = 1
_IFF_RUNNING: Final = 0x40

#: netdevice(7)'s flags, in the order in which ip(8) shows them.
_FLAGS: Final = {
    "LOOPBACK": 0x8, "BROADCAST": 0x2, "POINTOPOINT": 0x10, "MULTICAST": 0x1000, "NOARP": 0x80, "ALLMULTI": 0x200,
    "PROMISC": 0x100, "MASTER": 0x400, "SLAVE": 0x800, "UP": _IFF_UP, "LOWER_UP": 0x10000, "DORMANT": 0x20000,
}  # fmt: skip

_SCOPES: Final = {0: "global", 200: "site", 253: "link", 254: "host"}
_SCOPE_HOST: Final = 254
_SCOPE_LINK: Final = 253
_SCOPE_NOWHERE: Final = 255
_PROTOCOLS: Final = {2: "kernel", 3: "boot", 4: "static"}
_RTPROT_BOOT: Final = 3
_RTN_UNICAST: Final = 1
_RT_TABLE_MAIN: Final = 254

_STATES: Final = {
    1: "INCOMPLETE", 2: "REACHABLE", 4: "STALE", 8: "DELAY", 0x10: "PROBE", 0x20: "FAILED", 0x80: "PERMANENT",
}  # fmt: skip


def newlink(name: str, kind: str, *, peer: str = "", netns: int | None = None, address: str = "") -> None:
    """Make a link (RTM_NEWLINK)."""
    if kind not in _KINDS:
        fail(errno.EOPNOTSUPP)
    info: list[tuple[str, Any]] = [("IFLA_INFO_KIND", kind)]
    if peer:
        other = [("IFLA_IFNAME", peer)] + ([] if netns is None else [("IFLA_NET_NS_FD", netns)])
        info.append(("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", {"attrs": other})]}))
    attributes = {"IFLA_IFNAME": name, "IFLA_ADDRESS": address, "IFLA_LINKINFO": {"attrs": info}}
    rtnetlink.tell(message(LinkMessage, attributes), rtnetlink.RTM_NEWLINK, create=True)


def setlink(
    name: str,
    *,
    up: bool | None = None,
    master: str | None = None,
    netns: int | None = None,
    new_name: str = "",
    mtu: int = 0,
    address: str = "",
) -> None:
    """Change a link (RTM_SETLINK)."""
    index = index_of(name)
    attributes = {
        "IFLA_IFNAME": new_name,
        "IFLA_ADDRESS": address,
        "IFLA_MTU": mtu or None,
        "IFLA_MASTER": index_of(master) if master else None if master is None else 0,
        "IFLA_NET_NS_FD": netns,
    }
    flags = {} if up is None else {"flags": _IFF_UP if up else 0, "change": _IFF_UP}
    rtnetlink.tell(message(LinkMessage, attributes, index=index, **flags), rtnetlink.RTM_SETLINK)


def dellink(name: str) -> None:
    """Remove a link (RTM_DELLINK)."""
    rtnetlink.tell(message(LinkMessage, {}, index=index_of(name)), rtnetlink.RTM_DELLINK)


def getlink() -> list[Link]:
    """Return the links, by index (RTM_GETLINK)."""
    found = rtnetlink.dump(LinkMessage, rtnetlink.RTM_GETLINK)
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in found}
    return [_link(link, names) for link in sorted(found, key=lambda link: link["index"])]


def _link(told: Any, names: dict[int, str]) -> Link:
    loopback = told["ifi_type"] == _ARPHRD_LOOPBACK
    stats = told.get_attr("IFLA_STATS64") or {}
    return Link(
        index=told["index"],
        name=told.get_attr("IFLA_IFNAME"),
        kind="loopback" if loopback else told.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or "",
        address=told.get_attr("IFLA_ADDRESS") or "",
        mtu=told.get_attr("IFLA_MTU"),
        flags=_flags(told["flags"]),
        qdisc=told.get_attr("IFLA_QDISC") or "noop",
        master=names.get(told.get_attr("IFLA_MASTER") or 0, ""),
        peer=told.get_attr("IFLA_LINK") or 0,
        **{name: stats.get(name, 0) for name in ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")},
    )


def _flags(bits: int) -> tuple[str, ...]:
    """Return the words for a link's flags: NO-CARRIER is ip(8)'s for one that is up and does not run."""
    words = tuple(word for word, bit in _FLAGS.items() if bits & bit)
    return ("NO-CARRIER", *words) if bits & _IFF_UP and not bits & _IFF_RUNNING else words


def newaddr(link: str, address: str, *, broadcast: str = "") -> None:
    """Give a link an address (RTM_NEWADDR)."""
    rtnetlink.tell(_address(link, address, broadcast), rtnetlink.RTM_NEWADDR, create=True)


def deladdr(link: str, address: str) -> None:
    """Take an address away (RTM_DELADDR)."""
    rtnetlink.tell(_address(link, address), rtnetlink.RTM_DELADDR)


def _address(link: str, address: str, broadcast: str = "") -> Any:
    ip, prefix = _network(address)
    attributes = {"IFA_LOCAL": ip, "IFA_ADDRESS": ip, "IFA_BROADCAST": broadcast and _ip(broadcast)}
    scope = _SCOPE_HOST if ip.startswith("127.") else 0
    return message(AddressMessage, attributes, family=_AF_INET, prefixlen=prefix, scope=scope, index=index_of(link))


def getaddr() -> list[Address]:
    """Return the addresses (RTM_GETADDR)."""
    found = rtnetlink.dump(AddressMessage, rtnetlink.RTM_GETADDR, family=_AF_INET)
    return [
        Address(
            link=name_of(told["index"]),
            address=f"{told.get_attr('IFA_LOCAL')}/{told['prefixlen']}",
            scope=_SCOPES.get(told["scope"], str(told["scope"])),
            broadcast=told.get_attr("IFA_BROADCAST") or "",
        )
        for told in sorted(found, key=lambda told: told["index"])
    ]


def newroute(destination: str, *, gateway: str = "", link: str = "") -> None:
    """Add a route to the main table (RTM_NEWROUTE)."""
    route = _route(destination, gateway, link, scope=0 if gateway else _SCOPE_LINK)
    route.update({"proto": _RTPROT_BOOT, "type": _RTN_UNICAST})
    rtnetlink.tell(route, rtnetlink.RTM_NEWROUTE, create=True)


def delroute(destination: str, *, gateway: str = "", link: str = "") -> None:
    """Remove a route from the main table (RTM_DELROUTE)."""
    rtnetlink.tell(_route(destination, gateway, link, scope=_SCOPE_NOWHERE), rtnetlink.RTM_DELROUTE)


def _route(destination: str, gateway: str, link: str, scope: int) -> Any:
    ip, prefix = ("", 0) if destination == "default" else _network(destination)
    attributes = {
        "RTA_DST": ip,
        "RTA_GATEWAY": gateway and _ip(gateway),
        "RTA_OIF": index_of(link) if link else None,
    }
    return message(RouteMessage, attributes, family=_AF_INET, dst_len=prefix, table=_RT_TABLE_MAIN, scope=scope)


def getroute() -> list[Route]:
    """Return the main table's routes (RTM_GETROUTE)."""
    found = rtnetlink.dump(RouteMessage, rtnetlink.RTM_GETROUTE, family=_AF_INET)
    return [
        Route(
            destination=f"{told.get_attr('RTA_DST')}/{told['dst_len']}" if told["dst_len"] else "default",
            link=name_of(told.get_attr("RTA_OIF")),
            gateway=told.get_attr("RTA_GATEWAY") or "",
            source=told.get_attr("RTA_PREFSRC") or "",
            scope=_SCOPES.get(told["scope"], str(told["scope"])),
            protocol=_PROTOCOLS.get(told["proto"], str(told["proto"])),
        )
        for told in found
        if told["table"] == _RT_TABLE_MAIN and told["type"] == _RTN_UNICAST
    ]


def getneigh() -> list[Neighbour]:
    """Return what ARP knows (RTM_GETNEIGH)."""
    found = rtnetlink.dump(NeighbourMessage, rtnetlink.RTM_GETNEIGH, family=_AF_INET)
    return [
        Neighbour(
            address=told.get_attr("NDA_DST"),
            link=name_of(told["ifindex"]),
            mac=told.get_attr("NDA_LLADDR") or "",
            state=_STATES[told["state"]],
        )
        for told in found
        if told["state"] in _STATES
    ]


def _network(text: str) -> tuple[str, int]:
    """Return an address and its prefix's length: 32 where none is told."""
    ip, _, prefix = text.partition("/")
    if not (prefix or "32").isdecimal() or not 0 <= int(prefix or 32) <= 32:
        fail(errno.EINVAL)
    return _ip(ip), int(prefix or 32)


def _ip(text: str) -> str:
    """Return an IPv4 address; EINVAL if it is none: names are for a resolver, not for a kernel."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except OSError:
        fail(errno.EINVAL)
    return text
