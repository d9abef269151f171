"""The one place that every system call passes, and what is told of it there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Port(Protocol):
    """The one place that every call passes."""

    def syscall(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Perform the named system call for the calling task and return its result, or raise OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """Something the kernel did inside a call: ``copy_up``, ``whiteout``, ``opaque``, ``oom_kill``, ``frame`` …

    ``path`` says where: a path of the merged tree, a cgroup, a link. ``size`` is the bytes copied. ``observed`` is true
    when it was not told by the kernel but concluded from what lay there before and after the call (the real kernel
    tells nobody); ``simulated`` when only the simulated kernel can tell it, so that it is not compared. ``data`` has
    more, as JSON's values.
    """

    name: str
    path: str
    size: int = 0
    observed: bool = False
    simulated: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyscallEvent:
    """One finished system call, as a listener gets it.

    ``task`` is the caller's line of descent: ``"0"`` is the host's side, ``"0.1"`` its first child, ``"0.1.2"`` that
    one's second. ``actor`` is the program's name (``"daemon"``, ``"init"``, ``"sh"``). Either ``error`` is None or
    ``result`` is. ``kwargs`` of an execve has ``unseen`` if the program runs as itself, so that none of its calls
    will be told. ``uppers`` maps the name of an observed upper directory to the entries that the call changed there:
    path → entry as JSON (see ``docs/trace.md``), or None where the entry is gone.
    """

    task: str
    actor: str
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any = None
    error: OSError | None = None
    inner: tuple[Inner, ...] = ()
    uppers: Mapping[str, Mapping[str, dict[str, Any] | None]]
    child: str = ""
    """Of a clone: the new task's line of descent."""
    pids: tuple[int, ...] = ()
    """Of a clone: the new task's number in the lab's outermost PID namespace, then in each one inwards to its own."""


class Listener(Protocol):
    """Who is told of each call. What it raises is kept for :attr:`Kernel.listener_error` and never breaks the call."""

    def __call__(self, event: SyscallEvent, /) -> None:
        """Take one finished call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """News for the host's side: ``"readable"`` (fd has data or its end) or ``"exited"`` (pid can be waited for)."""

    kind: str
    fd: int = -1
    pid: int = 0

    @property
    def number(self) -> int:
        """What it is about: the descriptor, or the pid."""
        return self.pid if self.kind == "exited" else self.fd
