"""What system calls tell of mounts: a table for each mount namespace, with who shares what with whom.

A mount's ``propagation`` is what /proc/PID/mountinfo says of it: ``shared:1`` (it belongs to peer group 1),
``master:1`` (it receives from that group), both, or nothing when it is private (mount_namespaces(7)).
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final

from minidocker import linux
from minidocker.kernel import SyscallEvent
from minidocker.state import Draft

#: Where mounts hang that are below the old root, after pivot_root.
OLD: Final = "(old root) "

_TYPES: Final = linux.MS_SHARED | linux.MS_SLAVE | linux.MS_PRIVATE | linux.MS_UNBINDABLE


class Mounts:
    """Mount namespaces' tables, and each task's working directory."""

    def __init__(self) -> None:
        """Begin with no mount, and peer group 1 for the first that is shared."""
        self._cwd: dict[str, str] = {}
        self._groups = 0

    def begin(self, task: str, parent: str) -> None:
        """Give a new task its parent's working directory."""
        self._cwd[task] = self._cwd.get(parent, "/")

    def absolute(self, task: str, path: str) -> str:
        """Return a path from the root of the task's own tree."""
        return posixpath.normpath(posixpath.join(self._cwd[task], path))

    def chdir(self, task: str, path: str) -> None:
        """Note a working directory."""
        self._cwd[task] = self.absolute(task, path)

    def copy(self, draft: Draft, old: str, new: str) -> None:
        """Give a new mount namespace the old one's mounts. Shared ones stay each other's peers.

        But if another user namespace owns it they become slaves: nothing mounted there may reach the old one.
        """
        mounts = draft.get("mounts", old)
        owners = [draft.get("namespaces", space, "owner") for space in (old, new)]
        if mounts and owners[0] != owners[1]:
            mounts = {at: _enslaved(row) for at, row in mounts.items()}
        if mounts:
            draft.put(("mounts", new), mounts)

    def mount(self, draft: Draft, space: str, event: SyscallEvent, root: str) -> None:
        """Follow a mount: a new mount, a change of one that is there, or of its propagation.

        ``root`` is the control group that a mount of cgroupfs shows at its top.
        """
        source, target, fstype, flags, data = event.args
        at = self.absolute(event.task, target)
        if flags & _TYPES:
            self._set_propagation(draft, space, at, flags)
        elif flags & linux.MS_REMOUNT:
            self._remount(draft, space, at, flags)
        else:
            bound = self.absolute(event.task, source) if flags & linux.MS_BIND else ""
            row: dict[str, Any] = {"source": source, "fstype": fstype or "bind", "options": data}
            row |= ({"ro": True} if flags & linux.MS_RDONLY else {}) | ({"root": root} if root else {})
            self._attach(draft, space, at, row, draft.get("mounts", space, bound))

    def _remount(self, draft: Draft, space: str, at: str, flags: int) -> None:
        if draft.get("mounts", space, at):
            draft.put(("mounts", space, at, "ro"), True if flags & linux.MS_RDONLY else None)

    def _attach(
        self, draft: Draft, space: str, at: str, row: dict[str, Any], original: Mapping[str, Any] | None
    ) -> None:
        """Put a mount there, and wherever the mount that it lies in is propagated to."""
        if original and (shared := _group(original, "shared")):
            row = {**row, "propagation": f"shared:{shared}"}
        places = list(self._receivers(draft, space, at))
        if any(place[:2] == (space, at) and place[2] == "peer" for place in places) and "propagation" not in row:
            self._groups += 1
            row = {**row, "propagation": f"shared:{self._groups}"}
        group = _group(row, "shared")
        for where, target, how in places or [(space, at, "peer")]:
            received = {**row, "propagation": f"master:{group}"} if how == "slave" and group else row
            draft.put(("mounts", where, target), received)

    def _receivers(self, draft: Draft, space: str, at: str) -> Iterator[tuple[str, str, str]]:
        """Yield where a mount at a place appears: namespace, target, and whether there as a peer or as a slave."""
        parent = _covering(draft.get("mounts", space) or {}, at)
        group = _group(draft.get("mounts", space, parent) or {}, "shared") if parent is not None else ""
        if not group or parent is None:
            return
        below = at[len(parent.rstrip("/")) :]
        for where, mounts in (draft.get("mounts") or {}).items():
            for target, row in mounts.items():
                how = "peer" if _group(row, "shared") == group else "slave" if _group(row, "master") == group else ""
                if how and not target.startswith(OLD):
                    yield where, target.rstrip("/") + below, how

    def _set_propagation(self, draft: Draft, space: str, at: str, flags: int) -> None:
        mounts = draft.get("mounts", space) or {}
        below = at.rstrip("/") + "/"
        chosen = [target for target in mounts if target == at or (flags & linux.MS_REC and target.startswith(below))]
        if flags & linux.MS_SHARED and at == "/" and "/" not in mounts:  # the root itself, now that there is news of it
            draft.put(("mounts", space, "/"), {"source": "", "fstype": "", "options": ""})
            chosen = ["/", *chosen]
        for target in chosen:
            said = self._propagation(draft.get("mounts", space, target, "propagation") or "", flags)
            draft.put(("mounts", space, target, "propagation"), said or None)

    def _propagation(self, old: str, flags: int) -> str:
        group, master = _group({"propagation": old}, "shared"), _group({"propagation": old}, "master")
        if flags & linux.MS_SHARED:
            if not group:
                self._groups += 1
                group = str(self._groups)
            return f"shared:{group}" + (f" master:{master}" if master else "")
        if flags & linux.MS_SLAVE:
            return f"master:{group or master}" if group or master else ""
        return "unbindable" if flags & linux.MS_UNBINDABLE else ""

    def umount(self, draft: Draft, space: str, event: SyscallEvent) -> list[str]:
        """Follow an umount2, here and where it is propagated to; return the targets that are gone here."""
        at = self.absolute(event.task, event.args[0])
        mounts = draft.get("mounts", space) or {}
        if any(target.startswith(OLD) for target in mounts) and at == "/":  # pivot_root(".", ".") put the old root here
            gone = sorted(target for target in mounts if target.startswith(OLD))
        else:
            below = at.rstrip("/") + "/"
            lazy = bool(event.args[1] & linux.MNT_DETACH)
            gone = sorted(target for target in mounts if target == at or (lazy and target.startswith(below)))
            for where, target, _ in list(self._receivers(draft, space, at)) if at in gone else []:
                draft.put(("mounts", where, target), None)
        for target in gone:
            draft.put(("mounts", space, target), None)
        return gone

    def pivot_root(self, draft: Draft, space: str, event: SyscallEvent) -> None:
        """Follow a pivot_root: what was outside of the new root now hangs below the old one."""
        new_root = self.absolute(event.task, event.args[0])
        self._cwd[event.task] = "/"
        draft.put(("mounts", space), _pivoted(draft.get("mounts", space) or {}, new_root.rstrip("/")))

    def cgroup_root(self, draft: Draft, space: str, path: str) -> tuple[str, str] | None:
        """Return the mount of a file system of /sys that a path leads into: its target, and the group at its top.

        That is "" if it is no cgroupfs, and None if nothing is known to be mounted there: then it is the host's.
        """
        mounts = draft.get("mounts", space) or {}
        at = _covering(mounts, path)
        if at is None or not (mounts[at].get("root") or f"{at}/".startswith("/sys/")):
            return None
        return at, mounts[at].get("root", "")


def _covering(mounts: Mapping[str, Any], path: str) -> str | None:
    """Return the target of the mount that a path lies in, the path itself not counted."""
    while path != "/":
        path = posixpath.dirname(path)
        if path in mounts:
            return path
    return None


def _group(row: Mapping[str, Any], kind: str) -> str:
    """Return the peer group that a mount belongs to (``shared``) or receives from (``master``), or nothing."""
    words = str(row.get("propagation", "")).split()
    return next((word.partition(":")[2] for word in words if word.startswith(kind + ":")), "")


def _enslaved(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mount as the copy in a less privileged namespace is: it receives, and gives nothing back."""
    group = _group(row, "shared")
    return {**row, "propagation": f"master:{group}"} if group else dict(row)


def _pivoted(mounts: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Return a table of mounts as seen from a new root."""
    table: dict[str, Any] = {f"{OLD}/": {"source": "", "fstype": "", "options": ""}}
    for at, what in mounts.items():
        inside = at == root or at.startswith(root + "/")
        table[(at.removeprefix(root) or "/") if inside else OLD + at] = what
    return table
