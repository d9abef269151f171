"""The memory controller: who is charged, limits, reclaim, and whom the OOM killer takes."""

import errno

import pytest
from sim_cgroups import ROOT, Files, wait_for_signal

from minidocker.linux import CLONE_NEWPID, MAP_POPULATE, O_CREAT, O_RDONLY, O_WRONLY, SIGKILL
from minidocker.sim import SimKernel
from minidocker.sim.profile import Profile

MB = 1 << 20


async def hold(k, *sizes):
    """Map memory, so many bytes in each call, and keep it."""
    for size in sizes:
        await k.mmap(size, MAP_POPULATE)
    await wait_for_signal(k)


async def take_and_give_back(k, size):
    """Map memory and unmap it."""
    await k.munmap(await k.mmap(size, MAP_POPULATE), size)
    await wait_for_signal(k)


async def write_file(k, path, size):
    """Write a file, and keep living."""
    fd = await k.open(path, O_WRONLY | O_CREAT, 0o644)
    done = 0
    while done < size:
        done += await k.write(fd, bytes(min(MB, size - done)))
    await wait_for_signal(k)


class Group:
    """A group with the memory controller, in either version."""

    def __init__(self, layout):
        self.v1 = layout == "v1"
        self.files = Files(SimKernel(Profile(cgroups=layout)))
        self.kernel = self.files.kernel
        self.path = "memory/a" if self.v1 else "a"
        if not self.v1:
            self.files.write("cgroup.subtree_control", "+memory")
        self.files.mkdir(self.path)

    def limit(self, size):
        """Set the limit."""
        name = "memory.limit_in_bytes" if self.v1 else "memory.max"
        return self.files.write(f"{self.path}/{name}", size)

    @property
    def usage(self):
        """How many bytes are charged."""
        return int(self.files.read(f"{self.path}/{'memory.usage_in_bytes' if self.v1 else 'memory.current'}"))

    @property
    def peak(self):
        """How many were charged at most."""
        return int(self.files.read(f"{self.path}/{'memory.max_usage_in_bytes' if self.v1 else 'memory.peak'}"))

    @property
    def kills(self):
        """How many tasks the OOM killer took."""
        return self.files.keys(f"{self.path}/{'memory.oom_control' if self.v1 else 'memory.events'}")["oom_kill"]

    def start(self, main, *args):
        """Start a task in it and let it run."""
        pid = self.files.start(main, *args, group=self.path)
        self.kernel.poll(0)
        return pid


@pytest.fixture(params=["v1", "v2"])
def group(request):
    """Either version."""
    group = Group(request.param)
    yield group
    group.kernel.close_kernel()


@pytest.fixture
def v2_group():
    """Version 2."""
    group = Group("v2")
    yield group
    group.kernel.close_kernel()


def test_mapped_memory_is_charged_and_given_back(group):
    pid = group.start(hold, 10 * MB)
    assert group.usage == 10 * MB
    assert "VmRSS:\t   10240 kB\n" in group.files.read(f"{pid}/status", "/proc")
    group.kernel.kill(pid, SIGKILL)
    group.kernel.poll(0)
    assert (group.usage, group.peak) == (0, 10 * MB)


def test_munmap_gives_back(group):
    group.start(take_and_give_back, 3 * MB)
    assert (group.usage, group.peak) == (0, 3 * MB)


def test_what_nobody_touched_costs_nothing(group):
    async def map_only(k):
        await k.mmap(100 * MB)
        await wait_for_signal(k)

    group.start(map_only)
    assert group.usage == 0


def test_a_group_around_is_charged_too(group):
    files, path = group.files, group.path
    if not group.v1:
        files.write(f"{path}/cgroup.subtree_control", "+memory")
    files.mkdir(f"{path}/b")
    files.start(hold, 4 * MB, group=f"{path}/b")
    group.kernel.poll(0)
    assert group.usage == 4 * MB


