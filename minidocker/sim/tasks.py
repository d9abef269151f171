"""Tasks are born by clone, end by exit or a signal, and stay as zombies until their parent waits for them.

clone(2), _exit(2), wait4(2), getpid(2), pid_namespaces(7).
"""

import errno
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from minidocker.linux import SIG_IGN, SIGCHLD, SIGKILL, STDERR_FILENO, WNOHANG, fail
from minidocker.sim.cgroup import membership
from minidocker.sim.descriptors import Descriptors
from minidocker.sim.memory import AddressSpace
from minidocker.sim.namespaces import check_flags, credentials_for, new_namespaces
from minidocker.sim.refuse import refuse
from minidocker.sim.shared_memory import attach_copies, detach_all
from minidocker.sim.signals import send
from minidocker.sim.task import Task, Wait
from minidocker.system import System

if TYPE_CHECKING:
    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.namespaces import Namespaces
    from minidocker.sim.path import FsContext

SYSTEM: Final = System()
#: What the host's side calls the tasks that it starts, until they execve.
FIRST_NAME: Final = "init"


def sys_clone(
    task: Task,
    main: Callable[..., Coroutine[Any, Any, int]],
    *args: Any,
    flags: int = 0,
    fds: Mapping[int, int] | None = None,
    cgroup: int | None = None,
) -> int:
    """Start a child that runs ``main(system, *args)`` and return its pid (clone(2), as glibc's).

    ENOMEM if the PID namespace it would enter has lost its init, EAGAIN if no number is free, EBADF for a descriptor
    in ``fds`` that is not open, EAGAIN where a control group may have no more tasks (pids.max). For ``cgroup``, a
    descriptor of the group in which the child begins, see :func:`minidocker.sim.cgroup.membership.born_in`.
    """
    for fd in (fds or {}).values():
        task.files.get(fd)
    check_flags(flags)
    creds = credentials_for(task, flags)
    group = membership.born_in(task, cgroup)
    memory = _memory(task)
    try:
        namespaces, fs = _namespaces(task, flags, creds, group)
    except OSError:
        memory.clear()
        detach_all(task, memory)  # Linux copies the memory before it asks for namespaces: segments note who let go
        raise
    files = _descriptors(task, fds)
    kernel = task.kernel
    task.born += 1
    child = Task(
        kernel=kernel,
        pid=0,
        line=f"{task.line}.{task.born}",
        name=FIRST_NAME if task is kernel.host else task.name,
        parent=task,
        creds=creds,
        fs=fs,
        files=files,
        ns=namespaces,
        signals=task.signals.copy(),
        memory=memory,
        coroutine=main(SYSTEM, *args),
        argv=list(task.argv),
        environ=dict(task.environ),
        exe=task.exe,
        oom_score_adj=task.oom_score_adj,
        seccomp=task.seccomp,
        started_ns=kernel.clock.now_ns(),
    )
    namespaces.pid.enter(child)
    child.pid = outermost(child)
    membership.join(child, task, group)
    task.children.append(child)
    kernel.scheduler.ready(child)
    return task.ns.pid.number(child)


def _memory(task: Task) -> AddressSpace:
    """Return the child's memory.

    Rootless, the host's side lets itself look into its children, as the real helper does: it is no root where its
    memory began, and could not reach their /proc/PID/ns otherwise.
    """
    memory = task.memory.copy()
    attach_copies(task, memory)
    memory.dumpable |= task is task.kernel.host and task.kernel.profile.rootless
    return memory


def _namespaces(task: Task, flags: int, creds: "Credentials", group: "Cgroup | None") -> "tuple[Namespaces, FsContext]":
    """Return the child's namespaces, and its root and working directory in its tree of mounts."""
    namespaces, fs = new_namespaces(task, flags, creds)
    try:
        namespaces.pid = namespaces.pid_for_children
        namespaces.begin_time()
        namespaces.pid.free()
        _may_fork(task, namespaces, group)
    except OSError:
        namespaces.release()
        raise
    return namespaces, fs


def _may_fork(task: Task, namespaces: "Namespaces", group: "Cgroup | None") -> None:
    """Ask the pids controller (EAGAIN), as copy_process() does once the new numbers are taken: they are never used."""
    try:
        membership.may_fork(task, group)
    except OSError:
        namespaces.pid.skip()
        raise


def _descriptors(task: Task, fds: Mapping[int, int] | None) -> Descriptors:
    """Return the child's descriptors: all of the caller's, or those that fds names, child's number → caller's.

    Of those that fds names, 0, 1 and 2 stay open over execve; the others keep the caller's close-on-exec flag.
    """
    if fds is None:
        return task.files.copy()
    chosen = {number: task.files.get(fd) for number, fd in fds.items()}
    files = Descriptors(task.files.limit)
    for number, file in chosen.items():
        files.put(number, file, cloexec=number > STDERR_FILENO and fds[number] in task.files.cloexec)
    return files


def outermost(task: Task) -> int:
    """Return a task's number in the outermost PID namespace."""
    namespace = task.ns.pid
    while namespace.parent:
        namespace = namespace.parent
    return namespace.number(task)


