"""Signals of a lab program: a handled signal stays blocked, and is taken on the way back from a call.

So Python's own handlers, which run between any two bytecodes, are not used at all. A call that waits, waits for the
signals too (signalfd(2)), and then fails with EINTR. All other signals act as the kernel has it: SIGPIPE and SIGTERM
kill, and the init of a PID namespace gets only what it handles.
"""

import errno
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Final, NoReturn

from minidocker.linux import SIG_DFL, SIG_IGN, SIGCHLD, SIGKILL, SIGSTOP, WNOHANG
from minidocker.real import syscalls
from minidocker.real.host import own_fd

#: How long one poll(2) may wait: a day; its milliseconds are an int.
LONGEST_S: Final = 86_400

Handler = int | Callable[[int], None]


class Signals:
    """What one task does about signals."""

    def __init__(self) -> None:
        """Handle none."""
        self.handlers: dict[int, Callable[[int], None]] = {}
        self.ignored: set[int] = set()
        self._fd = -1

    def set(self, signum: int, handler: Handler) -> Handler:
        """Say what a signal does, and return what it did (signal(2))."""
        if not 1 <= signum <= 64 or signum in (SIGKILL, SIGSTOP):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        old: Handler = self.handlers.pop(signum, SIG_IGN if signum in self.ignored else SIG_DFL)
        self.ignored.discard(signum)
        if callable(handler):
            self.handlers[signum] = handler
            signal.pthread_sigmask(signal.SIG_BLOCK, {signum})
        else:
            signal.signal(signum, signal.Handlers(handler))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signum})
            if handler == SIG_IGN:
                self.ignored.add(signum)
        self._fd = self._signalfd()
        return old

    def _signalfd(self) -> int:
        if self._fd >= 0:
            return syscalls.signalfd(self._fd, set(self.handlers))
        return own_fd(syscalls.signalfd(-1, set(self.handlers)))

    def after_clone(self) -> None:
        """Go on in a child, whose descriptors of ours were closed: the handlers are the parent's."""
        self._fd = -1
        if self.handlers:
            self._fd = self._signalfd()

    def run_handlers(self) -> None:
        """Run the handlers of the signals that have come."""
        while self.handlers and (info := signal.sigtimedwait(self.handlers, 0)):
            self.handlers[info.si_signo](info.si_signo)

    def reset(self) -> None:
        """Do what execve(2) does: handled signals get their default action back, ignored ones stay ignored."""
        for signum in list(self.handlers):
            self.set(signum, SIG_DFL)

    def wait(self, fd: int = -1, event: int = select.POLLIN, timeout_s: float | None = None, other: int = -1) -> None:
        """Wait until fd (or the other one) is ready or the time has passed; EINTR if a handled signal came first."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if fd >= 0:
            poll.register(fd, event)
        if other >= 0:
            poll.register(other, select.POLLIN)
        ready = {found for found, _ in poll.poll(None if timeout_s is None else timeout_s * 1000)}
        if ready == {self._fd}:
            interrupted()

    def sleep(self, seconds: float) -> None:
        """Do nothing for a time (nanosleep(2))."""
        if seconds < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        until_s = time.monotonic() + seconds
        while True:
            left_s = min(seconds, until_s - time.monotonic(), LONGEST_S)
            if self.handlers:
                self.wait(timeout_s=max(0.0, left_s))
            else:
                time.sleep(max(0.0, left_s))
            if until_s <= time.monotonic():
                return

    def pause(self) -> NoReturn:
        """Wait for a signal (pause(2))."""
        while not self.handlers:
            signal.pause()
        self.wait()
        interrupted()

    def wait4(self, pid: int, options: int) -> tuple[int, int]:
        """Reap a child (wait4(2))."""
        if options & WNOHANG or not self.handlers or SIGCHLD in self.ignored:  # then no signal tells of an end
            return os.wait4(pid, options)[:2]
        return self._wait4_or_signal(pid, options)

    def _wait4_or_signal(self, pid: int, options: int) -> tuple[int, int]:
        own = SIGCHLD in self.handlers
        old = signal.pthread_sigmask(signal.SIG_BLOCK, {SIGCHLD})
        ended = -1 if own else syscalls.signalfd(-1, {SIGCHLD})
        try:
            while True:
                if not own:
                    signal.sigtimedwait({SIGCHLD}, 0)  # before we look: who ends after that wakes us
                found, status, _ = os.wait4(pid, options | WNOHANG)
                if found:
                    return found, status
                self._wait_for_child(pid, ended)
        finally:
            if not own:
                os.close(ended)
            signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def _wait_for_child(self, pid: int, ended: int) -> None:
        """Wait for SIGCHLD or a handled signal; EINTR for the latter, unless the child ended as well."""
        try:
            self.wait(other=ended)
        except InterruptedError:
            which = (os.P_PID, pid) if pid > 0 else (os.P_ALL, 0)
            if os.waitid(*which, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                raise


def interrupted() -> NoReturn:
    """Raise EINTR."""
    raise OSError(errno.EINTR, os.strerror(errno.EINTR))
