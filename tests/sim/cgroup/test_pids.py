"""The pids controller: EAGAIN at clone, what is counted, and where."""

import pytest
from sim_cgroups import sleep, wait_for_signal

from minidocker.linux import SIGKILL


async def fork_some(k, number):
    """Start children that sleep, and exit with how many could be started."""
    for done in range(number):
        try:
            await k.clone(sleep, 100)
        except BlockingIOError:  # EAGAIN
            return done
    return number


@pytest.fixture(params=["v1", "v2"])
def group(request):
    """A group with the controller, and the files of its host."""
    files = request.getfixturevalue(request.param)
    path = {"v1": "pids/a", "v2": "a"}[request.param]
    if request.param == "v2":
        files.write("cgroup.subtree_control", "+pids")
    files.mkdir(path)
    return files, path, request.param


def test_a_clone_too_many_fails(group):
    files, path, _ = group
    files.write(f"{path}/pids.max", 3)
    pid = files.start(fork_some, 5, group=path)
    files.kernel.poll(0)
    assert files.kernel.wait4(pid) == (pid, 2 << 8)
    assert files.read(f"{path}/pids.current") == "2\n"
    assert files.read(f"{path}/pids.peak") == "3\n"
    assert files.read(f"{path}/pids.events") == "max 1\n"


def test_a_zombie_counts(group):
    files, path, _ = group
    pid = files.start(wait_for_signal, group=path)
    files.kernel.kill(pid, SIGKILL)
    files.kernel.poll(0)
    assert files.read(f"{path}/cgroup.procs") == ""
    assert files.read(f"{path}/pids.current") == "1\n"
    files.kernel.wait4(pid)
    assert files.read(f"{path}/pids.current") == "0\n"


def test_the_limit_of_a_group_around_counts_too(group):
    files, path, layout = group
    if layout == "v2":
        files.write(f"{path}/cgroup.subtree_control", "+pids")
    files.mkdir(f"{path}/b")
    files.write(f"{path}/pids.max", 2)
    pid = files.start(fork_some, 5, group=f"{path}/b")
    files.kernel.poll(0)
    assert files.kernel.wait4(pid) == (pid, 1 << 8)
    # version 1 counts where the clone failed, version 2 where the limit is
    assert files.read(f"{path}/b/pids.events") == ("max 1\n" if layout == "v1" else "max 0\n")
    assert files.read(f"{path}/pids.events") == ("max 0\n" if layout == "v1" else "max 1\n")


def test_moving_in_is_never_refused(group):
    files, path, _ = group
    files.write(f"{path}/pids.max", 0)
    files.start(wait_for_signal, group=path)
    assert files.read(f"{path}/pids.current") == "1\n"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("max\n", ""), ("0", ""), ("-1", "EINVAL"), ("x", "EINVAL"), ("4194304", ""), ("4194305", "EINVAL"), ("", "")],
)
def test_what_is_written_to_max(group, text, answer):
    files, path, _ = group
    assert files.write(f"{path}/pids.max", text) == answer


def test_the_root_has_no_limit(v1):
    assert v1.read("pids/pids.max") == "ENOENT"
