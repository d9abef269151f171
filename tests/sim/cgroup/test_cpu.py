"""Shares of the processors: weights while groups compete, quotas always; and processors in virtual time."""

import time

import pytest
from sim_cgroups import Files, sleep

from minidocker.programs import sh
from minidocker.sim import SimKernel
from minidocker.sim.profile import Profile

pytestmark = pytest.mark.slow


async def spin(k):
    """Loop without a call."""
    while True:
        await k.sched_yield()


async def call(k):
    """Loop over a call."""
    while True:
        await k.getpid()


async def half_asleep(k):
    """Loop for a while, and sleep as long."""
    while True:
        for _ in range(50):
            await k.sched_yield()
        await k.sleep(0.001)


async def loop_in_sh(k):
    """Do what a shell does in an endless loop."""
    return await sh.main(k, ["sh", "-c", "while :; do :; done"], {})


@pytest.fixture(params=["v1", "v2"])
def layout(request):
    """Both versions, one processor."""
    return request.param


class Host:
    """A host with groups, whichever version it has."""

    def __init__(self, layout, cpus=1):
        self.layout = layout
        self.kernel = SimKernel(Profile(cgroups=layout, cpus=cpus))
        self.files = Files(self.kernel)
        if layout == "v2":
            self.files.write("cgroup.subtree_control", "+cpu +cpuset")

    def group(self, name, weight=None, quota=None):
        """Make a group; the weight is a multiple of the default, the quota a part of a processor."""
        for place in ("",) if self.layout == "v2" else ("cpu/", "cpuacct/"):
            self.files.mkdir(place + name)
        if self.layout == "v2":
            self.files.write(f"{name.rpartition('/')[0]}/cgroup.subtree_control", "+cpu")
            if weight:
                assert self.files.write(f"{name}/cpu.weight", int(100 * weight)) == ""
            if quota:
                assert self.files.write(f"{name}/cpu.max", f"{int(quota * 100_000)} 100000") == ""
            return
        if weight:
            assert self.files.write(f"cpu/{name}/cpu.shares", int(1024 * weight)) == ""
        if quota:
            assert self.files.write(f"cpu/{name}/cpu.cfs_quota_us", int(quota * 100_000)) == ""

    def start(self, main, name, *args):
        """Start a task in a group."""
        return self.files.start(main, *args, group=name if self.layout == "v2" else f"cpu/{name} cpuacct/{name}")

    def used(self, name):
        """Return how many nanoseconds a group has used."""
        if self.layout == "v2":
            return self.files.keys(f"{name}/cpu.stat")["usage_usec"] * 1000
        return int(self.files.read(f"cpuacct/{name}/cpuacct.usage"))

    def shares(self, *names, seconds=1.0):
        """Let time pass, and return the part of it that each group has used."""
        before, began = [self.used(name) for name in names], self.kernel.clock.now_ns()
        self.kernel.poll(seconds)
        passed = self.kernel.clock.now_ns() - began
        return [(self.used(name) - old) / passed for name, old in zip(names, before, strict=True)]


@pytest.fixture
def host(layout):
    """A host with one processor."""
    host = Host(layout)
    yield host
    host.kernel.close_kernel()


def about(*parts, within=0.01):
    """Compare parts of a processor."""
    return [pytest.approx(part, abs=within) for part in parts]


@pytest.mark.parametrize(
    ("light", "heavy"),
    [(spin, spin), (spin, call), (call, spin), (loop_in_sh, loop_in_sh)],
    ids=lambda one: one.__name__,
)
def test_weights_of_one_and_three(host, light, heavy):
    host.group("a", weight=1)
    host.group("b", weight=3)
    host.start(light, "a")
    host.start(heavy, "b")
    assert host.shares("a", "b", seconds=0.4) == about(0.25, 0.75)


def test_the_least_weight_against_the_greatest(host):
    host.group("a", weight=0.01)
    host.group("b", weight=100)
    host.start(spin, "a")
    host.start(spin, "b")
    a, b = host.shares("a", "b", seconds=2)
    assert b > 0.99
    assert a == pytest.approx(0.0001, abs=0.001)


def test_a_weight_counts_only_while_groups_compete(host):
    host.group("a", weight=0.1)
    host.group("b", weight=10)
    host.start(spin, "a")
    assert host.shares("a") == about(1)


def test_more_tasks_do_not_get_a_group_more(host):
    host.group("a")
    host.group("b")
    for _ in range(3):
        host.start(spin, "a")
    host.start(spin, "b")
    assert host.shares("a", "b") == about(0.5, 0.5)


