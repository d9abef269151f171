"""File modes: ``u+x,go=r`` (chmod(1)) and ``-rwxr-xr-x`` (ls -l)."""

import re
from typing import Final

from minidocker.linux import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK

_CLAUSE: Final = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION: Final = re.compile(r"([-+=])([rwxXst]*|[ugo])(?=[-+=]|$)")
_WHO: Final = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}
_BITS: Final = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_SHIFT: Final = {"u": 6, "g": 3, "o": 0}
_KINDS: Final = {S_IFDIR: "d", S_IFLNK: "l", S_IFCHR: "c", S_IFBLK: "b", S_IFIFO: "p", S_IFSOCK: "s", S_IFREG: "-"}
PERMISSIONS: Final = 0o7777


class UnknownMode(Exception):
    """The text is no mode."""


def change_mode(text: str, mode: int, *, mask: int, directory: bool = False) -> int:
    """Return the permission bits that a mode text makes of others; the umask counts where nobody is named."""
    if re.fullmatch(r"[0-7]{1,5}", text):
        return int(text, 8) & PERMISSIONS
    mode &= PERMISSIONS
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if not match:
            raise UnknownMode(text)
        for operator, letters in _ACTION.findall(match[2]):
            mode = _act(mode, match[1], operator, letters, mask=mask, directory=directory)
    return mode


def _act(mode: int, who: str, operator: str, letters: str, *, mask: int, directory: bool) -> int:
    reach = 0
    for letter in who or "a":
        reach |= _WHO[letter]
    bits = _bits(mode, letters, directory=directory) & reach
    if not who:
        bits &= ~mask
    if operator == "+":
        return mode | bits
    if operator == "-":
        return mode & ~bits
    kept = mode & 0o6000 if directory else 0
    return mode & ~(reach & 0o777 | reach & 0o7000 & ~0o6000 | reach & 0o6000 & ~kept) | bits


def _bits(mode: int, letters: str, *, directory: bool) -> int:
    if letters in _SHIFT and letters:
        three = mode >> _SHIFT[letters] & 7
        return three * 0o111
    bits = 0
    for letter in letters:
        if letter == "X":
            bits |= 0o111 if directory or mode & 0o111 else 0
        else:
            bits |= _BITS[letter]
    return bits


def mode_text(mode: int) -> str:
    """Return a mode as ls -l prints it."""
    text = ""
    for shift, special, letter in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        three = mode >> shift & 7
        text += ("r" if three & 4 else "-") + ("w" if three & 2 else "-")
        if mode & special:
            text += letter if three & 1 else letter.upper()
        else:
            text += "x" if three & 1 else "-"
    return _KINDS.get(mode & S_IFMT, "?") + text


def symbolic_umask(mask: int) -> str:
    """Return what umask -S prints: what new files may get."""
    parts = []
    for who, shift in _SHIFT.items():
        three = ~mask >> shift & 7
        parts.append(f"{who}=" + "".join(letter for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if three & bit))
    return ",".join(parts)