def numbers(task: Task) -> tuple[int, ...]:
    """Return a task's number in each PID namespace that it can be seen from, the outermost first."""
    return tuple(reversed([namespace.number(task) for namespace in task.ns.pid.around()]))


def sys_exit(task: Task, status: int) -> None:
    """End the caller (_exit(2)). The lowest 8 bits of status are what the parent's wait4 tells."""
    if task is task.kernel.host:
        fail(errno.EPERM)  # the host's side is no program that could end
    end(task, (status & 0xFF) << 8)


def end(task: Task, status: int) -> None:
    """End a task with a wait4 status. The end of an init is the end of its PID namespace."""
    doomed = [task]
    if task is task.ns.pid.init:
        doomed += [other for other in task.ns.pid.tasks.values() if other is not task and other.alive]
    for one in doomed:
        _stop_running(one, status if one is task else SIGKILL)
    for one in doomed:
        _hand_over_children(one)
    for one in reversed(doomed):
        _tell_parent(one)


def end_all(kernel: "SimKernel") -> None:
    """End every task but the host's: the kernel is closed."""
    for task in list(kernel.host.ns.pid.tasks.values()):
        if task is not kernel.host and task.alive:
            end(task, SIGKILL)


def _stop_running(task: Task, status: int) -> None:
    """Make a task a zombie: it has a number and a status, and nothing else."""
    task.status = status
    coroutine, task.coroutine = task.coroutine, None
    task.trap = None
    if coroutine is not None:
        close(coroutine)
    task.signals.pending.clear()
    membership.ended(task)
    task.memory.clear()
    task.files.close_all()
    detach_all(task, task.memory)
    task.ns.release()


def close(coroutine: Coroutine[Any, Any, int]) -> None:
    """Do away with a program that will never go on. Calls in its ``finally`` clauses are not performed."""
    for _ in range(1000):
        try:
            coroutine.close()
        except Exception:  # noqa: BLE001, S112  it awaited or raised on its way out, which nobody hears any more
            continue
        return


def _hand_over_children(task: Task) -> None:
    """Give a dead task's children to the init of its PID namespace, or to the host's side if that is dead too."""
    children, task.children = task.children, []
    heir = task.ns.pid.init
    if heir is None or not heir.alive:
        heir = task.kernel.host
    for child in children:
        child.parent = heir
        heir.children.append(child)
        if not child.alive:
            _tell_parent(child)


def _tell_parent(task: Task) -> None:
    """Let the parent know by SIGCHLD and wake its wait4; reap at once what nobody will wait for."""
    parent = task.parent
    if parent is None:
        return
    if _unmissed(task, parent):
        reap(task)
        parent.child_ended.wake()
        return
    send(parent, SIGCHLD, task)
    parent.child_ended.wake()
    if parent is task.kernel.host:
        task.kernel.events.ended(task)


def _unmissed(task: Task, parent: Task) -> bool:
    """Tell whether a zombie goes at once: its parent ignores SIGCHLD (wait(2), NOTES), or the host inherited it."""
    if parent is task.kernel.host:
        return task.line.rpartition(".")[0] != parent.line
    return parent.signals.handler(SIGCHLD) == SIG_IGN


def reap(task: Task) -> None:
    """Let go of a zombie's number."""
    membership.leave(task)
    task.ns.pid.leave(task)
    if task.parent is not None:
        task.parent.children.remove(task)
        task.parent = None


def sys_wait4(task: Task, pid: int, options: int = 0) -> tuple[int, int]:
    """Reap a child that ended: (pid, status), or (0, 0) with WNOHANG while none has (wait4(2)).

    pid -1 is any child, and 0 as well: no task can leave its process group here. ECHILD if there is no such child.
    """
    if options & ~WNOHANG:
        refuse(errno.EINVAL, "models no option of wait4 but WNOHANG")
    number = task.ns.pid.number
    children = [child for child in task.children if pid in (-1, 0) or number(child) == pid]
    if not children:
        fail(errno.ECHILD)
    for child in children:
        if child.status is not None:
            answer = number(child), child.status
            reap(child)
            return answer
    if options & WNOHANG:
        return 0, 0
    raise Wait(task.child_ended)


def sys_getpid(task: Task) -> int:
    """Return the caller's id in its own PID namespace (getpid(2))."""
    return task.ns.pid.number(task)


def sys_getppid(task: Task) -> int:
    """Return the parent's id as this PID namespace sees it, 0 if it is outside (getppid(2))."""
    return task.ns.pid.number(task.parent) if task.parent else 0


def sys_time_ns(task: Task) -> int:
    """Return the time of day in nanoseconds since 1970 (clock_gettime(2))."""
    return task.kernel.clock.now_ns()


def sys_sleep(task: Task, seconds: float) -> None:
    """Do nothing for a time (nanosleep(2)). EINVAL if it is negative."""
    if seconds < 0:
        fail(errno.EINVAL)
    now_ns = task.kernel.clock.now_ns()
    until_ns = now_ns + int(seconds * 1e9) if task.wait is None else task.wait.until_ns
    if until_ns is not None and now_ns < until_ns:
        raise Wait(until_ns=until_ns)


def sys_isatty(task: Task, fd: int) -> bool:
    """Tell whether a descriptor is a terminal (isatty(3)); no task has one here."""
    return False
