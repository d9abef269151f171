"""Dates from nanoseconds since 1970, in UTC: the lab's programs know no other zone."""

from datetime import UTC, datetime
from typing import Final

HALF_A_YEAR_S: Final = 15552000


def moment(time_ns: int) -> datetime:
    """Return a time, to the second."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)


def short(time_ns: int, now_ns: int) -> str:
    """Return a time as ls -l prints it: with the hour, or with the year if it is long ago or to come."""
    age_s = (now_ns - time_ns) // 1_000_000_000
    pattern = "%b %e %H:%M" if -HALF_A_YEAR_S < age_s < HALF_A_YEAR_S else "%b %e  %Y"
    return text(time_ns, pattern)


def full(time_ns: int) -> str:
    """Return a time as stat prints it, to the nanosecond."""
    return f"{moment(time_ns):%Y-%m-%d %H:%M:%S}.{time_ns % 1_000_000_000:09d} +0000"


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def text(time_ns: int, pattern: str) -> str:
    """Return a time as a strftime(3) pattern says, in the C locale; %e, %s and %N too."""
    when = moment(time_ns)
    parts = {
        "e": f"{when.day:2}", "b": _MONTHS[when.month - 1], "h": _MONTHS[when.month - 1], "a": _DAYS[when.weekday()],
        "s": str(time_ns // 1_000_000_000), "N": f"{time_ns % 1_000_000_000:09d}", "Z": "UTC", "z": "+0000",
        "T": f"{when:%H:%M:%S}", "F": f"{when:%Y-%m-%d}", "R": f"{when:%H:%M}", "D": f"{when:%m/%d/%y}",
        "n": "\n", "t": "\t", "%": "%",
    }  # fmt: skip
    result, position = "", 0
    while position < len(pattern):
        letter = pattern[position + 1 : position + 2]
        if pattern[position] != "%" or not letter:
            result += pattern[position]
            position += 1
            continue
        result += parts[letter] if letter in parts else when.strftime("%" + letter)
        position += 2
    return result
