"""The scheduler: turns, waiting, time, crashes, deadlock."""

import errno
import time

import pytest
from conformance.outcome import run

from minidocker.kernel import Event
from minidocker.linux import CLONE_NEWPID, SIGABRT
from minidocker.sim import SimKernel
from minidocker.sim.clock import WallClock


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


async def answer(k, code):
    return code


def test_a_child_runs_in_poll_and_stays_a_zombie_until_wait4(kernel):
    pid = kernel.clone(answer, 7)
    assert kernel.wait4(pid, 1) == (0, 0)
    assert kernel.poll() == [Event(kind="exited", pid=pid)]
    assert kernel.poll() == []
    assert kernel.host.ns.pid.find(pid) is not None
    assert kernel.wait4(pid) == (pid, 7 << 8)
    assert kernel.host.ns.pid.find(pid) is None


def test_the_host_never_waits(kernel):
    pid = kernel.clone(answer, 0)
    with pytest.raises(BlockingIOError):
        kernel.wait4(pid)
    reading, _writing = kernel.pipe2()
    with pytest.raises(BlockingIOError):
        kernel.read(reading, 1)
    with pytest.raises(BlockingIOError):
        kernel.syscall("sleep", 1)


def test_tasks_take_turns_in_the_order_in_which_they_became_ready(kernel):
    order = []

    async def note(k, name):
        order.append(name)
        await k.sleep(0.001)
        order.append(name)
        return 0

    for name in "abc":
        kernel.clone(note, name)
    kernel.poll(0)
    assert order == list("abc")
    while kernel.poll(None):
        pass
    assert order == list("abcabc")


def test_a_task_that_never_waits_does_not_keep_others_from_running(kernel):
    ran = []

    async def spin(k):
        while not ran:
            await k.getpid()
        return 0

    async def mark(k):
        ran.append(True)
        return 0

    kernel.clone(spin)
    kernel.clone(mark)
    kernel.poll(None)
    kernel.poll(None)
    assert [task.line for task in kernel.tasks()] == ["0"]


def test_poll_returns_though_a_task_never_ends(kernel):
    async def spin(k):
        while True:
            await k.getpid()

    kernel.clone(spin)
    assert kernel.poll() == []
    before = kernel.clock.now_ns()
    assert kernel.poll(0.01) == []
    assert kernel.clock.now_ns() - before >= 10_000_000


def test_a_sleeper_wakes_while_another_never_waits(kernel):
    async def spin(k):
        while True:
            await k.getpid()

    async def sleep_and_end_it(k):
        spinner = await k.clone(spin)
        await k.sleep(0.1)
        await k.kill(spinner, 9)
        return (await k.wait4(spinner))[1]

    assert run(kernel, sleep_and_end_it).code == 9


def test_virtual_time_passes_while_all_sleep(kernel):
    async def sleep(k, seconds):
        await k.sleep(seconds)
        return 0

    before, wall = kernel.clock.now_ns(), time.monotonic()
    pid = kernel.clone(sleep, 3600)
    assert kernel.poll(100) == []
    assert 100 <= (kernel.clock.now_ns() - before) / 1e9 < 101
    assert kernel.poll(None) == [Event(kind="exited", pid=pid)]
    assert 3600 <= (kernel.clock.now_ns() - before) / 1e9 < 3601
    assert time.monotonic() - wall < 1


def test_the_shorter_sleep_ends_first(kernel):
    order = []

    async def sleep(k, seconds):
        await k.sleep(seconds)
        order.append(seconds)
        return 0

    for seconds in (3, 1, 2):
        kernel.clone(sleep, seconds)
    while kernel.poll(None):
        pass
    assert order == [1, 2, 3]


def test_a_loop_that_looks_at_the_clock_sees_it_move(kernel):
    async def until(k):
        end = await k.time_ns() + 1_000_000
        while await k.time_ns() < end:
            pass
        return 4

    assert run(kernel, until).code == 4


def test_the_walls_clock():
    kernel = SimKernel(clock=WallClock())

    async def sleep(k):
        await k.sleep(0.02)
        return 0

    before = time.time_ns()
    kernel.clone(sleep)
    assert kernel.poll(0) == []
    assert kernel.poll(None)
    assert time.time_ns() - before >= 20_000_000
    kernel.close_kernel()


