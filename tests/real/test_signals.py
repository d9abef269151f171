"""Signals of a task: a handler runs between its calls, and a call that waits ends with EINTR."""

import pytest

from minidocker.linux import CLONE_NEWPID, O_RDONLY, SIG_IGN, SIGCHLD, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGUSR2
from tests.real import coroutines
from tests.real.coroutines import answer, finish, run, start, until_output
from tests.real.leftovers import eventually

pytestmark = pytest.mark.needs("linux")


def state(kernel, pid: int) -> str:
    """What a task does: S is waiting (proc_pid_stat(5))."""
    fd = kernel.open(f"/proc/{pid}/stat", O_RDONLY)
    text = kernel.read(fd, 1000)
    kernel.close(fd)
    return text.rpartition(b") ")[2][:1].decode()


@pytest.mark.parametrize("call", ["sleep", "pause", "read", "write", "wait4"])
@pytest.mark.parametrize("flags", [0, CLONE_NEWPID])
def test_a_waiting_call_is_interrupted(kernel, call, flags):
    pid, end = start(kernel, coroutines.handler_during, call, flags=flags)
    assert until_output(kernel, end) == b"waiting"
    assert eventually(lambda: state(kernel, pid) == "S")
    kernel.kill(pid, SIGTERM)
    output, status = finish(kernel, pid, end)
    assert (output, status) == (
        b'{"error": "InterruptedError", "old": 0, "before": [15], "after": [15]}',
        0,
    )


def test_wait4_gets_the_child_though_sigchld_is_handled(kernel):
    found = answer(kernel, coroutines.handles_child_ending)
    assert found == {"same": True, "status": 6, "seen": [SIGCHLD]}


def test_a_child_has_its_parents_handlers(kernel):
    assert answer(kernel, coroutines.handlers_of_children) == {"status": 1 << 8, "mine": []}


def test_what_a_signal_did_before(kernel):
    assert answer(kernel, coroutines.signal_returns) == {"was": [0, SIG_IGN, True, 0], "errors": [22] * 4}


@pytest.mark.parametrize("signum", [SIGTERM, SIGINT, SIGUSR2, SIGKILL])
def test_the_default_kills(kernel, signum):
    assert run(kernel, coroutines.kills_itself, signum) == (b"", signum)


@pytest.mark.parametrize("signum", [SIGTERM, SIGINT, SIGKILL])
def test_but_not_the_init_of_a_pid_namespace(kernel, signum):
    assert run(kernel, coroutines.kills_itself, signum, flags=CLONE_NEWPID) == (b"", 0)


def test_ones_own_signal_is_handled_at_once(kernel):
    assert run(kernel, coroutines.handles_own_kill) == (b"", 1 << 8)


def test_the_helper_outlives_every_signal_of_its_tasks(kernel):
    for signum in (SIGTERM, SIGINT, SIGUSR1, SIGKILL):
        assert run(kernel, kills_pid_1, signum) == (b"", 0)
    assert kernel.getpid() == 1


async def kills_pid_1(k, signum: int) -> int:
    await k.kill(1, signum)
    return 0
