"""ICMP: echoes, and what went wrong with a packet (RFC 792, icmp(7))."""

import errno
from dataclasses import dataclass
from typing import ClassVar, Final

from minidocker.linux import IPPROTO_ICMP
from minidocker.sim.net.checksum import checksum
from minidocker.sim.net.ipv4 import Quote, quoted

ECHO_REPLY: Final = 0
UNREACHABLE: Final = 3
ECHO_REQUEST: Final = 8
TIME_EXCEEDED: Final = 11
NET_UNREACHABLE, HOST_UNREACHABLE, PORT_UNREACHABLE, FRAGMENTATION_NEEDED = 0, 1, 3, 4

#: What a socket is told of an unreachable destination, by code (icmp_err_convert).
ERRNO: Final = {
    NET_UNREACHABLE: errno.ENETUNREACH,
    HOST_UNREACHABLE: errno.EHOSTUNREACH,
    PORT_UNREACHABLE: errno.ECONNREFUSED,
    FRAGMENTATION_NEEDED: errno.EMSGSIZE,
}
#: How many bytes of a packet an error quotes at most (RFC 1812: 576 in all).
QUOTED: Final = 548


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp:
    """A message: type, code, four bytes of its own (an echo's identifier and sequence number), and data.

    ``given_checksum`` is what a raw socket's user put there; -1 means that the kernel makes the right one.
    """

    PROTOCOL: ClassVar[int] = IPPROTO_ICMP

    type: int
    code: int = 0
    rest: int = 0
    data: bytes = b""
    given_checksum: int = -1

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return 8 + len(self.data)

    @property
    def identifier(self) -> int:
        """Whose echo it is."""
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        """Which echo it is."""
        return self.rest & 0xFFFF

    @property
    def quote(self) -> Quote | None:
        """The packet that an error is about."""
        return quoted(self.data) if self.type in (UNREACHABLE, TIME_EXCEEDED) else None

    @property
    def right(self) -> bool:
        """Is its checksum right?"""
        return self.given_checksum < 0 or checksum(self._bytes(self.given_checksum)) == 0

    def ends(self, src: str, dst: str) -> tuple[str, str]:
        """Return how tcpdump names source and destination."""
        return src, dst

    @property
    def what(self) -> str:
        """Say what it is, as tcpdump does."""
        if self.type in (ECHO_REQUEST, ECHO_REPLY):
            name = "request" if self.type == ECHO_REQUEST else "reply"
            return f"ICMP echo {name}, id {self.identifier}, seq {self.sequence}, length {self.size}"
        return f"ICMP {self._trouble()}, length {self.size}"

    def _trouble(self) -> str:
        quote = self.quote
        if self.type == TIME_EXCEEDED:
            return "time exceeded in-transit"
        if self.type != UNREACHABLE or quote is None:
            return f"type-#{self.type}"
        if self.code == PORT_UNREACHABLE:
            name = {6: "tcp", 17: "udp"}.get(quote.protocol, "protocol")
            return f"{quote.dst} {name} port {quote.destination_port} unreachable"
        if self.code == FRAGMENTATION_NEEDED:
            return f"{quote.dst} unreachable - need to frag (mtu {self.rest & 0xFFFF})"
        return f"{'net' if self.code == NET_UNREACHABLE else 'host'} {quote.dst} unreachable"

    def encode(self, src: str = "", dst: str = "") -> bytes:
        """Return its bytes, with the checksum; addresses don't count in it."""
        return self._bytes(self.given_checksum if self.given_checksum >= 0 else checksum(self._bytes(0)))

    def _bytes(self, check: int) -> bytes:
        return bytes((self.type, self.code)) + check.to_bytes(2, "big") + self.rest.to_bytes(4, "big") + self.data


def decode(data: bytes) -> Icmp:
    """Read a message that a raw socket's user made, of 8 bytes at least."""
    return Icmp(
        type=data[0], code=data[1], given_checksum=int.from_bytes(data[2:4], "big"),
        rest=int.from_bytes(data[4:8], "big"), data=bytes(data[8:]),
    )  # fmt: skip
