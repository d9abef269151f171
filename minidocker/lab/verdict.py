"""Verdict: is the model the kernel? Each thing that the lab runs says so, with the first difference if it is not."""

from dataclasses import dataclass
from typing import Any

from minidocker.compare import Difference, compare, compared
from minidocker.lab import recordings
from minidocker.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``against`` names what the model was compared with (empty: with nothing)."""

    ran: str
    against: str = ""
    difference: Difference | None = None
    what: str = ""
    """What was compared: so many steps, or only what the command led to."""

    @property
    def ok(self) -> bool | None:
        """True if model and kernel agree, False if they differ, None if nothing was compared."""
        return (self.difference is None) if self.against else None

    @property
    def badge(self) -> str:
        """One short line: what ran, and whether the model is the kernel."""
        if self.ok is None:
            return self.ran
        if self.ok:
            return f"model = kernel ✓  {self.what}, {self.against}"
        return f"model ≠ kernel ✗  {self.against}"


def judge(key: str, traces: dict[str, Trace]) -> Verdict:
    """Compare what ran (by kernel, ``"sim"`` and ``"real"``), if need be with a recording of a real kernel."""
    model, real = traces.get("sim"), traces.get("real")
    if recordings.tape is not None and real is not None:
        recordings.tape[key] = real
    if model is None and real is not None:
        return Verdict(ran=f"ran on {kernel_name(real.kernel)}")
    assert model is not None
    if real is not None:
        return _compared(model, real, kernel_name(real.kernel))
    recorded = recordings.find(key)
    if recorded is None:
        return Verdict(ran="simulated")
    return _compared(model, recorded, f"recorded on {kernel_name(recorded.kernel)}")


def _compared(model: Trace, real: Trace, against: str) -> Verdict:
    found = compare(model, real)
    return Verdict(ran="simulated", against=against, difference=found, what=compared(model, real))


def kernel_name(kernel: Any) -> str:
    """Return how a kernel is called: ``Linux 6.18.44``, and whether it was used without root."""
    release = str(kernel.get("release", "?")).partition("-")[0]
    return f"Linux {release}" + (" (rootless)" if kernel.get("rootless") else "")
