"""The helper's view of control groups: the lab's own are all that there is (cgroup_namespaces(7))."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from minidocker.linux import CLONE_NEWCGROUP, MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID
from minidocker.real import syscalls
from minidocker.real.cgroups import LEAF, ROOT, write


def enter(groups: Mapping[str, Any]) -> None:
    """Make the groups that this process lies in all that there is: a cgroup namespace, and its hierarchies anew.

    Where the lab has none, nothing is what the engine finds: the host's are hidden all the same.
    """
    if not os.path.isdir(ROOT):
        return
    if groups["directories"]:
        syscalls.unshare(CLONE_NEWCGROUP)
    with suppress(OSError):  # not mounted, or locked, as in a user namespace: then they are covered
        syscalls.umount2(ROOT, MNT_DETACH)
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    if groups["layout"] == "v2":
        syscalls.mount("cgroup2", ROOT, "cgroup2", flags)
        _leave_the_root(groups["controllers"])
        return
    syscalls.mount("tmpfs", ROOT, "tmpfs", flags, "mode=755")
    for place in sorted(groups["directories"]):
        _mount(place, flags)


def _mount(place: str, flags: int) -> None:
    os.mkdir(f"{ROOT}/{place}", 0o755)
    if place == "unified":
        syscalls.mount("cgroup2", f"{ROOT}/{place}", "cgroup2", flags)
        return
    syscalls.mount("cgroup", f"{ROOT}/{place}", "cgroup", flags, place)
    for name in place.split(",") if "," in place else ():
        os.symlink(place, f"{ROOT}/{name}")


def _leave_the_root(controllers: Sequence[str]) -> None:
    """Go into a leaf, so that the root may give its controllers to its children."""
    os.mkdir(f"{ROOT}/{LEAF}", 0o755)
    write(f"{ROOT}/{LEAF}/cgroup.procs", "0")
    write(f"{ROOT}/cgroup.subtree_control", " ".join(f"+{name}" for name in controllers))
