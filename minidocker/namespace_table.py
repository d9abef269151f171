"""What system calls tell of namespaces: who is in which, what lies inside which, who owns it, and when it is gone.

A namespace's ID is its kind and a number: ``net:2`` is the second network namespace of the trace's host, ``net:1`` the
one in which its own side lives (namespaces(7)).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from minidocker import linux
from minidocker.sources import NAMESPACE, TASK, Source
from minidocker.state import Draft

#: The kinds, by the flag that makes a new one; a user namespace first, because it owns what is made with it.
KINDS: Final[Mapping[int, str]] = {
    linux.CLONE_NEWUSER: "user", linux.CLONE_NEWNS: "mnt", linux.CLONE_NEWPID: "pid", linux.CLONE_NEWUTS: "uts",
    linux.CLONE_NEWIPC: "ipc", linux.CLONE_NEWNET: "net", linux.CLONE_NEWCGROUP: "cgroup",
    linux.CLONE_NEWTIME: "time",
}  # fmt: skip

#: The kinds of which each lies inside another.
NESTED: Final = frozenset({"pid", "user"})

#: The kinds of which a new one takes the maker's children only; into a time namespace it comes itself by execve.
FOR_CHILDREN: Final = {"pid": "pid_for_children", "time": "time_for_children"}

#: What a new one of these kinds begins with: what the old one says of itself.
_INHERITED: Final = {"uts": ("hostname", "domainname"), "time": ("boottime", "monotonic")}


def kinds_of(flags: int) -> list[str]:
    """Return the kinds that the flags of clone, unshare or setns name."""
    return [kind for flag, kind in KINDS.items() if flags & flag]


class Namespaces:
    """Task → kind → namespace, and the rows of the namespaces themselves."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._of: dict[str, dict[str, str]] = {}
        self._children_in: dict[str, dict[str, str]] = {}
        self._chains: dict[str, tuple[str, ...]] = {}
        self._made = dict.fromkeys(KINDS.values(), 0)
        self._pinned: dict[tuple[str, str], str] = {}

    def of(self, task: str) -> dict[str, str]:
        """Return the namespaces that a task is in, by kind."""
        return self._of[task]

    def pid_chain(self, task: str) -> tuple[str, ...]:
        """Return the PID namespaces in which a task has a number, the outermost first."""
        return self._chains[task]

    def boot(self, draft: Draft, task: str, kernel: Mapping[str, Any]) -> None:
        """Put the host's side into the first namespace of each kind."""
        self._of[task] = {}
        for kind in KINDS.values():
            self._of[task][kind] = self._make(draft, kind, None, self._of[task].get("user"))
        self._chains[task] = (self._of[task]["pid"],)
        for name in ("uid_map", "gid_map"):
            if ids := (kernel.get("ids") or {}).get(name):
                draft.put(("namespaces", "user:1", name), [list(row) for row in ids])

    def clone(self, draft: Draft, parent: str, child: str, flags: int, root: Mapping[str, str]) -> list[str]:
        """Put a new task into its parent's namespaces, and into new ones of the kinds that flags name."""
        of = self._of[child] = self._of_children(parent)
        self._replace(draft, of, flags, root)
        inside = self._chains[parent]
        if of["pid"] not in inside:
            inside = (*inside, *self._way(draft, inside, of["pid"]))
        self._chains[child] = inside[: inside.index(of["pid"]) + 1]
        return kinds_of(flags)

    def _of_children(self, task: str) -> dict[str, str]:
        """Return the namespaces that a task's children will be in."""
        return {**self._of[task], **self._children_in.get(task, {})}

    def _way(self, draft: Draft, around: tuple[str, ...], space: str) -> list[str]:
        """Return the PID namespaces that lead from these inwards to one."""
        way: list[str] = []
        while space and space not in around:
            way.insert(0, space)
            space = draft.get("namespaces", space, "parent") or ""
        return way

    def unshare(self, draft: Draft, task: str, flags: int, root: Mapping[str, str]) -> dict[str, str]:
        """Move a task into new namespaces; into new PID and time namespaces its children. Return what it left."""
        old = self._of_children(task)
        new = dict(old)
        self._replace(draft, new, flags, root)
        for kind in kinds_of(flags):
            if kind in FOR_CHILDREN:
                self._send_children(draft, task, kind, new[kind])
            else:
                self.enter(draft, task, kind, new[kind])
        return old

    def _replace(self, draft: Draft, of: dict[str, str], flags: int, root: Mapping[str, str]) -> None:
        for kind in kinds_of(flags):
            of[kind] = self._make(draft, kind, of[kind], of["user"], root)

    def _make(
        self, draft: Draft, kind: str, old: str | None, owner: str | None, root: Mapping[str, str] | None = None
    ) -> str:
        """Make a namespace in the place of an old one: with the host name that that one had, inside that one …"""
        self._made[kind] += 1
        new = f"{kind}:{self._made[kind]}"
        row: dict[str, Any] = {"kind": kind}
        if kind in NESTED and old:
            row["parent"] = old
        if kind != "user" and owner:
            row["owner"] = owner
        if kind in _INHERITED and old:
            before = draft.get("namespaces", old) or {}
            row |= {key: before[key] for key in _INHERITED[kind] if key in before}
        if kind == "cgroup" and root:
            row["root"] = dict(root)
        draft.put(("namespaces", new), row)
        return new

    def enter(self, draft: Draft, task: str, kind: str, space: str) -> None:
        """Put a task into a namespace: itself, or with a PID namespace its children to come."""
        if kind != "pid":
            self._of[task][kind] = space
            draft.put(("tasks", task, "namespaces", kind), space)
        if kind in FOR_CHILDREN:
            self._send_children(draft, task, kind, space)

    def _send_children(self, draft: Draft, task: str, kind: str, space: str) -> None:
        """Have a task's children to come be in a namespace."""
        sent = self._children_in.setdefault(task, {})
        if space == self._of[task][kind]:
            sent.pop(kind, None)
        else:
            sent[kind] = space
        draft.put(("tasks", task, FOR_CHILDREN[kind]), sent.get(kind))

    def execve(self, draft: Draft, task: str) -> None:
        """Bring a task where its children would be, as far as execve does: into its time namespace."""
        if space := self._children_in.get(task, {}).get("time"):
            self.enter(draft, task, "time", space)

    def joined(self, source: Source | None, nstype: int) -> dict[str, str]:
        """Return the namespaces that setns joins, by kind: of an open ns file its one, of a pidfd those flags name."""
        if source is None:
            return {}
        if source.kind == NAMESPACE:
            return {source.what.partition(":")[0]: source.what}
        return {kind: self._of[source.what][kind] for kind in kinds_of(nstype)} if source.kind == TASK else {}

    def file(self, owner: str, name: str) -> str:
        """Return the namespace that ``/proc/PID/ns/NAME`` names."""
        if name in FOR_CHILDREN.values():
            return self._of_children(owner)[name.partition("_")[0]]
        return self._of[owner].get(name, "")

    def pin(self, mnt: str, target: str, space: str) -> None:
        """Note that a namespace is bind-mounted somewhere: there it lives on without any task."""
        self._pinned[mnt, target] = space

    def unpin(self, mnt: str, target: str) -> None:
        """Note that the mount is gone."""
        self._pinned.pop((mnt, target), None)

    def pinned(self, mnt: str, path: str) -> str:
        """Return the namespace that is bind-mounted at a path."""
        return self._pinned.get((mnt, path), "")

    def forget(self, task: str) -> None:
        """Take an ended task out of all namespaces."""
        self._children_in.pop(task, None)

    def sweep(self, draft: Draft, held: Iterable[str]) -> list[str]:
        """Take away the namespaces that nobody holds any more: no task, no descriptor, no mount; return their IDs."""
        rows = draft.get("namespaces") or {}
        alive = set(self._around(rows, [*held, *self._pinned.values(), *self._of_living(draft)]))
        gone = [space for space in rows if space not in alive]
        for space in gone:
            draft.put(("namespaces", space), None)
        return gone

    def _of_living(self, draft: Draft) -> Iterator[str]:
        for task in draft.get("tasks") or {}:
            yield from self._of[task].values()
            yield from self._children_in.get(task, {}).values()

    def _around(self, rows: Mapping[str, Any], spaces: Iterable[str]) -> Iterator[str]:
        """Yield namespaces, those around them, and their owners: these live as long as what is in them."""
        waiting, seen = list(spaces), set()
        while waiting:
            space = waiting.pop()
            if space in rows and space not in seen:
                seen.add(space)
                yield space
                waiting += [rows[space].get("parent", ""), rows[space].get("owner", "")]
