"""tr: translate, squeeze or delete characters."""

import re
from typing import Final

from minidocker.programs import escapes, stdio
from minidocker.programs.options import Usage, demand, parse, refuse
from minidocker.system import System

_CLASSES: Final = {
    "alnum": rb"[0-9A-Za-z]", "alpha": rb"[A-Za-z]", "blank": rb"[\t ]", "cntrl": rb"[\x00-\x1f\x7f]",
    "digit": rb"[0-9]", "graph": rb"[\x21-\x7e]",
    "lower": rb"[a-z]", "print": rb"[\x20-\x7e]", "punct": rb"[!-/:-@\[-`{-~]",
    "space": rb"[\t-\r ]", "upper": rb"[A-Z]", "xdigit": rb"[0-9A-Fa-f]",
}  # fmt: skip


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Translate the standard input."""
    try:
        options = parse(argv, "+cCds")
        sets = [characters(stdio.to_bytes(word)) for word in options.operands]
        demand(len(sets) == 2 or (len(sets) == 1 and ("d" in options or "s" in options)))
    except Usage as usage:
        return await refuse(k, "tr", usage, "[-cds] STRING1 [STRING2]")
    first = bytes(byte for byte in range(256) if byte not in sets[0]) if "c" in options or "C" in options else sets[0]
    table = bytes(range(256))
    squeezed = sets[-1] if "s" in options else b""
    if len(sets) == 2 and "d" not in options and sets[1]:
        second = sets[1].ljust(len(first), sets[1][-1:])
        table = bytes(_translation(first, second).get(byte, byte) for byte in range(256))
    last = -1
    while data := await k.read(stdio.STDIN, stdio.BLOCK):
        data = data.translate(table, first if "d" in options else b"")
        if squeezed:
            data, last = squeeze(data, squeezed, last)
        await stdio.write_all(k, stdio.STDOUT, data)
    return 0


def _translation(first: bytes, second: bytes) -> dict[int, int]:
    return dict(zip(first, second, strict=False))


def squeeze(data: bytes, which: bytes, last: int) -> tuple[bytes, int]:
    """Return data with runs of certain bytes made one, and its last byte."""
    result = bytearray()
    for byte in data:
        if byte != last or byte not in which:
            result.append(byte)
        last = byte
    return bytes(result), last


def characters(text: bytes) -> bytes:
    """Return the bytes that a set such as ``a-z[:digit:]`` names, in order."""
    result = b""
    text, _ = escapes.interpret(text)
    position = 0
    while position < len(text):
        named = re.compile(rb"\[:(\w+):\]").match(text, position)
        if named and named[1].decode() in _CLASSES:
            result += bytes(b for b in range(256) if re.fullmatch(_CLASSES[named[1].decode()], bytes([b])))
            position = named.end()
        elif text[position + 1 : position + 2] == b"-" and position + 2 < len(text):
            result += bytes(range(text[position], text[position + 2] + 1))
            position += 3
        else:
            result += text[position : position + 1]
            position += 1
    return result
