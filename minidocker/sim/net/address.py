"""Addresses: of IP (``172.17.0.2``), of Ethernet (``02:42:ac:11:00:02``), of a link (``172.17.0.2/16``)."""

import errno
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from minidocker.linux import fail

ANY: Final = "0.0.0.0"  # noqa: S104  INADDR_ANY as it is written
BROADCAST: Final = "255.255.255.255"
NO_MAC: Final = "00:00:00:00:00:00"
EVERYBODY: Final = "ff:ff:ff:ff:ff:ff"


@lru_cache(maxsize=1 << 14)
def number(text: str) -> int:
    """Return an IP address as a number of 32 bits; EINVAL if the text is none (inet_pton(3))."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() and len(part) < 4 for part in parts):
        fail(errno.EINVAL)
    values = [int(part) for part in parts]
    if max(values) > 255 or any(len(part) > 1 and part[0] == "0" for part in parts):
        fail(errno.EINVAL)
    return values[0] << 24 | values[1] << 16 | values[2] << 8 | values[3]


def dotted(address: int) -> str:
    """Return an address as it is written: ``172.17.0.2``."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def packed(text: str) -> bytes:
    """Return an address as four bytes, in the order of the network."""
    return number(text).to_bytes(4, "big")


def mask(prefix: int) -> int:
    """Return the netmask of so many bits, as a number."""
    return 0xFFFFFFFF << (32 - prefix) & 0xFFFFFFFF


def is_multicast(text: str) -> bool:
    """Tell whether an address is a group's: 224.0.0.0/4."""
    return number(text) >> 28 == 0xE


def is_loopback(text: str) -> bool:
    """Tell whether an address is this host's whichever host that is: 127.0.0.0/8."""
    return number(text) >> 24 == 127


def mac(text: str) -> str:
    """Return an Ethernet address in small letters; EINVAL if the text is none."""
    parts = text.lower().split(":")
    if len(parts) != 6 or not all(len(part) == 2 and set(part) <= set("0123456789abcdef") for part in parts):
        fail(errno.EINVAL)
    return ":".join(parts)


def is_group(mac_address: str) -> bool:
    """Tell whether an Ethernet address is for many: the lowest bit of its first byte is set."""
    return int(mac_address[1], 16) & 1 == 1


def group_mac(text: str) -> str:
    """Return the Ethernet address of an IP multicast group (RFC 1112)."""
    low = number(text) & 0x7FFFFF
    return f"01:00:5e:{low >> 16:02x}:{low >> 8 & 255:02x}:{low & 255:02x}"


def mac_bytes(mac_address: str) -> bytes:
    """Return an Ethernet address as six bytes."""
    return bytes.fromhex(mac_address.replace(":", ""))


def network(text: str) -> tuple[int, int]:
    """Return address and prefix length of ``172.17.0.0/16``; without a slash 32, ``default`` is 0.0.0.0/0. EINVAL."""
    if text == "default":
        return 0, 0
    address, slash, length = text.partition("/")
    if not slash:
        return number(address), 32
    if not (length.isascii() and length.isdecimal() and int(length) <= 32):
        fail(errno.EINVAL)
    return number(address), int(length)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceAddress:
    """An address of a link (Linux's struct in_ifaddr)."""

    local: str
    prefix: int
    scope: str
    broadcast: str = ""
    secondary: bool = False
    """Did the link have an address of the same network before? Then this one goes when that one goes."""

    @property
    def text(self) -> str:
        """Address and prefix length, as ``ip addr`` shows them."""
        return f"{self.local}/{self.prefix}"

    @property
    def net(self) -> int:
        """The network's number."""
        return number(self.local) & mask(self.prefix)

    def holds(self, address: str) -> bool:
        """Is an address in this one's network?"""
        return number(address) & mask(self.prefix) == self.net
