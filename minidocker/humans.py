"""Durations and sizes as Docker writes them for people (github.com/docker/go-units)."""

from typing import Final

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_BINARY_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float) -> str:
    """Return a time span in words: ``5 seconds``, ``About a minute``, ``3 weeks``."""
    minutes, hours = int(seconds) // 60, round(seconds / 3600)
    spans = (
        (seconds < 1, "Less than a second"),
        (seconds < 2, "1 second"),
        (seconds < 60, f"{int(seconds)} seconds"),
        (minutes == 1, "About a minute"),
        (minutes < 60, f"{minutes} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < 24 * 7 * 2, f"{hours // 24} days"),
        (hours < 24 * 30 * 2, f"{hours // 24 // 7} weeks"),
        (hours < 24 * 365 * 2, f"{hours // 24 // 30} months"),
    )
    return next((words for fits, words in spans if fits), f"{int(seconds / 3600 / 24 / 365)} years")


def ago(now_ns: int, then_ns: int) -> str:
    """Return how long something was ago, without that word; both times in nanoseconds since 1970."""
    return duration((now_ns - then_ns) / 1e9)


def size(count: float, digits: int = 3) -> str:
    """Return a number of bytes in decimal units with so many digits: ``1.98MB``."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.{digits}g}{_UNITS[unit]}"


def binary_size(count: float) -> str:
    """Return a number of bytes in units of 1024 with four digits: ``23.54GiB``."""
    unit = 0
    while count >= 1024 and unit < len(_BINARY_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.4g}{_BINARY_UNITS[unit]}"
