"""The helper: a small process that holds the lab's mounts, tasks and descriptors, and dies with the lab.

It is PID 1 of a PID namespace of its own, with mount, network, UTS and IPC namespaces of its own: when it ends, by
whatever cause, the kernel kills every task and undoes every mount (pid_namespaces(7), "The namespace init process"). So
nothing has to be cleaned up. It has one thread and one loop; the lab's requests come one at a time.
"""

import errno
import fcntl
import gc
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from minidocker.linux import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    fail,
)
from minidocker.real import cgroup_namespace, netns, syscalls, tasks, wire
from minidocker.real.host import Host, own_epoll, own_fd
from minidocker.real.own import OWN_FDS, allow_descriptors
from minidocker.real.reports import BadReport, Report
from minidocker.real.steps import Channel, Steps, as_root, drop
from minidocker.real.title import Title
from minidocker.real.tracing import shared_page

#: Where Docker's own directories are: on a disk of the lab's own, which hides the host's.
DISK: Final = "/var/lib"

#: What the host's side is called: its UTS namespace is its own, and a trace tells no machine's name.
HOSTNAME: Final = "host"

#: So many tasks of one container can report in any case.
MOST_CHANNELS: Final = 64


def main(lab: int, lifeline: int, lab_pidfd: int) -> NoReturn:
    """Make PID 1 of new namespaces, a child of the lab itself, and end; the child serves."""
    settings = wire.receive(lab)
    sys.path[:] = settings["path"]
    gate, opener = os.pipe()
    flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | syscalls.CLONE_PARENT
    try:
        pid = syscalls.clone(flags | (CLONE_NEWUSER if settings["rootless"] else 0))
        if pid == 0:
            os.close(opener)
            if os.read(gate, 1):
                serve(lab, lifeline, lab_pidfd, settings)
            os._exit(1)
        ids = None
        if settings["rootless"]:
            from minidocker.real import idmap  # noqa: PLC0415  only this face needs it

            ids = idmap.write(pid, settings["uid"], settings["gid"])
        wire.send(lab, ("pid", pid, ids))
        os.write(opener, b"!")
    except OSError as error:
        wire.send(lab, ("error", wire.pack_error(error)))
    os._exit(0)


def serve(lab: int, lifeline: int, lab_pidfd: int, settings: dict[str, Any]) -> NoReturn:
    """Be PID 1: set up, then answer until the lab is gone."""
    try:
        set_up(settings)
        lab, lifeline, lab_pidfd = own_fd(lab), own_fd(lifeline), own_fd(lab_pidfd)
        die_with(lifeline)
        quiet()
        helper = Helper(lab, lab_pidfd, settings["programs"], rootless=settings["rootless"])
    except BaseException as error:  # noqa: BLE001  whatever it is, the lab must hear of it
        error.add_note(traceback.format_exc())
        wire.send(lab, ("error", wire.pack_error(error)))
        os._exit(1)
    helper.loop()


def set_up(settings: dict[str, Any]) -> None:
    """Give this process a world of its own: mounts that nobody else sees, and a disk for Docker's directories."""
    os.setsid()
    allow_descriptors()
    syscalls.mount("", "/", flags=MS_REC | MS_PRIVATE)
    cgroup_namespace.enter(settings["cgroups"])
    size = f",size={settings['size_bytes']}" if settings["size_bytes"] else ""
    syscalls.mount("minidocker", DISK, "tmpfs", 0, f"mode=755{size}")
    os.mkdir(DISK + "/docker", 0o710)
    with suppress(PermissionError):  # rootless inside of another container /proc may be covered: then the host's stays
        syscalls.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    netns.ipv4_only()
    netns.loopback_up()
    with open("/proc/self/comm", "w", encoding="ascii") as name:
        name.write("minidocker")  # else it would be the number of the descriptor that it runs from
    syscalls.sethostname(HOSTNAME)
    os.chdir("/")
    os.umask(0o022)
    # Nobody else may look into this process's memory, or reach the host through /proc/1/fd or its binary.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def die_with(lifeline: int) -> None:
    """Have the end of the lab end this process even in the middle of a job.

    The lab holds the other end of this pipe; when it is gone the kernel sends SIGIO. (PR_SET_PDEATHSIG would do, did it
    not follow the *thread* that started us: a lab opened in a thread that ends would lose its kernel.)
    """
    signal.signal(signal.SIGIO, lambda _signal, _frame: os._exit(1))
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    gone = select.poll()  # select(2) knows no descriptor above 1,023
    gone.register(lifeline, select.POLLIN)
    if gone.poll(0):
        os._exit(1)


