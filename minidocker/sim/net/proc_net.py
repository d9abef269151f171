"""What ``/proc/net`` says, in the formats of proc(5): each function takes a network namespace and returns the text."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from minidocker.sim.net.address import dotted, mask, number
from minidocker.sim.net.connection import Connection
from minidocker.sim.net.socket import Socket

if TYPE_CHECKING:
    from minidocker.sim.net.namespace import NetNamespace

_DEV: Final = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier"
    " compressed\n"
)
_ARP: Final = "IP address       HW type     Flags       HW address            Mask     Device\n"
_ROUTE: Final = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
_TCP: Final = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
_DATAGRAM: Final = " ref pointer drops"
#: The numbers of a connection's states (include/net/tcp_states.h).
_STATES: Final = {
    "ESTABLISHED": 1, "SYN_SENT": 2, "SYN_RECV": 3, "FIN_WAIT1": 4, "FIN_WAIT2": 5, "TIME_WAIT": 6, "CLOSE": 7,
    "CLOSE_WAIT": 8, "LAST_ACK": 9, "LISTEN": 10, "CLOSING": 11,
}  # fmt: skip
#: What a route's flags say: it is up, by a gateway, to one host (route(8)).
_UP, _GATEWAY, _HOST = 1, 2, 4


def dev(namespace: "NetNamespace") -> str:
    """Return ``/proc/net/dev``: what each link received and sent."""
    lines = [_DEV]
    for _, link in sorted(namespace.links.items()):
        received = f"{link.rx_bytes:8} {link.rx_packets:7}    0    0    0     0          0         0"
        sent = f"{link.tx_bytes:8} {link.tx_packets:7}    0 {link.tx_dropped:4}    0     0       0          0"
        lines.append(f"{link.name:>6}: {received} {sent}\n")
    return "".join(lines)


def _raw(address: str) -> str:
    """Write an address as the kernel holds it on x86: the last byte first."""
    return number(address).to_bytes(4, "little").hex().upper()


def route(namespace: "NetNamespace") -> str:
    """Return ``/proc/net/route``: the main table, addresses as numbers."""
    lines = [_ROUTE.ljust(127) + "\n"]
    for one in namespace.routes.main:
        flags = _UP | (_GATEWAY if one.gateway else 0) | (_HOST if one.prefix == 32 else 0)
        fields = (
            one.link.name, _raw(dotted(one.net)), _raw(one.gateway or "0.0.0.0"), f"{flags:04X}", "0", "0", "0",  # noqa: S104
            _raw(dotted(mask(one.prefix))), "0", "0", "0",
        )  # fmt: skip
        lines.append("\t".join(fields).ljust(127) + "\n")
    return "".join(lines)


def arp(namespace: "NetNamespace") -> str:
    """Return ``/proc/net/arp``: flags 2 says that the address is known."""
    lines = [_ARP]
    for one in namespace.neighbours.values():
        flags = "0x2" if one.mac else "0x0"
        mac = one.mac or "00:00:00:00:00:00"
        lines.append(f"{one.address:<16} {'0x1':<10}  {flags:<10}  {mac:<21} {'*':<8} {one.link}\n")
    return "".join(lines)


def _ends(local: tuple[str, int], remote: tuple[str, int]) -> str:
    return " ".join(f"{_raw(host)}:{port:04X}" for host, port in (local, remote))


def _line(slot: str, ends: str, state: int, queues: tuple[int, int], owner: tuple[int, int], rest: str) -> str:
    """Return the columns that all protocols have."""
    uid, inode = owner
    waiting = f"{queues[0]:08X}:{queues[1]:08X}"
    return f"{slot}: {ends} {state:02X} {waiting} 00:00000000 00000000 {uid:5}        0 {inode} {rest}"


def tcp(namespace: "NetNamespace") -> str:
    """Return ``/proc/net/tcp``: who listens, then the connections. The last columns, of Linux's inside, are zeros."""
    table = namespace.ip.tcp
    table.tidy()
    listening = [end for end in table.ports if isinstance(end, Connection) and end.state == "LISTEN"]
    lines = [_TCP.ljust(149) + "\n"]
    for slot, one in enumerate([*listening, *table.connections.values()]):
        held = len(one.accepted) if one.state == "LISTEN" else len(one.incoming)
        ends = _ends(one.local, one.remote)
        rest = "1 0000000000000000 20 0 0 10 -1"
        lines.append(
            _line(f"{slot:4}", ends, _STATES[one.state], (len(one.outgoing), held), one.owner, rest).ljust(149) + "\n"
        )
    return "".join(lines)


def udp(namespace: "NetNamespace") -> str:
    """Return ``/proc/net/udp``: the datagram sockets."""
    header = (" " + _TCP + _DATAGRAM).ljust(127)
    return _datagrams(header, [end for end in namespace.ip.udp if isinstance(end, Socket)], width=5)


def raw(namespace: "NetNamespace") -> str:
    """Return ``/proc/net/raw``: the raw sockets."""
    return _datagrams(_TCP + _DATAGRAM, namespace.ip.raw, width=4)


def _datagrams(header: str, sockets: Sequence[Socket], width: int) -> str:
    lines = [header]
    for socket in sockets:
        status = socket.stat()
        state = 7 if socket.remote[1] == 0 else 1
        ends, owner = _ends(socket.local, socket.remote), (status.st_uid, status.st_ino)
        line = _line(f"{socket.local[1]:{width}}", ends, state, (0, 0), owner, "2 0000000000000000 0")
        lines.append(line.ljust(len(header) if width == 5 else 0))
    return "\n".join(lines) + "\n"


#: The files of ``/proc/net``.
OF_NET: Final[dict[str, "Callable[[NetNamespace], str]"]] = {
    "arp": arp, "dev": dev, "raw": raw, "route": route, "tcp": tcp, "udp": udp,
}  # fmt: skip
