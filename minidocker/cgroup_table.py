"""What system calls tell of control groups: directories of cgroupfs, what was written into their files, who is in them.

There are no calls of their own: a group is made by mkdir, limited by write, and left by writing a pid elsewhere
(cgroups(7)). A group's key is its directory as the host's side sees it, on either layout: with one hierarchy (v2)
``/sys/fs/cgroup/docker/ID``, with several (v1, hybrid) ``/sys/fs/cgroup/memory/docker/ID``.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from minidocker.state import Draft

ROOT: Final = "/sys/fs/cgroup"

#: The first name below the root is a hierarchy if it is one of these: v1's controllers, and v2's place beside them.
HIERARCHIES: Final = frozenset({
    "cpu", "cpuacct", "cpu,cpuacct", "cpuset", "memory", "pids", "freezer", "devices", "blkio", "net_cls", "net_prio",
    "net_cls,net_prio", "perf_event", "hugetlb", "rdma", "misc", "unified", "systemd",
})  # fmt: skip

#: Files to which pids are written, to move tasks.
MEMBERS: Final = frozenset({"cgroup.procs", "tasks", "cgroup.threads"})

#: Files that say how much is used, and what of them is kept: a number, or the one behind a word.
USAGE: Final[Mapping[str, str]] = {
    "memory.current": "", "memory.peak": "", "pids.current": "", "pids.peak": "", "cpu.stat": "usage_usec",
    "memory.usage_in_bytes": "", "memory.max_usage_in_bytes": "", "cpuacct.usage": "", "memory.swap.current": "",
}  # fmt: skip

#: Files that count the OOM killer's victims.
OOM_FILES: Final = frozenset({"memory.events", "memory.events.local", "memory.oom_control"})

_FROZEN: Final = {
    ("cgroup.freeze", "1"): True, ("cgroup.freeze", "0"): False,
    ("freezer.state", "FROZEN"): True, ("freezer.state", "THAWED"): False,
}  # fmt: skip

#: In which of several hierarchies something happens.
_ABOUT: Final = {"oom_kill": "memory", "throttle": "cpu", "freeze": "freezer", "thaw": "freezer"}

_NUMBER: Final = re.compile(r"-?\d+")


def split(path: str) -> tuple[str, str]:
    """Return the hierarchy that a path below the root lies in ("" where there is one for all), and its root."""
    first = path.removeprefix(ROOT).lstrip("/").partition("/")[0]
    return (first, f"{ROOT}/{first}") if first in HIERARCHIES else ("", ROOT)


class Cgroups:
    """Task → hierarchy → group, and the groups themselves."""

    def __init__(self, layout: str) -> None:
        """Take the layout: v2, v1 or hybrid."""
        self._of: dict[str, dict[str, str]] = {}
        self._layout = layout

    def begin(self, task: str, parent: str) -> None:
        """Put a new task into its parent's groups. Those at the root are left out."""
        self._of[task] = dict(self._of.get(parent, {}))

    def of(self, task: str) -> Mapping[str, str]:
        """Return the groups that a task is in, by hierarchy."""
        return self._of.get(task, {})

    def root_of_mount(self, fstype: str, data: str, root: Mapping[str, str]) -> str:
        """Return the group at the top of a new mount of cgroupfs: that of the mounter's cgroup namespace."""
        if fstype == "cgroup2":
            hierarchy = "" if self._layout == "v2" else "unified"
        elif fstype == "cgroup":
            hierarchy = next((word for word in data.split(",") if word in HIERARCHIES), "")
        else:
            return ""
        return root.get(hierarchy) or (f"{ROOT}/{hierarchy}" if hierarchy else ROOT)

    def place(self, path: str, mount: tuple[str, str] | None) -> str:
        """Return the host's path of what a task sees below a mount of cgroupfs; "" if it is not there."""
        if mount is not None:
            return "" if not mount[1] else (mount[1] + path[len(mount[0].rstrip("/")) :]).rstrip("/")
        return path if path.startswith(ROOT + "/") else ""

    def mkdir(self, draft: Draft, path: str) -> None:
        """Note a new group."""
        draft.put(("cgroups", path), {"files": {}})

    def rmdir(self, draft: Draft, path: str) -> None:
        """Note that a group is gone."""
        draft.put(("cgroups", path), None)

    def write(self, draft: Draft, path: str, data: bytes, task_of: Callable[[int], str]) -> None:
        """Note what was written to a file of a group: a task's pid, or a setting."""
        group, _, name = path.rpartition("/")
        value = data.decode(errors="replace").strip()
        if name in MEMBERS:
            if value.isdigit() and (task := task_of(int(value))):
                self.move(draft, task, group)
            return
        if group in (ROOT, split(group)[1]) or name == "cgroup.kill":
            return
        draft.put(("cgroups", group, "files", name), value)
        frozen = _FROZEN.get((name, value))
        if frozen is not None:
            draft.put(("cgroups", group, "frozen"), True if frozen else None)

    def move(self, draft: Draft, task: str, group: str) -> None:
        """Put a task into a group; out of the one it was in, in the same hierarchy."""
        hierarchy, top = split(group)
        of = self._of.setdefault(task, {})
        if group == top:
            of.pop(hierarchy, None)
        else:
            of[hierarchy] = group
        if draft.get("tasks", task):
            draft.put(("tasks", task, "cgroups"), dict(of) or None)

    def read(self, draft: Draft, path: str, data: bytes) -> int:
        """Note what a file says of a group's use; return how many more were killed for memory than was known."""
        group, _, name = path.rpartition("/")
        text = data.decode(errors="replace")
        if not draft.get("cgroups", group):
            return 0
        if name in OOM_FILES:
            known = draft.get("cgroups", group, "oom_kills") or 0
            killed = number_behind(text, "oom_kill") or 0
            if killed > known:
                draft.put(("cgroups", group, "oom_kills"), killed)
            return max(0, killed - known)
        number = number_behind(text, USAGE[name]) if name in USAGE else None
        if number is not None:
            self.used(draft, group, {name: number})
        return 0

    def memory_limit(self, draft: Draft, group: str) -> int | None:
        """Return the limit that was written for a group's memory, in bytes; None if there is none."""
        files = draft.get("cgroups", group, "files") or {}
        said = str(files.get("memory.max") or files.get("memory.limit_in_bytes") or "")
        return int(said) if said.isdigit() else None

    def used(self, draft: Draft, group: str, usage: Mapping[str, int]) -> None:
        """Note how much a group uses."""
        for name, number in usage.items():
            draft.put(("cgroups", group, "usage", name), number)

    def key(self, draft: Draft, what: str, path: str) -> str:
        """Return the key of a group that a kernel names from the top of its hierarchy: ``/docker/ID``."""
        if f"{path}/".startswith(ROOT + "/"):
            return path
        tops = [ROOT, *sorted({split(group)[1] for group in draft.get("cgroups") or {}})]
        tops.sort(key=lambda top: not top.rpartition("/")[2].startswith(_ABOUT.get(what, "-")))
        return next((top + path for top in tops if draft.get("cgroups", top + path)), ROOT + path)

    def killed(self, draft: Draft, group: str) -> None:
        """Note that the OOM killer killed one of a group's tasks."""
        if draft.get("cgroups", group):
            draft.put(("cgroups", group, "oom_kills"), (draft.get("cgroups", group, "oom_kills") or 0) + 1)


def number_behind(text: str, word: str) -> int | None:
    """Return the first number of a file, or the one in the line that begins with a word; None if there is none."""
    for line in text.splitlines():
        words = line.split()
        if word and words[:1] != [word]:
            continue
        number = words[1] if word and len(words) > 1 else words[0] if words else ""
        return int(number) if _NUMBER.fullmatch(number) else None
    return None
