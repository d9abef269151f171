"""A Hypothesis state machine: random file calls on a simulated and a real overlay have the same answers and effects.

2,000 sequences; MINIDOCKER_SEQUENCES sets another number. A larger run without Hypothesis, seeded:
``python -m tests.conformance.overlay_random``.
"""

import contextlib
import itertools
import os

import pytest
import rights
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from minidocker.linux import (
    MNT_DETACH,
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFREG,
    S_IFSOCK,
)
from minidocker.sim import SimKernel
from tests.conformance import overlay_random
from tests.conformance.overlay_random import IDS, MODES, NAMES, XATTRS, Generator, Pair

SEQUENCES = int(os.environ.get("MINIDOCKER_SEQUENCES", "2000"))
DISK = "/var/lib/docker"

_names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
_endings = st.sampled_from(("", "", "", "", "", "", "", "/", "/.", "/.."))
paths = st.one_of(
    _names, _names, st.builds("".join, st.tuples(_names, _endings)), st.sampled_from((".", "..", "n" * 256))
)
flags = st.builds(
    lambda access, more: access | sum(set(more)) | O_NONBLOCK,
    st.sampled_from((O_RDONLY, O_WRONLY, O_RDWR)),
    st.lists(st.sampled_from((O_CREAT, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW)), max_size=3),
)
modes = st.sampled_from(MODES)
ids = st.sampled_from((-1, *IDS))
fds = st.integers(0, 7)
names = st.sampled_from(XATTRS)
targets = st.sampled_from(("a", "b", "c/d", "../a", "../b/c", ".", "..", "a/", "nowhere"))
nodes = st.one_of(
    st.tuples(st.builds(int.__or__, st.sampled_from((S_IFIFO, S_IFREG, S_IFSOCK, S_IFDIR)), modes), st.just(0)),
    st.tuples(st.builds(int.__or__, st.just(S_IFCHR), modes), st.sampled_from((0, 0x103))),
    st.tuples(st.builds(int.__or__, st.just(S_IFBLK), modes), st.just(0xF000)),
)
data = st.binary(max_size=6)


