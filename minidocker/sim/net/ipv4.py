"""IP packets, version 4 (RFC 791). What is too large for a link goes in pieces: ``fragment.py``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from minidocker.linux import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from minidocker.sim.net.address import dotted, packed
from minidocker.sim.net.checksum import checksum

if TYPE_CHECKING:
    from minidocker.sim.net.fragment import Fragment
    from minidocker.sim.net.icmp import Icmp
    from minidocker.sim.net.tcp import Tcp
    from minidocker.sim.net.udp import Udp

#: How many bytes come before what a packet carries: there are no options here.
HEADER: Final = 20
#: How many routers a packet may pass (net.ipv4.ip_default_ttl).
TTL: Final = 64
NAMES: Final = {IPPROTO_ICMP: "icmp", IPPROTO_TCP: "tcp", IPPROTO_UDP: "udp"}
#: The largest packet that its 16 bits of length can tell of.
LARGEST: Final = 0xFFFF
_DONT_FRAGMENT, _MORE_FRAGMENTS = 0x4000, 0x2000

Segment: TypeAlias = "Icmp | Udp | Tcp"
Payload: TypeAlias = "Icmp | Udp | Tcp | Fragment"


@dataclass(frozen=True, slots=True, kw_only=True)
class IPv4:
    """A packet from one address to another."""

    ETHERTYPE: ClassVar[int] = 0x0800

    src: str
    dst: str
    payload: Payload
    ttl: int = TTL
    identification: int = 0
    dont_fragment: bool = True
    tos: int = 0

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return HEADER + self.payload.size

    @property
    def protocol(self) -> str:
        """The name of what it carries: ``icmp``, ``tcp``, ``udp``."""
        return NAMES[self.payload.PROTOCOL]

    @property
    def what(self) -> str:
        """Say in one line what it is, as tcpdump does."""
        source, destination = self.payload.ends(self.src, self.dst)
        return f"IP {source} > {destination}: {self.payload.what}"

    def encode(self) -> bytes:
        """Return its bytes, the header with its checksum."""
        offset, more = getattr(self.payload, "offset", 0), getattr(self.payload, "more", False)
        fragment = (_DONT_FRAGMENT if self.dont_fragment else 0) | (_MORE_FRAGMENTS if more else 0) | offset // 8
        numbers = (0x4500 | self.tos, self.size, self.identification, fragment, self.ttl << 8 | self.payload.PROTOCOL)
        start = b"".join(number.to_bytes(2, "big") for number in numbers)
        ends = packed(self.src) + packed(self.dst)
        return start + checksum(start + ends).to_bytes(2, "big") + ends + self.payload.encode(self.src, self.dst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The start of a packet as an ICMP error quotes it: its header, and the ports of what it carried."""

    src: str
    dst: str
    protocol: int
    source_port: int
    destination_port: int
    sequence: int
    """TCP's sequence number; meaningless for others."""


def quoted(data: bytes) -> Quote | None:
    """Read what an ICMP error quotes; None if it is too short to say whom it is about."""
    start = (data[0] & 0xF) * 4 if data else 0
    if start < HEADER or len(data) < start + 8:
        return None
    words = [int.from_bytes(data[start + at : start + at + 2], "big") for at in (0, 2)]
    return Quote(
        src=dotted(int.from_bytes(data[12:16], "big")), dst=dotted(int.from_bytes(data[16:20], "big")),
        protocol=data[9], source_port=words[0], destination_port=words[1],
        sequence=int.from_bytes(data[start + 4 : start + 8], "big"),
    )  # fmt: skip


def pseudo_header(src: str, dst: str, protocol: int, size: int) -> bytes:
    """Return what the checksums of UDP and TCP cover beside their own bytes (RFC 768, RFC 9293)."""
    return packed(src) + packed(dst) + protocol.to_bytes(2, "big") + size.to_bytes(2, "big")
