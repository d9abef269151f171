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
from tests.real.labs import Labs

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


@pytest.fixture(autouse=True)
def labs():
    """The labs of a test, and the proof at its end that nothing was added to the host."""
    need_kernel()
    before = leftovers.picture()
    started = Labs()
    yield started
    started.end()
    leftovers.nothing_more_than(before)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(3))
def test_kills_at_random_moments(labs, batch):
    for seed in range(batch * 5, batch * 5 + 5):
        choose = random.Random(seed)
        busy = labs.start("-c", BUSY, str(seed))
        helper = int(busy.stdout.readline())
        time.sleep(choose.random() * 0.15)
        mine = leftovers.Lab(helper)
        assert helper in mine.processes()
        who = choose.choice(["lab", "lab", "helper"])
        print(f"seed {seed}: kill -9 of the {who}, {len(mine)} namespaces", end="")
        took = labs.kill(busy, busy.pid if who == "lab" else helper, mine)
        print(f", gone after {took * 1000:.1f} ms")


@pytest.mark.slow
def test_kills_while_it_starts(labs):
    """Before the helper is ready as well: there is no moment at which it would be left."""
    for seed in range(12):
        delay_s = random.Random(seed).random() * 0.25
        print(f"seed {seed}: kill -9 after {delay_s * 1000:.0f} ms")
        busy = labs.start("-c", BUSY, str(seed))
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
def test_a_lab_that_is_killed_in_the_middle_of_a_job(labs):
    busy = labs.start("-c", JOB)
    helper = int(busy.stdout.readline())
    time.sleep(0.1)
    labs.kill(busy, busy.pid, leftovers.Lab(helper))


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
def test_a_lab_that_is_killed_though_a_forked_copy_of_it_lives(labs):
    busy = labs.start("-c", FORKED)
    helper, copy = map(int, busy.stdout.readline().split())
    try:
        labs.kill(busy, busy.pid, leftovers.Lab(helper))
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
