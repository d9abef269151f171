"""Control groups of the lab's own on this machine: made, entered, and removed when the lab is gone (cgroups(7)).

In each hierarchy that serves, the lab makes one group below the one it lies in itself. The helper enters them, makes
them the root of a cgroup namespace (cgroup_namespaces(7)) and mounts the hierarchies anew. So the engine finds at
/sys/fs/cgroup what it would find on a machine of its own, and nothing of the host's is in reach.

A control group outlives whoever made it. Its name therefore says whose it is, and each start removes those of the dead.
"""

import errno
import itertools
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from minidocker.linux import errno_name, strerror

#: The controllers that the lab uses, of v1 and of v2, where cpu.stat has cpuacct's figures and freezing needs none.
CONTROLLERS: Final = ("cpu", "cpuacct", "cpuset", "memory", "pids", "freezer")
UNIFIED_CONTROLLERS: Final = ("cpu", "cpuset", "memory", "pids")

#: Where the engine finds them.
ROOT: Final = "/sys/fs/cgroup"

#: The helper's place on v2, where a group with limits for its children may hold no process itself.
LEAF: Final = "helper"

#: How long to wait for tasks that were killed to be out of their groups.
PATIENCE_S: Final = 2.0

_NAME: Final = re.compile(r"minidocker-(\d+)-(\d+)-(\d+)-\d+")
_numbers: Final = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """One hierarchy as this process sees it. ``controllers`` are v1's, and empty for v2."""

    controllers: tuple[str, ...]
    mounted: str
    own: str
    """The directory of the group that this process lies in."""

    @property
    def place(self) -> str:
        """Where the helper mounts it, below :data:`ROOT`: as systemd does."""
        return ",".join(self.controllers) or "unified"


@dataclass(slots=True, kw_only=True)
class Groups:
    """The lab's own groups. ``missing`` says of each controller that they lack why, in words for the user."""

    directories: dict[str, str] = field(default_factory=dict)
    """Place → directory: ``{"cpu,cpuacct": "/sys/fs/cgroup/cpu,cpuacct/minidocker-…", "unified": …}``."""
    controllers: tuple[str, ...] = ()
    """Those of v2 that its children can have."""
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def layout(self) -> str:
        """``"v2"``, ``"v1"``, ``"hybrid"`` (v1 with a v2 hierarchy beside it) or ``"none"``."""
        match set(self.directories) - {"unified"}, "unified" in self.directories:
            case set() as v1, True:
                return "hybrid" if v1 else "v2"
            case set() as v1, False:
                return "v1" if v1 else "none"
        raise AssertionError  # pragma: no cover

    def to_wire(self) -> dict[str, Any]:
        """Return what the helper is told."""
        return {"directories": self.directories, "controllers": list(self.controllers), "layout": self.layout}


# what the lab does


def make(pid: int) -> Groups:
    """Remove what dead labs have left, make a group in each hierarchy, and put a process into it.

    What cannot be is told, not raised. The first write to cgroup.procs after a while waits some 10 ms for a grace
    period of RCU: so the lab makes it, while the interpreter of the helper (which is ``pid``) is still starting.
    """
    groups, found = Groups(), hierarchies()
    name = f"minidocker-{os.getpid()}-{_started(os.getpid())}-{_pid_namespace()}-{next(_numbers)}"
    sweep(*(hierarchy.mounted for hierarchy in found))
    for hierarchy in found:
        directory = f"{hierarchy.own if hierarchy.controllers else _delegating(hierarchy)}/{name}"
        try:
            os.mkdir(directory, 0o755)
            groups.directories[hierarchy.place] = directory
            _prepare(groups, hierarchy, directory)
            write(f"{directory}/cgroup.procs", str(pid))
        except OSError as error:
            why = f"{errno_name(error.errno)} ({strerror(error.errno)}) below {os.path.dirname(directory)}"
            groups.missing |= dict.fromkeys(hierarchy.controllers or UNIFIED_CONTROLLERS, why)
            if groups.directories.pop(hierarchy.place, None):
                _remove(directory)
    _complete(groups, v2=bool(found) and not any(hierarchy.controllers for hierarchy in found))
    return groups


