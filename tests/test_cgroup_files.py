"""Which file holds which limit, in both versions; what a kernel shows of its hierarchies; what usage says."""

import pytest

from minidocker.cgroup_files import Layout, files, limits, parse_layout, weight
from minidocker.cgroup_usage import of_v1, of_v2
from minidocker.resources import Resources

MB = 1 << 20
ALL = Resources(
    memory=64 * MB, memory_reservation=32 * MB, memory_swap=96 * MB, nano_cpus=500_000_000, cpu_shares=512,
    cpuset_cpus="0-1", pids_limit=20,
)  # fmt: skip


def written(resources, version):
    return {limit.file: limit.value for limit in limits(resources, version)}


def test_the_same_flags_in_both_versions():
    assert written(ALL, 1) == {
        "cpuset.cpus": "0-1",
        "memory.limit_in_bytes": "67108864",
        "memory.memsw.limit_in_bytes": "100663296",
        "memory.soft_limit_in_bytes": "33554432",
        "cpu.shares": "512",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "50000",
        "pids.max": "20",
    }
    assert written(ALL, 2) == {
        "pids.max": "20",
        "memory.swap.max": "33554432",
        "memory.max": "67108864",
        "memory.low": "33554432",
        "cpu.weight": "20",
        "cpu.max": "50000 100000",
        "cpuset.cpus": "0-1",
    }


def test_no_limit_and_nothing_said():
    assert written(Resources(), 1) == written(Resources(), 2) == {}
    free = Resources(memory=64 * MB, memory_swap=-1, cpu_quota=-1, pids_limit=0)
    assert written(free, 1) == {
        "memory.limit_in_bytes": "67108864",
        "memory.memsw.limit_in_bytes": "-1",
        "cpu.cfs_quota_us": "-1",
        "pids.max": "max",
    }
    assert written(free, 2) == {
        "pids.max": "max",
        "memory.swap.max": "max",
        "memory.max": "67108864",
        "cpu.max": "max 100000",
    }
    assert written(Resources(memory=64 * MB, memory_swap=64 * MB), 2)["memory.swap.max"] == "0"
    assert written(Resources(cpu_period=50_000), 2) == {"cpu.max": "max 50000"}


@pytest.mark.parametrize(("shares", "of_v2"), [(2, 1), (1024, 39), (262144, 10000)])
def test_shares_become_weights_as_runc_has_it(shares, of_v2):
    assert weight(shares) == of_v2


def test_flags_are_named():
    assert {limit.flag for limit in limits(ALL, 2)} == {
        "--memory", "--memory-reservation", "--memory-swap", "--cpus", "--cpu-shares", "--cpuset-cpus", "--pids-limit",
    }  # fmt: skip
    assert [limit.flag for limit in limits(Resources(cpu_quota=5000), 2)] == ["--cpu-quota"]


V2 = "30 20 0:27 / /sys/fs/cgroup rw,relatime shared:1 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = """\
31 20 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
35 31 0:32 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
"""
UNIFIED = "36 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


def test_layouts():
    v2, v1, hybrid = parse_layout(V2), parse_layout(V1), parse_layout(V1 + UNIFIED)
    assert [v2.kind, v1.kind, hybrid.kind, parse_layout("").kind] == ["v2", "v1", "hybrid", "none"]
    assert v2.group("memory", "abc") == "/sys/fs/cgroup/docker/abc"
    assert v1.group("memory", "abc") == "/sys/fs/cgroup/memory/docker/abc"
    assert v1.group("cpuacct", "abc") == "/sys/fs/cgroup/cpu,cpuacct/docker/abc"
    assert v2.roots == ("/sys/fs/cgroup",)
    assert v1.roots == ("/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/freezer")
    assert hybrid.roots == ("/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified")
    assert [layout.freezes_by for layout in (v2, v1, hybrid, Layout())] == [
        "cgroup.freeze", "freezer.state", "cgroup.freeze", "",
    ]  # fmt: skip


def test_what_is_mounted_over_is_not_seen():
    covered = V1 + UNIFIED + "40 20 0:40 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    assert parse_layout(covered).kind == "none"
    again = covered + "41 40 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    assert parse_layout(again).v1 == {"pids": "/sys/fs/cgroup/pids"}


def test_a_layout_writes_only_what_it_has():
    assert [limit.file for limit in files(ALL, parse_layout(V1))] == [
        "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes", "cpu.shares",
        "cpu.cfs_period_us", "cpu.cfs_quota_us",
    ]  # fmt: skip
    only_pids = Layout(unified="/sys/fs/cgroup", controllers=("pids",))
    assert [limit.file for limit in files(ALL, only_pids)] == ["pids.max"]


def test_usage_of_version_1():
    usage = of_v1(
        {
            "cpuacct.usage": "5000000\n", "cpuacct.usage_percpu": "2000000 3000000 \n", "cpu.stat":
            "nr_periods 7\nnr_throttled 2\nthrottled_time 900\n", "memory.usage_in_bytes": "4096\n",
            "memory.limit_in_bytes": "9223372036854771712\n", "memory.stat": "cache 1\ntotal_inactive_file 1024\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "pids.current": "2\n",
            "pids.max": "max\n",
        }
    )  # fmt: skip
    assert (usage.cpu_ns, usage.per_cpu_ns, usage.throttled_ns) == (5_000_000, (2_000_000, 3_000_000), 900)
    assert (usage.memory, usage.memory_cache, usage.memory_limit, usage.oom_kills) == (4096, 1024, 0, 3)
    assert (usage.pids, usage.pids_limit) == (2, 0)


def test_usage_of_version_2():
    usage = of_v2(
        {
            "cpu.stat": "usage_usec 5000\nuser_usec 4000\nsystem_usec 1000\nnr_throttled 2\nthrottled_usec 9\n",
            "memory.current": "4096\n", "memory.peak": "8192\n", "memory.max": "67108864\n",
            "memory.events": "low 0\nmax 4\noom 1\noom_kill 1\n", "pids.current": "2\n", "pids.max": "20\n",
        }
    )  # fmt: skip
    assert (usage.cpu_ns, usage.user_ns, usage.throttled_ns) == (5_000_000, 4_000_000, 9000)
    assert (usage.memory, usage.memory_peak, usage.memory_limit, usage.oom_kills) == (4096, 8192, 64 * MB, 1)
    assert (usage.memory_failures, usage.pids, usage.pids_limit) == (4, 2, 20)
