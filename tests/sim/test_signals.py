"""Signals: what only the simulator can be asked about. The rest: tests/conformance."""

import errno

import pytest
from conformance import task_programs
from conformance.outcome import run

from minidocker.kernel import Event
from minidocker.linux import CLONE_NEWPID, SIG_IGN, SIGABRT, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1
from minidocker.sim import SimKernel


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


def test_stop_and_continue(kernel):
    ticks = []

    async def tick(k):
        while True:
            await k.sleep(1)
            ticks.append(1)

    pid = kernel.clone(tick)
    kernel.poll(3.5)
    assert len(ticks) == 3
    kernel.kill(pid, SIGSTOP)
    kernel.poll(10)
    assert len(ticks) == 3
    assert "State:\tT (stopped)" in _read(kernel, f"/proc/{pid}/status")
    kernel.kill(pid, SIGCONT)
    kernel.poll(1.5)
    assert len(ticks) in (4, 5)
    kernel.kill(pid, SIGSTOP)
    kernel.poll(1)
    kernel.kill(pid, SIGKILL)
    assert kernel.poll() == [Event(kind="exited", pid=pid)]
    assert kernel.wait4(pid) == (pid, SIGKILL)


def _read(kernel, path):
    fd = kernel.open(path, 0)
    text = kernel.read(fd, 10000).decode()
    kernel.close(fd)
    return text


def test_a_stop_and_a_continue_cancel_each_other(kernel):
    pid = kernel.clone(task_programs.pause_for_ever)
    kernel.poll()
    kernel.kill(pid, SIGSTOP)
    kernel.kill(pid, SIGCONT)
    kernel.poll()
    assert "S (sleeping)" in _read(kernel, f"/proc/{pid}/status")


def test_an_init_is_stopped_and_continued_from_outside_only(kernel):
    ticks = []

    async def child(k):
        await k.kill(1, SIGSTOP)
        return 0

    async def init(k):
        await k.clone(child)
        while True:
            ticks.append(1)
            await k.sleep(1)

    pid = kernel.clone(init, flags=CLONE_NEWPID)
    kernel.poll(2.5)
    assert len(ticks) == 3
    kernel.kill(pid, SIGSTOP)
    kernel.poll(5)
    assert len(ticks) == 3
    kernel.kill(pid, SIGCONT)
    kernel.poll(2)
    assert len(ticks) >= 4


def test_signals_wait_for_who_is_stopped(kernel):
    seen = []

    async def listen(k):
        await k.signal(SIGUSR1, seen.append)
        while not seen:
            await task_programs.error_of(k.pause())
        return 0

    pid = kernel.clone(listen)
    kernel.poll()
    kernel.kill(pid, SIGSTOP)
    kernel.poll()
    kernel.kill(pid, SIGUSR1)
    kernel.kill(pid, SIGUSR1)
    assert kernel.poll() == []
    assert seen == []
    kernel.kill(pid, SIGCONT)
    assert kernel.poll() == [Event(kind="exited", pid=pid)]
    assert seen == [SIGUSR1]


def test_no_signal_is_lost_between_a_look_and_a_pause(kernel):
    """A handler runs before its program goes on, so what it sets is seen before the next call."""
    seen = []

    async def child(k):
        await k.signal(SIGUSR1, seen.append)
        await k.kill(await k.getpid(), SIGUSR1)
        while not seen:
            await k.pause()
        return 8

    assert run(kernel, child).code == 8


def test_a_handler_that_fails_is_a_crash(kernel):
    def wrong(signum):
        raise ValueError(signum)

    async def child(k):
        await k.signal(SIGUSR1, wrong)
        await k.kill(await k.getpid(), SIGUSR1)

    outcome = run(kernel, child)
    assert outcome.status == SIGABRT
    assert "ValueError: 10" in outcome.output


def test_sigchld_interrupts_a_sleep(kernel):
    seen = []

    async def parent(k):
        await k.signal(SIGCHLD, seen.append)
        await k.clone(task_programs.exit_with, 0)
        with pytest.raises(InterruptedError):
            await k.sleep(1000)
        return 0

    before = kernel.clock.now_ns()
    assert run(kernel, parent).code == 0
    assert seen == [SIGCHLD]
    assert kernel.clock.now_ns() - before < 1_000_000_000


def test_an_interrupted_event_is_told(kernel):
    told = []
    kernel.listener = lambda event: told.append((event.name, event.error and event.error.errno))
    assert run(kernel, task_programs.interrupted, "sleep").code == 0
    kernel.listener = None
    assert ("sleep", errno.EINTR) in told


def test_a_wait_is_no_event(kernel):
    told = []
    kernel.listener = lambda event: told.append(event.name)
    run(kernel, task_programs.pipeline, 1_000_000)
    kernel.listener = None
    assert told.count("wait4") == 2  # the task's and the host's
    # 1,000,000 bytes in pieces of at most 64 KiB, their end, and what the host reads
    assert told.count("read") <= 2 * (1_000_000 // 65536 + 2) + 3


def test_kill_everybody(kernel):
    async def init(k):
        children = [await k.clone(task_programs.pause_for_ever) for _ in range(3)]
        await k.kill(-1, SIGTERM)
        return sum([(await k.wait4(child))[1] == SIGTERM for child in children])

    assert run(kernel, init, flags=CLONE_NEWPID).code == 3


def test_groups_are_not_modelled(kernel):
    for pid in (0, -5):
        with pytest.raises(OSError) as caught:
            kernel.kill(pid, SIGTERM)
        assert caught.value.errno == errno.ENOSYS
        assert "process groups" in caught.value.strerror


def test_the_host_cannot_be_killed(kernel):
    async def child(k):
        await k.kill(await k.getppid(), SIGKILL)
        return 0

    assert run(kernel, child).code == 0
    kernel.kill(1, SIGTERM)
    assert kernel.gethostname() == "host"


def test_ignored_stays_ignored_over_execve(kernel):
    fd = kernel.open("/bin/true", 0o101, 0o755)
    kernel.write(fd, b"#!minidocker true\n")
    kernel.close(fd)

    async def child(k):
        await k.signal(SIGTERM, SIG_IGN)
        await k.signal(SIGUSR1, print)
        await k.execve("/bin/true", ["true"], {})

    pid = kernel.clone(child)
    task = kernel.host.ns.pid.find(pid)
    kernel.poll()
    assert task.signals.handlers == {SIGTERM: SIG_IGN}
    assert kernel.wait4(pid) == (pid, 0)
