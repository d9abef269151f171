"""The kernel of this machine, behind the port."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minidocker.real.kernel import RealKernel

__all__ = ["RealKernel"]


def __getattr__(name: str) -> Any:
    """Load the lab's side when it is asked for: the helper, every page of which a clone has to copy, never does."""
    if name != "RealKernel":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from minidocker.real import kernel  # noqa: PLC0415

    return kernel.RealKernel
