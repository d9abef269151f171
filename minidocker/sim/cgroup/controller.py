"""What a controller is: its name, a state for each group, and the files by which it is told and asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from minidocker.sim.cgroup.filesystem import CgroupFile
    from minidocker.sim.cgroup.group import Cgroup, State
    from minidocker.sim.task import Task

Read: TypeAlias = "Callable[[Cgroup, Task], str]"
Write: TypeAlias = "Callable[[Cgroup, Writer, str], None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes: the task, and the open file, which knows with whose rights it was opened."""

    task: "Task"
    file: "CgroupFile"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of each group (Linux's struct cftype): how it is read (None: EINVAL), and written (None: EINVAL).

    ``on_root`` and ``on_others`` say whether the hierarchy's root and the other groups have it.
    """

    name: str
    read: "Read | None" = None
    write: "Write | None" = None
    on_root: bool = True
    on_others: bool = True

    @property
    def mode(self) -> int:
        """The permission bits: what can be read or written, the writing by the owner alone."""
        return (0o444 if self.read else 0) | (0o200 if self.write else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A controller. ``threaded``: may it be handed down by a group that has tasks itself (cgroup-v2.rst, "Threads")?"""

    name: str
    make: "Callable[[Cgroup], State]"
    v1: Sequence[File] = ()
    v2: Sequence[File] = ()
    threaded: bool = True
