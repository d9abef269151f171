"""Freezing: no turn, no processor time, and what still ends a frozen task."""

import pytest
from sim_cgroups import sleep, wait_for_signal

from minidocker.linux import SIGKILL, SIGTERM


async def count(k, numbers):
    """Count for ever."""
    while True:
        numbers.append(await k.time_ns())
        await k.sleep(0.001)


def state(files, pid):
    """Return what ps shows."""
    return files.read(f"{pid}/stat", "/proc").split()[2]


def test_a_frozen_task_gets_no_turn(v2):
    v2.mkdir("a")
    numbers: list[int] = []
    pid = v2.start(count, numbers, group="a")
    v2.kernel.poll(0.1)
    assert numbers
    assert v2.write("a/cgroup.freeze", 1) == ""
    before = len(numbers)
    v2.kernel.poll(1)
    assert len(numbers) == before
    assert v2.read("a/cgroup.events") == "populated 1\nfrozen 1\n"
    assert state(v2, pid) == "S"
    v2.write("a/cgroup.freeze", 0)
    v2.kernel.poll(0.1)
    assert len(numbers) > before
    assert v2.read("a/cgroup.events") == "populated 1\nfrozen 0\n"
    assert 1_000_000 <= v2.keys("a/cgroup.stat.local")["frozen_usec"] < 1_001_000


@pytest.mark.parametrize(
    ("text", "answer"), [("x", "EINVAL"), ("2", "ERANGE"), ("-1", "ERANGE"), ("1 ", ""), ("0", ""), ("", "")]
)
def test_what_is_written_to_freeze(v2, text, answer):
    v2.mkdir("a")
    assert v2.write("a/cgroup.freeze", text) == answer


def test_what_lies_below_is_frozen_too(v2):
    v2.mkdir("a")
    v2.mkdir("a/b")
    v2.write("a/cgroup.freeze", 1)
    pid = v2.start(sleep, 0, group="a/b")
    assert v2.kernel.poll(1) == []
    assert v2.read("a/b/cgroup.freeze") == "0\n"
    assert v2.read("a/b/cgroup.events") == "populated 1\nfrozen 1\n"
    v2.write("a/b/cgroup.freeze", 0)
    assert v2.kernel.poll(1) == []
    v2.write("cgroup.procs", pid)  # moved out it goes on
    assert [event.pid for event in v2.kernel.poll(1)] == [pid]


@pytest.mark.parametrize("signum", [SIGKILL, SIGTERM])
def test_what_v2_froze_can_be_ended(v2, signum):
    v2.mkdir("a")
    pid = v2.start(wait_for_signal, group="a")
    v2.kernel.poll(0)
    v2.write("a/cgroup.freeze", 1)
    v2.kernel.kill(pid, signum)
    assert [event.pid for event in v2.kernel.poll(0)] == [pid]
    assert v2.kernel.wait4(pid) == (pid, signum)


def test_a_handler_waits_for_the_thaw(v2):
    v2.mkdir("a")
    taken: list[int] = []

    async def catch(k):
        await k.signal(SIGTERM, taken.append)
        await wait_for_signal(k)

    pid = v2.start(catch, group="a")
    v2.kernel.poll(0)
    v2.write("a/cgroup.freeze", 1)
    v2.kernel.kill(pid, SIGTERM)
    v2.kernel.poll(0)
    assert taken == []
    v2.write("a/cgroup.freeze", 0)
    v2.kernel.poll(0)
    assert taken == [SIGTERM]


def test_a_timer_that_ran_out_is_heard_of_after_the_thaw(v2):
    v2.mkdir("a")
    pid = v2.start(sleep, 1, group="a")
    v2.kernel.poll(0)
    v2.write("a/cgroup.freeze", 1)
    assert v2.kernel.poll(10) == []
    v2.write("a/cgroup.freeze", 0)
    assert [event.pid for event in v2.kernel.poll(0)] == [pid]


def test_version_1(v1):
    v1.mkdir("freezer/a")
    v1.mkdir("freezer/a/b")
    pid = v1.start(wait_for_signal, group="freezer/a/b")
    v1.kernel.poll(0)
    for text in ("x", "FREEZING", "frozen"):
        assert v1.write("freezer/a/freezer.state", text) == "EINVAL"
    assert v1.write("freezer/a/freezer.state", "FROZEN\n") == ""
    names = ("state", "self_freezing", "parent_freezing")
    assert [v1.read(f"freezer/a/freezer.{name}") for name in names] == ["FROZEN\n", "1\n", "0\n"]
    assert [v1.read(f"freezer/a/b/freezer.{name}") for name in names] == ["FROZEN\n", "0\n", "1\n"]
    assert state(v1, pid) == "D"
    v1.write("freezer/a/b/freezer.state", "THAWED")
    assert v1.read("freezer/a/b/freezer.state") == "FROZEN\n"
    v1.kernel.kill(pid, SIGKILL)
    assert v1.kernel.poll(0) == []  # frozen by version 1 it cannot even be killed
    v1.write("freezer/a/freezer.state", "THAWED")
    assert [event.pid for event in v1.kernel.poll(0)] == [pid]


def test_kill_ends_all_at_once(v2):
    v2.mkdir("a")
    v2.mkdir("a/b")
    pids = {v2.start(wait_for_signal, group=group) for group in ("a", "a/b", "a/b")}
    v2.kernel.poll(0)
    for text in ("0", "2"):
        assert v2.write("a/cgroup.kill", text) == "ERANGE"
    assert v2.write("a/cgroup.kill", "x") == "EINVAL"
    assert v2.read("a/cgroup.kill") == "EINVAL"
    v2.write("a/cgroup.freeze", 1)
    assert v2.write("a/cgroup.kill", 1) == ""
    assert {event.pid for _ in pids for event in v2.kernel.poll(0)} == pids
    assert v2.read("a/cgroup.events") == "populated 0\nfrozen 1\n"


def test_the_listener_is_told(v2):
    v2.mkdir("a")
    told = []
    v2.kernel.listener = lambda event: told.extend((one.name, one.path) for one in event.inner)
    v2.write("a/cgroup.freeze", 1)
    v2.write("a/cgroup.freeze", 0)
    assert told == [("freeze", "/a"), ("thaw", "/a")]
