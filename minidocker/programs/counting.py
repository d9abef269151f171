"""How head and tail are told how much: ``-n 5``, ``-5``, ``-n -5``, ``-c +3``, ``-c 2k``."""

import re
from dataclasses import dataclass

from minidocker.programs.options import Usage

_UNITS = {"": 1, "b": 512, "k": 1024, "K": 1024, "m": 1 << 20, "M": 1 << 20, "G": 1 << 30}

#: What the programs count with (unsigned long).
MOST = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Count:
    """A number of lines or bytes: from the end if it had a minus, from the start if it had a plus."""

    number: int
    from_end: bool = False
    from_start: bool = False


def read_count(program: str, text: str) -> Count:
    """Return the count that a text gives."""
    match = re.fullmatch(r"([-+]?)(\d+)([bkKmMG]?)", text)
    if not match or int(match[2]) > MOST:
        raise Usage(f"invalid number '{text}'")
    return Count(int(match[2]) * _UNITS[match[3]], from_end=match[1] == "-", from_start=match[1] == "+")


def old_style(argv: list[str]) -> list[str]:
    """Return the arguments with ``-5`` written as ``-n 5``."""
    if len(argv) > 1 and re.fullmatch(r"-\d+", argv[1]):
        return [argv[0], "-n", argv[1][1:], *argv[2:]]
    return argv
