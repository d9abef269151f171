"""The OOM killer: when a group has no page left, somebody in it must go (mm/oom_kill.c, cgroup-v2.rst).

Whose *badness* is the highest: the pages it has, and ``oom_score_adj`` thousandths of all that the group may have on
top (proc_pid_oom_score_adj(5)). -1000 makes a task immune. The victim gets SIGKILL, which not even the init of a PID
namespace escapes, and its memory is given back at once (Linux's oom_reaper), so that the others can go on.
"""

from typing import TYPE_CHECKING, Any, Final

from minidocker.linux import SIGKILL
from minidocker.port import Inner
from minidocker.sim.signals import send
from minidocker.sim.sparse import PAGE, pages
from minidocker.sim.task import Wait

if TYPE_CHECKING:
    from minidocker.sim.cgroup.memory import Memory
    from minidocker.sim.task import Task

#: The oom_score_adj of those who are never killed.
IMMUNE: Final = -1000


def kill(task: "Task", over: "Memory", *, asked: bool = False) -> bool:
    """Kill in a group that is full, on behalf of a task; False if nobody can be killed.

    Where v1's oom_kill_disable is set the task waits instead; ``asked``: a new limit is the reason, nobody waits.
    """
    if over.kill_disabled and not asked:
        over.under_oom = True
        raise Wait(over.freed)
    over.count("oom")
    victim = _victim(over)
    if victim is None:
        return False
    _tell(over, victim)
    for one in _with_group(over, victim):
        _end(one)
    return True


def _victim(over: "Memory") -> "Task | None":
    """Return the worst task of a group and those below, the oldest of equals; who is dying already does not count."""
    found = [(badness(task, over), task) for task in over.group.all_tasks() if _may_die(task)]
    worst = max((points for points, _ in found), default=None)
    return next((task for points, task in found if points == worst), None)


def _may_die(task: "Task") -> bool:
    dying = SIGKILL in task.signals.pending
    return task is not task.kernel.host and task.oom_score_adj != IMMUNE and not dying


def badness(task: "Task", over: "Memory") -> int:
    """Return how bad a task is, in pages (oom_badness)."""
    total = pages(task.kernel.profile.memory_bytes) if over.max is None else over.max
    return task.memory.resident + task.oom_score_adj * total // 1000


def _with_group(over: "Memory", victim: "Task") -> "list[Task]":
    """Return the victim, or all of the outermost group around it, within the full one, that dies as a whole."""
    whole = None
    for state in _state(victim).around():
        if state.oom_group:
            whole = state
        if state is over:
            break
    if whole is None:
        _count_kill(victim)
        return [victim]
    whole.count("oom_group_kill")
    tasks = [task for task in whole.group.all_tasks() if _may_die(task)]
    for task in tasks:
        _count_kill(task)
    return tasks


def _count_kill(victim: "Task") -> None:
    _state(victim).count("oom_kill")


def _state(task: "Task") -> "Memory":
    state: Any = task.kernel.cgroups.state(task, "memory")
    return state


def _end(victim: "Task") -> None:
    send(victim, SIGKILL, forced=True)
    victim.memory.clear()


def _tell(over: "Memory", victim: "Task") -> None:
    limit = None if over.max is None else over.max * PAGE
    data = {"task": victim.line, "name": victim.name, "limit": limit, "usage": over.usage * PAGE}
    inner = victim.kernel.inner
    if inner is not None:
        inner.append(Inner(name="oom_kill", path=over.group.path(), simulated=True, data=data))
