"""Nothing is left: after the end, after an exception in the middle, and after kill -9 of the lab or of its helper."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rights import ROOT

from minidocker.linux import CLONE_NEWNS, CLONE_NEWPID
from minidocker.real import RealKernel
from tests.real import coroutines, leftovers
from tests.real.conftest import need_kernel

pytestmark = pytest.mark.needs("linux")

#: A lab that is busy: containers' worth of namespaces, mounts, pipes and files, a listener, until it is killed.
BUSY = """
import random, sys
from minidocker.linux import CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, O_CLOEXEC
from minidocker.real import RealKernel
from tests.real import coroutines

seed = int(sys.argv[1])
choose = random.Random(seed)
kernel = RealKernel(size_bytes=32 << 20)
print(kernel.pid, flush=True)
if seed % 3 == 0:
    kernel.listener = lambda event: None
for number in range(4):
    kernel.mkdir(f"/var/lib/docker/{number}")
    flags = choose.choice([0, CLONE_NEWPID, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS])
    kernel.clone(coroutines.busy, f"/var/lib/docker/{number}", seed, flags=flags, fds={})
while True:
    kernel.mkdir("/var/lib/docker/host")
    kernel.mount("tmpfs", "/var/lib/docker/host", "tmpfs")
    coroutines.run(kernel, coroutines.floods, choose.randrange(200_000), flags=CLONE_NEWPID)
    kernel.poll(choose.random() * 0.002)
    kernel.umount2("/var/lib/docker/host")
    kernel.rmdir("/var/lib/docker/host")
"""


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
_started: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def before():
    """A picture of the host, and the proof at the end that nothing was added."""
    need_kernel()
    taken = leftovers.picture()
    yield taken
    pids = [one.pid for one in _started]
    while _started:
        with _started.pop() as one:
            one.kill()
    if pids:
        RealKernel().close_kernel()  # control groups stay when their owner is killed: the next start removes them
    leftovers.nothing_more_than(taken)
    assert not [group for pid in pids for group in leftovers.groups_of(pid)]


def lab(*arguments: str, code: str = BUSY) -> subprocess.Popen:
    """Start a lab in a process of its own. (If its helper is killed it says so, which nobody wants to see.)"""
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    started = subprocess.Popen(command, text=True, start_new_session=True, env=environment, **PIPES)
    _started.append(started)
    return started


def kill_and_look(busy: subprocess.Popen, victim: int, mine: leftovers.Lab) -> float:
    """kill -9; return how long it took, in seconds, until none of the lab's processes was left."""
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    if victim == busy.pid:
        busy.wait()
    mine.is_gone()
    took_s = time.monotonic() - began
    busy.kill()
    busy.wait()
    return took_s


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(10))
def test_fifty_kills_at_random_moments(batch):
    for seed in range(batch * 5, batch * 5 + 5):
        choose = random.Random(seed)
        busy = lab(str(seed))
        helper = int(busy.stdout.readline())
        time.sleep(choose.random() * 0.15)
        mine = leftovers.Lab(helper)
        assert helper in mine.processes()
        who = choose.choice(["lab", "lab", "helper"])
        print(f"seed {seed}: kill -9 of the {who}, {len(mine)} PID namespaces", end="")
        took = kill_and_look(busy, busy.pid if who == "lab" else helper, mine)
        print(f", gone after {took * 1000:.1f} ms")


@pytest.mark.slow
def test_kills_while_it_starts():
    """Before the helper is ready as well: there is no moment at which it would be left."""
    for seed in range(12):
        delay_s = random.Random(seed).random() * 0.25
        print(f"seed {seed}: kill -9 after {delay_s * 1000:.0f} ms")
        busy = lab(str(seed))
        time.sleep(delay_s)
        family = leftovers.descendants(busy.pid)
        mine = leftovers.Lab(0, *family)
        os.kill(busy.pid, signal.SIGKILL)
        busy.wait()
        assert leftovers.eventually(lambda left=family: not any(map(_runs, left)), 3), f"left: {family}"
        mine.is_gone()


def _runs(pid: int) -> bool:
    """Is it one of ours and not a zombie that init is about to reap?"""
    try:
        return b"helper" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


JOB = """
import sys, time
from minidocker.real import RealKernel
from tests.real.coroutines import endless_job
kernel = RealKernel()
print(kernel.pid, flush=True)
kernel.job(endless_job)
"""


@pytest.mark.slow
def test_a_lab_that_is_killed_in_the_middle_of_a_job():
    busy = lab(code=JOB)
    helper = int(busy.stdout.readline())
    time.sleep(0.1)
    kill_and_look(busy, busy.pid, leftovers.Lab(helper))


FORKED = """
import os, time
from minidocker.real import RealKernel
kernel = RealKernel()
copy = os.fork()
if copy == 0:
    time.sleep(30)
print(kernel.pid, copy, flush=True)
time.sleep(30)
"""


@pytest.mark.slow
def test_a_lab_that_is_killed_though_a_forked_copy_of_it_lives():
    busy = lab(code=FORKED)
    helper, copy = map(int, busy.stdout.readline().split())
    try:
        kill_and_look(busy, busy.pid, leftovers.Lab(helper))
        os.kill(copy, 0)
    finally:
        os.kill(copy, signal.SIGKILL)


def test_an_exception_in_the_middle():
    with pytest.raises(FileNotFoundError):
        uses_a_kernel_and_fails()


def uses_a_kernel_and_fails() -> None:
    kernel = RealKernel()
    kernel.mkdir("/var/lib/docker/a")
    kernel.mount("tmpfs", "/var/lib/docker/a", "tmpfs")
    kernel.clone(coroutines.busy, "/var/lib/docker/a", 1, flags=CLONE_NEWPID | CLONE_NEWNS)
    try:
        kernel.rmdir("/var/lib/docker/no")
    finally:
        del kernel  # nobody closes it


def test_a_frozen_or_stopped_task_dies_too():
    kernel = RealKernel()
    pid = kernel.clone(coroutines.sleeper, fds={})
    kernel.kill(pid, signal.SIGSTOP)
    mine = leftovers.Lab(kernel.pid)
    kernel.close_kernel()
    mine.is_gone(within_s=0)


def test_what_has_left_session_and_user_behind_dies_too():
    kernel = RealKernel()
    pid = kernel.clone(coroutines.runs_away, fds={})
    assert leftovers.eventually(lambda: "1234" in _owner(kernel, pid)) or os.geteuid() != 0
    mine = leftovers.Lab(kernel.pid)
    kernel.close_kernel()
    mine.is_gone(within_s=0)


def _owner(kernel: RealKernel, pid: int) -> str:
    fd = kernel.open(f"/proc/{pid}/status", 0)
    try:
        return next(line for line in kernel.read(fd, 4096).decode().splitlines() if line.startswith("Uid"))
    finally:
        kernel.close(fd)


def test_a_kernel_that_cannot_start_leaves_nothing():
    with pytest.raises(OSError, match="Invalid argument"):
        RealKernel(size_bytes=-1)


@pytest.mark.slow
def test_the_end_of_the_interpreter_ends_it():
    done = subprocess.run(
        [sys.executable, "-c", "from minidocker.real import RealKernel\nk = RealKernel()\nprint(k.pid)"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not Path(f"/proc/{done.stdout.strip()}").exists()
    assert done.stderr == ""
