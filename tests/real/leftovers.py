"""What a lab could leave on the host: mounts, processes, namespaces, cgroups, files, descriptors. A picture of each."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KINDS = ("pid", "mnt", "uts", "ipc", "net", "user", "cgroup")

Namespace = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What can be counted from this very process."""

    mounts: frozenset[str]
    children: frozenset[int]
    descriptors: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]

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
        cgroups=frozenset(_cgroups()),
        files=frozenset(f"{place}/{name}" for place in ("/var/lib", "/run") for name in os.listdir(place)),
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


def namespaces_of(pid: int) -> frozenset[Namespace]:
    """Return the namespaces of a process that are not this process's own."""
    return frozenset(_links(str(pid))) - frozenset(_links("self"))


def namespaces_of_lab(helper: int) -> frozenset[Namespace]:
    """Return those of a helper and of every task that it has (its /proc shows just these), less this process's own."""
    found: set[Namespace] = set(namespaces_of(helper))
    with suppress(OSError):
        for name in os.listdir(f"/proc/{helper}/root/proc"):
            if name.isdigit():
                found |= set(_links(f"{helper}/root/proc/{name}"))
    return frozenset(found) - frozenset(_links("self"))


def processes_in(namespaces: frozenset[Namespace]) -> list[int]:
    """Return the processes of this machine that are in any of the namespaces."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and not namespaces.isdisjoint(_links(name))]


def children_of(pid: int) -> list[int]:
    """Return a process's children, of all its threads."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with suppress(OSError):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def _links(name: str) -> Iterator[Namespace]:
    for kind in KINDS:
        with suppress(OSError):
            yield kind, os.stat(f"/proc/{name}/ns/{kind}").st_ino


def _descriptors() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if target != f"/proc/{os.getpid()}/fd":
                yield f"{name} → {target}"


def _cgroups() -> Iterator[str]:
    for directory, names, _ in os.walk("/sys/fs/cgroup"):
        yield from (f"{directory}/{name}" for name in names)
