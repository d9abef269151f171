"""The files that every v2 group has, and how groups are made and removed (cgroup-v2.rst, "Core Interface Files")."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import SIGKILL, fail
from minidocker.sim.cgroup import cpu, freezer
from minidocker.sim.cgroup.controller import File, Writer
from minidocker.sim.cgroup.group import Cgroup
from minidocker.sim.cgroup.membership import can_be_thread_root, refresh_tree, write_procs
from minidocker.sim.cgroup.numbers import MAX, integer, limit, shown, strip, table
from minidocker.sim.refuse import refuse
from minidocker.sim.signals import send

if TYPE_CHECKING:
    from minidocker.sim.task import Task

_INT_MAX: Final = (1 << 31) - 1


def new_group(parent: Cgroup, name: str, owner: tuple[int, int]) -> Cgroup:
    """Make a group inside another; EAGAIN if one around may have no more, or none so deep."""
    for level, around in enumerate(parent.around(), 1):
        many = sum(1 for _ in around.tree()) - 1 if around.max_descendants is not None else 0
        if around.max_descendants is not None and many >= around.max_descendants:
            fail(errno.EAGAIN)
        if around.max_depth is not None and level > around.max_depth:
            fail(errno.EAGAIN)
    group = Cgroup(parent.hierarchy, name, parent, owner)
    parent.children[name] = group
    for controller in group.controllers:
        group.switch_on(controller)
    return group


def remove_group(group: Cgroup) -> None:
    """Remove an empty group; EBUSY."""
    if group.living or group.children:
        fail(errno.EBUSY)
    for controller in list(group.states):
        group.switch_off(controller)
    group.dead = True
    if group.parent is not None:
        del group.parent.children[group.name]


def _read_procs(group: Cgroup, reader: "Task") -> str:
    """Return the tasks' numbers in the reader's PID namespace: 0 for who cannot be seen from there."""
    return "".join(f"{reader.ns.pid.number(task)}\n" for task in group.tasks if task.alive)


def _write_threads(group: Cgroup, writer: Writer, text: str) -> None:
    fail(errno.EOPNOTSUPP)  # a thread moves only within a threaded domain, and there is none here


def _controllers(group: Cgroup, reader: "Task") -> str:
    return " ".join(group.controllers) + "\n"


def _read_subtree(group: Cgroup, reader: "Task") -> str:
    return " ".join(name for name in group.hierarchy.controllers if name in group.subtree_control) + "\n"


def _write_subtree(group: Cgroup, writer: Writer, text: str) -> None:
    """Hand controllers down to the groups inside, or take them back: ``+memory -pids``.

    EINVAL for an unknown word, ENOENT for what the group itself has not, EBUSY for taking back what a group inside
    hands down further, and where tasks would compete with groups (cgroup-v2.rst, "Controlling Controllers").
    """
    on, off = _parse_subtree(group, text)
    on -= group.subtree_control
    off &= group.subtree_control
    if not on <= set(group.controllers):
        fail(errno.ENOENT)
    if any(off & child.subtree_control for child in group.children.values()):
        fail(errno.EBUSY)
    if on:
        _may_enable(group, on)
    group.subtree_control = (group.subtree_control | on) - off
    for child in group.children.values():
        for name in group.hierarchy.controllers:
            if name in on:
                child.switch_on(name)
            elif name in off:
                _take_away(child, name)
        refresh_tree(child)


def _parse_subtree(group: Cgroup, text: str) -> tuple[set[str], set[str]]:
    on: set[str] = set()
    off: set[str] = set()
    for word in strip(text).split(" "):
        if not word:
            continue
        sign, name = word[0], word[1:]
        if sign not in "+-" or name not in group.hierarchy.known:
            fail(errno.EINVAL)
        (on if sign == "+" else off).add(name)
        (off if sign == "+" else on).discard(name)
    return on, off


def _may_enable(group: Cgroup, controllers: set[str]) -> None:
    """Groups must not compete with tasks, but in the root, and for threaded controllers (cgroup_vet_subtree_…)."""
    if group.parent is None:
        return
    threaded = all(group.hierarchy.controllers[name].threaded for name in controllers)
    if threaded and can_be_thread_root(group):
        return
    if any(task.alive for task in group.tasks):
        fail(errno.EBUSY)


def _take_away(group: Cgroup, controller: str) -> None:
    """Switch a controller off, and forget its files."""
    for file in group.hierarchy.controllers[controller].v2:
        if file.name in group.dentry.children:
            group.dentry.children[file.name].drop()
    group.switch_off(controller)


def _events(group: Cgroup, reader: "Task") -> str:
    return table((("populated", int(group.living > 0)), ("frozen", int(freezer.is_frozen(group)))))


def _read_freeze(group: Cgroup, reader: "Task") -> str:
    return f"{int(group.freeze)}\n"


def _write_freeze(group: Cgroup, writer: Writer, text: str) -> None:
    word = integer(text, -_INT_MAX, _INT_MAX)
    freezer.set_freeze(group, freeze=bool(word) if word in (0, 1) else fail(errno.ERANGE))


def _write_kill(group: Cgroup, writer: Writer, text: str) -> None:
    """Send SIGKILL to every task of the group and of those below; ERANGE for all but 1."""
    if integer(text, -_INT_MAX, _INT_MAX) != 1:
        fail(errno.ERANGE)
    for task in group.all_tasks():
        if task is not task.kernel.host:  # whoever runs the kernel is no program that could be ended
            send(task, SIGKILL, writer.task)


def _read_type(group: Cgroup, reader: "Task") -> str:
    return "domain\n"


def _write_type(group: Cgroup, writer: Writer, text: str) -> None:
    if strip(text) != "threaded":
        fail(errno.EINVAL)
    refuse(errno.EOPNOTSUPP, "does not model threaded groups")


def _stat(group: Cgroup, reader: "Task") -> str:
    return table((("nr_descendants", sum(1 for _ in group.tree()) - 1), ("nr_dying_descendants", 0)))


def _stat_local(group: Cgroup, reader: "Task") -> str:
    total, since = group.frozen_total_ns, group.frozen_since_ns
    if since is not None:
        total += reader.kernel.clock.now_ns() - since
    return table((("frozen_usec", total // 1000),))


def _read_max_depth(group: Cgroup, reader: "Task") -> str:
    return shown(group.max_depth)


def _write_max_depth(group: Cgroup, writer: Writer, text: str) -> None:
    group.max_depth = _count(text)


def _read_max_descendants(group: Cgroup, reader: "Task") -> str:
    return shown(group.max_descendants)


def _write_max_descendants(group: Cgroup, writer: Writer, text: str) -> None:
    group.max_descendants = _count(text)


def _count(text: str) -> int | None:
    if strip(text) == MAX:
        return None
    number = limit(text, _INT_MAX)
    return number if number is not None and number >= 0 else fail(errno.ERANGE)


FILES: Final = (
    File(name="cgroup.type", read=_read_type, write=_write_type, on_root=False),
    File(name="cgroup.procs", read=_read_procs, write=write_procs),
    File(name="cgroup.threads", read=_read_procs, write=_write_threads),
    File(name="cgroup.controllers", read=_controllers),
    File(name="cgroup.subtree_control", read=_read_subtree, write=_write_subtree),
    File(name="cgroup.events", read=_events, on_root=False),
    File(name="cgroup.max.descendants", read=_read_max_descendants, write=_write_max_descendants),
    File(name="cgroup.max.depth", read=_read_max_depth, write=_write_max_depth),
    File(name="cgroup.stat", read=_stat),
    File(name="cgroup.stat.local", read=_stat_local, on_root=False),
    File(name="cgroup.freeze", read=_read_freeze, write=_write_freeze, on_root=False),
    File(name="cgroup.kill", write=_write_kill, on_root=False),
    *cpu.STAT_FILES,
)
