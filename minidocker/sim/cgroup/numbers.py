"""Numbers, sizes and lists of processors as the files of cgroupfs take and show them (lib/kstrtox.c, lib/cmdline.c)."""

import errno
import re
from collections.abc import Iterable, Sequence
from typing import Final

from minidocker.linux import fail
from minidocker.sim.sparse import PAGE

U64_MAX: Final = (1 << 64) - 1
S64_MIN, S64_MAX = -(1 << 63), (1 << 63) - 1
#: What v2's files call "no limit".
MAX: Final = "max"
#: "No limit" in pages, as v1's files show it in bytes (PAGE_COUNTER_MAX).
PAGES_MAX: Final = S64_MAX // PAGE
_SPACE: Final = " \t\n\v\f\r"
_UNITS: Final = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
_SIZE: Final = re.compile(r"(0x[0-9a-f]+|\d*)([kmgtpe]?)", re.IGNORECASE)
_RANGE: Final = re.compile(r"(\d+)(?:-(\d+))?")


def strip(text: str) -> str:
    """Return a text without white space at both ends (strstrip)."""
    return text.strip(_SPACE)


def integer(text: str, low: int = S64_MIN, high: int = S64_MAX) -> int:
    """Return a number, decimal, octal or hexadecimal (kstrtoll); EINVAL if it is none, ERANGE if it is too large."""
    text = strip(text)
    digits = text[1:] if text[:1] in ("+", "-") else text
    base = 16 if digits[:2].lower() == "0x" else 8 if digits[:1] == "0" and len(digits) > 1 else 10
    try:
        value = int(text, base) if digits.isascii() and digits.isalnum() else fail(errno.EINVAL)
    except ValueError:
        fail(errno.EINVAL)
    if low >= 0 and text[:1] == "-":
        fail(errno.EINVAL)  # kstrtoull takes no sign
    if not low <= value <= high:
        fail(errno.ERANGE)
    return value


def unsigned(text: str, high: int = U64_MAX) -> int:
    """Return a number without a sign (kstrtoull); EINVAL, ERANGE."""
    return integer(text, 0, high)


def limit(text: str, high: int = S64_MAX) -> int | None:
    """Return a v2 limit: a number, or None for ``max``; EINVAL, ERANGE."""
    text = strip(text)
    return None if text == MAX else integer(text, S64_MIN, high)


def shown(value: int | None) -> str:
    """Return a v2 limit as its file shows it."""
    return f"{MAX if value is None else value}\n"


def size_in_pages(text: str, unlimited: str) -> int | None:
    """Return a size in whole pages, None for the word that says "no limit" (page_counter_memparse); EINVAL.

    A letter multiplies: k, m, g, t, p, e. What is too large is no limit.
    """
    text = strip(text)
    if text == unlimited:
        return None
    match = _SIZE.fullmatch(text)
    if not match:
        fail(errno.EINVAL)
    digits, unit = match.groups()
    number = int(digits, 16) if digits[:2].lower() == "0x" else int(digits or "0", 8 if digits[:1] == "0" else 10)
    taken = (number << _UNITS.get(unit.lower(), 0)) // PAGE
    return None if taken >= PAGES_MAX else taken


def processors(text: str) -> tuple[int, ...]:
    """Return a list of processors, ``0-1,3``, sorted; nothing if it is empty (bitmap_parselist); EINVAL."""
    text = strip(text)
    found: set[int] = set()
    for part in filter(None, text.replace(" ", ",").split(",")):
        match = _RANGE.fullmatch(part)
        if not match:
            fail(errno.EINVAL)
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            fail(errno.EINVAL)
        found.update(range(first, min(last, first + 8192) + 1))
    return tuple(sorted(found))


def processor_list(cpus: "Iterable[int]") -> str:
    """Return processors as files list them: ``0-1,3``."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def table(rows: "Sequence[tuple[str, int]]") -> str:
    """Return a flat keyed file: a key and a number a line."""
    return "".join(f"{key} {value}\n" for key, value in rows)