def test_who_sleeps_leaves_the_time_to_others(host):
    host.group("a", weight=3)
    host.group("b", weight=1)
    host.start(half_asleep, "a")
    host.start(spin, "b")
    a, b = host.shares("a", "b")
    assert a + b == pytest.approx(1, abs=0.01)
    assert 0.3 < a < 0.55


def test_who_slept_long_has_not_saved_up_time(host):
    host.group("a")
    host.group("b")
    host.start(spin, "a")

    async def sleep_then_spin(k):
        await k.sleep(1)
        await spin(k)

    host.start(sleep_then_spin, "b")
    assert host.shares("a", "b", seconds=1) == about(1, 0)
    assert host.shares("a", "b", seconds=0.5) == about(0.5, 0.5)


def test_groups_in_groups(host):
    host.group("a", weight=1)
    host.group("b", weight=3)
    host.group("b/c", weight=2)
    host.group("b/d", weight=1)
    for name in ("a", "b/c", "b/d"):
        host.start(spin, name)
    assert host.shares("a", "b", "b/c", "b/d") == about(0.25, 0.75, 0.5, 0.25)


def test_tasks_of_the_root_compete_as_groups_do(host):
    host.group("a")
    host.start(spin, "a")
    for _ in range(3):
        host.kernel.clone(spin)
    assert host.shares("a") == about(0.25)


def test_tasks_of_a_group_share_its_time(host):
    host.group("a")
    host.group("b")
    first = host.start(spin, "a")
    second = host.start(call, "a")
    host.start(spin, "b")
    host.kernel.poll(1)
    times = [sum(map(int, host.files.read(f"{pid}/stat", "/proc").split()[13:15])) for pid in (first, second)]
    assert times == [pytest.approx(25, abs=1)] * 2


def test_half_a_processor(host):
    host.group("a", quota=0.5)
    host.start(spin, "a")
    assert host.shares("a") == about(0.5)


def test_a_quota_is_for_a_group_and_what_lies_in_it(host):
    host.group("a", quota=0.5)
    host.group("a/b", weight=3)
    host.group("a/c", weight=1)
    host.start(spin, "a/b")
    host.start(call, "a/c")
    assert host.shares("a", "a/b", "a/c") == about(0.5, 0.375, 0.125)


def test_a_tighter_quota_inside(host):
    host.group("a", quota=0.5)
    host.group("a/b", quota=0.1)
    host.group("a/c")
    host.start(spin, "a/b")
    host.start(spin, "a/c")
    assert host.shares("a", "a/b", "a/c") == about(0.5, 0.1, 0.4)


def test_what_is_counted_of_a_quota(host):
    host.group("a", quota=0.2)
    host.start(spin, "a")
    host.kernel.poll(1)
    file, unit = ("a/cpu.stat", "throttled_usec") if host.layout == "v2" else ("cpu/a/cpu.stat", "throttled_time")
    stat = host.files.keys(file)
    assert stat["nr_periods"] == pytest.approx(10, abs=1)
    assert stat["nr_throttled"] == pytest.approx(10, abs=1)
    second = 1_000_000 if host.layout == "v2" else 1_000_000_000
    assert stat[unit] == pytest.approx(0.8 * second, rel=0.02)


def test_who_needs_less_than_the_quota_is_never_throttled(host):
    host.group("a", quota=0.9)
    host.start(half_asleep, "a")
    host.kernel.poll(1)
    file = "a/cpu.stat" if host.layout == "v2" else "cpu/a/cpu.stat"
    assert host.files.keys(file)["nr_throttled"] == 0
    assert host.files.keys(file)["nr_periods"] >= 9


def test_a_throttled_group_costs_nobody_time(host):
    host.group("a", quota=0.1)
    host.group("b")
    host.start(spin, "a")
    host.start(spin, "b")
    assert host.shares("a", "b") == about(0.1, 0.9)


def test_a_quota_that_is_lifted(host):
    host.group("a", quota=0.1)
    host.start(spin, "a")
    host.kernel.poll(0.05)
    assert host.files.write(*(("a/cpu.max", "max") if host.layout == "v2" else ("cpu/a/cpu.cfs_quota_us", -1))) == ""
    assert host.shares("a") == about(1)


def test_a_frozen_group_uses_nothing(v2):
    v2.mkdir("a")
    v2.start(spin, group="a")
    v2.kernel.poll(0.1)
    before = v2.read("a/cpu.stat")
    v2.write("a/cgroup.freeze", 1)
    v2.kernel.poll(1)
    assert v2.read("a/cpu.stat") == before


# processors


