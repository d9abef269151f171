"""Mounts: which file system is attached where, per mount namespace (mount_namespaces(7); Linux's struct mount)."""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from minidocker.linux import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_STRICTATIME, fail
from minidocker.sim.namespace import Namespace
from minidocker.sim.path import Location
from minidocker.sim.propagation import leave, lock_tree, reduce_to_slave

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import SuperBlock
    from minidocker.sim.path import FsContext
    from minidocker.sim.propagation import PeerGroup
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

#: The flags that belong to a mount and not to its file system, with their names in /proc/mounts.
MOUNT_FLAGS: Final = {MS_RDONLY: "ro", MS_NOSUID: "nosuid", MS_NODEV: "nodev", MS_NOEXEC: "noexec"}

#: Makes a superblock from mount(2)'s source and data, for the calling task.
Factory: TypeAlias = "Callable[[Task, str, str, bool], SuperBlock]"

#: File system types by name: ``/proc/filesystems``.
FILE_SYSTEMS: Final[dict[str, Factory]] = {}


#: In which user namespace a mounter must have CAP_SYS_ADMIN, where that is not its own.
OWNERS: Final[dict[str, "Callable[[Task], UserNamespace]"]] = {}


def register(fstype: str, factory: Factory, owner: "Callable[[Task], UserNamespace] | None" = None) -> None:
    """Make a file system type known to mount(2). ``factory(task, source, data, readonly)`` returns a superblock.

    ``owner(task)``: the user namespace that what it shows belongs to; without it, it is the mounter's own.
    """
    FILE_SYSTEMS[fstype] = factory
    if owner is not None:
        OWNERS[fstype] = owner


class Mount:
    """A file system, or a part of it, attached at a place. ``children``: the mounts on it."""

    __slots__ = (
        "children",
        "flags",
        "group",
        "id",
        "locked",
        "locked_flags",
        "master",
        "mountpoint",
        "namespace",
        "parent",
        "root",
        "superblock",
    )

    def __init__(self, superblock: "SuperBlock", root: "Dentry", flags: int = 0) -> None:
        """Make a mount that is attached nowhere yet."""
        self.superblock = superblock
        self.root = root
        self.flags = flags
        self.id = superblock.kernel.new_mount_id()
        self.parent: Mount | None = None
        self.mountpoint: Dentry | None = None
        self.namespace: MountNamespace | None = None
        self.children: dict[Dentry, Mount] = {}
        self.group: PeerGroup | None = None
        self.master: PeerGroup | None = None
        self.locked = False
        """May it not be taken from its place, since who owned what lies below is another user namespace?"""
        self.locked_flags = 0
        """The flags that may not be cleared, for the same reason."""

    def __repr__(self) -> str:
        """Return type and mount point."""
        return f"Mount({self.superblock.fstype}, at {self.mountpoint and self.mountpoint.path()})"

    @property
    def readonly(self) -> bool:
        """Is writing through this mount refused (EROFS)?"""
        return bool(self.flags & MS_RDONLY) or self.superblock.readonly

    @property
    def place(self) -> Location | None:
        """Where it is attached, or None for the root of a namespace and for what was detached."""
        return None if self.parent is None or self.mountpoint is None else Location(self.parent, self.mountpoint)

    def cross(self, dentry: "Dentry") -> Location:
        """Return the place that one gets to at a dentry: the root of the topmost mount on it, if any."""
        mount = self
        while (above := mount.children.get(dentry)) is not None:
            mount, dentry = above, above.root
        return Location(mount, dentry)

    def attach(self, parent: "Mount", mountpoint: "Dentry") -> None:
        """Attach at a place; what already is mounted there moves on top, as Linux does with propagated mounts."""
        below = parent.children.get(mountpoint)
        if below is not None:
            below.unhook()
        self.hook(parent, mountpoint)
        if below is not None:
            below.hook(*self.cross(self.root))
        for mount in self.tree():
            mount.namespace = parent.namespace

    def hook(self, parent: "Mount", mountpoint: "Dentry") -> None:
        """Enter the place where it is attached."""
        self.parent, self.mountpoint = parent, mountpoint
        parent.children[mountpoint] = self
        mountpoint.mounts += 1

    def unhook(self) -> None:
        """Leave that place."""
        if self.parent is not None and self.mountpoint is not None:
            del self.parent.children[self.mountpoint]
            self.mountpoint.mounts -= 1
        self.parent = self.mountpoint = None

    def detach(self) -> None:
        """Take away from its place, with all that is mounted on it."""
        self.unhook()
        for mount in self.tree():
            mount.namespace = None

    def tree(self) -> "list[Mount]":
        """Return this mount and all below it, parents first, in the order in which they were mounted."""
        found, waiting = [], [self]
        while waiting:
            mount = waiting.pop()
            found.append(mount)
            if mount.children:
                waiting += reversed(mount.children.values())
        return found

    def clone(self, root: "Dentry | None" = None) -> "Mount":
        """Return a detached copy that shows the same, or what lies at another root of it; peers stay peers."""
        twin = Mount(self.superblock, root or self.root, self.flags)
        twin.locked, twin.locked_flags = self.locked, self.locked_flags
        if self.group is not None:
            self.group.add(twin)
        if self.master is not None:
            self.master.enslave(twin)
        return twin

    def clone_tree(self, root: "Dentry | None" = None, copies: "dict[Mount, Mount] | None" = None) -> "Mount":
        """Return a detached copy of this mount and of those below; ``copies`` is filled with old → new."""
        twin = self.clone(root)
        if copies is not None:
            copies[self] = twin
        whole = twin.root is self.root
        for dentry, child in list(self.children.items()):
            if whole or dentry.is_below(twin.root):
                child.clone_tree(copies=copies).hook(twin, dentry)
        return twin

    def options(self) -> list[str]:
        """Return the options as /proc/mounts lists them: the mount's, then the file system's own."""
        return ["ro" if self.readonly else "rw", *self._flags(), *self.superblock.options()]

    def own_options(self) -> list[str]:
        """Return the mount's own options, as mountinfo lists them."""
        return ["ro" if self.flags & MS_RDONLY else "rw", *self._flags()]

    def _flags(self) -> list[str]:
        names = [name for flag, name in MOUNT_FLAGS.items() if self.flags & flag and flag != MS_RDONLY]
        return names if self.flags & MS_STRICTATIME else [*names, "relatime"]