def test_pages_stay_charged_where_they_were_touched(group):
    pid = group.start(hold, 4 * MB)
    root = "memory/cgroup.procs" if group.v1 else "cgroup.procs"
    group.files.write(root, pid)
    assert group.usage == 4 * MB
    group.kernel.kill(pid, SIGKILL)
    group.kernel.poll(0)
    assert group.usage == 0


def test_a_child_shares_its_parents_pages(group):
    async def parent(k):
        await k.mmap(4 * MB, MAP_POPULATE)
        child = await k.clone(wait_for_signal)
        await wait_for_signal(k)
        return child

    pid = group.start(parent)
    assert group.usage == 4 * MB
    group.kernel.kill(pid, SIGKILL)
    group.kernel.poll(0)
    assert group.usage == 4 * MB
    group.kernel.kill(pid + 1, SIGKILL)
    group.kernel.poll(0)
    assert group.usage == 0


def test_execve_gives_memory_back(group):
    async def become(k):
        await k.mmap(4 * MB, MAP_POPULATE)
        await k.execve("/bin/sleep", ["sleep", "100"], {})

    fd = group.kernel.open("/bin/sleep", O_WRONLY | O_CREAT, 0o755)
    group.kernel.write(fd, b"#!minidocker sleep\n")
    group.kernel.close(fd)
    group.start(become)
    assert group.usage == 0
    assert group.peak == 4 * MB


def test_at_the_limit_somebody_is_killed(group):
    assert group.limit(8 * MB) == ""
    pid = group.start(hold, 6 * MB, 6 * MB)
    assert group.kernel.wait4(pid) == (pid, SIGKILL)
    assert group.peak == 8 * MB
    assert group.kills == 1
    assert group.usage == 0


def test_not_even_the_init_of_a_pid_namespace_is_spared(group):
    group.limit(8 * MB)

    async def start_in_namespace(k):
        pid = await k.clone(hold, 9 * MB, flags=CLONE_NEWPID)
        return (await k.wait4(pid))[1]

    pid = group.start(start_in_namespace)
    assert group.kernel.wait4(pid) == (pid, SIGKILL << 8)


def test_the_worst_is_chosen(group):
    group.limit(8 * MB)
    big = group.start(hold, 5 * MB)
    small = group.start(hold, 1 * MB, 3 * MB)
    assert group.kernel.wait4(big) == (big, SIGKILL)
    assert group.kernel.wait4(small, 1) == (0, 0)
    assert group.usage == 4 * MB


def test_oom_score_adj_decides(group):
    group.limit(8 * MB)
    big, small = group.start(hold, 5 * MB), group.files.start(hold, 1 * MB, 3 * MB, group=group.path)
    fd = group.kernel.open(f"/proc/{big}/oom_score_adj", O_WRONLY)
    group.kernel.write(fd, b"-1000\n")
    group.kernel.poll(0)
    assert group.kernel.wait4(small) == (small, SIGKILL)
    assert group.files.read(f"{big}/oom_score_adj", "/proc") == "-1000\n"


def test_when_nobody_can_be_killed_the_mapping_stands_without_pages(group):
    group.limit(2 * MB)

    async def immune(k):
        fd = await k.open("/proc/self/oom_score_adj", O_WRONLY)
        await k.write(fd, b"-1000")
        await hold(k, 4 * MB)

    pid = group.start(immune)
    assert group.kernel.wait4(pid, 1) == (0, 0)
    assert group.usage == 2 * MB
    assert group.kills == 0


def test_a_group_that_dies_as_a_whole(v2_group):
    files = v2_group.files
    v2_group.limit(8 * MB)
    assert files.write("a/memory.oom.group", 2) == "EINVAL"
    assert files.write("a/memory.oom.group", 1) == ""
    bystander, culprit = v2_group.start(wait_for_signal), v2_group.start(hold, 9 * MB)
    for pid in (bystander, culprit):
        v2_group.kernel.poll(0)
        assert v2_group.kernel.wait4(pid) == (pid, SIGKILL)
    events = files.keys("a/memory.events")
    assert (events["oom"], events["oom_kill"], events["oom_group_kill"]) == (1, 2, 1)