@pytest.fixture
def two(layout):
    """A host with two processors."""
    host = Host(layout, cpus=2)
    yield host
    host.kernel.close_kernel()


def test_two_tasks_on_two_processors_each_have_one(two):
    for name in ("a", "b"):
        two.group(name, weight=3 if name == "a" else 1)
        two.start(spin, name)
    assert two.shares("a", "b") == about(1, 1)


def test_without_groups_too():
    kernel = SimKernel(Profile(cpus=2))
    pids = [kernel.clone(spin), kernel.clone(call)]
    kernel.poll(1)
    files = Files(kernel)
    for pid in pids:
        assert sum(map(int, files.read(f"{pid}/stat", "/proc").split()[13:15])) == pytest.approx(101, abs=2)
    kernel.close_kernel()


def test_three_on_two(two):
    for name in "abc":
        two.group(name)
        two.start(spin, name)
    assert two.shares("a", "b", "c") == about(2 / 3, 2 / 3, 2 / 3)


def test_a_quota_of_one_and_a_half(two):
    two.group("a", quota=1.5)
    for _ in range(2):
        two.start(spin, "a")
    assert two.shares("a") == about(1.5)


def test_a_group_that_may_use_one_processor_alone(two):
    place = "" if two.layout == "v2" else "cpuset/"
    two.group("a", weight=1)
    two.group("b", weight=3)
    for name in ("a", "b"):
        two.files.mkdir(f"{place}{name}")
        assert two.files.write(f"{place}{name}/cpuset.cpus", 1) == ""
        two.files.write(f"{place}{name}/cpuset.mems", 0)
        pid = two.start(spin, name)
        assert two.files.write(f"{place}{name}/cgroup.procs", pid) == ""
        assert two.kernel.sched_getaffinity(pid) == [1]
    assert two.shares("a", "b") == about(0.25, 0.75)
    if two.layout == "v1":
        assert two.files.read("cpuacct/a/cpuacct.usage_percpu").split()[0] == "0"


def test_a_third_finds_the_other_processor(two):
    place = "" if two.layout == "v2" else "cpuset/"
    for name in "abc":
        two.group(name)
        two.files.mkdir(f"{place}{name}")
    for name in "ab":
        two.files.write(f"{place}{name}/cpuset.cpus", 0)
        two.files.write(f"{place}{name}/cpuset.mems", 0)
        two.files.write(f"{place}{name}/cgroup.procs", two.start(spin, name))
    two.start(spin, "c")
    assert two.shares("a", "b", "c") == about(0.5, 0.5, 1)


# files


@pytest.mark.parametrize(
    ("text", "answer", "value"),
    [("0", "ERANGE", 100), ("1", "", 1), ("10000", "", 10000), ("10001", "ERANGE", 100), ("x", "EINVAL", 100)],
)
def test_what_is_written_to_weight(v2, text, answer, value):
    v2.mkdir("a")
    v2.write("cgroup.subtree_control", "+cpu")
    assert v2.write("a/cpu.weight", text) == answer
    assert v2.read("a/cpu.weight") == f"{value}\n"


@pytest.mark.parametrize(
    ("text", "answer", "shown"),
    [("50000", "", "50000 100000"), ("max", "", "max 100000"), ("20000 50000", "", "20000 50000"),
     ("max 50000", "", "max 50000"), ("999", "EINVAL", "max 100000"), ("5000 999", "EINVAL", "max 100000"),
     ("5000 1000001", "EINVAL", "max 100000"), ("x", "EINVAL", "max 100000"), ("-1", "EINVAL", "max 100000")],
)  # fmt: skip
def test_what_is_written_to_max(v2, text, answer, shown):
    v2.mkdir("a")
    v2.write("cgroup.subtree_control", "+cpu")
    assert v2.write("a/cpu.max", text) == answer
    assert v2.read("a/cpu.max") == shown + "\n"


@pytest.mark.parametrize(
    ("text", "answer", "value"),
    [("0", "", 2), ("1", "", 2), ("262145", "", 262144), ("x", "EINVAL", 1024), ("-5", "EINVAL", 1024)],
)
def test_what_is_written_to_shares(v1, text, answer, value):
    v1.mkdir("cpu/a")
    assert v1.write("cpu/a/cpu.shares", text) == answer
    assert v1.read("cpu/a/cpu.shares") == f"{value}\n"
    assert v1.write("cpu/cpu.shares", 100) == "EINVAL"


