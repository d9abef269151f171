"""The lab's own control groups: the root that the engine sees, gone at the end, and nobody else's harmed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rights import ROOT

from minidocker.linux import O_RDONLY, O_WRONLY
from minidocker.real import RealKernel, cgroups, probe
from tests.real import coroutines, leftovers
from tests.real.conftest import need_kernel

pytestmark = pytest.mark.needs("root")


@pytest.fixture(autouse=True)
def nothing_left():
    need_kernel()
    before = leftovers.picture()
    yield
    leftovers.nothing_more_than(before)


def read(kernel: RealKernel, path: str) -> str:
    fd = kernel.open(path, O_RDONLY)
    try:
        return kernel.read(fd, 1 << 16).decode()
    finally:
        kernel.close(fd)


def write(kernel: RealKernel, path: str, text: str) -> None:
    fd = kernel.open(path, O_WRONLY)
    try:
        kernel.write(fd, text.encode())
    finally:
        kernel.close(fd)


def places(kernel: RealKernel) -> list[str]:
    """Where the engine finds the hierarchies that the lab has."""
    v2 = kernel.groups.layout == "v2"
    return [cgroups.ROOT if v2 else f"{cgroups.ROOT}/{place}" for place in kernel.groups.directories]


@pytest.fixture
def kernel():
    kernel = RealKernel(size_bytes=16 << 20)
    yield kernel
    kernel.close_kernel()


def test_the_lab_has_what_the_host_has(kernel):
    assert kernel.groups.layout == probe.cgroup_layout() == probe.describe(kernel)["cgroups"]
    assert not kernel.groups.missing
    assert places(kernel)


def test_its_own_group_is_the_root_that_the_engine_sees(kernel):
    lines = [line.split(":", 2) for line in read(kernel, "/proc/self/cgroup").splitlines()]
    paths = {path for _, names, path in lines if not names or set(names.split(",")) & set(cgroups.CONTROLLERS)}
    assert paths == ({f"/{cgroups.LEAF}"} if kernel.groups.layout == "v2" else {"/"})
    mounts = [line.split() for line in read(kernel, "/proc/self/mountinfo").splitlines()]
    assert {words[3] for words in mounts if words[4] in places(kernel)} == {"/"}
    for place, directory in zip(places(kernel), kernel.groups.directories.values(), strict=True):
        kernel.mkdir(f"{place}/docker")
        assert Path(directory, "docker").is_dir()


def test_a_task_can_be_put_into_a_group_and_is_gone_with_it(kernel):
    pid = kernel.clone(coroutines.sleeper, fds={})
    for place, directory in kernel.groups.directories.items():
        path = cgroups.ROOT if kernel.groups.layout == "v2" else f"{cgroups.ROOT}/{place}"
        kernel.mkdir(f"{path}/mine")
        if place == "cpuset":
            for file in ("cpuset.cpus", "cpuset.mems"):
                write(kernel, f"{path}/mine/{file}", read(kernel, f"{path}/{file}"))
        write(kernel, f"{path}/mine/cgroup.procs", str(pid))
        assert len(Path(directory, "mine", "cgroup.procs").read_text().split()) == 1
    directories = list(kernel.groups.directories.values())
    kernel.close_kernel()
    assert not any(map(os.path.exists, directories))


LAB = """
import sys, time
from minidocker.real import RealKernel
from tests.real import coroutines
kernel = RealKernel(size_bytes=16 << 20)
pid = kernel.clone(coroutines.sleeper, fds={})
for place in kernel.groups.directories:
    if place in ("pids", "memory", "freezer", "unified"):
        path = "/sys/fs/cgroup" if kernel.groups.layout == "v2" else f"/sys/fs/cgroup/{place}"
        kernel.mkdir(f"{path}/docker")
        kernel.mkdir(f"{path}/docker/one")
        fd = kernel.open(f"{path}/docker/one/cgroup.procs", 1)
        kernel.write(fd, str(pid).encode())
        kernel.close(fd)
frozen = {"freezer": ("freezer/docker/one/freezer.state", b"FROZEN"), "": ("unified/docker/one/cgroup.freeze", b"1")}
if len(sys.argv) > 1:
    name, word = frozen[sys.argv[1]]
    fd = kernel.open(f"/sys/fs/cgroup/{name}", 1)
    kernel.write(fd, word)
    kernel.close(fd)