def quiet() -> None:
    """Have descriptors 0 to 2 lead nowhere, and nothing else open below the lab's own."""
    os.closerange(0, OWN_FDS)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Helper:
    """The loop: requests of the lab, reports of its tasks, news."""

    def __init__(self, lab: int, lab_pidfd: int, programs: str, *, rootless: bool) -> None:
        """Take the descriptors that lead to the lab, and what an ELF file runs: itself, or the lab's program."""
        self.rootless = rootless
        self.lab = lab
        self.host = Host()
        self.host.calls |= {"clone": self.clone, "wait4": self.wait4}
        self.tracing, self.seen_tracing = shared_page()
        """Its first byte says whether calls are reported. Tasks have the second of the two, and can only read it."""
        self.steps = Steps(self.host)
        self.children: dict[int, int] = {}
        """pidfd → pid of the children whose end was not told yet."""
        self.programs = programs
        self.born = 0
        self.number = 0
        self.polling: float | None = None
        """When the poll that waits for its answer must have it: seconds on the monotonic clock."""
        self.attending: Callable[..., Any] | None = None
        """What the poller wants done about each event."""
        self.epoll = own_epoll()
        self.epoll.register(self.host.news.fileno(), 0)
        self.hooks: dict[int, Callable[[], None]] = {
            lab: self.request,
            lab_pidfd: self.end,
            self.host.news.fileno(): lambda: None,
        }
        self.channels: set[int] = set()
        """Of those descriptors the ones on which tasks report."""
        self.families: Counter[str] = Counter()
        """How many channels the descendants of each child of the lab have."""
        self.most_channels = max(MOST_CHANNELS, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OWN_FDS) // 8)
        """How many they can have: others must find room for theirs."""
        self.pids: set[int] = set()
        """The children that the lab started and has not waited for."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        ended = own_fd(syscalls.signalfd(-1, {signal.SIGCHLD}))
        self.hooks[ended] = self.reap_orphans
        for fd in (lab, lab_pidfd, ended):
            self.epoll.register(fd, select.EPOLLIN)
        self.unloaded = tasks.modules()
        self.depth = len(_numbers("/proc/self/status")) - 1
        """How many PID namespaces /proc shows around this one: none, but for a rootless lab that shows the host's."""
        self.title = Title()
        self.ready = tasks.TaskCalls(self.host, programs=programs)
        """What the next child will call: made here, for all that a child writes into is copied for it first."""
        self.verbs: dict[str, Callable[..., Any]] = {
            "job": self.job,
            "nothing": lambda: None,
            "poll": self.poll,
            "watch": self.host.watch,
            "trace": self.trace,
            "observe": self.steps.observe,
            "unobserve": self.steps.unobserve,
            "take": self.take,
        }

    def loop(self) -> NoReturn:
        """Serve until the lab is gone."""
        try:
            wire.send(self.lab, ("ready",))
            self.give(self.host.news.fileno())
            while True:
                for fd, _ in self.epoll.poll(self.timeout_s()):
                    if fd in self.hooks:
                        self.hooks[fd]()
                if self.polling is not None:
                    self.answer_poll()
                elif self.unloaded:
                    self.preload()
        except (wire.Gone, BrokenPipeError, ConnectionResetError):
            self.end()

    def end(self) -> NoReturn:
        """Leave: the kernel kills all tasks and undoes all mounts."""
        os._exit(0)

    def timeout_s(self) -> float | None:
        """Return how long the loop may wait."""
        if self.polling is not None:
            return None if self.polling == float("inf") else max(0.0, self.polling - time.monotonic())
        return 0 if self.unloaded else None

    def preload(self, *, all_of_them: bool = False) -> None:
        """Import what tasks will need: after pivot_root they find no file of the host's."""
        while self.unloaded:
            with as_root():  # a user may not read the interpreter's own files, where root keeps them
                tasks.load(self.unloaded.pop())
            if not self.unloaded:
                gc.freeze()  # else the first collection in each child would copy all of this memory
            if not all_of_them:
                return

    # the lab's requests

    def request(self) -> None:
        """Take one request and answer it; a poll is answered later."""
        self.number, verb, name, args, kwargs = wire.receive(self.lab)
        self.stop_polling()
        try:
            value = self.call(name, args, kwargs) if verb == "call" else self.verbs[verb](*args)
        except Exception as error:  # noqa: BLE001  it is the lab's to judge
            self.answer(False, _packed(error))
        else:
            if self.polling is None:
                self.answer(True, wire.pack(value))

    def answer(self, ok: bool, value: Any, *, final: bool = True) -> None:
        """Send the answer to the present request, and the steps since the last one."""
        wire.send(self.lab, (self.number, final, ok, value, self.steps.take()))

    def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Perform a call for task "0" and note it if somebody listens."""
        if not self.tracing[0]:
            return self.host.syscall(name, *args, **kwargs)
        answer: tuple[Any, ...] = ()
        try:
            value = self.host.syscall(name, *args, **kwargs)
            answer = (True, wire.pack(value))
            return value
        except OSError as error:
            answer = (False, wire.pack_error(error))
            raise
        finally:
            if answer:
                shown = (wire.named(args[0]), *map(wire.pack, args[1:])) if name == "clone" else args
                born = self.newborn(answer[1]) if name == "clone" and answer[0] else {}
                self.steps.add("0", "daemon", name, shown, kwargs, answer, **born)

    def job(self, function: str, *args: Any) -> Any:
        """Run a function of the lab's close to the kernel."""
        return wire.resolve(function)(self.host, *args)

    def trace(self, on: bool) -> None:
        """Begin or stop noting calls."""
        self.tracing[0] = on

    def give(self, fd: int) -> None:
        """Send the lab a descriptor."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=self.lab)
        socket.send_fds(sock, [b"!"], [fd])
        sock.detach()

    def take(self) -> int:
        """Receive a descriptor of the lab's, as the lowest free one of the host's side."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=self.lab)
        _, fds, _, _ = socket.recv_fds(sock, 1, 1)
        sock.detach()
        os.set_inheritable(fds[0], False)  # recvmsg(2) leaves it open over an execve
        return self.host.new_fd(fds[0], os.O_CLOEXEC)

    # tasks

    def clone(
        self, main: str, *args: Any, flags: int = 0, fds: Mapping[int, int] | None = None, cgroup: int | None = None
    ) -> int:
        """Start a task that runs main, and return its pid."""
        function = wire.resolve(main)
        self.preload(all_of_them=True)
        for fd in (fds or {}).values():
            self.host.make_waiting(fd)
        ours, theirs = socket.socketpair()
        pid = syscalls.clone(flags, cgroup)
        if pid == 0:
            os.close(ours.detach())
            if flags & CLONE_NEWNET:
                netns.ipv4_only()
            if self.rootless:
                # Else /proc/PID/ns would be closed to us, too: this program began outside of the user namespace. Tasks
                # in containers, which have fewer capabilities, still may not look in (ptrace(2), access mode checking).
                syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
                theirs.send(b"!")
            calls = self.ready
            calls.cloexec |= self.host.cloexec
            self.title.set("init", [])
            task = tasks.Task("init", own_fd(theirs.detach()), self.seen_tracing, calls, self.title)
            task.begin(function, args, fds)
        self.born += 1
        theirs.close()
        if self.rootless:
            ours.recv(1)  # nothing if it has died
        self.listen_to(Channel(ours, f"0.{self.born}"))
        pidfd = own_fd(os.pidfd_open(pid))
        self.children[pidfd] = pid
        self.pids.add(pid)
        self.host.news.register(pidfd, select.EPOLLIN)
        return pid

    def wait4(self, pid: int, options: int = 0) -> tuple[int, int]:
        """Reap a child of the lab's (wait4(2)); EAGAIN if none has ended."""
        found, status = self.host.sys_wait4(pid, options)
        self.pids.discard(found)
        self.reap_orphans()
        return found, status

    def reap_orphans(self) -> None:
        """Reap what lost its parent and became PID 1's: nobody else will wait for it."""
        signal.sigtimedwait({signal.SIGCHLD}, 0)
        with suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in self.pids:
                    return  # it stays until the lab waits for it; then we look behind it
                os.waitpid(ended.si_pid, 0)

    def newborn(self, pid: int) -> dict[str, Any]:
        """Return what an event tells of the child that was just started."""
        pidfd = next(fd for fd, number in self.children.items() if number == pid)
        return {"child": f"0.{self.born}", "pids": self.numbers(pidfd)}

    def listen_to(self, channel: Channel) -> None:
        """Take reports of a task from now on. Where there is no room it ends when it first reports."""
        try:
            if self.families[channel.family] >= self.most_channels:
                fail(errno.EMFILE)
            channel.move()
            self.epoll.register(channel.sock, select.EPOLLIN)
        except OSError:
            channel.close()
            return
        self.families[channel.family] += 1
        self.channels.add(channel.sock.fileno())
        self.hooks[channel.sock.fileno()] = lambda: self.reports(channel)

    def forget(self, channel: Channel) -> None:
        """Take no more reports on a channel."""
        if self.hooks.pop(channel.sock.fileno(), None) is None:
            return  # a closed socket has the number -1
        self.channels.discard(channel.sock.fileno())
        self.steps.forget(channel)
        self.epoll.unregister(channel.sock)
        self.families[channel.family] -= 1
        if not self.families[channel.family]:
            del self.families[channel.family]
        channel.close()

    def reports(self, channel: Channel) -> None:
        """Note what a task has done, and let it go on. It may be anybody's words: nothing ends this process."""
        try:
            try:
                for report in channel.reports():
                    self.take_report(channel, report)
            except (wire.Gone, ConnectionResetError):
                if channel.exec:
                    self.steps.unseen = True
                    self.note(channel, channel.exec)
                self.forget(channel)
        except (BadReport, OSError):
            self.forget(channel)
        except Exception as error:  # noqa: BLE001  a mistake of ours, which the lab must hear of
            error.add_note(traceback.format_exc())
            self.steps.failed(error)
            self.forget(channel)

    def take_report(self, channel: Channel, report: Report) -> None:
        """Note a report, and answer it. An execve is not answered: it is noted when it has closed the channel."""
        channel.exec = report if report.kind == "exec" else None
        if channel.exec:
            return
        born: dict[str, Any] = {}
        if report.kind == "clone":
            child = channel.child()
            if (pidfd := channel.pidfd()) is not None:
                try:
                    born = {"child": child.line, "pids": self.numbers(pidfd)}
                finally:
                    drop(pidfd)
            self.listen_to(child)
        self.note(channel, report, **born)
        self.steps.acknowledge(channel)

    def numbers(self, pidfd: int) -> tuple[int, ...]:
        """Return a task's numbers, from this PID namespace inwards (pidfd_open(2), /proc/self/fdinfo)."""
        return _numbers(f"/proc/self/fdinfo/{pidfd}")[self.depth :]

    def note(self, channel: Channel, report: Report, **born: Any) -> None:
        """Queue a step, if somebody listens. Changes in upper directories by a write to a pipe are another task's."""
        if self.tracing[0]:
            _, actor, name, args, kwargs, answer, size = report
            look = report.kind != "stream"
            self.steps.add(channel.line, actor, name, args, kwargs, answer, look=look, size=size, **born)

    # news

    def poll(self, timeout_s: float | None, function: str) -> None:
        """Have the loop answer when there is news, or when the time has passed; a function is called for each event."""
        self.attending = wire.resolve(function) if function else None
        self.polling = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        self.epoll.modify(self.host.news.fileno(), select.EPOLLIN)

    def stop_polling(self) -> None:
        """Let no news wake the loop."""
        if self.polling is not None:
            self.polling = None
            self.epoll.modify(self.host.news.fileno(), 0)

    def answer_poll(self) -> None:
        """Answer the waiting poll if there is something to say; send what steps there are in any case."""
        events = self.events()
        if events:
            self.hear_tasks()
        deadline = self.polling or 0.0
        if events or time.monotonic() >= deadline or not self.anything_can_happen():
            self.stop_polling()
            self.tell(events)
        elif self.steps.waiting:
            self.answer(True, None, final=False)

    def tell(self, events: list[tuple[str, int]]) -> None:
        """Answer the poll with what is new, and with what came of attending to it."""
        try:
            told = [self.attending(self.host, *event) for event in events] if self.attending else None
        except Exception as error:  # noqa: BLE001  it is the lab's to judge
            self.answer(False, _packed(error))
        else:
            self.answer(True, (events, told))

    def hear_tasks(self) -> None:
        """Note what tasks reported before they made the news: by now it is there, whatever the loop has seen."""
        for fd, _ in self.epoll.poll(0):
            if fd in self.channels:
                self.hooks[fd]()

    def events(self) -> list[tuple[str, int]]:
        """Return what is new: a readable descriptor as long as it is, an ended child once, and after what it wrote."""
        readable, exited = [], []
        for fd, _ in self.host.news.poll(0):
            if fd in self.children:
                exited.append(("exited", self.children.pop(fd)))
                self.host.news.unregister(fd)
                os.close(fd)
            else:
                readable.append(("readable", fd))
        return readable + exited

    def anything_can_happen(self) -> bool:
        """Is there a task that could make news?"""
        try:
            return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None or bool(self.children)
        except ChildProcessError:
            return False


def _packed(error: Exception) -> tuple[Any, ...]:
    """Return an error for the wire; one that no call makes, with where it came from."""
    if not isinstance(error, OSError):
        error.add_note(traceback.format_exc())
    return wire.pack_error(error)


def _numbers(path: str) -> tuple[int, ...]:
    """Return a task's numbers from the outermost PID namespace that /proc shows inwards (proc(5), NSpid)."""
    with open(path, encoding="ascii", errors="replace") as lines:
        words = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [])
    return tuple(map(int, words))
