"""A task on this machine: a cloned process in which a coroutine over System is driven, each call performed at once."""

import errno
import os
import resource  # noqa: F401  os.wait4 imports it when first called, which a task in a container cannot
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from importlib import import_module
from posixpath import basename
from stat import S_ISFIFO, S_ISSOCK
from typing import Any, Final, NoReturn

from minidocker import programs
from minidocker.linux import CLONE_NEWNET, CLONE_NEWTIME, IPC_NOWAIT, PIPE_BUF, SIG_DFL, SIGABRT, STDERR_FILENO
from minidocker.real import capability, execve, ipc, memory, netns, syscalls, wire
from minidocker.real.direct import OWN_FDS, Direct, checked
from minidocker.real.host import own_fd
from minidocker.real.reports import Writer
from minidocker.real.signals import Handler, Signals, interrupted
from minidocker.real.sockets import TaskSockets
from minidocker.real.title import Title
from minidocker.real.tracing import Page
from minidocker.system import Main, System, Trap

#: How often a task that handles signals looks for a message: queues have no descriptor to wait on.
LOOK_AGAIN_S: Final = 0.005
#: What a task exits with whose helper is gone: nobody will see it.
ORPHANED: Final = 70

#: How long a task's name can be (linux/sched.h, less its end).
TASK_COMM_LEN: Final = 15

_MOST_FDS: Final = 1 << 20

_LINKS: Final = "minidocker.real.links"


class Exit(BaseException):
    """The task ends with a status."""


class Become(BaseException):
    """The task becomes another program of the lab, once that is told: whoever sees what it closes has heard of it."""


