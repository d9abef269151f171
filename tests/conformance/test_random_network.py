"""Random calls on links, addresses and routes: both kernels must answer alike. The script: network_script.py."""

import pytest
import rights
from conformance import network_script
from conformance.outcome import run

from minidocker.linux import CLONE_NEWNET
from minidocker.sim import SimKernel

#: How many scripts, of forty calls each.
SEEDS = range(60)


@pytest.mark.slow
@pytest.mark.real
def test_random_networks():
    rights.require("root")
    from minidocker.real import RealKernel

    simulated, real = SimKernel(), RealKernel()
    try:
        for seed in SEEDS:
            calls = network_script.script(seed)
            texts = [
                run(kernel, network_script.follow, calls, flags=CLONE_NEWNET).output for kernel in (simulated, real)
            ]
            assert _upto_difference(*texts) is None, f"seed {seed}: {_upto_difference(*texts)}"
    finally:
        simulated.close_kernel()
        real.close_kernel()


def _upto_difference(mine, linux):
    """Return the first difference and the calls before it, or None."""
    ours, theirs = mine.splitlines(), linux.splitlines()
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            calls = [line for line in theirs[:number] if not line.startswith(" ")]
            return "\n".join([*calls, f"sim:  {one}", f"real: {other}"])
    return None if len(ours) == len(theirs) else "one said more"
