"""A task of the simulated kernel (Linux's struct task_struct), and how it waits.

What the members mean is theirs to say: root, working directory and umask in ``path.py``, descriptors in
``descriptors.py``, credentials in ``credentials.py``, namespaces in ``namespaces.py``. A task runs a coroutine over
:class:`minidocker.system.System`; the host's task (pid 1, line ``"0"``) has none: it is whoever calls the kernel's
plain functions.
"""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from minidocker.system import Trap

if TYPE_CHECKING:
    from minidocker.port import Inner
    from minidocker.sim.cgroup.fair import Share
    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.cgroup.memory import Memory
    from minidocker.sim.cgroup.usage import Usage
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.descriptors import Descriptors
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.memory import AddressSpace
    from minidocker.sim.namespaces import Namespaces
    from minidocker.sim.path import FsContext, Location
    from minidocker.sim.seccomp import Filter
    from minidocker.sim.signals import Signals


class WaitQueue:
    """The tasks that wait for one thing (Linux's wait_queue_head)."""

    __slots__ = ("tasks",)

    def __init__(self) -> None:
        """Start with nobody."""
        self.tasks: list[Task] = []

    def wake(self) -> None:
        """Let everybody here try again."""
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.kernel.scheduler.ready(task)


class Wait(Exception):
    """The call cannot be answered yet. The task is parked in the queues, or until a time, and then calls again.

    While the call is made again, ``task.wait`` is the Wait that it raised the last time (None at the first attempt).
    ``kept`` is the call's own: what it must still know then. ``interrupted`` says that a signal handler ran meanwhile:
    a call that would wait once more then fails with EINTR (``SimKernel.perform`` sees to it).
    """

    def __init__(self, *queues: WaitQueue, until_ns: int | None = None, kept: Any = None) -> None:
        """Name what may end the waiting: any of the queues, or the clock."""
        super().__init__()
        self.queues = queues
        self.until_ns = until_ns
        self.kept = kept
        self.told: list[Inner] = []
        """What happened inside the call before it had to wait: told with it when it ends."""
        self.interrupted = False


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Task:
    """One task. ``pid`` is its number in the outermost PID namespace; ``ns.pid`` knows the others."""

    kernel: "SimKernel"
    pid: int
    line: str
    name: str
    parent: "Task | None"
    creds: "Credentials"
    fs: "FsContext"
    files: "Descriptors"
    ns: "Namespaces"
    signals: "Signals"
    memory: "AddressSpace"
    children: "list[Task]" = field(default_factory=list)
    coroutine: Coroutine[Any, Any, int] | None = None
    argv: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    seccomp: "Filter | None" = None
    """What judges its system calls, if anything does."""
    status: int | None = None
    """The wait4 status once it has ended (then it is a zombie until reaped)."""
    born: int = 0
    """How many children it ever had: the next one's line is ``f"{line}.{born + 1}"``."""
    exe: "Location | None" = None
    """Where the file lies that it became by execve: what /proc/PID/exe leads to."""
    started_ns: int = 0
    """When it was cloned, by the kernel's clock."""
    child_ended: WaitQueue = field(default_factory=WaitQueue)
    """Where it waits in wait4."""
    wait: Wait | None = None
    """What the call that it is making waits, or waited, for; None if the call did not wait."""
    trap: Trap | None = None
    """The call that is to be made again when it is woken."""
    answer: Any = None
    """The result of its last call, or the exception, for its program to get when its turn comes."""
    queued: bool = False
    """Does it stand in the run queue?"""
    cgroups: "Mapping[int, Cgroup]" = field(default_factory=dict)
    """Its group in each hierarchy, by the hierarchy's number. Never changed in place: a child has its parent's."""
    frozen: int = 0
    """By what it is frozen, so that it gets no turn (``cgroup/freezer.py``)."""
    cpus: tuple[int, ...] | None = None
    """On which processors it may run; None: on all."""
    usages: "tuple[Usage, ...]" = ()
    """Where its processor time is counted: its groups and those around."""
    user_ns: int = 0
    system_ns: int = 0
    """How much processor time it has had, in its own loops and in calls."""
    ready_ns: int = 0
    """Since when it waits for a turn."""
    last_cpu: int = 0
    """The processor that it ran on last."""
    overrun_ns: int = 0
    """By how much its last turn was too long."""
    share: "Share | None" = None
    """Whose share of the processors it uses; None while there is no cpu controller."""
    oom_score_adj: int = 0
    """What is added to its badness (proc_pid_oom_score_adj(5))."""
    memcg: "Memory | None" = None
    """Who is charged for the pages that it touches first; None: nobody, it is in the root group."""

    @property
    def comm(self) -> str:
        """Its name in /proc: the host's side is called there what it is called on a real host."""
        return "minidocker" if self is self.kernel.host else self.name

    def __repr__(self) -> str:
        """Return line and name."""
        return f"Task({self.line} {self.name!r})"

    @property
    def alive(self) -> bool:
        """Has it not ended yet?"""
        return self.status is None
