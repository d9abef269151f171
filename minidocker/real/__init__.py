"""The kernel of this machine, behind the port."""

from minidocker.real.kernel import RealKernel

__all__ = ["RealKernel"]
