"""What system calls tell of tasks, and through them of all else: the tables of the state model but for layers.

Each table has a file of its own (``namespace_table``, ``mount_table``, ``cgroup_table``, ``link_table``). Here are the
tasks themselves, and what every call does to which table. Nothing is asked of a kernel: the same calls give the same
tables on both.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from minidocker import clock_offsets, linux, local
from minidocker.cgroup_table import Cgroups
from minidocker.kernel import Inner, SyscallEvent
from minidocker.link_table import Links
from minidocker.mount_table import Mounts
from minidocker.namespace_table import FOR_CHILDREN, Namespaces, kinds_of
from minidocker.sources import CGROUP, NAMESPACE, PIPE, PROC, RANDOM, SOCKET, TASK, Source, Sources, in_proc
from minidocker.state import Change, Draft, State
from minidocker.trace import ASIDE

#: Something inside the kernel that tells no step of its own: how much a control group uses now.
USAGE: Final = "usage"

#: The host's side.
HOST: Final = "0"

_PROC: Final = re.compile(r"/proc/(self|\d+)(?:/(.*))?")
_CAPABILITY: Final = {1 << number: name for name, number in linux.CAPABILITIES.items()}


class Tasks:
    """What system calls tell of tasks, their namespaces, mounts, control groups and networks."""

    def __init__(self, kernel: Mapping[str, Any] | None = None) -> None:
        """Begin with nobody, on a kernel of this description."""
        self._kernel = kernel or {}
        self._names: set[str] = set()
        self._children: dict[str, int] = {}
        self._pids: dict[str, tuple[int, ...]] = {}
        self.sources = Sources()
        self.spaces = Namespaces()
        self.mounts = Mounts()
        self.cgroups = Cgroups(str(self._kernel.get("cgroups") or "v2"))
        self.links = Links()
        self._noticed: list[Inner] = []

    def begin(self, state: State) -> list[Change]:
        """Return the changes that make the host's side appear."""
        draft = Draft(state)
        self.spaces.boot(draft, HOST, self._kernel)
        self._appear(draft, HOST, "daemon", (1,))
        return draft.changes

    def _appear(self, draft: Draft, task: str, name: str, pids: tuple[int, ...]) -> None:
        parent = task.rpartition(".")[0]
        row = {**(draft.get("tasks", parent) or {"uid": 0}), "name": name, "parent": parent, "status": "running"}
        row |= {"namespaces": dict(self.spaces.of(task)), "pids": list(pids)}
        for key in FOR_CHILDREN.values():
            row.pop(key, None)
        self._names.add(task)
        self._pids[task] = pids
        self.mounts.begin(task, parent)
        self.cgroups.begin(task, parent)
        draft.put(("tasks", task), row)

    def _born(
        self, draft: Draft, parent: str, child: str, name: str, flags: int = 0, pids: tuple[int, ...] = ()
    ) -> None:
        """Make a task appear, in its parent's namespaces but for those that flags name."""
        if child in self._names:
            return
        self._born(draft, parent.rpartition(".")[0], parent, name)  # whose own beginning nobody may have heard of
        new = self.spaces.clone(draft, parent, child, flags, self.cgroups.of(parent))
        self._appear(draft, child, name, pids or (0,) * len(self.spaces.pid_chain(child)))
        self._furnish(draft, new, self.spaces.of(parent), self.spaces.of(child))
        if "user" in new:
            draft.put(("tasks", child, "caps"), None)  # all of them, in there

    def _furnish(self, draft: Draft, new: list[str], old_of: Mapping[str, str], of: Mapping[str, str]) -> None:
        """Put into new namespaces what they begin with: copies of the mounts, a loopback device."""
        if "mnt" in new:
            self.mounts.copy(draft, old_of["mnt"], of["mnt"])
        if "net" in new:
            self.links.begin(draft, of["net"])

    def changes(self, event: SyscallEvent, state: State) -> list[Change]:
        """Return what a finished call changed in the tables."""
        draft = Draft(state)
        self._born(draft, event.task.rpartition(".")[0], event.task, event.actor)
        opened = self._opened(draft, event)
        if event.error is None:
            handler: Callable[[Draft, SyscallEvent], None] | None = getattr(self, "_" + event.name, None)
            if handler is not None:
                handler(draft, event)
        self.sources.follow(event, opened)
        return draft.changes

    def inside(self, inner: Inner, state: State) -> list[Change]:
        """Return what something inside the kernel changed in the tables: a task was killed for memory."""
        draft = Draft(state)
        if inner.name == "oom_kill" and not inner.observed:
            self.cgroups.killed(draft, inner.path)
        return draft.changes

    def placed(self, event: SyscallEvent, inner: Inner, state: State) -> Inner:
        """Return something inside the kernel with its place as the state's tables name it."""
        draft = Draft(state)
        if inner.name in ASIDE or inner.name == USAGE:
            group = self.cgroups.key(draft, inner.name, inner.path)
            more = {"path": group} if inner.name in ASIDE else {}
            return replace(inner, path=group, data={**inner.data, **more})
        if inner.name == "frame":
            ends = self.links.hop(draft, self._net(event), inner.data.get("link", inner.path), inner.data.get("to", ""))
            return replace(inner, data={**inner.data, "netns": ends[0], "to_netns": ends[1]})
        return inner

    def noticed(self) -> list[Inner]:
        """Return, once, what a call's result told of what the kernel had done meanwhile."""
        noticed, self._noticed = self._noticed, []
        return noticed

    def find(self, caller: str, pid: int, state: State) -> str:
        """Return the task that a caller means by a number: as its own PID namespace counts; "" if there is none."""
        chain = self.spaces.pid_chain(caller)
        depth = len(chain) - 1
        if pid <= 0:
            return ""
        return next(
            (
                task
                for task in state["tasks"]
                if len(self._pids[task]) > depth
                and self._pids[task][depth] == pid
                and self.spaces.pid_chain(task)[: depth + 1] == chain
            ),
            "",
        )

    def is_local(self, event: SyscallEvent) -> bool:
        """Does the result differ between kernels? Pids do, what a /proc says, and how a pipe's data comes in pieces."""
        return local.result(event, self.source(event))

    def like(self, event: SyscallEvent, text: str, state: State) -> str:
        """Return what is compared between kernels where the text itself differs: a child by its line, not its pid."""
        like = local.text(event, text, self.source(event), lambda pid: self.find(event.task, pid, state))
        return "" if like == text else like

    def noted(self, event: SyscallEvent, text: str) -> str:
        """Return a call's text with the namespace, or the task, that a descriptor leads to, as ``strace -y`` has it."""
        source = self.source(event)
        if source is None or source.kind not in (NAMESPACE, TASK):
            return text
        note = source.what if source.kind == NAMESPACE else f"pid:{source.what}"
        if event.name == "setns":
            return text.replace(f"({event.args[0]}", f"({event.args[0]}<{note}>", 1)
        return text.replace(f"netns={event.kwargs.get('netns')}", f"netns={event.kwargs.get('netns')}<{note}>", 1)

    def source(self, event: SyscallEvent) -> Source | None:
        """Return what the descriptor leads to that a call was given, or None if it is an ordinary file or no call's."""
        fd = (
            event.kwargs.get("netns") if event.name in ("setlink", "newlink") else event.args[0] if event.args else None
        )
        return self.sources.of(event.task, fd) if isinstance(fd, int) and event.name in local.TAKE_FDS else None

    def where(self, event: SyscallEvent, state: State) -> str:
        """Return the path that a call is about, as the host's side sees control groups; "" if it is about none."""
        if event.name in ("read", "write"):
            source = self.source(event)
            return source.what if source and source.kind in (PROC, CGROUP) else ""
        if event.args and isinstance(event.args[0], str) and event.name in ("open", "mkdir", "rmdir", "listdir"):
            path = self.mounts.absolute(event.task, event.args[0])
            return self._in_cgroups(Draft(state), event.task, path) or path
        return ""

    # what descriptors lead to

    def _opened(self, draft: Draft, event: SyscallEvent) -> Source | None:
        if event.error is not None:
            return None
        if event.name == "pidfd_open":
            found = self.find(event.task, event.args[0], draft.state)
            return Source(TASK, found) if found else None
        if event.name == "open":
            return self._led_to(draft, event.task, self.mounts.absolute(event.task, event.args[0]))
        return {"pipe2": Source(PIPE), "socket": Source(SOCKET), "accept4": Source(SOCKET)}.get(event.name)

    def _led_to(self, draft: Draft, task: str, path: str) -> Source | None:
        if space := self._namespace(draft, task, path):
            return Source(NAMESPACE, space)
        if in_proc(path):
            return Source(PROC, path)
        if path in ("/dev/random", "/dev/urandom"):
            return Source(RANDOM)
        group = self._in_cgroups(draft, task, path)
        return Source(CGROUP, group) if group else None

    def _namespace(self, draft: Draft, task: str, path: str) -> str:
        """Return the namespace that a path names: of /proc/PID/ns, or where one of these is bind-mounted."""
        owner, name = self._of_proc(draft, task, path)
        if owner and name.startswith("ns/"):
            return self.spaces.file(owner, name[3:])
        return self.spaces.pinned(self.spaces.of(task)["mnt"], path)

    def _of_proc(self, draft: Draft, task: str, path: str) -> tuple[str, str]:
        """Return whose directory of /proc a path leads into, and the rest of it."""
        found = _PROC.fullmatch(path)
        if found is None:
            return "", ""
        owner = task if found[1] == "self" else self.find(task, int(found[1]), draft.state)
        return owner, found[2] or ""

    def _in_cgroups(self, draft: Draft, task: str, path: str) -> str:
        return self.cgroups.place(path, self.mounts.cgroup_root(draft, self.spaces.of(task)["mnt"], path))

    # tasks

    def _clone(self, draft: Draft, event: SyscallEvent) -> None:
        self._children[event.task] = self._children.get(event.task, 0) + 1
        child = event.child or f"{event.task}.{self._children[event.task]}"
        name = event.actor if event.task != HOST else "init"
        flags = event.kwargs.get("flags", 0)
        self._born(draft, event.task, child, name, flags, event.pids)
        if not event.pids:  # then at least as the caller and the child itself know it
            own = (1,) if flags & linux.CLONE_NEWPID else ()
            depth = len(self.spaces.pid_chain(event.task)) - 1
            self._pids[child] = (*(0,) * depth, event.result, *own)
            draft.put(("tasks", child, "pids"), list(self._pids[child]))
        self.sources.inherit(event.task, child, event.kwargs.get("fds"))
        group = self.sources.of(event.task, event.kwargs.get("cgroup", -1))
        if group is not None and group.kind == CGROUP:
            self.cgroups.move(draft, child, group.what)

    def _execve(self, draft: Draft, event: SyscallEvent) -> None:
        draft.put(("tasks", event.task, "name"), posixpath.basename(event.args[0]))
        self.spaces.execve(draft, event.task)
        self._sweep(draft)

    def _exit(self, draft: Draft, event: SyscallEvent) -> None:
        row = draft.get("tasks", event.task)
        draft.put(("tasks", event.task, "status"), "zombie")
        draft.put(("tasks", event.task, "exit_code"), event.args[0])
        self._orphan(draft, event.task)
        self.sources.forget(event.task)
        if row["parent"] == HOST and event.task.count(".") > 1:  # it was adopted, and is reaped at once
            draft.put(("tasks", event.task), None)
        self._sweep(draft)

    def _wait4(self, draft: Draft, event: SyscallEvent) -> None:
        child = self.find(event.task, event.result[0], draft.state)
        if not child:
            return
        self._orphan(draft, child)
        space = self.spaces.of(child)["pid"]
        ends_all = self._pids[child][-1:] == (1,)
        gone = [t for t in draft.get("tasks") if t == child or (ends_all and space in self.spaces.pid_chain(t))]
        for task in gone:
            self.sources.forget(task)
            self.spaces.forget(task)
            draft.put(("tasks", task), None)
        self._sweep(draft)

    def _orphan(self, draft: Draft, task: str) -> None:
        """Give the children of a task that has ended to the init of its PID namespace."""
        if self._pids[task][-1:] == (1,):
            return
        chain = self.spaces.pid_chain(task)
        inits = (t for t in draft.get("tasks") if self.spaces.pid_chain(t) == chain and self._pids[t][-1:] == (1,))
        heir = next(inits, HOST)
        for child, row in list(draft.get("tasks").items()):
            if row["parent"] == task:
                if heir != HOST or row["status"] == "running":
                    draft.put(("tasks", child, "parent"), heir)
                else:
                    draft.put(("tasks", child), None)

    def _sweep(self, draft: Draft) -> None:
        """Take away namespaces that nobody holds any more, with what was in them."""
        for space in self.spaces.sweep(draft, self.sources.held()):
            draft.put(("mounts", space), None)
            if space.startswith("net:"):
                self.links.gone(draft, space)

    # who a task is

    def _setuid(self, draft: Draft, event: SyscallEvent) -> None:
        if event.args[0] and not draft.get("tasks", event.task, "uid"):
            draft.put(("tasks", event.task, "caps"), [])
        draft.put(("tasks", event.task, "uid"), event.args[0])

    def _seteuid(self, draft: Draft, event: SyscallEvent) -> None:
        draft.put(("tasks", event.task, "uid"), event.args[0])

    def _capset(self, draft: Draft, event: SyscallEvent) -> None:
        draft.put(("tasks", event.task, "caps"), [name for bit, name in _CAPABILITY.items() if event.args[0] & bit])

    def _prctl(self, draft: Draft, event: SyscallEvent) -> None:
        if event.args[0] == linux.PR_SET_NO_NEW_PRIVS:
            draft.put(("tasks", event.task, "no_new_privs"), True)

    def _seccomp(self, draft: Draft, event: SyscallEvent) -> None:
        draft.put(("tasks", event.task, "seccomp"), True)

    # namespaces

    def _unshare(self, draft: Draft, event: SyscallEvent) -> None:
        flags = event.args[0]
        old = self.spaces.unshare(draft, event.task, flags, self.cgroups.of(event.task))
        self._furnish(draft, kinds_of(flags), old, self.spaces.of(event.task))
        self._changed_user(draft, event.task, kinds_of(flags))
        self._sweep(draft)

    def _setns(self, draft: Draft, event: SyscallEvent) -> None:
        joined = self.spaces.joined(self.source(event), event.args[1] if len(event.args) > 1 else 0)
        for kind, space in joined.items():
            self.spaces.enter(draft, event.task, kind, space)
        if "mnt" in joined:
            self.mounts.chdir(event.task, "/")
        self._changed_user(draft, event.task, joined)
        self._sweep(draft)

    def _changed_user(self, draft: Draft, task: str, kinds: Iterable[str]) -> None:
        """Who enters a user namespace has all capabilities there (user_namespaces(7))."""
        if "user" in kinds:
            draft.put(("tasks", task, "caps"), None)

    def _sethostname(self, draft: Draft, event: SyscallEvent) -> None:
        draft.put(("namespaces", self.spaces.of(event.task)["uts"], "hostname"), event.args[0])

    def _setdomainname(self, draft: Draft, event: SyscallEvent) -> None:
        draft.put(("namespaces", self.spaces.of(event.task)["uts"], "domainname"), event.args[0])

    def _close(self, draft: Draft, event: SyscallEvent) -> None:
        held = self.sources.of(event.task, event.args[0])
        if held is not None and held.kind == NAMESPACE:
            self.sources.close(event.task, event.args[0])
            self._sweep(draft)

    # mounts

    def _chdir(self, _: Draft, event: SyscallEvent) -> None:
        self.mounts.chdir(event.task, event.args[0])

    def _mount(self, draft: Draft, event: SyscallEvent) -> None:
        source, target, fstype, flags, data = event.args
        of = self.spaces.of(event.task)
        top = self.cgroups.root_of_mount(fstype, data, draft.get("namespaces", of["cgroup"], "root") or {})
        if flags & linux.MS_BIND:
            top = self._in_cgroups(draft, event.task, self.mounts.absolute(event.task, source))
        self.mounts.mount(draft, of["mnt"], event, top)
        if flags & linux.MS_BIND:
            bound = self._namespace(draft, event.task, self.mounts.absolute(event.task, source))
            if bound:
                self.spaces.pin(of["mnt"], self.mounts.absolute(event.task, target), bound)

    def _umount2(self, draft: Draft, event: SyscallEvent) -> None:
        space = self.spaces.of(event.task)["mnt"]
        for target in self.mounts.umount(draft, space, event):
            self.spaces.unpin(space, target)
        self._sweep(draft)

    def _pivot_root(self, draft: Draft, event: SyscallEvent) -> None:
        self.mounts.pivot_root(draft, self.spaces.of(event.task)["mnt"], event)

    # control groups: directories and files

    def _mkdir(self, draft: Draft, event: SyscallEvent) -> None:
        if group := self._in_cgroups(draft, event.task, self.mounts.absolute(event.task, event.args[0])):
            self.cgroups.mkdir(draft, group)

    def _rmdir(self, draft: Draft, event: SyscallEvent) -> None:
        if group := self._in_cgroups(draft, event.task, self.mounts.absolute(event.task, event.args[0])):
            self.cgroups.rmdir(draft, group)

    def _write(self, draft: Draft, event: SyscallEvent) -> None:
        source = self.source(event)
        if source is None:
            return
        if source.kind == CGROUP:
            self.cgroups.write(draft, source.what, event.args[1], lambda pid: self._pid(draft, event, pid))
        elif source.kind == PROC:
            owner, name = self._of_proc(draft, event.task, source.what)
            if owner and name in ("uid_map", "gid_map"):
                rows = [[int(word) for word in line.split()] for line in event.args[1].decode().splitlines() if line]
                draft.put(("namespaces", self.spaces.of(owner)["user"], name), rows)
            elif owner and name == "timens_offsets":
                space = self.spaces.file(owner, "time_for_children")
                for clock, seconds, _ in clock_offsets.parse(event.args[1])[0]:
                    draft.put(("namespaces", space, clock), seconds)

    def _pid(self, draft: Draft, event: SyscallEvent, pid: int) -> str:
        return self.find(event.task, pid, draft.state) if pid else event.task

    def _read(self, draft: Draft, event: SyscallEvent) -> None:
        source = self.source(event)
        if source is not None and source.kind == CGROUP:
            kills = self.cgroups.read(draft, source.what, event.result)
            if kills:
                group = source.what.rpartition("/")[0]
                data = {"path": group, "kills": kills, "limit": self.cgroups.memory_limit(draft, group)}
                self._noticed.append(Inner(name="oom_kill", path=group, observed=True, data=data))

    # networks

    def _newlink(self, draft: Draft, event: SyscallEvent) -> None:
        name, kind = event.args[:2]
        self.links.newlink(draft, self._net(event), name, kind, event.kwargs, self._target(event))

    def _setlink(self, draft: Draft, event: SyscallEvent) -> None:
        self.links.setlink(draft, self._net(event), event.args[0], event.kwargs, self._target(event))

    def _target(self, event: SyscallEvent) -> str:
        """Return the network namespace that ``netns`` leads to, or nothing."""
        source = self.source(event)
        return source.what if source and source.kind == NAMESPACE else ""

    def _dellink(self, draft: Draft, event: SyscallEvent) -> None:
        self.links.dellink(draft, self._net(event), event.args[0])

    def _getlink(self, draft: Draft, event: SyscallEvent) -> None:
        self.links.found(draft, self._net(event), event.result)

    def _newaddr(self, draft: Draft, event: SyscallEvent) -> None:
        self.links.newaddr(draft, self._net(event), *event.args[:2])

    def _deladdr(self, draft: Draft, event: SyscallEvent) -> None:
        self.links.deladdr(draft, self._net(event), *event.args[:2])

    def _newroute(self, draft: Draft, event: SyscallEvent) -> None:
        gateway, link = (event.kwargs.get(key) or "" for key in ("gateway", "link"))
        self.links.newroute(draft, self._net(event), event.args[0], gateway, link)

    def _delroute(self, draft: Draft, event: SyscallEvent) -> None:
        self.links.delroute(draft, self._net(event), event.args[0])

    def _net(self, event: SyscallEvent) -> str:
        return self.spaces.of(event.task)["net"]
