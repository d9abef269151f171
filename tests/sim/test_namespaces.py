"""Namespaces: what only the simulator can be asked about. The rest: tests/conformance."""

import errno

import pytest
from conformance import namespace_programs, task_programs
from conformance.outcome import run

from minidocker.linux import (
    CLONE_NEWIPC,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUTS,
    IPC_CREAT,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    O_CREAT,
    O_RDONLY,
    O_WRONLY,
    SIGKILL,
)
from minidocker.sim import SimKernel


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


def number(link):
    return int(link.partition("[")[2].rstrip("]"))


def test_numbers_are_like_linuxs(kernel):
    assert number(kernel.readlink("/proc/self/ns/pid")) == 4026531836
    assert number(kernel.readlink("/proc/self/ns/uts")) == 4026531838
    first = kernel.clone(task_programs.pause_for_ever, flags=CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS)
    kernel.poll()
    numbers = [number(kernel.readlink(f"/proc/{first}/ns/{kind}")) for kind in ("mnt", "pid", "uts")]
    assert len(set(numbers)) == 3
    assert min(numbers) >= 4026532192
    assert kernel.readlink(f"/proc/{first}/ns/pid_for_children") == kernel.readlink(f"/proc/{first}/ns/pid")


def test_a_namespace_file_is_the_namespace(kernel):
    pid = kernel.clone(task_programs.pause_for_ever, flags=CLONE_NEWUTS)
    kernel.poll()
    fd = kernel.open(f"/proc/{pid}/ns/uts", O_RDONLY)
    assert kernel.fstat(fd).st_ino == number(kernel.readlink(f"/proc/{pid}/ns/uts"))
    assert kernel.fstat(fd).st_ino == kernel.stat(f"/proc/{pid}/ns/uts").st_ino
    kernel.kill(pid, SIGKILL)
    kernel.poll()
    kernel.wait4(pid)
    kernel.setns(fd, CLONE_NEWUTS)  # it lives on while it is held
    kernel.sethostname("held")
    assert kernel.gethostname() == "held"


def test_the_host_unshares(kernel):
    kernel.unshare(CLONE_NEWUTS | CLONE_NEWNS)
    kernel.sethostname("other")
    assert number(kernel.readlink("/proc/self/ns/uts")) != 4026531838
    kernel.unshare(CLONE_NEWPID)
    assert kernel.getpid() == 1
    pid = kernel.clone(namespace_programs.say_pids)
    assert kernel.host.ns.pid.number(kernel.host.ns.pid.find(pid)) == pid != 1
    kernel.poll()
    kernel.wait4(pid)
    with pytest.raises(OSError) as caught:
        kernel.clone(namespace_programs.say_pids)
    assert caught.value.errno == errno.ENOMEM


def test_setns_only_inwards(kernel):
    async def climb(k):
        fd = await k.open("/proc/1/ns/pid", O_RDONLY)
        return 1 if await task_programs.error_of(k.setns(fd)) == "EINVAL" else 0

    assert run(kernel, climb, flags=CLONE_NEWPID).code == 1


def test_setns_of_what_is_no_namespace(kernel):
    fd = kernel.open("/proc/self/stat", O_RDONLY)
    with pytest.raises(OSError) as caught:
        kernel.setns(fd)
    assert caught.value.errno == errno.EINVAL


def test_mounts_go_to_peers_and_the_dead_are_no_peers(kernel):
    kernel.mount("none", "/", "", MS_SHARED)
    group = kernel.host.fs.root.mount.group
    pid = kernel.clone(task_programs.pause_for_ever, flags=CLONE_NEWNS)
    kernel.poll()
    assert len(group.peers) == 2
    kernel.mount("scratch", "/mnt", "tmpfs")
    assert " /mnt tmpfs" in _read(kernel, f"/proc/{pid}/mounts")
    kernel.kill(pid, SIGKILL)
    kernel.poll()
    assert len(group.peers) == 1


def test_private_mounts_stay_inside(kernel):
    async def child(k):
        await k.mount("none", "/", "", MS_REC | MS_PRIVATE)
        await k.mount("scratch", "/mnt", "tmpfs")
        return 0

    before = _read(kernel, "/proc/self/mounts")
    kernel.mount("none", "/", "", MS_REC | MS_SHARED)
    assert run(kernel, child, flags=CLONE_NEWNS).code == 0
    assert _read(kernel, "/proc/self/mounts") == before


def _read(kernel, path):
    fd = kernel.open(path, 0)
    text = kernel.read(fd, 10000).decode()
    kernel.close(fd)
    return text


def test_a_long_host_name(kernel):
    kernel.sethostname("x" * 64)
    with pytest.raises(OSError) as caught:
        kernel.sethostname("x" * 65)
    assert caught.value.errno == errno.EINVAL


def test_a_namespace_ends_with_the_last_who_holds_it(kernel):
    """A task, a descriptor and a mount of its file hold an IPC namespace; with the last of them its queues go."""
    kernel.close(kernel.open("/mnt/file", O_CREAT | O_WRONLY))
    pid = kernel.clone(make_queue_and_pause, flags=CLONE_NEWIPC)
    kernel.poll()
    space = kernel.host.ns.pid.find(pid).ns.ipc
    fd = kernel.open(f"/proc/{pid}/ns/ipc", O_RDONLY)
    kernel.mount(f"/proc/{pid}/ns/ipc", "/mnt/file", "", MS_BIND)
    kernel.kill(pid, SIGKILL)
    kernel.poll()
    kernel.wait4(pid)
    kernel.close(fd)
    assert [queue.key for queue in space.queues] == [5]
    assert " /mnt/file nsfs" in _read(kernel, "/proc/self/mounts")
    kernel.umount2("/mnt/file")
    assert list(space.queues) == []


async def make_queue_and_pause(k):
    await k.msgget(5, IPC_CREAT | 0o600)
    await k.pause()
    return 0


def test_a_time_namespace_ends_with_the_last_who_refers_to_it(kernel):
    before = kernel.readlink("/proc/self/ns/time")
    kernel.unshare(CLONE_NEWTIME)
    assert kernel.readlink("/proc/self/ns/time") == before != kernel.readlink("/proc/self/ns/time_for_children")
    first = kernel.host.ns.time_for_children
    assert first.references == 1
    kernel.unshare(CLONE_NEWTIME)
    assert first.references == 0