print(kernel.pid, flush=True)
time.sleep(60)
"""


def lab(*arguments: str) -> tuple[subprocess.Popen, int]:
    """Start another lab, with a task in a group: (the lab, the pid of its helper)."""
    command = [sys.executable, "-c", LAB, *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    started = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, env=environment)
    return started, int(started.stdout.readline())


def kill(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_next_start_removes_the_groups_of_a_lab_that_was_killed():
    killed, helper = lab()
    gone = leftovers.Lab(helper)
    assert leftovers.groups_of(killed.pid)
    kill(killed)
    gone.is_gone()
    RealKernel().close_kernel()
    assert not leftovers.groups_of(killed.pid)


def test_the_next_start_leaves_a_living_lab_alone():
    other, helper = lab()
    theirs = leftovers.Lab(helper)
    try:
        before = leftovers.groups_of(other.pid)
        assert before
        RealKernel().close_kernel()
        assert leftovers.groups_of(other.pid) == before
        assert helper in theirs.processes()
    finally:
        kill(other)
        theirs.is_gone()
    RealKernel().close_kernel()
    assert not leftovers.groups_of(other.pid)


def test_a_lab_whose_helper_is_killed_removes_its_groups_itself(kernel):
    directories = list(kernel.groups.directories.values())
    os.kill(kernel.pid, signal.SIGKILL)
    with pytest.raises(ConnectionError):
        kernel.getpid()
    assert not any(map(os.path.exists, directories))


@pytest.mark.parametrize("frozen", ["freezer", ""], ids=["v1", "v2"])
def test_what_a_killed_lab_had_frozen_dies_too(frozen):
    layout = probe.cgroup_layout()
    if layout == "v2" or (not frozen and layout == "v1"):
        pytest.skip(f"needs hybrid: this host has {layout}")
    killed, helper = lab(frozen)
    gone = leftovers.Lab(helper)
    kill(killed)
    if not frozen:
        gone.is_gone()  # of v2's freezer a SIGKILL frees; of v1's only thawing does
    RealKernel().close_kernel()
    gone.is_gone()
    assert not leftovers.groups_of(killed.pid)


@pytest.mark.parametrize("close", [True, False], ids=["closed", "helper killed"])
def test_frozen_by_v1_a_task_does_not_hold_up_the_end(kernel, close):
    if "freezer" not in kernel.groups.directories:
        pytest.skip("needs v1: this host has no freezer hierarchy")
    pid = kernel.clone(coroutines.sleeper, fds={})
    mine = leftovers.Lab(kernel.pid)
    kernel.mkdir("/sys/fs/cgroup/freezer/one")
    write(kernel, "/sys/fs/cgroup/freezer/one/cgroup.procs", str(pid))
    write(kernel, "/sys/fs/cgroup/freezer/one/freezer.state", "FROZEN")
    if close:
        kernel.close_kernel()
    else:
        os.kill(kernel.pid, signal.SIGKILL)
        with pytest.raises(ConnectionError):
            kernel.getpid()
    mine.is_gone(within_s=0)


def test_names_of_the_living_the_dead_and_others(tmp_path):
    me = f"{os.getpid()}-{cgroups._started(os.getpid())}"
    here = cgroups._pid_namespace()
    names = {
        f"minidocker-{me}-{here}-0": True,
        f"minidocker-{os.getpid()}-1-{here}-0": False,
        f"minidocker-{me}-{here + 1}-0": True,
        f"minidocker-1-1-{here + 1}-0": True,
        "minidocker-of-somebody": True,
        "docker": True,
    }
    for name in names:
        (tmp_path / name).mkdir()
    cgroups.sweep(str(tmp_path))
    assert {name: (tmp_path / name).exists() for name in names} == names


def test_a_user_without_the_right_gets_none_and_is_told_why(monkeypatch):
    def refuses(path, *_):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "mkdir", refuses)
    groups = cgroups.make(0)
    assert groups.layout == "none"
    assert not groups.directories
    assert {"memory", "pids"} <= set(groups.missing)
    assert all("EACCES" in why for why in groups.missing.values())
