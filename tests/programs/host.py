"""A driver for the lab's programs on the host: each runs in a forked child, and each trap is one call of Python's os.

It is no kernel of the lab's: it is the shortest thing that can show what a program does, beside the real busybox.
"""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from minidocker import programs
from minidocker.kernel import Stat
from minidocker.linux import SIG_DFL, SIG_IGN
from minidocker.system import System, Trap


class Became(Exception):
    """The task has become another program (execve)."""

    def __init__(self, body: Coroutine[Any, Any, int]) -> None:
        """Keep what runs from now on."""
        super().__init__()
        self.body = body


class Interrupted(Exception):
    """A signal's handler ran while a call waited."""


def _stat(result: os.stat_result) -> Stat:
    fields = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size", "st_rdev", "st_blocks")
    times = {name: getattr(result, name) for name in ("st_atime_ns", "st_mtime_ns", "st_ctime_ns")}
    return Stat(**{name: getattr(result, name) for name in fields}, **times)


class Host:
    """The calls that os lacks or has under another name."""

    def __init__(self) -> None:
        """Start with no call that waits."""
        self.waiting = False

    def perform(self, trap: Trap) -> Any:
        """Perform one call."""
        own = getattr(self, trap.name, None)
        return (own or getattr(os, trap.name))(*trap.args, **trap.kwargs)

    def open(self, path: str, flags: int, mode: int) -> int:
        """Open; what is opened survives an execve, as in C."""
        fd = os.open(path, flags, mode)
        os.set_inheritable(fd, True)
        return fd

    def dup(self, fd: int) -> int:
        """Copy a descriptor."""
        copy = os.dup(fd)
        os.set_inheritable(copy, True)
        return copy

    def pipe2(self, flags: int) -> tuple[int, int]:
        """Make a pipe."""
        return os.pipe2(flags)

    def stat(self, path: str) -> Stat:
        """Tell about a file."""
        return _stat(os.stat(path))

    def lstat(self, path: str) -> Stat:
        """Tell about a name."""
        return _stat(os.lstat(path))

    def fstat(self, fd: int) -> Stat:
        """Tell about a descriptor."""
        return _stat(os.fstat(fd))

    def utime(self, path: str, ns: tuple[int, int] | None, follow: bool) -> None:
        """Set times."""
        os.utime(path, **({} if ns is None else {"ns": ns}), follow_symlinks=follow)

    def mknod(self, path: str, mode: int, device: int) -> None:
        """Make a node."""
        os.mknod(path, mode, os.makedev(device >> 8, device & 0xFF))

    def link(self, src: str, dst: str, follow_symlinks: bool = False) -> None:
        """Link, as link(2): a symlink itself."""
        os.link(src, dst, follow_symlinks=follow_symlinks)

    def gethostname(self) -> str:
        """Return the host's name."""
        return os.uname().nodename

    def time_ns(self) -> int:
        """Return the time."""
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond a handler."""
        self.interruptible(lambda: time.sleep(seconds))

    def wait4(self, pid: int, options: int) -> tuple[int, int]:
        """Reap, but not beyond a handler."""
        return self.interruptible(lambda: os.waitpid(pid, options))

    def interruptible(self, call: Callable[[], Any]) -> Any:
        """Make a call that ends with EINTR when a handler has run (Python's own goes on, PEP 475)."""
        self.waiting = True
        try:
            return call()
        except Interrupted:
            raise InterruptedError(errno.EINTR, "Interrupted system call") from None
        finally:
            self.waiting = False

    def signal(self, signum: int, handler: Any) -> Any:
        """Set a handler."""
        if handler in (SIG_DFL, SIG_IGN):
            return signal.signal(signum, signal.Handlers(handler))

        def wrapped(number: int, frame: object) -> None:
            handler(number)
            if self.waiting:
                self.waiting = False
                raise Interrupted

        return signal.signal(signum, wrapped)

    def clone(self, main: Callable[..., Coroutine[Any, Any, int]], *args: Any, flags: int, fds: object) -> int:
        """Fork."""
        pid = os.fork()
        if pid == 0:
            for number in range(1, 32):
                if callable(signal.getsignal(number)):
                    pass
            os._exit(run(main(System(), *args)))
        return pid

    def execve(self, path: str, argv: list[str], env: Mapping[str, str]) -> None:
        """Become a lab program, or a real one."""
        fd = os.open(path, os.O_RDONLY)
        header = os.read(fd, 256)
        os.close(fd)
        if not os.access(path, os.X_OK):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        name = programs.program_name(header)
        if name is None and header.startswith(b"#!"):
            interpreter, *argument = header[2:].split(b"\n")[0].decode().split(maxsplit=1)
            interpreter = interpreter if interpreter != "/bin/sh" else os.path.join(env["PATH"], "sh")
            return self.execve(interpreter, [interpreter, *argument, path, *argv[1:]], env)
        if name is None:
            raise OSError(errno.ENOEXEC, "Exec format error", path)
        program = programs.load(name)
        assert program is not None, name
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP) and callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        raise Became(program(System(), list(argv), dict(env)))


def run(body: Coroutine[Any, Any, int]) -> int:
    """Drive a program to its end and return its exit code."""
    host = Host()
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            trap = body.throw(error) if error is not None else body.send(value)
        except StopIteration as end:
            return int(end.value)
        value = error = None
        try:
            value = host.perform(trap)
        except Became as became:
            body.close()
            body = became.body
        except OSError as raised:
            error = raised


def main() -> None:
    """Run the program that the arguments name, as the tests' child process."""
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    name, *argv = sys.argv[1:]
    program = programs.load(name)
    assert program is not None, name
    os._exit(run(program(System(), argv, dict(os.environ))))


def start(path: Path, argv: list[str], **kwargs: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a lab program in a directory of fakes, as subprocess.run runs a real one."""
    environ = {"PATH": str(path), "PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C.UTF-8"}
    command = [sys.executable, __file__, argv[0], *argv]
    return subprocess.run(command, env=environ, capture_output=True, timeout=20, check=False, **kwargs)


if __name__ == "__main__":
    main()
