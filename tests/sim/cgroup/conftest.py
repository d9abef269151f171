"""A simulated kernel with each layout, and its files."""

import pytest
from sim_cgroups import Files

from minidocker.sim import SimKernel
from minidocker.sim.profile import Profile


@pytest.fixture
def v2():
    """A host with version 2."""
    yield from _host("v2")


@pytest.fixture
def v1():
    """A host with version 1."""
    yield from _host("v1")


@pytest.fixture
def hybrid():
    """A host with version 1, and version 2 beside it."""
    yield from _host("hybrid")


def _host(layout):
    kernel = SimKernel(Profile(cgroups=layout))
    yield Files(kernel)
    kernel.close_kernel()
