"""What of the control groups a task sees: its cgroup namespace (cgroup_namespaces(7)).

A new namespace takes the groups in which its maker is for roots. Paths in ``/proc/PID/cgroup`` are shown from there
(what lies outside as ``/../other``), and a cgroupfs that is mounted in it shows nothing above.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minidocker.sim.cgroup.group import Cgroup
    from minidocker.sim.cgroup.hierarchy import Hierarchy
    from minidocker.sim.namespaces import CgroupNamespace
    from minidocker.sim.proc_files import View
    from minidocker.sim.task import Task


def is_first(namespace: "CgroupNamespace") -> bool:
    """Is it the namespace that the kernel boots with: are the hierarchies' own roots its roots?"""
    return namespace.roots is None


def root_seen_by(task: "Task", hierarchy: "Hierarchy") -> "Cgroup":
    """Return the group that is the root to a task."""
    roots = task.ns.cgroup.roots
    return hierarchy.root if roots is None else roots.get(hierarchy.number, hierarchy.root)


def cgroup(view: "View") -> str:
    """Return ``/proc/PID/cgroup``: a line a hierarchy, the newest first: number, controllers, path (cgroups(7)).

    A zombie is shown in its v2 group, marked if that was removed, and in version 1 in the root.
    """
    groups, subject = view.kernel.cgroups, view.subject
    lines = []
    for number, hierarchy in sorted(groups.by_number.items(), reverse=True):
        if hierarchy.is_v2 and not groups.v2_seen:
            continue
        group = subject.cgroups.get(number, hierarchy.root)
        shown = group.path_from(root_seen_by(view.reader, hierarchy))
        if not subject.alive and not hierarchy.is_v2:
            shown = "/"
        lines.append(f"{number}:{hierarchy.title()}:{shown}{' (deleted)' if group.dead else ''}\n")
    return "".join(lines)


def cgroups(view: "View") -> str:
    """Return ``/proc/cgroups``: each controller, its hierarchy, how many groups that has, and whether it is enabled."""
    groups = view.kernel.cgroups
    lines = ["#subsys_name\thierarchy\tnum_cgroups\tenabled\n"]
    for name in groups.names:
        hierarchy = groups.of(name) or groups.v2
        count = sum(1 for _ in hierarchy.root.tree())
        lines.append(f"{name}\t{hierarchy.number}\t{count}\t1\n")
    return "".join(lines)
