"""A real kernel for tests, and the proof that it left nothing."""

import itertools
import os

import pytest
import rights

from minidocker.real import RealKernel
from minidocker.real.direct import OWN_FDS
from tests.real import leftovers

DISK = "/var/lib/docker"
_numbers = itertools.count()


def need_kernel() -> None:
    """Skip, naming the right, where this machine lets nobody make namespaces."""
    rights.require("linux", "root" if os.geteuid() == 0 else "user-namespaces")


@pytest.fixture
def allowed():
    """For tests that start kernels of their own."""
    need_kernel()


@pytest.fixture(scope="module")
def shared():
    """One kernel for the tests of a module; nothing of it is left at the end."""
    need_kernel()
    before = leftovers.picture()
    kernel = RealKernel(size_bytes=64 << 20)
    yield kernel
    lab = leftovers.Lab(kernel.pid)
    assert kernel.pid in lab.processes()
    kernel.close_kernel()
    lab.is_gone(within_s=0)
    del kernel
    leftovers.nothing_more_than(before)


@pytest.fixture
def kernel(shared):
    """The module's kernel, as it was: no listener, the root directory, no descriptors but 0 to 2."""
    yield shared
    shared.listener = None
    assert shared.listener_error is None
    shared.chdir("/")
    below = [fd for fd in map(int, shared.listdir("/proc/self/fd")) if fd < OWN_FDS]
    assert sorted(below) == [0, 1, 2, 3], "a test left descriptors open (3 is the listing itself)"


@pytest.fixture
def place(kernel):
    """A new directory on the lab's own disk."""
    path = f"{DISK}/{next(_numbers)}"
    kernel.mkdir(path)
    return path
