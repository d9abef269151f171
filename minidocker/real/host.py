"""The calls of the host's side (task "0"), performed in the helper: as Linux does them, but none ever waits.

Where Linux would wait for a program (an empty pipe, a child that lives) these raise EAGAIN: the engine asks again when
:meth:`minidocker.kernel.Tasks.poll` says so.
"""

import errno
import fcntl
import os
import select
from stat import S_ISFIFO, S_ISREG
from typing import Final, NoReturn

from minidocker.linux import IPC_NOWAIT, O_ACCMODE, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, PIPE_BUF, WNOHANG
from minidocker.real import ipc
from minidocker.real.direct import OWN_FDS, Direct, checked
from minidocker.real.sockets import HostSockets

#: Kernels before 6.4 cannot be asked not to wait for a pipe (preadv2(2), RWF_NOWAIT); other files never.
_NO_NOWAIT: Final = (errno.EOPNOTSUPP, errno.ESPIPE, errno.EINVAL, errno.ENOSYS)


def own_fd(fd: int) -> int:
    """Move one of the lab's own descriptors out of a program's way, closed by execve; return its new number."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, OWN_FDS)
    os.close(fd)
    return moved


def own_epoll() -> select.epoll:
    """Return a new epoll object whose descriptor is out of a program's way."""
    epoll = select.epoll()
    moved = fcntl.fcntl(epoll.fileno(), fcntl.F_DUPFD_CLOEXEC, OWN_FDS)
    epoll.close()
    return select.epoll.fromfd(moved)


class Host(HostSockets, Direct):
    """The host's side. ``news`` is readable when a watched descriptor is, or when a child has ended."""

    def __init__(self) -> None:
        """Watch nothing."""
        super().__init__()
        self.news = own_epoll()
        self.watched: set[int] = set()

    def sys_open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """Open a file (open(2)); EAGAIN for a fifo whose other end is not open."""
        if not flags & (O_NONBLOCK | O_PATH) and flags & O_ACCMODE != O_RDWR and _is_fifo(path):
            return self._open_fifo(path, flags)
        return super().sys_open(path, flags, mode)

    def _open_fifo(self, path: str, flags: int) -> int:
        """Open a fifo whose other end is open; EAGAIN where open(2) would wait for that."""
        try:
            fd = os.open(path, flags | O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:
                _again(path)
            raise
        if flags & O_ACCMODE == O_RDONLY and not _has_writer(fd):
            os.close(fd)
            _again(path)
        os.set_blocking(fd, True)
        return self.new_fd(fd, flags)

    def sys_read(self, fd: int, n: int) -> bytes:
        """Read what is there (read(2)); EAGAIN if that is nothing yet."""
        if n and not _ready(checked(fd), select.POLLIN) and _mode(fd) != O_WRONLY:
            _again()
        return _read_now(fd, n) if S_ISFIFO(os.fstat(fd).st_mode) else super().sys_read(fd, n)

    def sys_write(self, fd: int, data: bytes) -> int:
        """Write what there is room for (write(2)); EAGAIN if that is nothing."""
        if not S_ISREG(os.fstat(checked(fd)).st_mode):
            if data and not _ready(fd, select.POLLOUT) and _mode(fd) != O_RDONLY:
                _again()
            data = data[:PIPE_BUF]  # what select(2) promised room for
            return _write_now(fd, data)
        return os.write(fd, data)

    def sys_wait4(self, pid: int, options: int = 0) -> tuple[int, int]:
        """Reap a child that ended (wait4(2)); EAGAIN if none has."""
        found, status, _ = os.wait4(pid, options | WNOHANG)
        if not found and not options & WNOHANG:
            _again()
        return found, status

    def sys_msgsnd(self, msqid: int, mtype: int, data: bytes, flags: int = 0) -> None:
        """Append a message (msgsnd(2)); EAGAIN if the queue is full."""
        ipc.msgsnd(msqid, mtype, data, flags | IPC_NOWAIT)

    def sys_msgrcv(self, msqid: int, size: int, mtype: int = 0, flags: int = 0) -> tuple[int, bytes]:
        """Take a message (msgrcv(2)); EAGAIN if there is none."""
        try:
            return ipc.msgrcv(msqid, size, mtype, flags | IPC_NOWAIT)
        except OSError as error:
            if error.errno == errno.ENOMSG and not flags & IPC_NOWAIT:
                _again()
            raise

    def sys_close(self, fd: int) -> None:
        """Close a descriptor, which is watched no more (close(2))."""
        self.unwatch(fd)
        super().sys_close(fd)

    def sys_dup2(self, fd: int, fd2: int) -> int:
        """Make fd2 a descriptor of fd's open file; what it was is watched no more (dup2(2))."""
        if fd != fd2:
            os.fstat(fd)
            self.unwatch(fd2)
        return super().sys_dup2(fd, fd2)

    def make_waiting(self, fd: int) -> None:
        """Have a pipe's end, about to become a child's, wait as programs expect; EBADF if it is not open."""
        if S_ISFIFO(os.fstat(checked(fd)).st_mode):
            os.set_blocking(fd, True)

    def watch(self, fd: int) -> None:
        """Have ``news`` tell when fd is readable (epoll_ctl(2)); EPERM for a regular file."""
        if fd not in self.watched:
            self.news.register(checked(fd), select.EPOLLIN)
            self.watched.add(fd)

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor. Linux would by itself only when no child holds the open file any more."""
        if fd in self.watched:
            self.watched.discard(fd)
            self.news.unregister(fd)


def _ready(fd: int, event: int) -> bool:
    poll = select.poll()
    poll.register(fd, event)
    found = poll.poll(0)
    return bool(found)


def _read_now(fd: int, n: int) -> bytes:
    """Read from a pipe that was readable a moment ago; EAGAIN if somebody else has emptied it since.

    A container's program can open its own output for reading (/proc/self/fd/1), and the helper would wait for ever.
    """
    buffer = bytearray(n)
    try:
        return bytes(buffer[: os.preadv(fd, [buffer], -1, os.RWF_NOWAIT)])
    except OSError as error:
        if error.errno not in _NO_NOWAIT:
            raise
    return os.read(fd, n)


def _write_now(fd: int, data: bytes) -> int:
    """Write to a pipe that had room a moment ago; EAGAIN if somebody else has filled it since."""
    try:
        return os.pwritev(fd, [data], -1, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno not in _NO_NOWAIT:
            raise
    return os.write(fd, data)


def _mode(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & O_ACCMODE


def _is_fifo(path: str) -> bool:
    try:
        return S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def _has_writer(fd: int) -> bool:
    if _ready(fd, select.POLLIN):
        return True
    try:
        return os.read(fd, 1) != b""
    except BlockingIOError:
        return True


def _again(path: str | None = None) -> NoReturn:
    if path is None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