class TaskCalls(TaskSockets, Direct):
    """The calls as a task makes them: they wait as Linux's do, and a handled signal ends the waiting."""

    def __init__(self, parent: Direct, programs: str = "elf") -> None:
        """Begin with a parent's descriptors."""
        super().__init__()
        self.cloexec = set(parent.cloexec)
        self.programs = programs
        self.signals = Signals()
        self.attached: set[int] = set()
        """Where shared memory is attached."""
        self.mapped: dict[int, int] = {}
        """What was mapped, address → bytes; to unmap once more what was unmapped since does nothing."""
        self.time_apart = False
        """Has it made a time namespace for its children? An execve brings it there itself."""

    def sys_read(self, fd: int, n: int) -> bytes:
        """Read, waiting for data (read(2))."""
        if self.signals.handlers and _waits(fd):
            os.read(fd, 0)  # EBADF for what was not opened for reading: poll(2) would wait for ever
            if S_ISSOCK(os.fstat(fd).st_mode):
                return self.sys_recvfrom(fd, n)[0]
            self.signals.wait(fd)
        return super().sys_read(fd, n)

    def sys_write(self, fd: int, data: bytes) -> int:
        """Write, waiting for room (write(2)); a handled signal leaves what was not yet written."""
        if not (self.signals.handlers and _waits(fd) and _is_pipe_or_socket(fd)):
            return super().sys_write(fd, data)
        os.write(fd, b"")  # EBADF for what was not opened for writing: poll(2) would wait for ever
        written = 0
        with suppress(InterruptedError):
            while written < len(data):
                self.signals.wait(fd, select.POLLOUT)
                written += os.write(fd, data[written : written + PIPE_BUF])
        return written if written or not data else interrupted()

    def waiting(self) -> Callable[..., None] | None:
        """Return what waits for a descriptor or a signal; None if no signal is handled."""
        return self.signals.wait if self.signals.handlers else None

    def sys_wait4(self, pid: int, options: int = 0) -> tuple[int, int]:
        """Reap a child, waiting for its end (wait4(2))."""
        return self.signals.wait4(pid, options)

    def sys_unshare(self, flags: int) -> None:
        """Move into new namespaces (unshare(2)); of a new time namespace that is noted, for execve."""
        super().sys_unshare(flags)
        self.time_apart |= bool(flags & CLONE_NEWTIME)

    def sys_msgsnd(self, msqid: int, mtype: int, data: bytes, flags: int = 0) -> None:
        """Append a message, waiting for room (msgsnd(2))."""
        self._waiting(flags, lambda flags: ipc.msgsnd(msqid, mtype, data, flags))

    def sys_msgrcv(self, msqid: int, size: int, mtype: int = 0, flags: int = 0) -> tuple[int, bytes]:
        """Take a message, waiting for one (msgrcv(2))."""
        return self._waiting(flags, lambda flags: ipc.msgrcv(msqid, size, mtype, flags))

    def _waiting(self, flags: int, call: Callable[[int], Any]) -> Any:
        """Make a call that waits; with handled signals, which are blocked meanwhile, look again and again."""
        if flags & IPC_NOWAIT or not self.signals.handlers:
            return call(flags)
        while True:
            try:
                return call(flags | IPC_NOWAIT)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOMSG):
                    raise
            self.signals.wait(timeout_s=LOOK_AGAIN_S)

    def sys_shmat(self, shmid: int, flags: int = 0) -> int:
        """Attach a segment (shmat(2)); noted, since execve detaches it."""
        address = ipc.shmat(shmid, flags)
        self.attached.add(address)
        return address

    def sys_shmdt(self, address: int) -> None:
        """Detach a segment (shmdt(2))."""
        ipc.shmdt(address)
        self.attached.discard(address)

    def sys_mmap(self, length: int, flags: int = 0) -> int:
        """Map memory (mmap(2)); noted, since execve unmaps it."""
        address = memory.mmap(length, flags)
        self.mapped[address] = length
        return address

    def sys_signal(self, signum: int, handler: Handler) -> Handler:
        """Say what a signal does (signal(2))."""
        return self.signals.set(signum, handler)

    def sys_sleep(self, seconds: float) -> None:
        """Do nothing for a time (nanosleep(2))."""
        self.signals.sleep(seconds)

    def sys_pause(self) -> None:
        """Wait for a signal (pause(2))."""
        self.signals.pause()

    def sys_sched_yield(self) -> None:
        """Let others run (sched_yield(2)); the driver looks for signals after each call."""
        os.sched_yield()

    def sys_getppid(self) -> int:
        """Return the parent's id (getppid(2))."""
        return os.getppid()

    def sys_time_ns(self) -> int:
        """Return the time of day (clock_gettime(2))."""
        return time.time_ns()

    def sys_exit(self, status: int) -> NoReturn:
        """End (_exit(2))."""
        raise Exit(status & 0xFF)

    def begin_time(self) -> None:
        """Come into the time namespace for children, as by execve(2): here that takes /proc, and setns(2)'s rights."""
        if self.time_apart:
            self.time_apart = False
            with suppress(OSError):
                fd = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    syscalls.setns(fd, CLONE_NEWTIME)
                finally:
                    os.close(fd)

    def close_on_exec(self) -> None:
        """Do what execve(2) does to descriptors, memory and signals."""
        while self.attached:
            ipc.shmdt(self.attached.pop())
        while self.mapped:
            memory.munmap(*self.mapped.popitem())
        self.signals.reset()
        for fd in self.cloexec:
            os.close(fd)
        self.cloexec.clear()