def hierarchies() -> list[Hierarchy]:
    """Return the hierarchies that serve and are mounted here, as proc(5) tells (mountinfo and cgroup)."""
    lines = [line.split(":", 2) for line in _lines("/proc/self/cgroup")]
    own = [(names.split(","), path) for _, names, path in lines]
    found: dict[str, Hierarchy] = {}
    for line in _lines("/proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        device, root, mounted = before.split()[2:5]
        fstype, _, options = after.split(" ", 2)
        names = tuple(name for name in options.split(",") if name in CONTROLLERS)
        if device in found or not (fstype == "cgroup2" or (fstype == "cgroup" and names)):
            continue
        path = next((path for those, path in own if (names[0] if names else "") in those), "")
        if directory := _below(path, _unescaped(root), _unescaped(mounted)):
            found[device] = Hierarchy(controllers=names, mounted=_unescaped(mounted), own=directory)
    return list(found.values())


def _below(path: str, root: str, mounted: str) -> str | None:
    """Return the directory of a group, if it is in reach: a mount shows a hierarchy from ``root`` on."""
    if not path or (path != root and not path.startswith(root.rstrip("/") + "/")):
        return None
    directory = (mounted + "/" + path[len(root.rstrip("/")) :].strip("/")).rstrip("/")
    return directory if os.path.exists(f"{directory}/cgroup.procs") else None


def _prepare(groups: Groups, hierarchy: Hierarchy, directory: str) -> None:
    if not hierarchy.controllers:
        given = _read(f"{directory}/cgroup.controllers").split()
        groups.controllers = tuple(one for one in UNIFIED_CONTROLLERS if one in given)
    if "cpuset" in hierarchy.controllers:  # a new cpuset has no processor and no memory, and no task may enter it
        for file in ("cpuset.cpus", "cpuset.mems"):
            write(f"{directory}/{file}", _read(f"{hierarchy.own}/{file}"))


def _delegating(hierarchy: Hierarchy) -> str:
    """Return where a child gets the most controllers: the present group, or the nearest one above it.

    The present group itself holds this process, so unless it is the root it cannot give any to its children
    (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint").
    """
    best, most, directory = hierarchy.own, -1, hierarchy.own
    while True:
        given = _give(directory)
        if given > most:
            best, most = directory, given
        if directory == hierarchy.mounted or most == len(UNIFIED_CONTROLLERS):
            return best
        directory = os.path.dirname(directory)


def _give(directory: str) -> int:
    """Have a group give its children the controllers that it has; return how many of the lab's it gives."""
    control = f"{directory}/cgroup.subtree_control"
    has, gives = _read(f"{directory}/cgroup.controllers").split(), _read(control).split()
    for name in UNIFIED_CONTROLLERS:
        if name in has and name not in gives:
            with suppress(OSError):
                write(control, f"+{name}")
    gives = _read(control).split()
    return sum(name in gives for name in UNIFIED_CONTROLLERS)


def _complete(groups: Groups, v2: bool) -> None:
    """Say of each controller that was found nowhere that it was; ``v2``: of those that a host of v2 alone has."""
    served = {name for place in groups.directories for name in place.split(",")} | set(groups.controllers)
    why = "the groups above do not delegate it (cgroup.subtree_control)" if v2 else "its hierarchy is not mounted here"
    for name in UNIFIED_CONTROLLERS if v2 else CONTROLLERS:
        if name not in served:
            groups.missing.setdefault(name, why)
    if groups.layout == "hybrid":
        groups.missing.pop("freezer", None)  # cgroup.freeze of the v2 hierarchy does it
    groups.missing = {name: why for name, why in groups.missing.items() if name not in served}


# the end of a lab


def thaw(groups: Groups) -> None:
    """Thaw what v1's freezer holds: frozen there, a task does not even die of SIGKILL."""
    for place, directory in groups.directories.items():
        if "freezer" in place.split(","):
            _thaw(directory)


def remove(groups: Groups) -> None:
    """Remove the groups of a lab whose tasks are dead. What stays, the next start removes."""
    while groups.directories:
        _remove(groups.directories.popitem()[1])


def sweep(*mounted: str) -> None:
    """Remove the groups of dead labs from hierarchies, with whatever still lies in them; leave all others alone."""
    dead = [directory for hierarchy in mounted for directory in _labs(hierarchy) if _is_dead(directory)]
    for step in (_thaw, _kill, _remove):  # in all hierarchies: what one has frozen keeps the others busy
        for directory in dead:
            step(directory)


def _is_dead(directory: str) -> bool:
    """Has the lab ended whose group this is? Of what was made in another PID namespace, nobody here can tell."""
    name = _NAME.fullmatch(os.path.basename(directory))
    if name is None or int(name[3]) != _pid_namespace():
        return False
    return _started(int(name[1])) != int(name[2])


def _labs(directory: str) -> Iterator[str]:
    """Find the labs' groups, without looking into groups that have no children (they have two links)."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith("minidocker-"):
                yield entry.path
            elif entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink > 2:
                yield from _labs(entry.path)


def _groups(directory: str) -> list[str]:
    """Return a group and all below it, deepest first."""
    found = []
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += _groups(entry.path)
    return [*found, directory]


def _thaw(directory: str) -> None:
    for group in _groups(directory):
        with suppress(OSError):
            write(f"{group}/freezer.state", "THAWED")


def _kill(directory: str) -> None:
    """Kill whatever lies in a group or below it."""
    try:
        write(f"{directory}/cgroup.kill", "1")
    except OSError:  # v1, or older than Linux 5.14
        for group in _groups(directory):
            for pid in _lines(f"{group}/cgroup.procs"):
                with suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)


def _remove(directory: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    for group in _groups(directory):
        while True:
            try:
                os.rmdir(group)
            except FileNotFoundError:
                break
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline_s:
                    return
                time.sleep(0.001)  # a task of it is still dying
            else:
                break


# who is who


def _started(pid: int) -> int:
    """Return when a process began, in clock ticks since boot: with its pid that is who it is. 0 if it is dead."""
    try:
        state, *rest = _read(f"/proc/{pid}/stat").rpartition(") ")[2].split()
    except OSError:
        return 0
    return 0 if state in "ZX" else int(rest[18])


def _pid_namespace() -> int:
    """Return which PID namespace this is: the pids in names mean nothing in another one."""
    return os.stat("/proc/self/ns/pid").st_ino


def _lines(path: str) -> list[str]:
    try:
        return _read(path).splitlines()
    except OSError:
        return []


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def write(path: str, text: str) -> None:
    """Write a control file at once, without making one that is not there."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _unescaped(path: str) -> str:
    """Return a path of mountinfo as it is: blanks are written as octal there (proc_pid_mountinfo(5))."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path)
