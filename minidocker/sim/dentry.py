"""Dentries: names in directories, and which inode each leads to (Linux's struct dentry).

The dentries of a file system form a tree of names already looked up: the dentry cache. A *negative* dentry remembers
that there is no such name. Inodes know nothing of names; a hard link is two dentries of one inode.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minidocker.sim.inode import Inode, SuperBlock


class Dentry:
    """A name in a directory. The root of a file system is its own parent. ``extra`` is the file system's to use."""

    __slots__ = (
        "__weakref__", "children", "extra", "gone", "hashed", "inode", "mounts", "name", "parent", "superblock",
    )  # fmt: skip

    def __init__(self, name: str, parent: "Dentry | None", inode: "Inode | None", superblock: "SuperBlock") -> None:
        """Make a dentry that is not in the cache yet; ``inode`` None: negative."""
        self.name = name
        self.parent: Dentry = self if parent is None else parent
        self.inode = inode
        self.superblock = superblock
        self.children: dict[str, Dentry] = {}
        self.hashed = parent is None
        self.extra = 0
        self.gone = False
        """Was its name removed? Then nothing can be mounted on it any more (cant_mount)."""
        self.mounts = 0
        """How many mounts lie on it, in all namespaces."""

    def __repr__(self) -> str:
        """Return the path within the file system."""
        return f"Dentry({self.path()!r}{'' if self.inode else ', negative'})"

    def child(self, name: str) -> "Dentry":
        """Return the dentry of a name in this directory, positive or negative, from the cache if it knows.

        The file system's :meth:`Inode.lookup` answers otherwise; it decides whether the answer is kept.
        """
        found = self.children.get(name)
        if found is not None:
            return found
        dentry = Dentry(name, self, None, self.superblock)
        self.inode.lookup(dentry)  # type: ignore[union-attr]  # only directories, which are positive, are asked
        return dentry

    def cache(self) -> None:
        """Keep the dentry in the cache (d_add)."""
        self.parent.children[self.name] = self
        self.hashed = True

    def instantiate(self, inode: "Inode") -> None:
        """Make the dentry positive, and keep it (d_instantiate)."""
        self.inode = inode
        self.cache()

    def drop(self) -> None:
        """Forget the name: the next lookup asks the file system. Who holds the dentry keeps its inode (d_drop)."""
        if self.hashed and self.parent.children.get(self.name) is self:
            del self.parent.children[self.name]
        self.hashed = False

    def move(self, target: "Dentry") -> None:
        """Give this dentry the place of target, which is dropped (d_move)."""
        target.drop()
        self.drop()
        self.name, self.parent = target.name, target.parent
        self.cache()

    def ancestors(self) -> "Iterator[Dentry]":
        """Yield the dentry, its parent, and so on to the root."""
        dentry = self
        while True:
            yield dentry
            if dentry.parent is dentry:
                return
            dentry = dentry.parent

    def is_below(self, other: "Dentry") -> bool:
        """Is this dentry other, or somewhere below it?"""
        dentry = self
        while dentry is not other:
            if dentry.parent is dentry:
                return False
            dentry = dentry.parent
        return True

    def path(self) -> str:
        """Return the path from the root of the file system: ``/a/b``."""
        names = [dentry.name for dentry in self.ancestors() if dentry.parent is not dentry]
        return "/" + "/".join(reversed(names))
