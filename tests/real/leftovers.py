"""What a lab could leave on the host: mounts, processes, namespaces, cgroups, links, files, descriptors."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What can be counted from this very process."""

    mounts: frozenset[str]
    children: frozenset[int]
    descriptors: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]
    links: frozenset[str]

    def more_than(self, before: "Picture") -> dict[str, frozenset]:
        """Return what is here and was not before."""
        pairs = {name: (getattr(self, name), getattr(before, name)) for name in self.__dataclass_fields__}
        return {name: now - then for name, (now, then) in pairs.items() if now - then}


def picture() -> Picture:
    """Return how things are now."""
    return Picture(
        mounts=frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
        children=frozenset(children_of(os.getpid())),
        descriptors=frozenset(_descriptors()),
        cgroups=frozenset(groups_of(os.getpid())),
        files=frozenset(_files()),
        links=frozenset(os.listdir("/sys/class/net")),
    )


def nothing_more_than(before: Picture, within_s: float = 2.0) -> None:
    """Fail if something is left; the kernel may still be tearing down for a moment."""
    eventually(lambda: not picture().more_than(before), within_s)
    left = picture().more_than(before)
    assert not left, f"left on the host: {left}"


def eventually(holds: Callable[[], bool], within_s: float = 2.0) -> bool:
    """Wait until something holds; return whether it does."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


class Lab:
    """The PID and network namespaces of a running lab: its helper's, and those inside. All its processes are in some.

    They are held open, so that their inode numbers go to nobody else before we have looked. A user may not look into a
    helper: then its processes as they are now are remembered.
    """

    def __init__(self, *pids: int) -> None:
        """Take the namespaces of these processes, and of all that the first one's /proc shows: a helper's tasks."""
        self._open: dict[int, int] = {}
        family = [one for pid in pids for one in (pid, *descendants(pid)) if pid]
        self._family = {pid: _started(pid) for pid in family}
        for path in [*map(str, pids), *_tasks(*pids[:1])]:
            self._hold(path, "pid")
            self._hold(path, "net")

    def _hold(self, path: str, kind: str) -> None:
        own = os.stat(f"/proc/self/ns/{kind}").st_ino
        with suppress(OSError):
            fd = os.open(f"/proc/{path}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
            inode = os.fstat(fd).st_ino
            if inode == own or inode in self._open:
                os.close(fd)
            else:
                self._open[inode] = fd

    def __len__(self) -> int:
        """How many namespaces they are."""
        return len(self._open)

    def processes(self) -> list[int]:
        """Return the processes of this machine that live in any of them.

        A helper whose lab was killed is a zombie until the machine's init looks for it, which may take seconds.
        """
        found = [name for name in os.listdir("/proc") if name.isdigit() and self._holds(name)]
        found += [str(pid) for pid, started in self._family.items() if _started(pid) == started != 0]
        return [int(name) for name in found if _state(name) not in "ZX"]

    def _holds(self, name: str) -> bool:
        return bool(self._open.keys() & {_namespace(name, "pid"), _namespace(name, "net")})

    def is_gone(self, within_s: float = 3.0) -> None:
        """Fail if a process is still there after a while; then let go of the namespaces."""
        try:
            assert eventually(lambda: not self.processes(), within_s), f"left: {self.processes()}"
        finally:
            while self._open:
                os.close(self._open.popitem()[1])


def _tasks(helper: int = 0) -> Iterator[str]:
    with suppress(OSError):
        yield from (f"{helper}/root/proc/{name}" for name in os.listdir(f"/proc/{helper}/root/proc") if name.isdigit())


def _state(name: str) -> str:
    try:
        return Path(f"/proc/{name}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "X"


def _started(pid: int) -> int:
    """When a process began: with its pid that is who it is. 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19])
    except OSError:
        return 0


def descendants(pid: int) -> list[int]:
    """Return a process's children, theirs, and so on."""
    try:
        children = children_of(pid)
    except OSError:
        return []
    return children + [below for child in children for below in descendants(child)]


def _namespace(name: str, kind: str) -> int:
    try:
        return os.stat(f"/proc/{name}/ns/{kind}").st_ino
    except OSError:
        return 0


def children_of(pid: int) -> list[int]:
    """Return a process's children, of all its threads."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with suppress(OSError):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def _descriptors() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if target != f"/proc/{os.getpid()}/fd":
                yield f"{name} → {target}"


def groups_of(pid: int) -> set[str]:
    """Return the control groups of a lab, in all hierarchies: their names say whose they are."""
    return {
        f"{directory}/{name}"
        for directory, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(f"minidocker-{pid}-")
    }


def _files() -> Iterator[str]:
    for directory in ("/var/lib", "/run", "/tmp", "/dev/shm"):
        yield from (f"{directory}/{name}" for name in os.listdir(directory) if "docker" in name)