class Task:
    """One task: its program's name, and the channel on which it reports. The helper knows its line of descent."""

    def __init__(self, actor: str, channel: int, tracing: Page, calls: TaskCalls, title: Title) -> None:
        """Be a task of this very process."""
        self.actor = actor
        self.channel = channel
        self.tracing = tracing
        self.calls = calls
        self.title = title
        calls.calls["clone"] = self.clone
        calls.calls["execve"] = self.execve

    def begin(self, main: Main, args: Sequence[Any], fds: Mapping[int, int] | None) -> NoReturn:
        """Run ``main(System(), *args)`` in a freshly cloned process, to its end."""
        try:
            if fds is not None:
                self.keep(fds)
            os.closerange(OWN_FDS, self.channel)
            os.closerange(self.channel + 1, _MOST_FDS)
            self.calls.time_apart = False
            self.calls.signals.after_clone()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD} - set(self.calls.signals.handlers))
            for signum in {signal.SIGIO, signal.SIGPIPE, signal.SIGXFSZ} - self.calls.signals.ignored:
                signal.signal(signum, signal.SIG_DFL)
            self.drive(main(System(), *args))
        except BaseException:  # noqa: BLE001  nothing may get out of this process
            traceback.print_exc()
        finally:
            os._exit(ORPHANED)

    def keep(self, fds: Mapping[int, int]) -> None:
        """Keep only the given descriptors: number here → number before; of 3 and up those close-on-exec stay so."""
        closing = {mine for mine, theirs in fds.items() if mine > STDERR_FILENO and theirs in self.calls.cloexec}
        moved = {mine: fcntl(theirs, F_DUPFD_CLOEXEC, OWN_FDS) for mine, theirs in fds.items()}
        os.closerange(0, OWN_FDS)
        self.calls.cloexec.clear()
        self.calls.cloexec |= closing
        for mine, fd in moved.items():
            os.dup2(fd, mine)
            os.close(fd)

    def drive(self, coroutine: Coroutine[Any, Any, int]) -> NoReturn:
        """Perform what the coroutine asks for until it ends, then exit with what it returned."""
        value: Any = None
        error: Exception | None = None
        while True:
            self.calls.signals.run_handlers()  # on the way back from a call, as in Linux: before its result is seen
            try:
                trap: Trap = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as stop:
                trap = Trap("exit", (stop.value or 0,))
            except Exception:  # noqa: BLE001  a mistake in the program
                self.crash(traceback.format_exc())
            value = error = None
            try:
                value = self.perform(trap.name, trap.args, trap.kwargs)
            except Exception as failed:  # noqa: BLE001  OSError, or wrong arguments: the program's mistake, which it shall see
                error = failed
            except Become as become:
                self.calls.close_on_exec()
                syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # as after any execve: else its /proc/self would be root's
                coroutine = become.args[0]
            except Exit as end:
                os._exit(end.args[0])

    def crash(self, text: str) -> NoReturn:
        """End a task whose program raised: as by abort(3), with the traceback on its standard error."""
        with suppress(OSError):
            self.perform("write", (2, text.encode("utf-8", "replace")), {})
        self.calls.signals.set(SIGABRT, SIG_DFL)
        os.kill(os.getpid(), SIGABRT)
        os._exit(128 + SIGABRT)  # the init of a PID namespace survives its own signals

    def perform(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Perform one call: the one place that all of a task's calls pass. Report it if somebody listens."""
        if not self.tracing[0] or name == "sched_yield":
            return self.calls.syscall(name, *args, **kwargs)
        report = Writer(self.actor, name, args, kwargs)
        kind = "stream" if name == "write" and _is_stream(args[0]) else "step"
        try:
            value = self.calls.syscall(name, *args, **kwargs)
        except OSError as error:
            self.report(report.frame(kind, False, wire.pack_error(error)))
            raise
        except (Become, Exit):
            self.report(report.frame("step", True, None))
            raise
        if name != "clone":
            self.report(report.frame(kind, True, value))
        return value

    def report(self, frame: bytes, fds: Sequence[int] = ()) -> None:
        """Tell the helper, and wait until it has looked; end if it does not listen (any more)."""
        try:
            if fds:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=self.channel)
                sent = socket.send_fds(sock, [frame], list(fds))
                sock.detach()
                frame = frame[sent:]
            if frame:
                wire.write(self.channel, frame)
            if os.read(self.channel, 1):
                return
        except OSError:
            pass
        os._exit(ORPHANED)

    def clone(self, main: Main, *args: Any, flags: int = 0, fds: Mapping[int, int] | None = None) -> int:
        """Start a child of this task (clone(2))."""
        for fd in (fds or {}).values():
            os.fstat(checked(fd))
        ours, theirs = map(own_fd, map(socket.socket.detach, socket.socketpair()))
        try:
            pid = syscalls.clone(flags)
        except OSError:
            os.close(ours)
            os.close(theirs)
            raise
        if pid == 0:
            if flags & CLONE_NEWNET:
                netns.ipv4_only()
            child = Task(self.actor, theirs, self.tracing, self.calls, self.title)
            child.begin(main, args, fds)
        os.close(theirs)
        report = Writer(self.actor, "clone", (main, *args), {"flags": flags, "fds": fds and dict(fds)})
        told = [own_fd(os.pidfd_open(pid))] if self.tracing[0] else []
        self.report(report.frame("clone", True, pid), [ours, *told])
        for fd in (ours, *told):
            os.close(fd)
        return pid

    def execve(self, path: str, argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
        """Become another program (execve(2)): the lab's here, any other by the kernel."""
        program = execve.examine(path, argv, env, elf_too=self.calls.programs == "lab")
        if program is None:
            self.execve_for_real(path, argv, env)
        self.actor = basename(path.rstrip("/"))[:TASK_COMM_LEN]
        self.title.set(self.actor, program.argv)
        self.calls.begin_time()
        capability.after_execve()
        raise Become(program.main(System(), program.argv, dict(env)))

    def execve_for_real(self, path: str, argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
        """Have the kernel do it. It closes the channel, by which the helper sees that it did.

        It closes descriptors in their order, and whoever sees one of the program's closed shall have heard of the call:
        so these wait above the channel, if there is room, and the program is not run by such a descriptor (fexecve(3)).
        """
        handlers = dict(self.calls.signals.handlers)
        waiting: dict[int, int] = {}
        try:
            if self.tracing[0]:
                call = Writer(self.actor, "execve", (path, list(argv), dict(env)), {"unseen": True})
                wire.write(self.channel, call.frame("exec", True, None))
                if "/fd/" not in path:
                    self.set_aside(waiting)
            self.calls.signals.reset()
            for fd in self.calls.cloexec - waiting.keys():
                os.set_inheritable(fd, False)
            os.execve(path, list(argv), dict(env))  # noqa: S606  the shell would be another program
        finally:
            for fd, moved in waiting.items():
                os.dup2(moved, fd)
                os.close(moved)
            for signum, handler in handlers.items():
                self.calls.signals.set(signum, handler)

    def set_aside(self, waiting: dict[int, int]) -> None:
        """Move what execve closes above the channel, and note where to."""
        with suppress(OSError):
            for fd in self.calls.cloexec:
                waiting[fd] = fcntl(fd, F_DUPFD_CLOEXEC, self.channel + 1)
        for fd in waiting:
            os.close(fd)


def _is_stream(fd: int) -> bool:
    """Does what is written here go to a pipe? Then no layer changes by it: what has changed, another task did."""
    try:
        return S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


def _is_pipe_or_socket(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return S_ISFIFO(mode) or S_ISSOCK(mode)


def _waits(fd: int) -> bool:
    """May a read or write of this descriptor wait?"""
    try:
        return os.get_blocking(checked(fd))
    except OSError:
        return False


def modules() -> list[str]:
    """Return the modules of all the lab's programs."""
    names = {*programs.MODULES.values(), *programs.GIVEN.values()}
    return [_LINKS, *sorted(f"{programs.__name__}.{module}" for module in names)]


def load(module: str) -> None:
    """Import a module now, because a task in a container finds no file of the host's."""
    try:
        import_module(module)
    except ModuleNotFoundError:
        if module != _LINKS:  # without pyroute2 its calls say so
            raise
