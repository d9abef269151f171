"""Ways out of a container, each tried by a program of its own on this machine's kernel, and refused.

A program's exit code is the errno of the call that failed, 0 if none did. Where the default capabilities would not stop
it and only the filter of system calls does, the case says so, and proves it without the filter.
"""

import errno
import fcntl
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import pytest

from minidocker.base_image import image_archive
from minidocker.hosts import open_host
from minidocker.lab.image import base_layers
from minidocker.linux import CLONE_NEWNS, CLONE_NEWUSER, MS_BIND, O_RDONLY, O_WRONLY, S_IFBLK
from minidocker.real.own import OWN_FDS
from tests import rights
from tests.archive_builder import entry, tar
from tests.real.elf import Result, program

pytestmark = [
    pytest.mark.needs("root"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="needs x86-64: the programs are its machine code"),
]

O_PATH = 0o10000000
AT_FDCWD = -100
PTRACE_ATTACH = 16


@dataclass(frozen=True)
class Case:
    """A program, the errnos with which it may end, and what it takes: flags of docker run."""

    calls: tuple[tuple[object, ...], ...]
    errors: tuple[int, ...] = (errno.EPERM,)
    flags: str = ""
    without: int | None = None
    """Only seccomp refuses it: the exit code without (0: it would succeed)."""


CASES = {
    "mount": Case((("mount", b"x", b"/tmp", b"tmpfs", 0, 0),)),
    "mount-bind": Case((("mount", b"/", b"/tmp", 0, MS_BIND, 0),)),
    "mount-remount-sys": Case((("mount", b"", b"/sys", 0, 32, 0),)),
    "umount-what-covers": Case((("umount2", b"/proc/acpi", 0),)),
    "new-mount-api": Case((("fsopen", b"tmpfs", 0),)),
    "open-tree": Case((("open_tree", AT_FDCWD, b"/", 1),)),
    "unshare-mounts": Case((("unshare", CLONE_NEWNS),)),
    "unshare-users": Case((("unshare", CLONE_NEWUSER),), without=0),
    "clone-users": Case((("clone", CLONE_NEWUSER | 17, 0, 0, 0, 0),), without=0),
    "keyctl": Case((("keyctl", 0, -3, 0, 0, 0),), without=0),
    "add-key": Case((("add_key", b"user", b"k", b"v", 1, -3),), without=0),
    "bpf": Case((("bpf", 0, 0, 0),)),
    "perf": Case((("perf_event_open", 0, 0, -1, -1, 0),)),
    "kexec": Case((("kexec_load", 0, 0, 0, 0),)),
    "module": Case((("init_module", b"x", 1, b""),)),
    "reboot": Case((("reboot", 0xFEE1DEAD, 672274793, 0, 0),)),
    "swapon": Case((("swapon", b"/etc/passwd", 0),)),
    "clock": Case((("settimeofday", b"\0" * 16, 0),)),
    "kernel-log": Case((("syslog", 10, 0, 0),), without=None),
    "by-handle": Case((("open_by_handle_at", 0, b"\x08\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0", 0),)),
    "write-proc-sys": Case((("open", b"/proc/sys/kernel/core_pattern", O_WRONLY),), (errno.EROFS,)),
    "write-sysrq": Case((("open", b"/proc/sysrq-trigger", O_WRONLY),), (errno.EROFS, errno.ENOENT)),
    "write-uevent-helper": Case((("open", b"/sys/kernel/uevent_helper", O_WRONLY),), (errno.EROFS, errno.ENOENT)),
    "write-own-exe": Case((("open", b"/proc/1/exe", O_WRONLY),), (errno.ETXTBSY, errno.EPERM, errno.EROFS)),
    "disk-node": Case(
        (("mknod", b"/disk", S_IFBLK | 0o600, 254 << 8), ("open", b"/disk", O_RDONLY)), (errno.EACCES, errno.EPERM)
    ),
    "disk-node-in-dev": Case(
        (("mknod", b"/dev/disk", S_IFBLK | 0o600, 254 << 8), ("open", b"/dev/disk", O_RDONLY)),
        (errno.EACCES, errno.EPERM),
    ),
    "disk-node-in-shm": Case(
        (("mknod", b"/dev/shm/disk", S_IFBLK | 0o600, 254 << 8), ("open", b"/dev/shm/disk", O_RDONLY)),
        (errno.EACCES, errno.EPERM),
    ),
    "memory-node": Case((("mknod", b"/mem", 0o20600, 1 << 8 | 1), ("open", b"/mem", O_RDONLY)), (errno.EACCES,)),
    "helper-root": Case((("open", b"/proc/1/root/etc", O_RDONLY),), (errno.EACCES,), "--pid host"),
    "helper-cwd": Case((("open", b"/proc/1/cwd/etc", O_RDONLY),), (errno.EACCES,), "--pid host"),
    "helper-exe": Case((("open", b"/proc/1/exe", O_RDONLY),), (errno.EACCES,), "--pid host"),
    "helper-memory": Case((("open", b"/proc/1/mem", O_RDONLY),), (errno.EACCES,), "--pid host"),
    "helper-descriptors": Case((("open", b"/proc/1/fd/0", O_RDONLY),), (errno.EACCES,), "--pid host"),
    "helper-ptrace": Case((("ptrace", PTRACE_ATTACH, 1, 0, 0),), (errno.EPERM,), "--pid host"),
    "helper-namespace": Case((("open", b"/proc/1/ns/mnt", O_RDONLY),), (errno.EACCES,), "--pid host"),
    "helper-read": Case((("process_vm_readv", 1, 0, 0, 0, 0, 0),), (0, errno.EPERM), "--pid host"),
    "chroot-out": Case(
        (
            ("open", b"/", O_RDONLY),
            ("chroot", b"/tmp"),
            ("fchdir", Result(0)),
            ("chdir", b"../../../../../.."),
            ("open", b"root/.pyenv", O_RDONLY),
        ),
        (errno.ENOENT,),
    ),
}


