"""What a listener is told: every call of the host's side and of all tasks, in one order that could have been."""

import os
from contextlib import suppress

import pytest

from minidocker.kernel import Stat, SyscallEvent
from minidocker.linux import CLONE_NEWPID, CLONE_NEWUTS, O_CREAT, O_WRONLY, SIGKILL
from minidocker.programs import program_file
from minidocker.real import probe
from tests.real import coroutines
from tests.real.coroutines import run, start
from tests.real.test_execve import put, put_busybox

pytestmark = pytest.mark.needs("linux")
OPTIONS = ",".join(probe.describe()["overlay"])


@pytest.fixture
def told(kernel):
    """Listen; the list of events."""
    events: list[SyscallEvent] = []
    kernel.listener = events.append
    yield events
    kernel.listener = None


def of(events: list[SyscallEvent], task: str) -> list[str]:
    return [event.name for event in events if event.task == task]


def test_calls_of_the_hosts_side(kernel, place, told):
    kernel.mkdir(f"{place}/a", 0o700)
    kernel.stat(f"{place}/a")
    with pytest.raises(FileNotFoundError):
        kernel.rename(f"{place}/b", f"{place}/c")
    made, looked, failed = told
    assert (made.task, made.actor, made.name, made.result) == ("0", "daemon", "mkdir", None)
    assert made.args == (f"{place}/a", 0o700)
    assert isinstance(looked.result, Stat)
    assert isinstance(failed.error, FileNotFoundError)
    assert (failed.error.filename, failed.error.filename2) == (f"{place}/b", f"{place}/c")


def test_jobs_and_polls_are_not_told(kernel, place, told):
    from tests.real.test_kernel import count_names

    kernel.job(count_names, place, [])
    kernel.poll(0)
    assert told == []


def test_a_childs_calls_are_told_with_its_line_and_name(kernel, told):
    run(kernel, coroutines.family)
    tasks = {event.task for event in told}
    host, child = min(tasks, key=len), sorted(tasks, key=len)[1]
    assert tasks == {"0", child, f"{child}.1", f"{child}.1.1"}
    assert (host, child.startswith("0.")) == ("0", True)
    assert {event.actor for event in told if event.task != "0"} == {"init"}
    assert of(told, f"{child}.1") == ["clone", "wait4", "write", "exit"]
    assert of(told, f"{child}.1.1") == ["getpid", "getppid", "write", "exit"]


def test_causes_come_before_effects(kernel, told):
    """A child's calls come after the clone that made it, and a wait4 after the exit that it tells of."""
    for _ in range(5):
        run(kernel, coroutines.family)
    older = min(int(event.task.split(".")[1]) for event in told if event.task != "0") - 1
    born: list[str] = []
    ended: list[str] = []
    pids: dict[int, str] = {}
    for event in told:
        assert event.task in ("0", *born), f"{event.task} called {event.name} before its clone was told"
        if event.name == "clone":
            count = sum(line.rpartition(".")[0] == event.task for line in born) + 1
            line = f"{event.task}.{count + (older if event.task == '0' else 0)}"
            born.append(line)
            pids[event.result] = line
        if event.name == "exit":
            ended.append(event.task)
        if event.name == "wait4" and event.error is None:
            assert pids[event.result[0]] in ended


def test_what_clone_starts_is_told_by_name(kernel, told):
    run(kernel, coroutines.exits, 3, flags=CLONE_NEWUTS)
    clone = next(event for event in told if event.name == "clone")
    main, code = clone.args
    assert (main.__name__, main.__module__, code) == ("exits", "tests.real.coroutines", 3)
    assert clone.kwargs["flags"] == CLONE_NEWUTS


def test_execve_changes_the_name(kernel, place, told):
    path = put(kernel, f"{place}/say", program_file("echo"))
    run(kernel, coroutines.becomes, path, ["say", "x"], {"A": "b"})
    events = [event for event in told if event.task != "0"]
    assert (events[0].actor, events[0].name) == ("init", "execve")
    assert events[0].args == (path, ["say", "x"], {"A": "b"})
    assert {event.actor for event in events[1:]} == {"say"}


@pytest.mark.needs("busybox")
def test_the_kernels_own_execve_is_told_once(kernel, place, told):
    path = put_busybox(kernel, f"{place}/busybox")
    assert run(kernel, coroutines.becomes, path, ["true"], {}) == (b"", 0)
    broken = put(kernel, f"{place}/broken", b"no format")
    run(kernel, coroutines.becomes, broken, ["true"], {})
    good, bad = (event for event in told if event.name == "execve")
    assert (good.error, good.actor, good.args[0]) == (None, "init", path)
    assert bad.error is not None
    assert bad.args[0] == broken


def test_handlers_of_signals_are_told_by_name(kernel, told):
    run(kernel, coroutines.handles_own_kill)
    event = next(event for event in told if event.name == "signal")
    assert "append" in repr(event.args[1])


def test_a_listener_that_raises_breaks_nothing(kernel, place):
    def listener(event: SyscallEvent) -> None:
        message = f"cannot take {event.name}"
        raise RuntimeError(message)

    kernel.listener = listener
    kernel.mkdir(f"{place}/a")
    assert run(kernel, coroutines.exits, 3) == (b"", 3 << 8)
    assert kernel.listdir(place) == ["a"]
    assert isinstance(kernel.listener_error, RuntimeError)
    kernel.listener_error = None


