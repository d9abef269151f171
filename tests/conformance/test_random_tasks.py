"""Random scripts for trees of tasks: descriptors, pipes, signals, namespaces, execve. Both kernels report the same."""

import itertools
import re

import pytest
from conformance import scripted
from conformance.outcome import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidocker.linux import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MS_PRIVATE,
    MS_REC,
    O_APPEND,
    O_CLOEXEC,
    O_CREAT,
    O_EXCL,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGNALS,
    SIGPIPE,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
)
from minidocker.programs import program_file
from minidocker.sim import SimKernel

pytestmark = [pytest.mark.real, pytest.mark.needs("root"), pytest.mark.slow]

NAMESPACES = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS
FDS = st.integers(-1, 9)
PLAIN_PATHS = st.sampled_from(["a", "d", "d/a", "d/..", "missing/a", "a/x", "echo", "", "d/d"])
PATHS = PLAIN_PATHS | st.just("/proc/self/fd/0")
SIZES = st.sampled_from([0, 1, 5, 4096, 4097, 70_000])
SIGNUMS = st.sampled_from([SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD, SIGCONT, SIGKILL, SIGNALS["WINCH"], 0, 65])
OPENINGS = st.sampled_from([
    O_RDONLY, O_WRONLY, O_RDWR, O_CREAT | O_RDWR, O_CREAT | O_EXCL | O_WRONLY, O_APPEND | O_WRONLY, O_TRUNC | O_RDWR,
    O_RDONLY | O_CLOEXEC, O_CREAT | O_RDWR | O_CLOEXEC,
])  # fmt: skip
FLAGS = st.sampled_from([0, 0, 0, CLONE_NEWPID, CLONE_NEWUTS, CLONE_NEWNS, NAMESPACES])


def operation(name, *arguments):
    return st.tuples(st.just(name), *arguments).map(list)


SIMPLE = st.one_of(
    operation("pipe", st.sampled_from([0, O_CLOEXEC])),
    operation("dup", FDS),
    operation("dup2", FDS, FDS),
    operation("close", FDS),
    operation("read", FDS, SIZES),
    operation("write", FDS, SIZES),
    operation("lseek", FDS, st.integers(-2, 9), st.sampled_from([0, 1, 9])),
    operation("fstat", FDS),
    operation("open", PATHS, OPENINGS.map(lambda flags: flags | O_NONBLOCK), st.sampled_from([0o644, 0o777, 0o600])),
    operation("mode", PATHS),
    operation("mkdir", PATHS),
    operation("chdir", PATHS),
    operation("getcwd"),
    operation("umask", st.sampled_from([0, 0o22, 0o77])),
    operation("signal", SIGNUMS, st.sampled_from(["default", "ignore"])),
    operation("signal", st.sampled_from([SIGTERM, SIGUSR1, SIGUSR2]), st.just("handle")),
    operation("kill", st.sampled_from(["self", "self", "init", "nobody"]), SIGNUMS),
    operation("wait4", st.sampled_from([-1, 2, 3, 77])),
    operation("unshare", FLAGS),
    operation("getppid"),
    operation("sethostname", st.sampled_from(["one", "two", "x" * 65])),
    operation("gethostname"),
    operation("setuid", st.sampled_from([0, 1000])),
    operation("getuid"),
    operation("mount", PLAIN_PATHS),
    operation("umount", PLAIN_PATHS),
    operation("listdir", st.sampled_from([".", "d"])),
    operation("execve", st.sampled_from(["echo", "./echo", "script", "a", "d", "missing"]), st.just(["said"])),
    operation("exit", st.sampled_from([0, 3, 256])),
)
CHOSEN = st.none() | st.dictionaries(st.integers(0, 5).map(str), st.integers(0, 5), max_size=4)


def clones(inner):
    return st.lists(SIMPLE | st.tuples(st.just("clone"), FLAGS, CHOSEN, inner).map(list), max_size=10)


SCRIPTS = st.recursive(st.lists(SIMPLE, max_size=8), clones, max_leaves=12)


@pytest.fixture(scope="module")
def kernels():
    from minidocker.real import RealKernel

    pair = [SimKernel(), RealKernel()]
    for kernel in pair:
        kernel.mount("none", "/", "", MS_REC | MS_PRIVATE)
    yield pair
    for kernel in pair:
        kernel.close_kernel()


NUMBERS = itertools.count()


def prepare(kernel, directory):
    kernel.mkdir(directory)
    kernel.chmod(directory, 0o777)
    kernel.mkdir(directory + "/d")
    for name, data in (("a", b"0123456789"), ("echo", program_file("echo")), ("script", b"#!./echo one two\n")):
        fd = kernel.open(f"{directory}/{name}", O_CREAT | O_WRONLY, 0o755)
        kernel.write(fd, data)
        kernel.close(fd)


def reports(output):
    """What scripted wrote; programs may say why they failed in words that are their kernel's."""
    return [re.sub("Traceback.*", "", line) for line in output.splitlines() if re.match(r"\d+ \d+ ", line)]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(script=SCRIPTS)
def test_both_kernels_report_the_same(kernels, script):
    directory = f"/var/lib/docker/case{next(NUMBERS)}"
    outcomes = []
    for kernel in kernels:
        prepare(kernel, directory)
        outcomes.append(run(kernel, scripted.begin, script, directory, flags=NAMESPACES))
    assert reports(outcomes[0].output) == reports(outcomes[1].output)
    assert outcomes[0].status == outcomes[1].status