@pytest.fixture(scope="module")
def host():
    host = open_host("real")
    load(host, "escape", [entry(f"escape-{name}", program(*case.calls), mode=0o755) for name, case in CASES.items()])
    yield host
    host.close()


def load(host, name, entries):
    """Load an image of the lab's own layers and one more."""
    host.engine.images.load(image_archive(f"{name}:latest", *base_layers(), tar(entries)))


def tried(host, name, flags):
    host.docker(f"run -d --name running-{name} {flags} escape sleep 1000")
    try:
        return host.docker(f"exec running-{name} /escape-{name}").exit_code
    finally:
        host.docker(f"rm -f running-{name}")


@pytest.mark.parametrize("name", CASES)
def test_is_refused(host, name):
    case = CASES[name]
    rights.require("seccomp")
    code = tried(host, name, case.flags)
    assert code in case.errors, errno.errorcode.get(code, code)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.without is None])
def test_is_refused_without_the_filter_too(host, name):
    case = CASES[name]
    code = tried(host, name, f"{case.flags} --security-opt seccomp=unconfined")
    assert code != 0 or 0 in case.errors


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.without is not None])
def test_only_the_filter_refuses_it(host, name):
    case = CASES[name]
    assert tried(host, name, f"{case.flags} --security-opt seccomp=unconfined") == case.without


def test_the_interpreter_is_a_copy_that_nobody_can_write_to(host):
    """CVE-2019-5736: the host's binary, through /proc/PID/exe of who entered the container."""
    host.docker("run -d --name lab-task lab sleep 1000")
    for pid in (host.kernel.pid, *_children(host.kernel.pid)):
        exe = Path(f"/proc/{pid}/exe")
        assert os.stat(exe).st_ino != os.stat(os.path.realpath(os.sys.executable)).st_ino
        fd = os.open(exe, os.O_RDONLY)
        try:
            seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        finally:
            os.close(fd)
        assert seals & fcntl.F_SEAL_WRITE
        assert seals & fcntl.F_SEAL_SEAL
    host.docker("rm -f lab-task")


def _children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


NONSENSE = {
    "marshal": b"\x0d\0\0\0\xe3" + bytes(16),
    "four-gigabytes": b"\xff\xff\xff\xff",
    "no-report": b"\x03\0\0\0\x03\0\0\0[1]",
    "deep": b"\x64\0\0\0\x64\0\0\0" + b"[" * 100,
}


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("flags", ["--security-opt seccomp=unconfined", "--cap-add SYS_PTRACE"])
@pytest.mark.parametrize("name", NONSENSE)
def test_a_program_that_takes_a_tasks_channel(host, name, flags, listens):
    """It has a task of the lab's beside it give its descriptor (pidfd_getfd(2)), and says nonsense to the helper."""
    told = []
    host.docker("run -d --name other lab sleep 1000")
    before = _children(host.kernel.pid)
    host.docker(f"run -d --name victim {flags} lab sleep 1000")
    (victim,) = set(_children(host.kernel.pid)) - set(before)
    channel = max(int(name) for name in os.listdir(f"/proc/{victim}/fd"))
    assert channel >= OWN_FDS
    said = NONSENSE[name]
    calls = [("pidfd_open", 1, 0), ("pidfd_getfd", Result(0), channel, 0), ("write", Result(1), said, len(said))]
    attack = Path(f"/proc/{victim}/root/attack")
    attack.write_bytes(program(*calls))
    attack.chmod(0o755)
    host.kernel.listener = told.append if listens else None
    try:
        outcome = host.docker("exec victim /attack")
        assert outcome.exit_code == 0, errno.errorcode.get(outcome.exit_code, outcome.exit_code)
        assert host.docker("exec other cat /etc/hostname").exit_code == 0
        assert host.docker("run --rm lab echo well").stdout == "well\n"
        assert host.kernel.listener_error is None
    finally:
        host.kernel.listener = None
        host.docker("rm -f victim other")


