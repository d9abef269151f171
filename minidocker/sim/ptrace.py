"""May one task look into another? "Ptrace access mode checking" in ptrace(2): most of /proc/PID asks this."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minidocker.sim.task import Task


def may_access(task: "Task", subject: "Task", *, real: bool = False) -> bool:
    """Tell whether a task may look into another (ptrace_may_access), by its effective ids or by its real ones.

    Itself it may. Another one's user must be the same in all three ids, and the group too, its memory dumpable, and its
    capabilities none that the asker lacks; or the asker has CAP_SYS_PTRACE in the other's user namespace.
    """
    if task is subject:
        return True
    mine, its = task.creds, subject.creds
    uid, gid = (mine.uid, mine.gid) if real else (mine.euid, mine.egid)
    same = {uid} == {its.uid, its.euid, its.suid} and {gid} == {its.gid, its.egid, its.sgid}
    if not same and not mine.capable(its.user, "CAP_SYS_PTRACE"):
        return False
    memory = subject.memory
    if subject.alive and not memory.dumpable and not mine.capable(memory.user, "CAP_SYS_PTRACE"):
        return False
    lacks = its.permitted & ~(mine.permitted if real else mine.effective)
    return (mine.user is its.user and not lacks) or mine.capable(its.user, "CAP_SYS_PTRACE")
