"""ARP, which finds the Ethernet address of who has an IP address on the same link (RFC 826)."""

from dataclasses import dataclass
from typing import ClassVar, Final

from minidocker.sim.net.address import NO_MAC, mac_bytes, packed

REQUEST: Final = 1
REPLY: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Arp:
    """A question, "who has target_ip? tell sender_ip", or the answer to one."""

    ETHERTYPE: ClassVar[int] = 0x0806
    size: ClassVar[int] = 28
    protocol: ClassVar[str] = "arp"

    operation: int
    sender_mac: str
    sender_ip: str
    target_ip: str
    target_mac: str = NO_MAC

    @property
    def what(self) -> str:
        """Say in one line what it is, as tcpdump does."""
        if self.operation == REQUEST:
            return f"ARP, Request who-has {self.target_ip} tell {self.sender_ip}, length {self.size}"
        return f"ARP, Reply {self.sender_ip} is-at {self.sender_mac}, length {self.size}"

    def encode(self) -> bytes:
        """Return its bytes: Ethernet's and IP's kinds and sizes of addresses first."""
        head = b"\x00\x01\x08\x00\x06\x04" + self.operation.to_bytes(2, "big")
        sender = mac_bytes(self.sender_mac) + packed(self.sender_ip)
        return head + sender + mac_bytes(self.target_mac) + packed(self.target_ip)
