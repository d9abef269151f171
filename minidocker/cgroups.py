"""Cgroups: a group for each container, made, limited, entered, frozen, read and removed, by files of cgroupfs.

There are no system calls for control groups: all is mkdir, rmdir, and files that are read and written (cgroups(7)).
With no listener a whole step is one job, close to the kernel; with one, each call passes the port and is told.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from minidocker import linux
from minidocker.cgroup_files import PARENT, Layout, files, parse_layout
from minidocker.cgroup_jobs import make_groups, prepare, read_all
from minidocker.cgroup_usage import V1_FILES, V2_FILES, Usage, of_v1, of_v2, table
from minidocker.errors import InvalidParameter, ServerError, StartError
from minidocker.kernel import Kernel
from minidocker.resources import Resources, Support

#: Files and what is written into them.
_Values: TypeAlias = list[tuple[str, str]]

#: How often to look whether a group is frozen, a millisecond apart.
_LOOKS: Final = 500


class Cgroups:
    """The containers' groups of one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        """Look at nothing yet."""
        self._kernel = kernel
        self._layout: Layout | None = None
        self._support = Support()
        self._cpuset: tuple[str, str] = ("", "")
        self._groups: set[str] = set()

    @property
    def layout(self) -> Layout:
        """The hierarchies that there are."""
        return self._look()[0]

    @property
    def support(self) -> Support:
        """What they can limit."""
        return self._look()[1]

    def create(self, container_id: str, resources: Resources) -> None:
        """Make a container's group in each hierarchy, and write its limits: before there is a task to keep to them.

        StartError, in runc's words, if the kernel refuses a limit.
        """
        if resources.cpu_shares < 0:
            raise InvalidParameter("shares: invalid argument")
        layout = self.layout
        self._groups.add(container_id)
        first = self._cpuset_values(container_id) if "cpuset" in layout.v1 else []
        asked = list(dict(first + self._paths(container_id, resources)).items())
        if why := self._set(container_id, resources, self._directories(container_id), asked):
            raise StartError(
                f"error during container init: error setting cgroup config for procHooks process: {why}", exit_code=125
            )

    def has(self, container_id: str) -> bool:
        """Has a container groups of its own?"""
        return container_id in self._groups

    def cradle(self, container_id: str) -> str:
        """Return the directory of the v2 group in which a container's tasks are born; nothing where there is none."""
        unified = self.layout.unified
        return f"{unified}/{PARENT}/{container_id}" if unified and container_id in self._groups else ""

    def doors(self, container_id: str) -> list[str]:
        """Return the files by which a task enters a container's v1 groups: it writes 0, which means itself."""
        if container_id not in self._groups:
            return []
        layout = self.layout
        return [f"{root}/{PARENT}/{container_id}/tasks" for root in layout.roots if root != layout.unified]

    def admit(self, container_id: str, pid: int) -> None:
        """Put a task into v1 groups from outside: one that is nobody out here cannot enter them itself."""
        doors = [door.replace("/tasks", "/cgroup.procs") for door in self.doors(container_id)]
        self._kernel.together(make_groups, [], [(door, str(pid)) for door in doors])

    def update(self, container_id: str, wanted: Resources, merged: Resources) -> None:
        """Write the limits that are wanted anew; ServerError, in runc's words, if the kernel refuses one."""
        chosen = {limit.file for limit in files(wanted, self.layout)}
        asked = [pair for pair in self._paths(container_id, merged) if pair[0].rpartition("/")[2] in chosen]
        if why := self._set(container_id, wanted, [], self._swap_in_order(container_id, wanted, asked)):
            raise ServerError(f"runc did not terminate successfully: exit status 1: {why}\n: unknown")

    def freeze(self, container_id: str, wait: Callable[[], Any]) -> None:
        """Stop all tasks of a group where they are, and ``wait()`` until they are."""
        self._set_frozen(container_id, True, wait)

    def thaw(self, container_id: str, wait: Callable[[], Any]) -> None:
        """Let a frozen group go on."""
        self._set_frozen(container_id, False, wait)

    def usage(self, container_id: str) -> Usage:
        """Return what a group has used and uses; nothing of a group that is not there."""
        layout = self.layout
        if layout.v1:
            named = {name: controller for name, controller in V1_FILES.items() if controller in layout.v1}
        else:
            named = dict.fromkeys(V2_FILES if layout.unified else (), "")
        paths = [f"{layout.group(controller, container_id)}/{name}" for name, controller in named.items()]
        texts = dict(zip(named, self._kernel.together(read_all, paths), strict=True))
        return of_v1(texts) if layout.v1 else of_v2(texts)

    def oom_kills(self, container_id: str) -> int:
        """Return how many of a group's tasks the kernel has killed for want of memory."""
        layout = self.layout
        if container_id not in self._groups or not layout.has("memory"):
            return 0
        file = "memory.oom_control" if layout.v1 else "memory.events"
        text = self._kernel.together(read_all, [f"{layout.group('memory', container_id)}/{file}"])[0]
        return table(text).get("oom_kill", 0)

    def forget(self, container_id: str) -> list[str]:
        """Forget a container's groups, and return their directories, to be removed."""
        if container_id not in self._groups:
            return []
        self._groups.discard(container_id)
        return self._directories(container_id)[::-1]

    # inside

    def _directories(self, container_id: str) -> list[str]:
        """Return a container's group in each hierarchy."""
        return [f"{root}/{PARENT}/{container_id}" for root in self.layout.roots]

    def _set(self, container_id: str, resources: Resources, groups: Sequence[str], asked: _Values) -> str:
        """Make groups and write values; return what runc says if the kernel refuses one, or takes another."""
        try:
            self._kernel.together(make_groups, groups, asked)
            self._check_shares(container_id, resources)
        except OSError as error:
            return _refused(error, asked)
        except _OutOfRange as error:
            return str(error)
        return ""

    def _look(self) -> tuple[Layout, Support]:
        if self._layout is None:
            self._layout = parse_layout(self._kernel.job(read_all, ["/proc/self/mountinfo"])[0])
            found = self._kernel.job(prepare, self._layout.roots, self._layout.unified if not self._layout.v1 else "")
            self._layout = Layout(
                v1=self._layout.v1, unified=self._layout.unified, controllers=tuple(found["controllers"])
            )
            self._cpuset = (found["cpus"], found["mems"])
            self._support = self._supported(found)
        return self._layout, self._support

    def _supported(self, found: dict[str, Any]) -> Support:
        layout, there = self._layout or Layout(), set(found["files"])
        cpus = found["processors"]
        return Support(
            memory=layout.has("memory"),
            swap=bool({"memory.memsw.limit_in_bytes", "memory.swap.max"} & there),
            reservation=bool({"memory.soft_limit_in_bytes", "memory.low"} & there),
            cpu_shares=layout.has("cpu"),
            cpu_quota=bool({"cpu.cfs_quota_us", "cpu.max"} & there),
            cpuset=layout.has("cpuset"),
            pids=layout.has("pids"),
            freezer=bool(layout.freezes_by),
            cpus=len(cpus),
            cpuset_cpus=found["cpus"] or ",".join(map(str, cpus)),
        )

    def _paths(self, container_id: str, resources: Resources) -> _Values:
        """Return (path, value) of each limit."""
        layout = self.layout
        return [(f"{layout.group(o.controller, container_id)}/{o.file}", o.value) for o in files(resources, layout)]

    def _cpuset_values(self, container_id: str) -> _Values:
        """What a v1 cpuset must be given before any task may enter: the parent's processors and memory nodes."""
        group = self.layout.group("cpuset", container_id)
        return [(f"{group}/cpuset.cpus", self._cpuset[0]), (f"{group}/cpuset.mems", self._cpuset[1])]

    def _check_shares(self, container_id: str, resources: Resources) -> None:
        """Refuse shares that v1 has not taken as they were: it cuts them off at both ends without a word."""
        if not resources.cpu_shares or "cpu" not in self.layout.v1:
            return
        taken = int(self._kernel.together(read_all, [f"{self.layout.group('cpu', container_id)}/cpu.shares"])[0])
        if not 0 < resources.cpu_shares <= taken:
            raise _OutOfRange(f"the maximum allowed cpu-shares is {taken}")
        if resources.cpu_shares < taken:
            raise _OutOfRange(f"the minimum allowed cpu-shares is {taken}")

    def _swap_in_order(self, container_id: str, wanted: Resources, asked: _Values) -> _Values:
        """Write v1's limit of memory and swap first where the new one is above the old limit of memory alone."""
        if "memory" not in self.layout.v1 or not (wanted.memory and wanted.memory_swap):
            return asked
        now = int(
            self._kernel.together(read_all, [f"{self.layout.group('memory', container_id)}/memory.limit_in_bytes"])[0]
        )
        if wanted.memory_swap == -1 or now < wanted.memory_swap:
            return sorted(asked, key=lambda pair: not pair[0].endswith("memory.memsw.limit_in_bytes"))
        return asked

    def _set_frozen(self, container_id: str, frozen: bool, wait: Callable[[], Any]) -> None:
        layout = self.layout
        if layout.freezes_by == "cgroup.freeze":
            group = f"{layout.unified}/{PARENT}/{container_id}"
            file, word, state, said = "cgroup.freeze", str(int(frozen)), "cgroup.events", f"frozen {int(frozen)}"
        elif layout.freezes_by:
            word = said = "FROZEN" if frozen else "THAWED"
            group, file, state = layout.group("freezer", container_id), "freezer.state", "freezer.state"
        else:
            raise ServerError("cannot freeze: no cgroup freezer is mounted", hint="minidocker doctor says why.")
        self._kernel.together(make_groups, [], [(f"{group}/{file}", word)])
        for _ in range(_LOOKS):
            if said in self._kernel.job(read_all, [f"{group}/{state}"])[0].splitlines():
                if self._kernel.listener is not None:  # the last look is told, however many it took
                    read_all(self._kernel, [f"{group}/{state}"])
                return
            wait()
        raise ServerError("unable to freeze" if frozen else "unable to thaw")


class _OutOfRange(Exception):
    """The kernel has taken another value than was asked for."""


def _refused(error: OSError, asked: Sequence[tuple[str, str]]) -> str:
    """Return what runc says when a limit cannot be written."""
    value, why = dict(asked).get(error.filename), f"{error.filename}: {linux.strerror(error.errno).lower()}"
    return why if value is None else f'failed to write "{value}": write {why}'