def test_without_the_right_to_trace_nobody_takes_a_descriptor(host):
    """Docker's filter lets pidfd_getfd pass only with CAP_SYS_PTRACE."""
    rights.require("seccomp")
    load(host, "taker", [entry("take", program(("pidfd_open", 1, 0), ("pidfd_getfd", Result(0), 1, 0)), mode=0o755)])
    host.docker("run -d --name victim taker sleep 1000")
    assert host.docker("exec victim /take").exit_code == errno.EPERM
    host.docker("rm -f victim")


def test_a_task_in_a_container_has_one_descriptor_more_than_its_program(host):
    """Its channel: not the helper's socket to the lab, nor what it waits on, nor the copy of the interpreter."""
    before = _children(host.kernel.pid)
    host.docker("run -d --name bare lab sleep 1000")
    (bare,) = set(_children(host.kernel.pid)) - set(before)
    found = {int(name): os.readlink(f"/proc/{bare}/fd/{name}") for name in os.listdir(f"/proc/{bare}/fd")}
    own = [target for number, target in found.items() if number >= OWN_FDS]
    assert [target.split(":")[0] for target in own] == ["socket"]
    assert sorted(number for number in found if number < OWN_FDS) == [0, 1, 2]
    maps = Path(f"/proc/{bare}/maps").read_text().splitlines()
    assert [line.split()[1] for line in maps if "memfd:tracing" in line] == ["r--s"]
    host.docker("rm -f bare")


def test_the_users_environment_is_not_told(monkeypatch):
    """A task is a copy of the helper, and /proc/PID/environ shows what that was started with."""
    monkeypatch.setenv("TOKEN_OF_THE_USER", "tell-nobody")
    host = open_host("real")
    try:
        host.docker("run -d --name bare lab sleep 1000")
        outcome = host.docker(["exec", "bare", "sh", "-c", "cat /proc/[0-9]*/environ"])
    finally:
        host.close()
    assert "PATH=" in outcome.stdout
    assert "tell-nobody" not in outcome.stdout


def test_a_leaked_descriptor_as_working_directory(host):
    """CVE-2024-21626: -w /proc/self/fd/N, where N is a directory of the host's that somebody forgot to close."""
    host.docker("run -d --name web lab sleep 1000")
    kept = host.kernel.open("/", O_RDONLY)
    try:
        for number in [*range(12), *range(195, 230)]:
            path = f"/proc/self/fd/{number}"
            for line in (f"run --rm -w {path} lab ls", f"exec -w {path} web ls"):
                outcome = host.docker(line)
                assert outcome.exit_code != 0 or ".dockerenv" in outcome.stdout.split(), (line, outcome.stdout)
    finally:
        host.kernel.close(kept)
        host.docker("rm -f web")


@pytest.mark.parametrize("target", ["/proc", "/sys", "/dev"])
def test_a_symbolic_link_where_something_is_mounted(host, target):
    """CVE-2021-30465: the target of a mount leads out of the root. The layer of mount points lies above the image's."""
    before = Path(f"/proc/{host.kernel.pid}/mountinfo").read_text()
    load(host, "linked", [entry(target[1:], "/../../../../../../../../../tmp")])
    outcome = host.docker(f"run --rm linked stat -c %F {target}")
    assert (outcome.stdout, outcome.exit_code) == ("directory\n", 0)
    assert Path(f"/proc/{host.kernel.pid}/mountinfo").read_text() == before


def test_a_symbolic_link_where_a_tmpfs_is_asked_for(host):
    """CVE-2021-30465 again, where no layer of ours lies above: the start is refused."""
    load(host, "linked", [entry("t", "/../../../../tmp")])
    outcome = host.docker("run --rm --tmpfs /t/new linked true")
    assert outcome.exit_code == 125
    assert "must be mounted on ordinary directory" in outcome.stderr
    assert not Path("/tmp/new").exists()


def test_the_agent_of_released_groups(host):
    """A v1 group's release_agent is run by the kernel, as root, outside: nobody in a container may write it."""
    host.docker("run -d --name web lab sleep 1000")
    names = "-name release_agent -o -name notify_on_release -o -name cgroup.procs"
    script = f"for f in $(find /sys/fs/cgroup {names}); do echo; echo 1 > $f && echo $f; done"
    outcome = host.docker(["exec", "web", "sh", "-c", script])
    assert outcome.stdout.strip("\n") == ""
    assert outcome.stderr.count("Read-only file system") == outcome.stdout.count("\n") > 0
    host.docker("rm -f web")


def test_the_helper_answers_no_stranger(host):
    """Its memory cannot be read, nor its descriptors taken: it is not dumpable, whatever the container's root is."""
    fields = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{host.kernel.pid}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert fields["CoreDumping"] == "0"
    assert os.stat(f"/proc/{host.kernel.pid}/exe", follow_symlinks=False).st_uid == 0
    outcome = host.docker("run --rm --pid host --cap-add SYS_ADMIN lab ls /proc/1/root/")
    assert outcome.exit_code == 1
    assert "Permission denied" in outcome.stderr
    assert json.dumps(outcome.stdout) == '""'