def test_the_listener_is_told_with_the_next_call(group):
    group.limit(8 * MB)
    told = []
    group.kernel.listener = lambda event: told.extend((event.name, one) for one in event.inner)
    pid = group.start(hold, 9 * MB)
    group.kernel.wait4(pid)
    ((name, inner),) = [(name, one) for name, one in told if one.name == "oom_kill"]
    assert (name, inner.path, inner.simulated) == ("wait4", "/a", True)
    assert inner.data == {"task": "0.1", "name": "init", "limit": 8 * MB, "usage": 8 * MB}


def test_the_listener_is_told_at_once_if_another_is_killed(group):
    group.limit(8 * MB)
    group.start(hold, 5 * MB)
    told = []
    group.kernel.listener = lambda event: told.extend((event.task, event.name, one.name) for one in event.inner)
    group.start(hold, 1 * MB, 3 * MB)
    assert told == [("0.2", "mmap", "oom_kill")]


def test_a_tmpfs_is_charged_to_the_writer(group):
    group.kernel.mount("tmpfs", "/mnt", "tmpfs")
    pid = group.start(write_file, "/mnt/f", 3 * MB)
    assert group.usage == 3 * MB
    group.kernel.kill(pid, SIGKILL)
    group.kernel.poll(0)
    assert group.usage == 3 * MB  # files outlive who wrote them
    group.kernel.truncate("/mnt/f", MB)
    assert group.usage == MB
    group.kernel.unlink("/mnt/f")
    assert group.usage == 0


def test_a_tmpfs_cannot_be_reclaimed(group):
    group.kernel.mount("tmpfs", "/mnt", "tmpfs")
    group.limit(8 * MB)
    pid = group.start(write_file, "/mnt/f", 9 * MB)
    assert group.kernel.wait4(pid) == (pid, SIGKILL)
    assert group.kernel.stat("/mnt/f").st_size == 8 * MB


def test_the_page_cache_of_the_disk_goes_first(group):
    group.limit(8 * MB)
    pid = group.start(write_file, "/tmp/f", 20 * MB)
    assert group.usage == 8 * MB
    assert group.kernel.stat("/tmp/f").st_size == 20 * MB
    other = group.start(hold, 6 * MB)
    assert group.usage == 8 * MB
    assert group.kernel.wait4(-1, 1) == (0, 0)
    stat = group.files.keys(f"{group.path}/memory.stat")
    assert stat["cache" if group.v1 else "file"] == 2 * MB
    assert stat["rss" if group.v1 else "anon"] == 6 * MB
    group.kernel.unlink("/tmp/f")
    for one in (pid, other):
        group.kernel.kill(one, SIGKILL)
        group.kernel.poll(0)
    assert group.usage == 0


def test_a_limit_below_what_is_used(group):
    pid = group.start(hold, 6 * MB)
    if group.v1:
        assert group.limit(4 * MB) == "EBUSY"
        assert group.usage == 6 * MB
        assert group.files.read("memory/a/memory.limit_in_bytes") == "9223372036854771712\n"
    else:
        assert group.limit(4 * MB) == ""
        group.kernel.poll(0)
        assert group.kernel.wait4(pid) == (pid, SIGKILL)
        assert group.usage == 0


def test_who_waits_because_nobody_shall_be_killed():
    group = Group("v1")
    group.limit(8 * MB)
    group.files.write("memory/a/memory.oom_control", 1)
    first, second = group.start(hold, 6 * MB), group.start(hold, 6 * MB)
    assert group.files.keys("memory/a/memory.oom_control") == {"oom_kill_disable": 1, "under_oom": 1, "oom_kill": 0}
    group.kernel.kill(first, SIGKILL)
    group.kernel.poll(0)
    group.kernel.poll(0)
    assert group.usage == 6 * MB
    assert group.files.keys("memory/a/memory.oom_control")["under_oom"] == 0
    assert group.kernel.wait4(second, 1) == (0, 0)
    group.kernel.close_kernel()


