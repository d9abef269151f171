"""Random scripts about namespaces, ids, capabilities, mounts, queues and memory: both kernels report the same.

MINIDOCKER_SCRIPTS sets another number than 500. A larger run: ``python -m conformance.random_namespaces``.
"""

import json
import os

import pytest
from conformance.random_namespaces import Maker, difference, open_kernels, shrink

pytestmark = [pytest.mark.real, pytest.mark.needs("root", "time-namespaces"), pytest.mark.slow]

SCRIPTS = int(os.environ.get("MINIDOCKER_SCRIPTS", "500"))
STEP = 50


@pytest.fixture(scope="module")
def kernels():
    pair = open_kernels()
    yield pair
    for kernel in pair:
        kernel.close_kernel()


@pytest.mark.parametrize("first", range(0, SCRIPTS, STEP))
def test_both_kernels_report_the_same(kernels, first):
    for seed in range(first, min(first + STEP, SCRIPTS)):
        script = Maker(seed).script()
        if difference(kernels, script):
            small = shrink(kernels, script)
            pytest.fail(f"seed {seed}: {json.dumps(small)}\n{difference(kernels, small)}")


def test_the_same_seed_makes_the_same_script():
    assert Maker(7).script() == Maker(7).script() != Maker(8).script()
