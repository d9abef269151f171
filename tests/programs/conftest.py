"""Where the programs run: on both kernels."""

import pytest
import rights
from programs.places import Place


@pytest.fixture(scope="module", params=["sim", "real"])
def kernel_place(request):
    """Somewhere to run a program: its output, exit code and the tree that it leaves are what counts."""
    if request.param == "real":
        rights.require("root")
        from minidocker.real import RealKernel as AKernel
    else:
        from minidocker.sim import SimKernel as AKernel
    kernel = AKernel()
    yield Place(kernel)
    kernel.close_kernel()
