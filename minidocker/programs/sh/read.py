"""The builtin read: a line of the standard input, split into variables (POSIX.1-2017, read)."""

from typing import TypeAlias

from minidocker.programs import stdio
from minidocker.programs.sh import expand
from minidocker.programs.sh.expand import Piece
from minidocker.system import System

#: A character, and whether a backslash stood before it: then it does not separate.
Character: TypeAlias = tuple[str, bool]


async def read_line(k: System, *, raw: bool) -> tuple[list[Character], bool]:
    """Return a line's characters and whether there was an end of line. A byte at a time: what follows is for others."""
    characters: list[tuple[bytes, bool]] = []
    escaped = ended = False
    while byte := await k.read(stdio.STDIN, 1):
        if byte == b"\n" and not escaped:
            ended = True
            break
        if byte == b"\\" and not escaped and not raw:
            escaped = True
            continue
        if byte != b"\n":
            characters.append((byte, escaped))
        escaped = False
    return [(stdio.to_text(byte), mark) for byte, mark in _join_utf8(characters)], ended


def _join_utf8(characters: list[tuple[bytes, bool]]) -> list[tuple[bytes, bool]]:
    joined: list[tuple[bytes, bool]] = []
    for byte, mark in characters:
        if joined and 0x80 <= byte[0] < 0xC0 and joined[-1][0][0] >= 0xC0:
            joined[-1] = joined[-1][0] + byte, mark
        else:
            joined.append((byte, mark))
    return joined


def share_out(names: list[str], characters: list[Character], ifs: str) -> dict[str, str]:
    """Return what each variable gets of a line, split at IFS; the last one takes all that is left."""
    values: dict[str, str] = {}
    white = "".join(char for char in ifs if char in expand.IFS)
    position = _skip(characters, 0, white)
    for name in names[:-1]:
        start = position
        while position < len(characters) and (characters[position][1] or characters[position][0] not in ifs):
            position += 1
        values[name] = "".join(char for char, _ in characters[start:position])
        position = _skip(characters, position, white)
        if position < len(characters) and not characters[position][1] and characters[position][0] in ifs:
            position = _skip(characters, position + 1, white)
    rest = characters[position:]
    while rest and not rest[-1][1] and rest[-1][0] in white:
        rest.pop()
    whole = [Piece(char, quoted=mark, split=not mark) for char, mark in rest]
    if len(expand.split(whole, ifs)) == 1 and rest and not rest[-1][1] and rest[-1][0] in ifs:
        rest.pop()
    values[names[-1]] = "".join(char for char, _ in rest)
    return values


def _skip(characters: list[Character], position: int, white: str) -> int:
    while position < len(characters) and not characters[position][1] and characters[position][0] in white:
        position += 1
    return position
