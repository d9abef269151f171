"""Labs for the tests: on each kernel that this machine has."""

import contextlib

import pytest

from minidocker.lab import Lab

ROOT = pytest.mark.needs("root")
KERNELS = ["sim", pytest.param("real", marks=ROOT), pytest.param("both", marks=ROOT)]


def real(test):
    """Mark a test that runs on this machine's kernel, and needs root for it."""
    return pytest.mark.real(ROOT(test))


@contextlib.contextmanager
def opened(kernel):
    """A lab that is closed after the test, and whose listeners have not failed."""
    with Lab(kernel) as lab:
        yield lab
        assert [host.kernel.listener_error for host in lab.hosts.values()] == [None] * len(lab.hosts)


def agreed(lab, thing):
    """Where both kernels ran it, the model is the kernel."""
    assert thing.verdict.ok is not False, thing.verdict.difference
    if lab.kernel == "both":
        assert thing.verdict.ok is True
