"""Control groups v2 alone, which few hosts of a build service have: the cases run in a machine of QEMU's."""

import re

import pytest

from tests.machine import qemu

REAL, BOTH = "tests/real/test_cgroups.py", "tests/conformance/test_cgroups.py"

#: Chosen, for a processor that QEMU simulates is ten to twenty times slower, and each new lab takes seconds there: what
#: a container is limited by, and of the control groups below that what the two versions do each in its way.
CASES = [
    "tests/real/test_probe.py",
    f"{REAL}::test_the_lab_has_what_the_host_has",
    f"{REAL}::test_its_own_group_is_the_root_that_the_engine_sees",
    f"{REAL}::test_a_task_can_be_put_into_a_group_and_is_gone_with_it",
    f"{REAL}::test_the_next_start_removes_the_groups_of_a_lab_that_was_killed",
    f"{BOTH}::test_tasks_are_moved_by_number",
    f"{BOTH}::test_a_clone_too_many_fails",
    f"{BOTH}::test_version_2_freezes",
    f"{BOTH}::test_what_lies_below_is_frozen_and_can_be_killed",
    f"{BOTH}::test_touched_memory_is_charged",
    f"{BOTH}::test_at_the_limit_the_task_is_killed",
    f"{BOTH}::test_weights_of_one_and_three",
    f"{BOTH}::test_a_task_that_begins_in_a_group",
    f"{BOTH}::test_in_a_new_namespace_the_path_is_relative",
    "tests/conformance/test_limits.py",
]

#: This compares what is below /proc as well, and of that Debian's kernel has more than the simulated one.
NOT = "tests/conformance/test_limits.py::test_the_traces_agree"

#: What a case inside may skip for: it is about another layout.
MAY_LACK = {"v1", "hybrid"}

#: Below pyproject.toml's faulthandler_timeout, which would take the other tests' worker along.
TIME_LIMIT_S = 570


@pytest.mark.slow
@pytest.mark.needs("qemu")
def test_the_cases_pass_on_pure_v2(request):
    command = [*qemu.PYTEST, "-rap", "-m", "real", "--deselect", NOT, *CASES]
    done = qemu.run(command, qemu.cache(), time_limit_s=TIME_LIMIT_S)
    print(done.output, f"the machine was up for {done.seconds:.1f} s")
    assert done.exit_code == 0, done.output
    assert set(re.findall(r"skipped for want of (.+): \d+", done.output)) <= MAY_LACK, done.output
    ran = int(re.search(r"real kernel: (\d+) tests ran", done.output)[1])
    assert [path for path in CASES if f"\nPASSED {path}" not in done.output] == []
    # Each of them is a test that reached a real kernel: tests/conftest.py counts them.
    request.node.user_properties += [("kernel", "real")] * ran
