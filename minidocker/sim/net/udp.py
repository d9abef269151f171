"""UDP datagrams (RFC 768, udp(7))."""

from dataclasses import dataclass
from typing import ClassVar

from minidocker.linux import IPPROTO_UDP
from minidocker.sim.net.checksum import checksum
from minidocker.sim.net.ipv4 import pseudo_header


@dataclass(frozen=True, slots=True, kw_only=True)
class Udp:
    """A datagram from one port to another."""

    PROTOCOL: ClassVar[int] = IPPROTO_UDP

    source_port: int
    destination_port: int
    data: bytes = b""

    @property
    def size(self) -> int:
        """How many bytes it has, its header's eight counted."""
        return 8 + len(self.data)

    def ends(self, src: str, dst: str) -> tuple[str, str]:
        """Return how tcpdump names source and destination."""
        return f"{src}.{self.source_port}", f"{dst}.{self.destination_port}"

    @property
    def what(self) -> str:
        """Say what it is, as tcpdump does."""
        return f"UDP, length {len(self.data)}"

    def encode(self, src: str, dst: str) -> bytes:
        """Return its bytes; the checksum covers the addresses too, and is never 0, which would mean none."""
        head = b"".join(number.to_bytes(2, "big") for number in (self.source_port, self.destination_port, self.size))
        check = checksum(pseudo_header(src, dst, self.PROTOCOL, self.size) + head + b"\0\0" + self.data) or 0xFFFF
        return head + check.to_bytes(2, "big") + self.data
