"""A control group: a directory that tasks are in, and what its controllers know of them (Linux's struct cgroup).

Groups form a tree, the *hierarchy*. Each task is in one group of each hierarchy; what is counted or limited for a group
holds for all below it. A controller (memory, pids …) has a *state* in each group where it is switched on (Linux's
cgroup_subsys_state). Version 1 has it in every group of the hierarchy that the controller is mounted with; in version
2 a group hands a controller down to its children by ``cgroup.subtree_control`` (cgroup-v2.rst, "Controlling
Controllers").
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minidocker.sim.cgroup.hierarchy import Hierarchy
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.task import Task


class State:
    """What a controller keeps of one group. ``parent`` is the state in the group around, None at the top."""

    __slots__ = ("group", "parent")

    def __init__(self, group: "Cgroup") -> None:
        """Belong to a group."""
        self.group = group
        self.parent: Any = None

    def around(self) -> "Iterator[Any]":
        """Yield this state, the one around it, and so on to the top."""
        state: Any = self
        while state is not None:
            yield state
            state = state.parent

    def begin(self) -> None:
        """Start: the group was made, or the controller was switched on for it."""

    def end(self) -> None:
        """Stop: the group was removed, or the controller was switched off for it."""


class Cgroup:
    """One group. ``population`` counts its tasks and those below, zombies too; ``living`` counts no zombies."""

    __slots__ = (
        "children", "clone_children", "created_ns", "dead", "dentry", "depth", "freeze", "frozen_since_ns",
        "frozen_total_ns", "hierarchy", "living", "max_depth", "max_descendants", "name", "notify_on_release", "number",
        "owner", "parent", "population", "states", "subtree_control", "tasks", "usage",
    )  # fmt: skip

    def __init__(
        self, hierarchy: "Hierarchy", name: str, parent: "Cgroup | None", owner: tuple[int, int] = (0, 0)
    ) -> None:
        """Make an empty group; ``owner`` is the user and group whose files these are."""
        self.hierarchy = hierarchy
        self.name = name
        self.parent = parent
        self.owner = owner
        self.number = hierarchy.next_number()
        self.depth: int = parent.depth + 1 if parent else 0
        self.children: dict[str, Cgroup] = {}
        self.tasks: dict[Task, None] = {}
        self.population = self.living = 0
        self.states: dict[str, Any] = {}
        self.subtree_control: set[str] = set()
        self.max_depth: int | None = None
        self.max_descendants: int | None = None
        self.freeze = False
        """Was ``1`` written to cgroup.freeze?"""
        self.frozen_since_ns: int | None = None
        self.frozen_total_ns = 0
        self.notify_on_release: bool = parent.notify_on_release if parent else False
        self.clone_children: bool = parent.clone_children if parent else False
        self.dead = False
        self.created_ns = hierarchy.kernel.clock.now_ns()
        self.usage = hierarchy.new_usage()
        self.dentry: Dentry

    def __repr__(self) -> str:
        """Return the path."""
        return f"Cgroup({self.hierarchy.number}:{self.path()})"

    def path(self) -> str:
        """Return the path from the root of the hierarchy: ``/docker/1a2b``."""
        names = [group.name for group in self.around() if group.parent]
        return "/" + "/".join(reversed(names))

    def path_from(self, top: "Cgroup") -> str:
        """Return the path as one sees it to whom another group is the root: ``/../other`` if it lies outside."""
        mine, its = list(self.around())[::-1], list(top.around())[::-1]
        common = sum(1 for a, b in zip(mine, its, strict=False) if a is b)
        return "/" + "/".join([".."] * (len(its) - common) + [group.name for group in mine[common:]])

    def around(self) -> "Iterator[Cgroup]":
        """Yield this group, the one that it lies in, and so on to the root."""
        group: Cgroup | None = self
        while group:
            yield group
            group = group.parent

    def tree(self) -> "Iterator[Cgroup]":
        """Yield this group and all below it, parents first."""
        yield self
        for child in list(self.children.values()):
            yield from child.tree()

    def all_tasks(self) -> "list[Task]":
        """Return the tasks of this group and of those below that have not ended."""
        return [task for group in self.tree() for task in group.tasks if task.alive]

    @property
    def controllers(self) -> list[str]:
        """The controllers that this group has, in the kernel's order."""
        given = self.parent.subtree_control if self.parent and self.hierarchy.is_v2 else self.hierarchy.controllers
        return [name for name in self.hierarchy.controllers if name in given]

    def effective(self, controller: str) -> Any:
        """Return the state that counts here: the group's own, or that of the nearest one around (cgroup_e_css)."""
        for group in self.around():
            state = group.states.get(controller)
            if state is not None:
                return state
        return None

    def add(self, task: "Task") -> None:
        """Count a task in."""
        self.tasks[task] = None
        for group in self.around():
            group.population += 1
            group.living += task.alive

    def remove(self, task: "Task") -> None:
        """Count a task out."""
        del self.tasks[task]
        for group in self.around():
            group.population -= 1
            group.living -= task.alive

    def ended(self) -> None:
        """One of its tasks is a zombie from now on."""
        for group in self.around():
            group.living -= 1

    def switch_on(self, controller: str) -> None:
        """Give the group a controller of its own."""
        state = self.hierarchy.controllers[controller].make(self)
        state.parent = self.parent.effective(controller) if self.parent else None
        self.states[controller] = state
        state.begin()

    def switch_off(self, controller: str) -> None:
        """Take the group's own controller away: what it was told is forgotten."""
        state = self.states.pop(controller, None)
        if state is not None:
            state.end()