class MountNamespace(Namespace):
    """One tree of mounts (mount_namespaces(7))."""

    __slots__ = ("root",)

    kind: ClassVar = "mnt"

    def __init__(self, root: Mount, number: int, owner: "UserNamespace") -> None:
        """Take a tree of mounts."""
        super().__init__(number, owner)
        self.root = root
        for mount in root.tree():
            mount.namespace = self

    def copy(self, fs: "FsContext", number: int, owner: "UserNamespace") -> "MountNamespace":
        """Return a copy of the tree (CLONE_NEWNS), and move a task's root and working directory into it.

        Whoever owns it without owning the original may not change what the original's owner has mounted: peers become
        slaves, and the mounts are locked together (mount_namespaces(7), "Restrictions on mount namespaces").
        """
        copies: dict[Mount, Mount] = {}
        twin = MountNamespace(self.root.clone_tree(copies=copies), number, owner)
        if owner is not self.owner:
            for mount in copies.values():
                reduce_to_slave(mount)
            lock_tree(twin.root)
        fs.root = Location(copies.get(fs.root.mount, fs.root.mount), fs.root.dentry)
        fs.cwd = Location(copies.get(fs.cwd.mount, fs.cwd.mount), fs.cwd.dentry)
        return twin

    def move_in(self, fs: "FsContext") -> None:
        """Put a task's root and working directory at this namespace's root (setns(2))."""
        fs.root = fs.cwd = self.root.cross(self.root.root)

    def end(self) -> None:
        """Let the mounts leave their peers (put_mnt_ns)."""
        for mount in self.root.tree():
            leave(mount)

    def mounts(self) -> list[Mount]:
        """Return all mounts in the order in which they were made, the root first."""
        return sorted(self.root.tree(), key=lambda mount: mount.id)


def want_write(mount: Mount, path: str | None = None) -> None:
    """Raise EROFS if a mount or its file system is read-only (mnt_want_write)."""
    if mount.flags & MS_RDONLY or mount.superblock.readonly:
        fail(errno.EROFS, path)
