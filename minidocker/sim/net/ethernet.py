"""Ethernet frames, as they lie on a link: whom for, whom from, and what is in it (RFC 894)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from minidocker.sim.net.address import mac_bytes

if TYPE_CHECKING:
    from minidocker.sim.net.arp import Arp
    from minidocker.sim.net.ipv4 import IPv4

#: How many bytes come before what a frame carries.
HEADER: Final = 14

Payload: TypeAlias = "Arp | IPv4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ethernet:
    """A frame. Its addresses are links', its payload is ARP's or IP's."""

    dst: str
    src: str
    payload: Payload

    @property
    def size(self) -> int:
        """How many bytes it has; like Linux's counters without the checksum that the hardware adds."""
        return HEADER + self.payload.size

    @property
    def what(self) -> str:
        """Say in one line what it is, as tcpdump does."""
        return self.payload.what

    def encode(self) -> bytes:
        """Return its bytes."""
        return (
            mac_bytes(self.dst)
            + mac_bytes(self.src)
            + self.payload.ETHERTYPE.to_bytes(2, "big")
            + self.payload.encode()
        )
