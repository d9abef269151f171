"""Signals: kill, what a signal does to a task, and when (signal(7)).

A signal that is sent only becomes pending and lets its task run. It is delivered when the task's turn comes, on its way
back to its program, as in Linux: :func:`deliver`. A handler is a plain function; it is called there. If the task was
waiting in a call, it makes the call again, and if that would wait once more, it fails with EINTR.
"""

import errno
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from minidocker.linux import (
    SIG_DFL,
    SIG_IGN,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGNALS,
    SIGSTOP,
    SIGTSTP,
    fail,
)
from minidocker.sim.refuse import refuse
from minidocker.sim.task import Wait

if TYPE_CHECKING:
    from minidocker.sim.task import Task

Handler: TypeAlias = int | Callable[[int], None]

#: The highest number of a signal.
LAST: Final = 64
UNCATCHABLE: Final = frozenset({SIGKILL, SIGSTOP})
STOPPING: Final = frozenset({SIGSTOP, SIGTSTP, SIGNALS["TTIN"], SIGNALS["TTOU"]})
IGNORED_BY_DEFAULT: Final = frozenset({SIGCHLD, SIGCONT, SIGNALS["URG"], SIGNALS["WINCH"]})


class Signals:
    """What the signals do to one task, and which ones it has yet to take."""

    __slots__ = ("handlers", "pending", "stopped")

    def __init__(self) -> None:
        """Start with every signal at its default, none pending."""
        self.handlers: dict[int, Handler] = {}
        self.pending: set[int] = set()
        self.stopped = False

    def copy(self) -> "Signals":
        """Return the child's: the same handlers, nothing pending (fork(2))."""
        new = Signals()
        new.handlers = dict(self.handlers)
        return new

    def reset(self) -> None:
        """Forget the handlers, which execve's new program does not have; what is ignored stays ignored (execve(2))."""
        self.handlers = {signum: SIG_IGN for signum, handler in self.handlers.items() if handler == SIG_IGN}

    def handler(self, signum: int) -> Handler:
        """Return what a signal does: SIG_DFL, SIG_IGN or a function."""
        return self.handlers.get(signum, SIG_DFL)

    def ignores(self, signum: int) -> bool:
        """Would nothing at all happen?"""
        handler = self.handlers.get(signum, SIG_DFL)
        return signum not in UNCATCHABLE and (
            handler == SIG_IGN or (handler == SIG_DFL and signum in IGNORED_BY_DEFAULT)
        )

    @property
    def deadly(self) -> bool:
        """Will a pending signal end the task before it sees its call's result?"""
        deadly = self.pending - STOPPING
        return any(signum == SIGKILL or self.handler(signum) == SIG_DFL for signum in deadly)


class Fate(Enum):
    """How a task goes on after its pending signals were delivered."""

    GOES_ON = 0
    STOPPED = 1
    ENDED = 2


def send(task: "Task", signum: int, sender: "Task | None" = None, *, forced: bool = False) -> None:
    """Make a signal pending for a task, unless it would ignore it. The kernel's own signals have no sender.

    ``forced``: not even an init is spared, as by the OOM killer's SIGKILL.
    """
    signals = task.signals
    if not task.alive:
        return
    if signum == SIGCONT:
        _continue(task)
    elif signum in STOPPING:
        signals.pending.discard(SIGCONT)
    if (not forced and _protected(task, signum, sender)) or signals.ignores(signum):
        return
    signals.pending.add(signum)
    if not signals.stopped or signum == SIGKILL:
        task.kernel.scheduler.ready(task)


def deliver(task: "Task", end: "Callable[[Task, int], None]") -> Fate:
    """Let the pending signals act, the lowest number first, SIGKILL before all; ``end(task, status)`` ends a task."""
    signals = task.signals
    while signals.pending:
        signum = SIGKILL if SIGKILL in signals.pending else min(signals.pending)
        signals.pending.discard(signum)
        handler = SIG_DFL if signum in UNCATCHABLE else signals.handler(signum)
        if callable(handler):
            if task.wait is not None:
                task.wait.interrupted = True
            handler(signum)
        elif handler == SIG_IGN or signum in IGNORED_BY_DEFAULT:
            continue
        elif signum in STOPPING:
            signals.stopped = True
        else:
            end(task, signum)
            return Fate.ENDED
    return Fate.STOPPED if signals.stopped else Fate.GOES_ON


def _continue(task: "Task") -> None:
    """Let a stopped task go on: SIGCONT does so whatever else it does, even if it is ignored."""
    signals = task.signals
    signals.pending -= STOPPING
    if signals.stopped:
        signals.stopped = False
        task.kernel.scheduler.ready(task)


def _protected(task: "Task", signum: int, sender: "Task | None") -> bool:
    """Tell whether an init is spared: it takes no signal without a handler, but SIGKILL and SIGSTOP from outside.

    pid_namespaces(7): so that nobody inside can kill pid 1 by accident.
    """
    if task is not task.ns.pid.init or callable(task.signals.handler(signum)):
        return False
    outside = sender is not None and sender.ns.pid is not task.ns.pid
    return not (outside and signum in UNCATCHABLE)


def may_signal(sender: "Task", task: "Task") -> bool:
    """Tell whether one task may signal another: of the same user, or by CAP_KILL in its user namespace (kill(2))."""
    mine, its = sender.creds, task.creds
    return bool({mine.uid, mine.euid} & {its.uid, its.suid}) or mine.capable(its.user, "CAP_KILL")


def sys_kill(task: "Task", pid: int, signal: int) -> None:
    """Send a signal (kill(2)); 0 only asks whether one could; pid -1 is all whom it sees but init and itself."""
    if pid == 0 or pid < -1:
        refuse(errno.ENOSYS, "has no process groups")
    targets = _everybody(task) if pid == -1 else [task.ns.pid.find(pid)]
    found = [target for target in targets if target is not None]
    if not found:
        fail(errno.ESRCH)
    if not 0 <= signal <= LAST:
        fail(errno.EINVAL)
    # SIGCONT is for all of the sender's session, and no task can leave the host's.
    allowed = [target for target in found if signal == SIGCONT or may_signal(task, target)]
    if not allowed:
        fail(errno.EPERM)
    for target in allowed:
        if signal:
            send(target, signal, task)


def _everybody(task: "Task") -> "list[Task | None]":
    return [other for other in task.ns.pid.tasks.values() if other is not task and other is not task.ns.pid.init]


def sys_signal(task: "Task", signum: int, handler: Handler) -> Handler:
    """Say what a signal does, and return what it did (signal(2)). SIGKILL and SIGSTOP: EINVAL."""
    if not 1 <= signum <= LAST or signum in UNCATCHABLE:
        fail(errno.EINVAL)
    if not callable(handler) and handler not in (SIG_DFL, SIG_IGN):
        fail(errno.EINVAL)
    old = task.signals.handler(signum)
    task.signals.handlers[signum] = handler
    if task.signals.ignores(signum):
        task.signals.pending.discard(signum)
    return old


def sys_pause(task: "Task") -> None:
    """Wait for a signal (pause(2)); ends only by EINTR."""
    raise Wait
