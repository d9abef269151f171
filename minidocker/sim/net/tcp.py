"""TCP segments (RFC 9293, tcp(7)). The connections that send them are in ``connection.py``."""

from dataclasses import dataclass
from typing import ClassVar, Final

from minidocker.linux import IPPROTO_TCP
from minidocker.sim.net.checksum import checksum
from minidocker.sim.net.ipv4 import pseudo_header

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
#: How tcpdump writes the flags, in its order.
LETTERS: Final = {SYN: "S", FIN: "F", RST: "R", PSH: "P", ACK: "."}
HEADER: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A segment: where its data lies in the stream, and what the sender has got of the other stream."""

    PROTOCOL: ClassVar[int] = IPPROTO_TCP

    source_port: int
    destination_port: int
    seq: int
    ack: int = 0
    flags: int
    window: int = 0
    mss: int = 0
    """The largest segment that the sender takes; only a SYN says so."""
    data: bytes = b""

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return HEADER + (4 if self.mss else 0) + len(self.data)

    @property
    def length(self) -> int:
        """How much of the stream's numbering it takes: a SYN and a FIN count as one byte each."""
        return len(self.data) + (self.flags & SYN != 0) + (self.flags & FIN != 0)

    def ends(self, src: str, dst: str) -> tuple[str, str]:
        """Return how tcpdump names source and destination."""
        return f"{src}.{self.source_port}", f"{dst}.{self.destination_port}"

    @property
    def what(self) -> str:
        """Say what it is, as ``tcpdump -S`` does: with the stream's own numbers."""
        flags = "".join(letter for flag, letter in LETTERS.items() if self.flags & flag)
        words = [f"Flags [{flags}]"]
        if self.data:
            words.append(f"seq {self.seq}:{(self.seq + len(self.data)) & 0xFFFFFFFF}")
        elif self.flags & (SYN | FIN | RST):
            words.append(f"seq {self.seq}")
        if self.flags & ACK:
            words.append(f"ack {self.ack}")
        words.append(f"win {self.window}")
        if self.mss:
            words.append(f"options [mss {self.mss}]")
        return f"{', '.join(words)}, length {len(self.data)}"

    def encode(self, src: str, dst: str) -> bytes:
        """Return its bytes; the checksum covers the addresses too."""
        options = b"\x02\x04" + self.mss.to_bytes(2, "big") if self.mss else b""
        offset = (HEADER + len(options)) // 4
        head = (
            self.source_port.to_bytes(2, "big") + self.destination_port.to_bytes(2, "big")
            + self.seq.to_bytes(4, "big") + self.ack.to_bytes(4, "big")
            + bytes((offset << 4, self.flags)) + self.window.to_bytes(2, "big")
        )  # fmt: skip
        rest = b"\0\0" + options + self.data
        check = checksum(pseudo_header(src, dst, self.PROTOCOL, self.size) + head + b"\0\0" + rest)
        return head + check.to_bytes(2, "big") + rest
