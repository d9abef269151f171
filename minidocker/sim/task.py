"""A task of the simulated kernel (Linux's struct task_struct), and how it waits.

What the members mean is theirs to say: root, working directory and umask in ``path.py``, descriptors in
``descriptors.py``, credentials in ``credentials.py``, namespaces in ``namespaces.py``. A task runs a coroutine over
:class:`minidocker.system.System`; the host's task (pid 1, line ``"0"``) has none: it is whoever calls the kernel's
plain functions.
"""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.descriptors import Descriptors
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.namespaces import Namespaces
    from minidocker.sim.path import FsContext
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


class Wait(Exception):  # noqa: N818  not an error: the scheduler's signal that a call cannot be answered yet
    """The call cannot be answered yet. The task is parked in the queues, or until a time, and then calls again."""

    def __init__(self, *queues: WaitQueue, until_ns: int | None = None) -> None:
        """Name what may end the waiting: any of the queues, or the clock."""
        super().__init__()
        self.queues = queues
        self.until_ns = until_ns


@dataclass(slots=True, kw_only=True, eq=False)
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
    children: "list[Task]" = field(default_factory=list)
    coroutine: Coroutine[Any, Any, int] | None = None
    argv: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    """The wait4 status once it has ended (then it is a zombie until reaped)."""
    born: int = 0
    """How many children it ever had: the next one's line is ``f"{line}.{born + 1}"``."""
