"""Measuring: repeat, alternate with a peer, take medians, print a table."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


class MissingRightError(Exception):
    """This machine cannot measure a subject; the message names what it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of the table.

    ``samples`` are the subject's, ``peer_samples`` those of the peer, taken in turn with them; both are seconds, or
    bytes where ``unit`` is ``B``. ``limit`` says in words what is asked of the number, ``holds`` whether it does (None
    where nothing is asked).
    """

    what: str
    samples: tuple[float, ...]
    peer: str = ""
    peer_samples: tuple[float, ...] = ()
    limit: str = ""
    holds: bool | None = None
    unit: str = "s"

    @property
    def median(self) -> float:
        """Median of the subject's samples."""
        return statistics.median(self.samples)

    @property
    def peer_median(self) -> float | None:
        """Median of the peer's samples, if there is a peer."""
        return statistics.median(self.peer_samples) if self.peer_samples else None

    @property
    def ratio(self) -> float | None:
        """How many times the peer's median the subject's is."""
        return self.median / self.peer_median if self.peer_median else None


def seconds(call: Callable[[], object]) -> float:
    """Time one call, in seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def repeat(call: Callable[[], object], times: int, *, warm: int = 1) -> tuple[float, ...]:
    """Time a call several times, after ``warm`` calls that do not count."""
    for _ in range(warm):
        call()
    return tuple(seconds(call) for _ in range(times))


def alternate(*calls: Callable[[], object], times: int, warm: int = 1) -> tuple[tuple[float, ...], ...]:
    """Time calls in turn (a, b, a, b …), so that a machine that gets slower slows all of them; samples of each."""
    for call in calls * warm:
        call()
    rounds = [[seconds(call) for call in calls] for _ in range(times)]
    return tuple(zip(*rounds, strict=True))


def row(
    what: str,
    own: Sequence[float],
    peer: str,
    others: Sequence[float],
    *,
    at_most: float | None = None,
) -> Row:
    """Tell samples of a subject and of its peer; ``at_most`` is the ratio of the medians that is asked for."""
    holds = None if at_most is None else statistics.median(own) <= at_most * statistics.median(others)
    limit = "" if at_most is None else f"≤ {at_most:g}×"
    return Row(what=what, samples=tuple(own), peer=peer, peer_samples=tuple(others), limit=limit, holds=holds)


def within(what: str, samples: Sequence[float], *, at_most_s: float | None = None) -> Row:
    """Tell samples of a subject without a peer; ``at_most_s`` is what is asked of their median."""
    holds = None if at_most_s is None else statistics.median(samples) <= at_most_s
    limit = "" if at_most_s is None else f"≤ {_time(at_most_s)}"
    return Row(what=what, samples=tuple(samples), limit=limit, holds=holds)


def within_bytes(what: str, samples: Sequence[float], *, at_most: float | None = None) -> Row:
    """Tell samples of a size; ``at_most``, in bytes, is what is asked of their median."""
    holds = None if at_most is None else statistics.median(samples) <= at_most
    limit = "" if at_most is None else f"≤ {_size(at_most)}"
    return Row(what=what, samples=tuple(samples), limit=limit, holds=holds, unit="B")


def table(rows: Iterable[Row]) -> str:
    """Lay rows out as a Markdown table."""
    head = "| what | median | least – most | runs | peer | its median | ratio | asked | holds |"
    lines = [head, "|---|---:|---:|---:|---|---:|---:|---|---|", *map(_line, rows)]
    return "\n".join(lines)


def _line(row: Row) -> str:
    text = _size if row.unit == "B" else _time
    peer = "" if row.peer_median is None else text(row.peer_median)
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}×"
    spread = f"{text(min(row.samples))} – {text(max(row.samples))}"
    holds = {None: "", True: "yes", False: "**no**"}[row.holds]
    cells = [row.what, text(row.median), spread, str(len(row.samples)), row.peer, peer, ratio, row.limit, holds]
    return f"| {' | '.join(cells)} |"


def _time(value_s: float) -> str:
    """Write a time with the unit in which it reads best."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value_s * factor >= 1:
            return f"{value_s * factor:.3g} {unit}"
    return f"{value_s * 1e9:.3g} ns"


def _size(value: float) -> str:
    """Write a number of bytes with the unit in which it reads best."""
    for unit, factor in (("MB", 1e-6), ("kB", 1e-3)):
        if abs(value) * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} B"
