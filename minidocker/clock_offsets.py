"""What may be written into ``/proc/PID/timens_offsets``: how far clocks are ahead in a time namespace.

A line each: a clock, seconds, nanoseconds (time_namespaces(7)). Read as the kernel reads it, with sscanf's
``%9s %lld %lu`` (timens_offsets_write, fs/proc/base.c).
"""

import re
from typing import Final

#: What the file calls the clocks: their names, or their numbers (CLOCK_MONOTONIC, CLOCK_BOOTTIME).
_CLOCKS: Final = {"monotonic": "monotonic", "1": "monotonic", "boottime": "boottime", "7": "boottime"}

_SECOND_NS: Final = 1_000_000_000
_SPACE: Final = " \t\n\v\f\r\xa0"
_WORD: Final = re.compile(rf"[^{_SPACE}]{{1,9}}")
_SIGNED, _UNSIGNED = re.compile(r"-?[0-9]+"), re.compile(r"[0-9]+")

#: So many clocks one write sets: what follows is left.
_MOST: Final = 2


def parse(data: bytes) -> tuple[list[tuple[str, int, int]], int]:
    """Return (clock, seconds, nanoseconds) of each line, and how many bytes are taken; ValueError for anything else."""
    text = data.decode("latin-1").partition("\0")[0]
    rows: list[tuple[str, int, int]] = []
    at = 0
    while True:
        end = text.find("\n", at)
        rows.append(_row(text[at : end if end >= 0 else len(text)]))
        at = end + 1
        if end < 0 or at == len(text):
            return rows, len(data)
        if len(rows) == _MOST:
            return rows, at


def _row(line: str) -> tuple[str, int, int]:
    words = []
    for pattern in (_WORD, _SIGNED, _UNSIGNED):
        line = line.lstrip(_SPACE)
        found = pattern.match(line)
        if found is None:
            raise ValueError(f"{line!r} is not what belongs here")
        words.append(found[0])
        line = line[found.end() :]
    clock, seconds, ns = words
    if clock not in _CLOCKS or int(ns) >= _SECOND_NS:
        raise ValueError(f"no such clock, or too many nanoseconds: {clock} {ns}")
    return _CLOCKS[clock], int(seconds), int(ns)
