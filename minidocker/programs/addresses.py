"""What hosts are called: an address, or a name that /etc/hosts has. There is no name server in the lab."""

import re

from minidocker.programs import stdio
from minidocker.system import System

HOSTS = "/etc/hosts"
_DIGITS = re.compile(r"\d{1,3}", re.ASCII)


def is_address(text: str) -> bool:
    """Is it an IPv4 address: four numbers up to 255, with dots between?"""
    parts = text.split(".")
    return len(parts) == 4 and all(_DIGITS.fullmatch(part) and int(part) < 256 for part in parts)


def prefix_of(text: str) -> tuple[str, int] | None:
    """Return an address and the length of its prefix, 32 if none is given; None if it is no such thing."""
    address, slash, length = text.partition("/")
    if not is_address(address) or (slash and not re.fullmatch(r"[0-2]?\d|3[012]", length, re.ASCII)):
        return None
    return address, int(length) if slash else 32


def to_number(address: str) -> int:
    """Return an address as one number."""
    return int.from_bytes(map(int, address.split(".")), "big")


def to_address(number: int) -> str:
    """Return the address that a number is."""
    return ".".join(map(str, number.to_bytes(4, "big")))


def mask_of(length: int) -> int:
    """Return the mask that a prefix's length means."""
    return (1 << 32) - (1 << (32 - length))


async def look_up(k: System, name: str) -> str | None:
    """Return the address of a host (hosts(5)), or None if nobody knows it."""
    if is_address(name):
        return name
    try:
        lines = stdio.to_text(await stdio.read_file(k, HOSTS)).splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.partition("#")[0].split()
        if name in words[1:] and is_address(words[0]):
            return words[0]
    return None
