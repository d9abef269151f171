"""A lab on each kernel that this machine has."""

import pytest
from lab.labs import KERNELS, opened


@pytest.fixture(params=KERNELS)
def kernel(request):
    return request.param


@pytest.fixture
def lab(kernel):
    with opened(kernel) as found:
        yield found