class Overlays(RuleBasedStateMachine):
    """A simulated and a real overlay of the same layers."""

    real = None
    numbers = itertools.count()

    def __init__(self):
        super().__init__()
        self.pair = None

    @initialize(seed=st.integers(0, 1 << 32))
    def plant(self, seed):
        self.base = f"{DISK}/random{next(self.numbers)}"
        self.kernels = (SimKernel(), self.real)
        for kernel in self.kernels:
            kernel.umask(0o022)
            for path in (DISK, self.base):
                with contextlib.suppress(FileExistsError):
                    kernel.mkdir(path)
            kernel.mount("tmpfs", self.base, "tmpfs", 0, "mode=755")
        self.case = Generator(seed).case(length=3)
        self.pair = Pair(*self.kernels, self.base, self.base)
        difference = self.pair.plant(self.case)
        self.mounted = difference is None
        assert difference in (None, "refused"), difference

    def check(self, name, *args):
        difference = self.pair.call(name, *args)
        assert difference is None, difference

    @rule(path=paths, flags=flags, mode=modes)
    @precondition(lambda self: self.mounted)
    def open(self, path, flags, mode):
        self.check("open", path, flags, mode)

    @rule(fd=fds, n=st.integers(0, 9), to=data, position=st.integers(-2, 9), whence=st.sampled_from((0, 1, 2)))
    @precondition(lambda self: self.mounted)
    def read_write_seek(self, fd, n, to, position, whence):
        self.check("fstat", fd)
        self.check("read", fd, n)
        self.check("write", fd, to)
        if not overlay_random.is_directory(self.pair, fd):
            self.check("lseek", fd, position, whence)
        self.check("fstat", fd)

    @rule(fd=fds)
    @precondition(lambda self: self.mounted)
    def close(self, fd):
        self.check("close", fd)

    @rule(path=paths, fd=fds, length=st.integers(-1, 9))
    @precondition(lambda self: self.mounted)
    def truncate(self, path, fd, length):
        self.check("truncate", path, length)
        self.check("ftruncate", fd, length)

    @rule(path=paths)
    @precondition(lambda self: self.mounted)
    def look(self, path):
        for name in ("stat", "lstat", "listdir", "readlink", "listxattr"):
            self.check(name, path)

    @rule(path=paths, mode=st.sampled_from((0o755, 0o777, 0o2777, 0o1777, 0o700)))
    @precondition(lambda self: self.mounted)
    def mkdir(self, path, mode):
        self.check("mkdir", path, mode)

    @rule(path=paths)
    @precondition(lambda self: self.mounted)
    def rmdir(self, path):
        self.check("rmdir", path)

    @rule(path=paths)
    @precondition(lambda self: self.mounted)
    def unlink(self, path):
        self.check("unlink", path)

    @rule(old=paths, new=paths)
    @precondition(lambda self: self.mounted)
    def rename(self, old, new):
        self.check("lstat", old)
        self.check("rename", old, new)
        self.check("lstat", new)

    @rule(old=paths, new=paths)
    @precondition(lambda self: self.mounted)
    def link(self, old, new):
        self.check("link", old, new)

    @rule(text=targets, path=paths)
    @precondition(lambda self: self.mounted)
    def symlink(self, text, path):
        self.check("symlink", text, path)

    @rule(path=paths, fd=fds, mode=modes)
    @precondition(lambda self: self.mounted)
    def chmod(self, path, fd, mode):
        self.check("chmod", path, mode)
        self.check("fchmod", fd, mode)

    @rule(name=st.sampled_from(("chown", "lchown")), path=paths, fd=fds, uid=ids, gid=ids)
    @precondition(lambda self: self.mounted)
    def chown(self, name, path, fd, uid, gid):
        self.check(name, path, uid, gid)
        self.check("fchown", fd, uid, gid)

    @rule(path=paths, node=nodes)
    @precondition(lambda self: self.mounted)
    def mknod(self, path, node):
        self.check("mknod", path, *node)

    @rule(path=paths, name=names, value=data, flags=st.sampled_from((0, 0, 1, 2)))
    @precondition(lambda self: self.mounted)
    def setxattr(self, path, name, value, flags):
        self.check("setxattr", path, name, value, flags)

    @rule(path=paths, name=names)
    @precondition(lambda self: self.mounted)
    def removexattr(self, path, name):
        self.check("getxattr", path, name)
        self.check("removexattr", path, name)

    @rule(path=paths, times=st.sampled_from((None, (1, 2))))
    @precondition(lambda self: self.mounted)
    def utime(self, path, times):
        self.check("utime", path, times)

    @rule(uid=st.sampled_from(IDS), gid=st.sampled_from(IDS))
    @precondition(lambda self: self.mounted)
    def become(self, uid, gid):
        self.check("seteuid", 0)
        self.check("setegid", gid)
        self.check("seteuid", uid)

    def teardown(self):
        """Compare what came of it, and leave no mount."""
        if self.pair is None:
            return
        try:
            difference = self.pair.trees(lowers=len(self.case.lowers)) if self.mounted else None
        finally:
            if self.mounted:
                self.pair.end()
            for kernel in self.kernels:
                kernel.chdir("/")
                kernel.umount2(self.base, MNT_DETACH)
                kernel.rmdir(self.base)
        assert difference is None, difference


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.needs("root")
def test_random_calls():
    """Answers, merged tree, upper directory and lower layers are equal after each of the sequences."""
    rights.require("root")
    from minidocker.real import RealKernel

    kernel = RealKernel()
    try:
        machine = type("Overlays", (Overlays,), {"real": kernel})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=12,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        kernel.close_kernel()


def test_the_generator_makes_the_same_case_of_the_same_seed():
    assert Generator((1, 2)).case() == Generator((1, 2)).case()
    assert Generator((1, 2)).case() != Generator((1, 3)).case()
