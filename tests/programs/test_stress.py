"""stress and nproc on the simulated kernel; on the real one they run in tests/conformance/test_cgroups.py."""

import pytest
from sim_cgroups import Files

from minidocker.linux import SIGKILL
from minidocker.programs import nproc, stress
from minidocker.sim import SimKernel
from minidocker.sim.profile import Profile


@pytest.fixture
def kernel():
    kernel = SimKernel(Profile(cpus=2))
    yield kernel
    kernel.close_kernel()


def run(kernel, program, *words, group=""):
    """Run a program to its end: exit status and output."""
    reading, writing = kernel.pipe2()
    pid = kernel.clone(program.main, [program.__name__.rpartition(".")[2], *words], {}, fds={1: writing, 2: writing})
    kernel.close(writing)
    if group:
        Files(kernel).write(f"{group}/cgroup.procs", pid)
    status = (0, 0)
    while status == (0, 0):
        kernel.poll(5)
        status = kernel.wait4(pid, 1)
    output = kernel.read(reading, 1 << 16).decode()
    kernel.close(reading)
    return status[1] >> 8, output.replace(f"[{pid}]", "[PID]"), pid


def test_a_processor_is_kept_busy_for_a_time(kernel):
    before = kernel.clock.now_ns()
    assert run(kernel, stress, "--cpu", "2", "--timeout", "1s")[:2] == (
        0,
        (
            "stress: info: [PID] dispatching hogs: 2 cpu, 0 io, 0 vm, 0 hdd\n"
            "stress: info: [PID] successful run completed in 1s\n"
        ),
    )
    assert 1 <= (kernel.clock.now_ns() - before) / 1e9 < 1.1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--foo"], "(251) unrecognized option: --foo"),
        (["-c", "x"], "(665) unrecognized suffix: x"),
        (["-c"], "(167) missing argument to option '--cpu'"),
        (["-c", "-1"], "(171) invalid number of cpu hogs: -1"),
        (["--vm", "1", "--vm-bytes", "900T"], "(665) unrecognized suffix: T"),
    ],
)
def test_words_of_the_real_one(kernel, words, message):
    assert run(kernel, stress, *words)[:2] == (1, f"stress: FAIL: [PID] {message}\n")


def test_without_work_it_tells_how_to_use_it(kernel):
    assert run(kernel, stress)[:2][1].startswith("`stress' imposes certain types of compute stress on your system\n")
    assert run(kernel, stress, "-t", "1")[0] == 0


def test_memory_is_taken_and_held(kernel):
    files = Files(kernel)
    files.write("cgroup.subtree_control", "+memory")
    files.mkdir("a")
    code, _, _ = run(kernel, stress, "--vm", "2", "--vm-bytes", "3M", "--vm-hang", "0", "-q", "-t", "2", group="a")
    assert code == 0
    assert files.read("a/memory.peak") == f"{6 << 20}\n"
    assert files.read("a/memory.current") == "0\n"


def test_the_oom_killer_takes_a_worker(kernel):
    files = Files(kernel)
    files.write("cgroup.subtree_control", "+memory")
    files.mkdir("a")
    files.write("a/memory.max", 8 << 20)
    code, output, pid = run(kernel, stress, "--vm", "1", "--vm-bytes", "20M", group="a")
    assert (code, output) == (
        1,
        (
            "stress: info: [PID] dispatching hogs: 0 cpu, 0 io, 1 vm, 0 hdd\n"
            f"stress: FAIL: [PID] (425) <-- worker {pid + 1} got signal {SIGKILL}\n"
            "stress: WARN: [PID] (427) now reaping child worker processes\n"
            "stress: FAIL: [PID] (461) failed run completed in 0s\n"
        ),
    )
    assert files.keys("a/memory.events")["oom_kill"] == 1


def test_nproc(kernel):
    assert run(kernel, nproc)[:2] == (0, "2\n")
    assert run(kernel, nproc, "--ignore=5")[:2] == (0, "1\n")
    assert run(kernel, nproc, "--foo")[0] == 1
    files = Files(kernel)
    files.write("cgroup.subtree_control", "+cpuset")
    files.mkdir("a")
    files.write("a/cpuset.cpus", 1)
    assert run(kernel, nproc, group="a")[:2] == (0, "1\n")
