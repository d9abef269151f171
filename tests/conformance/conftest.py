"""The kernels that the cases of this folder run on."""

import pytest
import rights

from tests.conformance.docker_host import remove_all


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


@pytest.fixture(scope="module", params=["sim", "real"])
def shared_host(request):
    if request.param == "real":
        rights.require("root")
    from minidocker.hosts import open_host

    host = open_host(request.param)
    yield host
    host.close()


@pytest.fixture
def host(shared_host):
    yield shared_host
    remove_all(shared_host)
    assert shared_host.kernel.listener_error is None


@pytest.fixture(scope="module")
def labs_pair():
    """A simulated and a real host of its kind, told the same commands."""
    rights.require("root")
    from minidocker.hosts import open_host

    real = open_host("real")
    sim = open_host("sim", like=real.description)
    yield sim, real
    sim.close()
    real.close()