def test_quotas_of_version_1(v1):
    v1.mkdir("cpu/a")
    for text, answer in (("1000", ""), ("999", "EINVAL"), ("0", "EINVAL"), ("-2", ""), ("x", "EINVAL"), ("50000", "")):
        assert v1.write("cpu/a/cpu.cfs_quota_us", text) == answer
    assert v1.write("cpu/a/cpu.cfs_quota_us", 1 << 64) == "ERANGE"
    for text in ("999", "1000001", "0", "-1", "x"):
        assert v1.write("cpu/a/cpu.cfs_period_us", text) == "EINVAL"
    v1.mkdir("cpu/a/b")
    assert v1.write("cpu/a/b/cpu.cfs_quota_us", 60000) == "EINVAL"
    assert v1.write("cpu/a/b/cpu.cfs_quota_us", 50000) == ""
    assert v1.write("cpu/a/cpu.cfs_quota_us", 40000) == "EINVAL"
    assert v1.write("cpu/cpu.cfs_quota_us", 5000) == "EINVAL"
    assert v1.write("cpuacct/cpuacct.usage", 5) == "EINVAL"


@pytest.mark.parametrize(
    ("text", "answer", "shown"),
    [("0", "", "0"), ("0-1", "", "0-1"), ("0,1", "", "0-1"), ("5", "ERANGE", ""), ("x", "EINVAL", ""),
     ("1-0", "EINVAL", "")],
)  # fmt: skip
def test_what_is_written_to_cpus(v1, text, answer, shown):
    v1.mkdir("cpuset/a")
    assert v1.write("cpuset/a/cpuset.cpus", text) == answer
    assert v1.read("cpuset/a/cpuset.cpus") == shown + "\n"


def test_a_v1_cpuset_wants_processors_and_memory(v1):
    v1.mkdir("cpuset/a")
    pid = v1.start(sleep, 10)
    assert v1.write("cpuset/a/cgroup.procs", pid) == "ENOSPC"
    assert v1.write("cpuset/a/cpuset.cpus", 1) == ""
    assert v1.write("cpuset/a/cgroup.procs", pid) == "ENOSPC"
    assert v1.write("cpuset/a/cpuset.mems", 0) == ""
    assert v1.write("cpuset/a/cgroup.procs", pid) == ""
    assert v1.write("cpuset/a/cpuset.mems", 7) == "EINVAL"
    assert v1.write("cpuset/cpuset.cpus", 0) == "EACCES"
    v1.mkdir("cpuset/a/b")
    assert v1.write("cpuset/a/b/cpuset.cpus", "0-1") == "EACCES"
    v1.write("cpuset/a/b/cpuset.cpus", 1)
    assert v1.write("cpuset/a/cpuset.cpus", 0) == "EBUSY"


def test_an_empty_v2_cpuset_means_what_is_around(v2):
    v2.mkdir("a")
    v2.write("cgroup.subtree_control", "+cpuset")
    v2.mkdir("a/b")
    v2.write("a/cgroup.subtree_control", "+cpuset")
    v2.write("a/cpuset.cpus", 1)
    assert v2.read("a/b/cpuset.cpus.effective") == "1\n"
    v2.write("a/b/cpuset.cpus", "0-1")
    assert v2.read("a/b/cpuset.cpus.effective") == "1\n"
    v2.write("a/b/cpuset.cpus", 0)
    assert v2.read("a/b/cpuset.cpus.effective") == "1\n"


def test_the_same_twice():
    def trace():
        host, told = Host("v2", cpus=2), []
        host.kernel.listener = lambda event: told.append((event.task, event.name))
        for name, weight in (("a", 1), ("b", 3), ("c", 2)):
            host.group(name, weight=weight, quota=0.7)
            host.start(call, name)
        host.kernel.poll(0.01)
        host.kernel.close_kernel()
        return told

    assert trace() == trace()


def test_a_thousand_that_sleep_cost_nothing(v2):
    v2.write("cgroup.subtree_control", "+cpu +memory +pids")
    for number in range(1000):
        v2.mkdir(f"a{number}")
        v2.start(sleep, 3600, group=f"a{number}")
    v2.kernel.poll(0)
    v2.mkdir("spin")
    v2.start(call, group="spin")
    began = time.perf_counter()
    v2.kernel.poll(0.01)  # and ten thousandths of grace: about 20,000 calls
    assert time.perf_counter() - began < 2


def test_throttling_is_told_with_the_next_call(host):
    host.group("a", quota=0.1)
    host.start(spin, "a")
    told = []
    host.kernel.listener = lambda event: told.extend((one.name, one.path, one.simulated) for one in event.inner)
    host.kernel.poll(0.25)
    host.kernel.getpid()
    assert told == [("throttle", "/a", True)]
