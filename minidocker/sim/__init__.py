"""A Linux kernel simulated in Python: :class:`SimKernel`. See this folder's README."""

from minidocker.sim.kernel import SimKernel

__all__ = ["SimKernel"]
