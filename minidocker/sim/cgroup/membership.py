"""Which groups a task is in: inherited at clone, changed by a write to cgroup.procs, left when it was reaped."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import fail
from minidocker.sim.cgroup import cpuset, freezer, pids
from minidocker.sim.cgroup.fair import Share
from minidocker.sim.cgroup.memory import Memory
from minidocker.sim.cgroup.numbers import integer, strip
from minidocker.sim.permission import MAY_WRITE, permitted

if TYPE_CHECKING:
    from minidocker.sim.cgroup.controller import Writer
    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.task import Task


def born_in(task: "Task", fd: int | None) -> "Cgroup | None":
    """Return the v2 group whose directory a descriptor is of, for a child that begins there (CLONE_INTO_CGROUP).

    EBADF for anything else, ENODEV for a removed group, and what a move there would be refused with.
    """
    if fd is None:
        return None
    inode = getattr(task.files.get(fd), "inode", None)
    group = getattr(inode, "group", None)
    if inode is None or group is None or not inode.is_dir or not group.hierarchy.is_v2:
        fail(errno.EBADF)
    if group.dead:
        fail(errno.ENODEV)
    _may_write(group, task.creds)
    _may_cross(task, task.cgroups[0], group, task.creds)
    may_host_tasks(group)
    return group


def may_fork(task: "Task", group: "Cgroup | None") -> None:
    """Raise EAGAIN if one more task, in the caller's groups or in this one, would exceed a pids.max."""
    state = task.kernel.cgroups.state(task, "pids")
    if group is not None and "pids" in group.hierarchy.controllers:
        state = group.effective("pids")
    if isinstance(state, pids.Pids):
        pids.may_fork(state)


def join(child: "Task", parent: "Task", group: "Cgroup | None") -> None:
    """Put a new task into its parent's groups, or into this one of version 2."""
    child.cgroups = parent.cgroups if group is None else {**parent.cgroups, 0: group}
    for each in child.cgroups.values():
        each.add(child)
    state = child.kernel.cgroups.state(child, "pids")
    if isinstance(state, pids.Pids):
        pids.note_peak(state)
    refresh(child)


def ended(task: "Task") -> None:
    """Take note of a zombie: it keeps its place, and its number counts for pids, until it is reaped."""
    task.kernel.scheduler.unready(task)
    for group in task.cgroups.values():
        group.ended()


def leave(task: "Task") -> None:
    """Let go of a task that was reaped."""
    for group in task.cgroups.values():
        group.remove(task)


def refresh(task: "Task") -> None:
    """Find anew what the task's groups mean for it: is it frozen, where may it run, whose share does it use?"""
    groups = task.kernel.cgroups
    scheduler, queued = task.kernel.scheduler, task.queued
    scheduler.unready(task)
    share = groups.state(task, "cpu")
    task.share = share if isinstance(share, Share) else None
    memory = groups.state(task, "memory")
    task.memcg = memory if isinstance(memory, Memory) and memory.parent is not None else None
    task.usages = tuple(one.usage for group in task.cgroups.values() for one in group.around() if one.usage is not None)
    task.cpus = cpuset.allowed(task)
    freezer.refresh(task)
    if queued:
        scheduler.ready(task)


def refresh_tree(group: "Cgroup") -> None:
    """Find that anew for all tasks of a group and of those below."""
    for task in group.all_tasks():
        refresh(task)


def move(task: "Task", group: "Cgroup") -> None:
    """Move a task into a group of the same hierarchy. A zombie stays where it is."""
    number = group.hierarchy.number
    old = task.cgroups[number]
    if old is group or not task.alive:
        return
    cpuset.may_attach(group)
    old.remove(task)
    task.cgroups = {**task.cgroups, number: group}
    group.add(task)
    pids.moved(group)
    refresh(task)


def write_procs(group: "Cgroup", writer: "Writer", text: str) -> None:
    """Move the task whose number was written, as the writer's PID namespace numbers it; 0 is the writer itself.

    ESRCH if there is none, EINVAL if it is no number, EACCES for who may not, and in v2 EBUSY for a group that hands
    controllers down and EOPNOTSUPP for one that is not a domain (cgroup-v2.rst, "No Internal Process Constraint").
    """
    task = _named(writer.task, text)
    if group.hierarchy.is_v2:
        _may_cross(writer.task, task.cgroups[0], group, writer.file.creds)
        may_host_tasks(group)
    else:
        _may_move_v1(writer, task)
    move(task, group)


def _named(writer: "Task", text: str) -> "Task":
    try:
        number = integer(strip(text), 0, (1 << 31) - 1)
    except OSError:
        fail(errno.EINVAL)
    task = writer.ns.pid.find(number) if number else writer
    return task or fail(errno.ESRCH)


def _may_move_v1(writer: "Writer", task: "Task") -> None:
    """Root may move everybody, others those of their own user (cgroup1's __cgroup1_procs_write)."""
    mine, its = writer.file.creds, task.creds
    if mine.euid not in (0, its.uid, its.suid):
        fail(errno.EACCES)


def _may_cross(writer: "Task", source: "Cgroup", group: "Cgroup", creds: "Credentials") -> None:
    """Whoever moves a task must be allowed to write the cgroup.procs of the nearest group around both ends (EACCES).

    So a delegated tree cannot be left or entered by those whom it was delegated to (cgroup-v2.rst, "Delegation
    Containment"). With ``nsdelegate`` neither end may lie outside the writer's cgroup namespace (ENOENT).
    """
    around = set(group.around())
    _may_write(next(one for one in source.around() if one in around), creds)
    roots = writer.ns.cgroup.roots
    if "nsdelegate" in group.hierarchy.switches and roots is not None:
        top = roots.get(0, group.hierarchy.root)
        if top not in around or top not in set(source.around()):
            fail(errno.ENOENT)


def _may_write(group: "Cgroup", creds: "Credentials") -> None:
    """Raise EACCES unless these credentials may write a group's cgroup.procs (cgroup_may_write)."""
    inode = group.dentry.child("cgroup.procs").inode
    if inode is not None and not permitted(creds, inode, MAY_WRITE):
        fail(errno.EACCES)


def may_host_tasks(group: "Cgroup") -> None:
    """Raise EBUSY where tasks would compete with groups: those that hand controllers down, but for the root.

    Threaded controllers (cpu, cpuset, pids) do no harm as long as no group inside has tasks (cgroup-v2.rst, "Threads").
    """
    if group.subtree_control and not can_be_thread_root(group):
        fail(errno.EBUSY)


def can_be_thread_root(group: "Cgroup") -> bool:
    """Could the group hold both tasks and groups (cgroup_can_be_thread_root)?"""
    if group.parent is None:
        return True
    if any(child.living for child in group.children.values()):
        return False
    return all(group.hierarchy.controllers[name].threaded for name in group.subtree_control)