@pytest.mark.parametrize(
    ("text", "answer", "value"),
    [("-1", "", 9223372036854771712), ("0", "", 0), ("4095", "", 0), ("5000", "", 4096), ("10M", "", 10 * MB),
     ("1g\n", "", 1 << 30), ("x", "EINVAL", None), ("-2", "EINVAL", None), ("10 M", "EINVAL", None), ("", "", None)],
)  # fmt: skip
def test_what_is_written_to_a_v1_limit(v1, text, answer, value):
    v1.mkdir("memory/a")
    assert v1.write("memory/a/memory.limit_in_bytes", text) == answer
    expected = 9223372036854771712 if value is None else value
    assert v1.read("memory/a/memory.limit_in_bytes") == f"{expected}\n"


def test_memory_and_swap(v1):
    v1.mkdir("memory/a")
    write = v1.write
    assert write("memory/a/memory.memsw.limit_in_bytes", "10M") == "EINVAL"
    assert write("memory/a/memory.limit_in_bytes", "10M") == ""
    assert write("memory/a/memory.memsw.limit_in_bytes", "5M") == "EINVAL"
    assert write("memory/a/memory.memsw.limit_in_bytes", "20M") == ""
    assert write("memory/a/memory.limit_in_bytes", "30M") == "EINVAL"
    assert write("memory/memory.limit_in_bytes", "10M") == "EINVAL"
    for text, answer in (("1", ""), ("0", ""), ("2", "EINVAL"), ("x", "EINVAL")):
        assert write("memory/a/memory.oom_control", text) == answer
    for text, answer in (("0", ""), ("200", ""), ("201", "EINVAL"), ("-1", "EINVAL")):
        assert write("memory/a/memory.swappiness", text) == answer
    for text, answer in (("0", "EINVAL"), ("1", ""), ("2", "EINVAL")):
        assert write("memory/a/memory.use_hierarchy", text) == answer
    assert write("memory/a/memory.usage_in_bytes", 0) == "EINVAL"


def test_high_reclaims_and_low_spares(v2_group):
    files = v2_group.files
    files.write("a/memory.high", 4 * MB)
    v2_group.start(write_file, "/tmp/f", 9 * MB)
    assert v2_group.usage <= 4 * MB
    assert files.keys("a/memory.events")["high"] > 0
    assert files.write("a/memory.reclaim", MB) == ""
    assert v2_group.usage <= 3 * MB
    assert files.write("a/memory.reclaim", 100 * MB) == "EAGAIN"
    assert files.write("a/memory.low", "max") == ""


@pytest.mark.parametrize(("length", "flags", "name"), [(0, 0, "EINVAL"), (1 << 40, 0, "ENOMEM"), (4096, 1, "EINVAL")])
def test_what_mmap_refuses(length, flags, name):
    kernel = SimKernel()
    with pytest.raises(OSError, match="Errno") as caught:
        kernel.mmap(length, flags)
    assert caught.value.errno == getattr(errno, name)
    kernel.close_kernel()


def test_munmap_of_a_part(group):
    async def punch(k):
        address = await k.mmap(8 * MB, MAP_POPULATE)
        await k.munmap(address + 2 * MB, 2 * MB)
        await k.munmap(address + 6 * MB, 2 * MB)
        await k.munmap(address + 6 * MB, 2 * MB)
        await wait_for_signal(k)

    pid = group.start(punch)
    assert group.usage == 4 * MB
    group.kernel.kill(pid, SIGKILL)
    group.kernel.poll(0)
    assert group.usage == 0


def test_files_that_only_read(v2_group):
    fd = v2_group.kernel.open(f"{ROOT}/a/memory.current", O_RDONLY)
    assert v2_group.kernel.read(fd, 10) == b"0\n"
    assert v2_group.files.write("a/memory.current", 0) == "EINVAL"