def test_a_listener_may_call_the_kernel_and_is_not_told_of_that(kernel, place):
    events: list[SyscallEvent] = []

    def listener(event: SyscallEvent) -> None:
        events.append(event)
        kernel.lstat(place)

    kernel.listener = listener
    kernel.mkdir(f"{place}/a")
    run(kernel, coroutines.exits, 3)
    kernel.listener = None
    assert [event.name for event in events if event.task != "0"] == ["exit"]
    assert "lstat" not in {event.name for event in events}


def test_a_running_task_is_told_of_from_when_somebody_listens(kernel, place):
    pid, end = start(kernel, coroutines.busy, place, 1)
    kernel.poll(0.05)
    events: list[SyscallEvent] = []
    kernel.listener = events.append
    while not any(event.task != "0" for event in events):
        kernel.poll(0.05)
    kernel.listener = None
    count = len(events)
    kernel.poll(0.05)
    assert len(events) == count
    kernel.kill(pid, SIGKILL)
    while not any(event.kind == "exited" for event in kernel.poll(5)):
        pass
    kernel.wait4(pid)
    kernel.close(end)
    for name in kernel.listdir("/proc"):  # its children have become the helper's
        if name.isdigit() and name != "1":
            with suppress(ProcessLookupError):
                kernel.kill(int(name), SIGKILL)
    for name in sorted(kernel.listdir(place)):
        with suppress(OSError):
            kernel.umount2(f"{place}/{name}", 2)


@pytest.mark.slow
def test_a_task_that_calls_without_end_waits_for_who_listens(kernel, place, told):
    """Ten thousand calls untaken, and it stands still: the queue does not fill the memory."""
    import time

    pid = kernel.clone(calls_without_end, fds={})
    before = -1
    while before != (before := _switches(kernel.pid)):  # on a busy machine it takes its time
        time.sleep(0.7)
    with open(f"/proc/{kernel.pid}/statm") as file:
        assert int(file.read().split()[1]) * 4096 < 120 << 20
    kernel.kill(pid, SIGKILL)
    while not kernel.poll(5):
        pass
    kernel.wait4(pid)
    assert 10_000 <= sum(event.task != "0" for event in told) <= 10_002


async def calls_without_end(k) -> int:
    while True:
        await k.getpid()


class TestUppers:
    @pytest.fixture
    def stack(self, kernel, place):
        for name in ("lower", "upper", "work", "merged"):
            kernel.mkdir(f"{place}/{name}")
        kernel.mkdir(f"{place}/lower/dir")
        fd = kernel.open(f"{place}/lower/keep", O_CREAT | O_WRONLY, 0o644)
        kernel.write(fd, b"one\n")
        kernel.close(fd)
        layers = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
        kernel.mount("overlay", f"{place}/merged", "overlay", 0, f"{layers},{OPTIONS}")
        kernel.observe("stack", [f"{place}/lower"], f"{place}/upper")
        yield place
        kernel.unobserve("stack")
        kernel.umount2(f"{place}/merged")

    def test_a_copy_up_is_seen_at_the_call_that_made_it(self, kernel, stack, told):
        fd = kernel.open(f"{stack}/merged/keep", O_WRONLY)
        kernel.write(fd, b"two\n")
        kernel.close(fd)
        opened, written, closed = told
        assert [(i.name, i.path, i.size, i.observed) for i in opened.inner] == [("copy_up", "/keep", 4, True)]
        assert opened.uppers["stack"]["/keep"]["kind"] == "file"
        assert written.uppers["stack"]["/keep"]["sum"] != opened.uppers["stack"]["/keep"]["sum"]
        assert (closed.uppers, closed.inner) == ({}, ())

    def test_in_a_child_too_even_when_the_host_has_become_a_user(self, kernel, stack, told):
        if os.geteuid() == 0:
            kernel.chmod(f"{stack}/upper", 0o700)
        run(kernel, removes, f"{stack}/merged")
        (gone,) = [event for event in told if event.name == "unlink"]
        assert gone.uppers == {"stack": {"/keep": {"kind": "whiteout"}}}
        assert [(i.name, i.path) for i in gone.inner] == [("whiteout", "/keep")]

    @pytest.mark.needs("busybox")
    def test_what_a_program_of_the_kernels_did_is_seen_when_it_is_waited_for(self, kernel, stack, told):
        path = put_busybox(kernel, f"{stack}/busybox")
        run(kernel, coroutines.becomes, path, ["touch", f"{stack}/merged/new"], {})
        (waited,) = [event for event in told if event.name == "wait4" and event.error is None]
        assert set(waited.uppers["stack"]) == {"/new"}

    def test_an_upper_directory_that_is_gone_breaks_no_call(self, kernel, stack, told):
        kernel.mkdir(f"{stack}/upper2")
        kernel.observe("gone", [], f"{stack}/upper2")
        kernel.rmdir(f"{stack}/upper2")
        assert isinstance(kernel.listener_error, FileNotFoundError)
        assert [event.name for event in told] == ["mkdir", "rmdir"]
        kernel.unobserve("gone")
        kernel.listener_error = None

    def test_unobserved_it_is_not_looked_at(self, kernel, stack, told):
        kernel.unobserve("stack")
        kernel.unlink(f"{stack}/merged/keep")
        assert told[-1].uppers == {}


async def removes(k, directory: str) -> int:
    await k.unlink(f"{directory}/keep")
    return 0


def test_with_nobody_listening_children_do_not_report(kernel, place):
    """Five hundred calls, and the helper hardly ran: what is counted is how often it was switched to."""
    before = _switches(kernel.pid)
    assert run(kernel, coroutines.many_calls, place, 500, flags=CLONE_NEWPID) == (b"", 0)
    assert _switches(kernel.pid) - before < 100


def _switches(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
