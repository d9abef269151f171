"""A Linux kernel simulated in Python: :class:`SimKernel`. See this folder's README."""

from minidocker.sim.kernel import SimKernel
from minidocker.sim.profile import Profile

__all__ = ["Profile", "SimKernel"]
