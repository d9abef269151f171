import errno

import pytest

from minidocker import linux, strace
from minidocker.kernel import Stat


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("open", ("/keep", linux.O_WRONLY | linux.O_APPEND, 0o666), 'open("/keep", O_WRONLY|O_APPEND)'),
        ("open", ("/n", linux.O_RDWR | linux.O_CREAT | linux.O_EXCL, 0o644), 'open("/n", O_RDWR|O_CREAT|O_EXCL, 0644)'),
        ("mkdir", ("/d", 0o755), 'mkdir("/d", 0755)'),
        ("mknod", ("/w", linux.S_IFCHR, 0), 'mknod("/w", S_IFCHR|0, makedev(0x0, 0x0))'),
        ("umount2", (".", linux.MNT_DETACH), 'umount2(".", MNT_DETACH)'),
        ("mount", ("", "/", "", linux.MS_REC | linux.MS_PRIVATE, ""), 'mount("", "/", "", MS_REC|MS_PRIVATE, "")'),
        ("kill", (7, linux.SIGTERM), "kill(7, SIGTERM)"),
        ("execve", ("/bin/sh", ["sh", "-c", "ls"], {}), 'execve("/bin/sh", ["sh", "-c", "ls"])'),
        ("signal", (linux.SIGINT, linux.SIG_IGN), "signal(SIGINT, SIG_IGN)"),
        ("utime", ("/a", None, True), 'utime("/a", NULL)'),
        ("utime", ("/a", (1, 1_500_000_000), True), 'utime("/a", [0.000000001, 1.500000000])'),
        ("write", (1, b"x" * 40), f'write(1, "{"x" * 32}"...)'),
    ],
)  # fmt: skip
def test_calls_read_as_strace_prints_them(name, args, text):
    assert strace.text(name, args, {}) == text


def test_what_the_kernel_wrote_is_shown_among_the_arguments():
    assert strace.text("read", (3, 4096), {}, b"hi\n") == 'read(3, "hi\\n", 4096)'
    stat = Stat(st_mode=0o100644, st_ino=9, st_dev=1, st_nlink=2, st_uid=0, st_gid=5, st_size=3)
    shown = strace.text("lstat", ("/a",), {}, stat)
    assert shown == 'lstat("/a", {st_mode=S_IFREG|0644, st_uid=0, st_gid=5, st_nlink=2, st_size=3})'


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("open", 3, "3"),
        ("close", None, "0"),
        ("read", b"abc", "3"),
        ("listdir", ["b", "a"], '["a", "b"]'),
        ("access", True, "true"),
        ("pipe2", (3, 4), "[3, 4]"),
        ("wait4", (7, 3 << 8), "7, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}]"),
        ("wait4", (7, 9), "7, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}]"),
        ("wait4", (0, 0), "0"),
    ],
)
def test_results(name, value, text):
    assert strace.result(name, value) == text


def test_errors_have_linux_names_and_texts():
    assert strace.result("rename", None, OSError(errno.EXDEV, "?")) == "-1 EXDEV (Invalid cross-device link)"


def test_clone_names_its_namespaces():
    async def child() -> int:
        return 0

    flags = linux.CLONE_NEWNS | linux.CLONE_NEWPID
    assert strace.text("clone", (child,), {"flags": flags}) == "clone(child, CLONE_NEWNS|CLONE_NEWPID|SIGCHLD)"
