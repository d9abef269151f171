r"""Backslash escapes as echo -e and printf know them: ``\n``, ``\t``, ``\0101``, ``\x41`` …"""

import re
from typing import Final

_SIMPLE: Final = {
    "a": b"\a", "b": b"\b", "e": b"\x1b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\",
}  # fmt: skip
_ESCAPE: Final = re.compile(rb"\\(?:0([0-7]{0,3})|([1-7][0-7]{0,2})|x([0-9a-fA-F]{1,2})|(.))", re.DOTALL)


def interpret(data: bytes) -> tuple[bytes, bool]:
    r"""Return the bytes with escapes replaced, and whether ``\c`` ended them early."""
    result, position = b"", 0
    for match in _ESCAPE.finditer(data):
        result += data[position : match.start()]
        position = match.end()
        if match[4] == b"c":
            return result, True
        result += _replacement(match)
    return result + data[position:], False


def _replacement(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes([int(match[1] or b"0", 8) & 0xFF])
    if match[2]:
        return bytes([int(match[2], 8) & 0xFF])
    if match[3]:
        return bytes([int(match[3], 16)])
    return _SIMPLE.get(match[4].decode("latin-1"), match[0])
