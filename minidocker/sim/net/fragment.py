"""Fragments: an IP packet that is too large for a link goes in pieces, and is put together where it arrives (RFC 791).

TCP's segments are never cut (they are made to fit), nor what a router gets that says "don't fragment". Where a piece is
missing the others are forgotten after 30 seconds (net.ipv4.ipfrag_time); ICMP's word of that is not sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from minidocker.linux import IPPROTO_ICMP, IPPROTO_UDP
from minidocker.sim.net import icmp
from minidocker.sim.net.ipv4 import HEADER, NAMES, IPv4
from minidocker.sim.net.udp import Udp

if TYPE_CHECKING:
    from minidocker.sim.net.ipv4 import Segment

#: How long the pieces of a packet wait for the others.
PATIENCE_NS: Final = 30_000_000_000
#: A piece begins at a multiple of so many bytes.
_UNIT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A piece of what a packet carries: the bytes from ``offset`` on; ``more`` says that it is not the last."""

    PROTOCOL: int
    offset: int
    more: bool
    data: bytes

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.data)

    def ends(self, src: str, dst: str) -> tuple[str, str]:
        """Return how tcpdump names source and destination: only the first piece of UDP's knows the ports."""
        first = None if self.offset or self.PROTOCOL != IPPROTO_UDP else _decode(self.PROTOCOL, self.data)
        return first.ends(src, dst) if first else (src, dst)

    @property
    def what(self) -> str:
        """Say what it is, as tcpdump does: the first piece has the header."""
        first = None if self.offset else _decode(self.PROTOCOL, self.data)
        if first is None:
            return NAMES[self.PROTOCOL]
        return (
            first.what if self.PROTOCOL == IPPROTO_ICMP else f"UDP, length {int.from_bytes(self.data[4:6], 'big') - 8}"
        )

    def encode(self, src: str = "", dst: str = "") -> bytes:
        """Return its bytes."""
        return self.data


def cut(packet: IPv4, mtu: int) -> Iterator[IPv4]:
    """Yield a packet in pieces that fit a link (ip_fragment)."""
    payload = packet.payload
    start, more = (payload.offset, payload.more) if isinstance(payload, Fragment) else (0, False)
    data, room = payload.encode(packet.src, packet.dst), (mtu - HEADER) // _UNIT * _UNIT
    for at in range(0, len(data), room):
        last = at + room >= len(data)
        piece = Fragment(PROTOCOL=payload.PROTOCOL, offset=start + at, more=more or not last, data=data[at : at + room])
        yield replace(packet, payload=piece, dont_fragment=False)


class Pieces:
    """The pieces of packets that are not whole yet, by what they have in common."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        """Start with none."""
        self._waiting: dict[tuple[str, str, int, int], tuple[int, list[Fragment]]] = {}

    def take(self, packet: IPv4, now_ns: int) -> IPv4 | None:
        """Take a piece, and return the whole packet if it was the last that was missing (ip_defrag)."""
        piece = packet.payload
        assert isinstance(piece, Fragment)
        self._waiting = {key: one for key, one in self._waiting.items() if now_ns - one[0] < PATIENCE_NS}
        key = packet.src, packet.dst, packet.identification, piece.PROTOCOL
        _, pieces = self._waiting.setdefault(key, (now_ns, []))
        pieces.append(piece)
        data = _whole(pieces)
        if data is None:
            return None
        del self._waiting[key]
        payload = _decode(piece.PROTOCOL, data)
        return None if payload is None else replace(packet, payload=payload)


def _whole(pieces: list[Fragment]) -> bytes | None:
    """Return what pieces make together, None if one is missing."""
    data, ended = b"", False
    for piece in sorted(pieces, key=lambda piece: piece.offset):
        if piece.offset > len(data):
            return None
        data = data[: piece.offset] + piece.data
        ended = not piece.more
    return data if ended else None


def _decode(protocol: int, data: bytes) -> "Segment | None":
    """Read what a packet carried; None if that is never cut, or too short."""
    if len(data) < 8:
        return None
    if protocol == IPPROTO_ICMP:
        return icmp.decode(data)
    if protocol == IPPROTO_UDP:
        ports = [int.from_bytes(data[at : at + 2], "big") for at in (0, 2)]
        return Udp(source_port=ports[0], destination_port=ports[1], data=data[8:])
    return None
