"""Control groups v2 alone, which few hosts of a build service have: the cases run in a machine of QEMU's."""

import re

import pytest

from tests.machine import qemu

#: Chosen, for a processor that QEMU simulates is ten to twenty times slower: what touches control groups.
CASES = [
    "tests/real/test_probe.py",
    "tests/real/test_cgroups.py",
    "tests/conformance/test_cgroups.py",
    "tests/conformance/test_limits.py",
]

#: Not these: words of a version that is not there; a trace of the files of /proc, of which Debian's kernel has more
#: than the simulated one; two tasks that race for memory, which a slow machine may both kill.
CHOSEN = "not version_1 and not v1 and not traces_agree and not worst_is_killed"

#: What a case inside may skip for: it is about another layout, or about what no machine surely has.
MAY_LACK = {"v1", "hybrid", "two idle processors"}

TIME_LIMIT_S = 420


@pytest.mark.slow
@pytest.mark.needs("qemu")
def test_the_cases_pass_on_pure_v2(request):
    done = qemu.run([*qemu.PYTEST, "-rap", "-m", "real", "-k", CHOSEN, *CASES], qemu.cache(), time_limit_s=TIME_LIMIT_S)
    print(done.output, f"the machine was up for {done.seconds:.1f} s")
    assert done.exit_code == 0, done.output
    assert set(re.findall(r"skipped for want of (.+): \d+", done.output)) <= MAY_LACK, done.output
    ran = int(re.search(r"real kernel: (\d+) tests ran", done.output)[1])
    assert all(f"\nPASSED {path}::" in done.output for path in CASES), done.output
    # Each of them is a test that reached a real kernel: tests/conftest.py counts them.
    request.node.user_properties += [("kernel", "real")] * ran
