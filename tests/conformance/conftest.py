"""The kernels that the cases of this folder run on."""

import pytest
import rights


@pytest.fixture(params=["sim", "real"])
def kernel(request):
    """A new kernel, ended after the test."""
    if request.param == "real":
        rights.require("root")
        from minidocker.real import RealKernel as AKernel
    else:
        from minidocker.sim import SimKernel as AKernel
    kernel = AKernel()
    yield kernel
    kernel.close_kernel()
