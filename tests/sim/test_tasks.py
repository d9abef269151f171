"""clone, exit, wait4, zombies, orphans: what only the simulator can be asked about. The rest: tests/conformance."""

import errno
import gc

import pytest
from conformance import task_programs
from conformance.outcome import run

from minidocker.kernel import Event
from minidocker.linux import (
    CLONE_FILES,
    CLONE_NEWPID,
    CLONE_VM,
    SIGKILL,
    WUNTRACED,
)
from minidocker.sim import SimKernel, pid_namespace


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


def raises(number, call, *args, **kwargs):
    with pytest.raises(OSError) as caught:
        call(*args, **kwargs)
    assert caught.value.errno == number
    return caught.value


def test_lines_of_descent_and_names(kernel):
    told = []
    kernel.listener = lambda event: told.append((event.task, event.actor))
    run(kernel, task_programs.parent, [0, 0])
    run(kernel, task_programs.exit_with, 0)
    assert {task for task, _ in told} == {"0", "0.1", "0.1.1", "0.1.2", "0.2"}
    assert {actor for task, actor in told if task == "0"} == {"daemon"}
    assert {actor for task, actor in told if task != "0"} == {"init"}


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        (CLONE_VM, "0x100"),
        (CLONE_FILES, "0x400"),
    ],
)
def test_flags_that_are_not_modelled_are_refused_by_name(kernel, flag, name):
    before = len(kernel.tasks())
    assert name in raises(errno.EINVAL, kernel.clone, task_programs.exit_with, 0, flags=flag).strerror
    assert name in raises(errno.EINVAL, kernel.unshare, flag).strerror
    assert len(kernel.tasks()) == before


def test_options_of_wait4_that_are_not_modelled(kernel):
    kernel.clone(task_programs.exit_with, 0)
    raises(errno.EINVAL, kernel.wait4, -1, WUNTRACED)


def test_a_clone_that_fails_leaves_nothing(kernel):
    raises(errno.EBADF, kernel.clone, task_programs.exit_with, 0, fds={0: 44})
    with pytest.raises(TypeError):
        kernel.clone(task_programs.exit_with)
    assert [task.line for task in kernel.tasks()] == ["0"]
    assert run(kernel, task_programs.exit_with, 5).code == 5


def test_pids_go_round(kernel, monkeypatch):
    monkeypatch.setattr(pid_namespace, "PID_MAX", 6)

    def one():
        pid = kernel.clone(task_programs.exit_with, 0)
        kernel.poll()
        return kernel.wait4(pid)[0]

    assert [one() for _ in range(7)] == [2, 3, 4, 5, 2, 3, 4]


def test_no_more_numbers(kernel, monkeypatch):
    monkeypatch.setattr(pid_namespace, "PID_MAX", 4)
    for _ in range(2):
        kernel.clone(task_programs.pause_for_ever)
    raises(errno.EAGAIN, kernel.clone, task_programs.exit_with, 0)


def test_the_host_is_not_told_of_orphans(kernel):
    """They are reaped for it, as an init of a host's would."""

    async def leave_children(k):
        for _ in range(2):
            await k.clone(task_programs.exit_with, 0)
        return 0

    pid = kernel.clone(leave_children)
    assert kernel.poll() == [Event(kind="exited", pid=pid)]
    assert kernel.poll() == []
    kernel.wait4(pid)
    assert list(kernel.host.ns.pid.tasks) == [1]
    raises(errno.ECHILD, kernel.wait4, -1)


def test_zombies_hold_nothing_but_a_number_and_a_status(kernel):
    reading, writing = kernel.pipe2()
    pid = kernel.clone(task_programs.exit_with, 3, fds={1: writing})
    kernel.close(writing)
    kernel.poll()
    task = kernel.host.ns.pid.find(pid)
    assert task.coroutine is None
    assert not task.files.files
    assert kernel.read(reading, 1) == b""
    assert task not in kernel.tasks()


def test_the_end_of_an_init_reaches_nested_namespaces(kernel):
    async def deep(k, depth):
        if depth:
            await k.clone(deep, depth - 1, flags=CLONE_NEWPID)
        await task_programs.pause_for_ever(k)

    pid = kernel.clone(deep, 5, flags=CLONE_NEWPID)
    kernel.poll()
    assert len(kernel.tasks()) == 7
    assert sorted(kernel.host.ns.pid.tasks) == [1, 2, 3, 4, 5, 6, 7]
    deepest = kernel.host.ns.pid.find(7)
    assert [space.number(deepest) for space in deepest.ns.pid.around()] == [1, 2, 3, 4, 5, 6, 7]
    kernel.kill(pid, SIGKILL)
    assert kernel.poll() == [Event(kind="exited", pid=pid)]
    assert kernel.wait4(pid) == (pid, SIGKILL)
    assert list(kernel.host.ns.pid.tasks) == [1]


def test_the_host_does_not_end_and_does_not_become_a_program(kernel):
    raises(errno.EPERM, kernel.syscall, "exit", 0)
    raises(errno.EPERM, kernel.syscall, "execve", "/bin/sh", ["sh"], {})


def test_close_kernel_ends_all(kernel):
    for _ in range(3):
        kernel.clone(task_programs.pause_for_ever)
    kernel.poll()
    kernel.close_kernel()
    assert [task.line for task in kernel.tasks()] == ["0"]
    gc.collect()


def test_a_forgotten_kernel_does_not_complain():
    kernel = SimKernel()
    kernel.clone(task_programs.pause_for_ever)
    kernel.poll()
    del kernel
    gc.collect()


def test_two_thousand_short_lives_leave_nothing(kernel):
    for _ in range(2000):
        kernel.clone(task_programs.exit_with, 0)
        kernel.poll()
        kernel.wait4(-1)
    assert len(kernel.host.ns.pid.tasks) == 1
    assert not kernel.host.children
    assert not kernel.scheduler._timers
    assert not kernel.scheduler.root.runnable
