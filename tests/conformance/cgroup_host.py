"""The hosts of test_cgroups.py: a kernel of either kind, its controllers, and tasks in groups that say what they do."""

import time

import pytest
import rights
from sim_cgroups import Files

from minidocker.linux import O_CLOEXEC
from tests.conformance import cgroup_programs as programs


class Host:
    """A kernel, and where its controllers are."""

    def __init__(self, kernel, *, real):
        self.kernel, self.real = kernel, real
        self.files = Files(kernel)
        self.read, self.write = self.files.read, self.files.write
        mounts = [line.split() for line in self.read("self/mountinfo", "/proc").splitlines()]
        self.v1 = {words[4].rpartition("/")[2] for words in mounts if words[words.index("-") + 1] == "cgroup"}
        self.unified = "unified/" if self.v1 else ""
        self.readers: dict[int, int] = {}
        self.said: dict[int, str] = {}
        if not self.v1:
            given = self.read("cgroup.controllers").split()
            for name in ("cpu", "cpuset", "memory", "pids"):
                if name in given:
                    self.write("cgroup.subtree_control", f"+{name}")

    def group(self, controller, name="t"):
        """Make a group under a controller, and return its path; ``""`` is version 2's own affair."""
        if controller and not self.v1 and controller not in self.read("cgroup.controllers").split():
            pytest.skip(f"needs {controller}: this machine has no such controller")
        if controller and self.v1 and controller not in self.v1:
            pytest.skip(f"needs {controller}: this machine has no such controller")
        path = f"{controller}/{name}" if self.v1 and controller else f"{self.unified}{name}"
        answer = self.files.mkdir(path)
        assert answer in ("", "EEXIST")
        return path

    def start(self, main, *args, groups=(), wait_for="", flags=0):
        """Start a task, put it into groups, and let it begin; wait until it has said something."""
        gate, opened = self.kernel.pipe2(O_CLOEXEC)
        reading, writing = self.kernel.pipe2(O_CLOEXEC)
        pid = self.kernel.clone(gated, main.__name__, list(args), fds={0: gate, 1: writing}, flags=flags)
        for group in groups:
            assert self.write(f"{group}/cgroup.procs", pid) == ""
        self.kernel.write(opened, b"x")
        for fd in (gate, opened, writing):
            self.kernel.close(fd)
        self.listen(pid, reading)
        if wait_for:
            assert wait_for in self.wait_for(pid, wait_for)
        return pid

    def listen(self, pid, reading):
        """Take what a task says from now on."""
        self.kernel.watch(reading)
        self.readers[reading] = pid
        self.said[pid] = ""

    def poll(self, seconds):
        """Let tasks run, and take what they say."""
        for event in self.kernel.poll(seconds):
            if event.kind == "readable":
                data = self.kernel.read(event.fd, 4096)
                self.said[self.readers[event.fd]] += data.decode()
                if not data:
                    self.kernel.close(event.fd)

    def wait_for(self, pid, text, seconds=5.0):
        """Wait until a task has said something, and return all that it has said."""
        until = time.monotonic() + seconds
        while text not in self.said[pid] and time.monotonic() < until:
            self.poll(0.2)
        return self.said[pid]

    def wait(self, pid, seconds=5.0):
        """Wait until a task has ended, and return its status."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (found := self.kernel.wait4(pid, 1)) != (0, 0):
                return found[1]
            self.poll(0.2)
        return None

    def settle(self, seconds=0.05):
        """Let time pass."""
        until = clock_ns(self) + int(seconds * 1e9)
        while clock_ns(self) < until:
            self.poll((until - clock_ns(self)) / 1e9)

    def until(self, condition):
        """Wait until something is so."""
        for _ in range(100):
            if condition():
                return True
            self.settle()
        return False


async def gated(k, name, args):
    """Wait until the gate opens, and do what is wanted."""
    await k.read(0, 1)
    return await getattr(programs, name)(k, *args)


def layout_here():
    """Return which control groups this machine has; nothing where the real kernel cannot be used."""
    if rights.missing("root"):
        return ""
    from minidocker.real import probe

    return probe.cgroup_layout()


HERE = layout_here()


def opened(kernel, layout):
    """Yield a host on a kernel, and close it."""
    if kernel == "sim":
        from minidocker.sim import Profile, SimKernel

        kernel = SimKernel(Profile(cgroups=layout))
    else:
        rights.require("root")
        from minidocker.real import RealKernel

        kernel = RealKernel(size_bytes=16 << 20)
    real = type(kernel).__name__ == "RealKernel"
    yield Host(kernel, real=real)
    kernel.close_kernel()


def clock_ns(host):
    return time.monotonic_ns() if host.real else host.kernel.clock.now_ns()
