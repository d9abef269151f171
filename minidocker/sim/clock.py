"""The clock that a simulated kernel reads. Injected: virtual in lessons, the wall's in the daemon."""

import time
from typing import Final, Protocol

#: What one system call costs by the virtual clock.
TICK_NS: Final = 1_000


class Clock(Protocol):
    """Nanoseconds since 1970, and a way to let time pass while every task waits."""

    def now_ns(self) -> int:
        """Return the time."""

    def tick(self, ns: int = TICK_NS) -> None:
        """Take note of a system call, or of a program's own work that takes so long."""

    def pass_until(self, ns: int) -> None:
        """Return at that time: a timer's."""

    def idle_until(self, ns: int) -> None:
        """Nothing will happen before that time; nobody waits for it but the caller of poll."""


class VirtualClock:
    """Time that passes by system calls alone, and jumps while nobody has anything to do: each run is the same."""

    __slots__ = ("_now_ns",)

    def __init__(self, now_ns: int) -> None:
        """Start at a time."""
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Return the time."""
        return self._now_ns

    def tick(self, ns: int = TICK_NS) -> None:
        """Let a microsecond pass, so that a program that looks at the clock in a loop sees it move."""
        self._now_ns += ns

    def pass_until(self, ns: int) -> None:
        """Jump there."""
        self._now_ns = max(self._now_ns, ns)

    def idle_until(self, ns: int) -> None:
        """Jump there, too."""
        self.pass_until(ns)


class WallClock:
    """The time of day of this machine."""

    __slots__ = ()

    def now_ns(self) -> int:
        """Return the time."""
        return time.time_ns()

    def tick(self, ns: int = TICK_NS) -> None:
        """Do nothing: the wall's time passes anyway."""

    def pass_until(self, ns: int) -> None:
        """Sleep."""
        time.sleep(max(0, ns - time.time_ns()) / 1e9)

    def idle_until(self, ns: int) -> None:
        """Return at once: real time is not to be wasted, the caller may have other things to do."""
