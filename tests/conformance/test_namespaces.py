"""What namespaces, capabilities, queues and memory do, case by case, on both kernels and as Linux did it here.

The cases are scripts (``namespace_script.py``) with what they report; ``namespace_cases.json`` was written by a Linux
6.18. Namespaces are numbered in the order in which they are seen.
"""

import json
import re
from pathlib import Path

import pytest
import rights
from conformance.random_namespaces import report

from minidocker.linux import MS_PRIVATE, MS_REC
from minidocker.sim import SimKernel

CASES = json.loads(Path(__file__).with_name("namespace_cases.json").read_text("utf-8"))
#: What a host may lack though it is root: CAP_SYS_RESOURCE, which no case is about.
LACKING = 1 << 24


@pytest.fixture(scope="module", params=["sim", "real"])
def kernel(request):
    if request.param == "real":
        rights.require("root")
        from minidocker.real import RealKernel

        kernel = RealKernel()
    else:
        kernel = SimKernel()
    kernel.mount("none", "/", "", MS_REC | MS_PRIVATE)
    kernel.chmod("/var/lib/docker", 0o711)
    yield kernel
    kernel.close_kernel()


def without_lacking(line):
    """Sets of capabilities without the one that this host may lack."""
    return re.sub(r"\b[0-9a-f]{9,16}\b", lambda found: f"{int(found[0], 16) & ~LACKING:0{len(found[0])}x}", line)


@pytest.mark.parametrize("name", CASES)
def test_case(kernel, name):
    if "time namespace" in name and not isinstance(kernel, SimKernel):
        rights.require("time-namespaces")
    lines, _ = report(kernel, CASES[name]["script"])
    assert list(map(without_lacking, lines)) == list(map(without_lacking, CASES[name]["says"]))