def test_deadlock_is_no_hang(kernel):
    async def wait_for_oneself(k):
        reading, _writing = await k.pipe2()
        await k.read(reading, 1)

    pid = kernel.clone(wait_for_oneself)
    assert kernel.poll(None) == []
    assert kernel.poll(5) == []
    kernel.kill(pid, 9)
    assert kernel.poll(None) == [Event(kind="exited", pid=pid)]
    assert kernel.wait4(pid) == (pid, 9)


def test_a_crash_ends_the_task_and_nothing_else(kernel):
    async def crash(k):
        raise ValueError("a mistake")

    outcome = run(kernel, crash)
    assert outcome.status == SIGABRT
    assert "ValueError: a mistake" in outcome.output
    assert [(crash.task, crash.name) for crash in kernel.crashes] == [("0.1", "init")]
    assert run(kernel, answer, 3).code == 3


def test_a_crash_of_an_init(kernel):
    async def crash(k):
        raise ValueError

    assert run(kernel, crash, flags=CLONE_NEWPID).status == 134 << 8


def test_an_escaping_oserror_is_a_crash(kernel):
    async def crash(k):
        await k.open("/nowhere", 0)

    outcome = run(kernel, crash)
    assert outcome.status == SIGABRT
    assert "No such file or directory: '/nowhere'" in outcome.output


def test_a_crash_with_no_standard_error(kernel):
    async def crash(k):
        await k.close(2)
        raise ValueError

    assert run(kernel, crash).status == SIGABRT


def test_a_program_may_await_nothing_but_calls(kernel):
    class Other:
        def __await__(self):
            yield "something"

    async def wrong(k):
        await Other()

    assert "may only await system calls" in run(kernel, wrong).output


def test_wrong_arguments_of_a_call_are_the_programs_mistake(kernel):
    async def wrong(k):
        await k.open("/", 0, 0, 0)

    assert "TypeError" in run(kernel, wrong).output


def test_finally_clauses_do_not_disturb_a_killed_task(kernel):
    seen = []

    async def stubborn(k):
        try:
            await k.pause()
        finally:
            seen.append("left")
            await k.getpid()
            seen.append("not performed")

    pid = kernel.clone(stubborn)
    kernel.poll()
    kernel.kill(pid, 9)
    assert kernel.poll() == [Event(kind="exited", pid=pid)]
    assert seen == ["left"]


def test_a_pipeline_of_a_thousand_tasks_does_not_recurse(kernel):
    async def relay(k, depth):
        if not depth:
            return 5
        child = await k.clone(relay, depth - 1)
        _, status = await k.wait4(child)
        return status >> 8

    assert run(kernel, relay, 1000).code == 5


def test_same_calls_same_trace():
    async def worker(k, number):
        reading, writing = await k.pipe2()
        await k.sleep(number / 1000)
        await k.write(writing, b"x" * number)
        return len(await k.read(reading, 100))

    async def main(k):
        children = [await k.clone(worker, number) for number in (5, 3, 9, 1)]
        return sum([(await k.wait4(child))[1] >> 8 for child in children])

    traces = []
    for _ in range(2):
        kernel, trace = SimKernel(), []
        kernel.listener = lambda event, trace=trace: trace.append((event.task, event.name, event.result))
        assert run(kernel, main).code == 18
        kernel.close_kernel()
        traces.append(trace)
    assert traces[0] == traces[1]
    assert len(traces[0]) > 25


def test_poll_refuses_a_negative_time(kernel):
    with pytest.raises(OSError) as caught:
        kernel.poll(-1)
    assert caught.value.errno == errno.EINVAL


def test_watch_tells_as_long_as_there_is_something(kernel):
    async def write(k):
        await k.write(1, b"hello")
        return 0

    reading, writing = kernel.pipe2()
    kernel.watch(reading)
    assert kernel.poll() == []
    pid = kernel.clone(write, fds={1: writing})
    kernel.close(writing)
    events = []
    while Event(kind="exited", pid=pid) not in events:
        events += kernel.poll(None)
    assert Event(kind="readable", fd=reading) in events
    assert kernel.poll() == [Event(kind="readable", fd=reading)]
    assert kernel.read(reading, 10) == b"hello"
    assert kernel.poll() == [Event(kind="readable", fd=reading)]
    assert kernel.read(reading, 10) == b""
    kernel.close(reading)
    assert kernel.poll() == []


def test_watch_of_a_closed_descriptor(kernel):
    with pytest.raises(OSError) as caught:
        kernel.watch(9)
    assert caught.value.errno == errno.EBADF
