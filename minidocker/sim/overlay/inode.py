"""An overlay's inode: what the rest of the kernel sees. It stands for one file, whichever layer has it now.

A descriptor holds this inode, not the layer's: so one that was opened before the copy-up reads the new data.
"""

import errno
from typing import TYPE_CHECKING, TypeAlias

from minidocker.kernel import Stat
from minidocker.linux import O_ACCMODE, O_RDONLY, O_TRUNC, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK, fail
from minidocker.sim.inode import Change, Inode
from minidocker.sim.regular import open_inode

if TYPE_CHECKING:
    from weakref import ref

    from minidocker.sim.credentials import Credentials
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.mount import Mount
    from minidocker.sim.open_file import OpenFile
    from minidocker.sim.overlay.superblock import Layer, Overlay
    from minidocker.sim.task import Task

#: A directory or file of the lower layers, and which layer it is of.
Lower: TypeAlias = "tuple[Layer, Dentry]"

_SPECIAL = (S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK)


class OverlayInode(Inode):
    """One file or directory of the merged tree.

    ``upper`` is its dentry in the upper layer, None until it is copied up. ``lower`` are those in the lower layers that
    make it up, topmost first: of a file at most one, which after the copy-up is its origin.
    """

    __slots__ = ("alias", "const_ino", "lower", "merges", "real", "redirect", "upper")

    superblock: "Overlay"

    def __init__(
        self,
        superblock: "Overlay",
        upper: "Dentry | None",
        lower: "tuple[Lower, ...]",
        *,
        const_ino: bool,
        shows_whiteouts: bool,
    ) -> None:
        """Stand for what was looked up.

        ``const_ino``: its number is the lower one's, before and after a copy-up. ``shows_whiteouts``: a directory of
        one layer only, listed as it is.
        """
        super().__init__(superblock, superblock.new_ino())
        self.upper = upper
        self.lower = lower
        self.const_ino = const_ino
        self.merges = not shows_whiteouts
        self.redirect: str | None = None
        self.alias: ref[Dentry] | None = None
        real = upper.inode if upper is not None else lower[0][1].inode
        assert real is not None
        self.real: Inode = real

    @property
    def mode(self) -> int:  # type: ignore[override]  # a value in other inodes, the layer's in this one
        """Type and permission bits."""
        return self.real.mode

    @property
    def uid(self) -> int:  # type: ignore[override]
        """The owner."""
        return self.real.uid

    @property
    def gid(self) -> int:  # type: ignore[override]
        """The group."""
        return self.real.gid

    @property
    def nlink(self) -> int:  # type: ignore[override]
        """How many names the layer's inode has."""
        return self.real.nlink

    @property
    def rdev(self) -> int:  # type: ignore[override]
        """The device's number."""
        return self.real.rdev

    @property
    def size(self) -> int:
        """How many bytes the data has."""
        return self.real.size

    @property
    def real_dentry(self) -> "Dentry":
        """The layer's dentry: the upper one, or else the topmost lower one."""
        return self.upper if self.upper is not None else self.lower[0][1]

    @property
    def is_merged(self) -> bool:
        """Is it a directory of several layers?"""
        if self.upper is None:
            return len(self.lower) > 1
        return bool(self.lower) and self.real.is_dir

    @property
    def has_origin(self) -> bool:
        """Is it in the upper layer, and known to be a copy of a lower one?"""
        return self.upper is not None and bool(self.lower) and self.const_ino

    def stat(self, dentry: "Dentry") -> Stat:
        """Tell about the inode."""
        return inode_numbers.stat(self)

    def lookup(self, dentry: "Dentry") -> None:
        """Find what a name of this directory leads to in the layers."""
        lookup.lookup(self.superblock, self, dentry)

    def names(self, dentry: "Dentry") -> list[str]:
        """Return the names in this directory."""
        return readdir.names(self, dentry)

    def make(self, dentry: "Dentry", mode: int, creds: "Credentials", *, rdev: int = 0, target: str = "") -> None:
        """Make an inode in the upper layer; EPERM for what would be a whiteout."""
        create.make(self.superblock, dentry, mode, creds, rdev, target)

    def link(self, old: "Dentry", new: "Dentry") -> None:
        """Give an inode one more name, once it is copied up."""
        create.link(self.superblock, old, new)

    def unlink(self, dentry: "Dentry") -> None:
        """Remove a name, leaving a whiteout where a lower layer has it."""
        remove.remove(self.superblock, dentry)

    def rmdir(self, dentry: "Dentry") -> None:
        """Remove a directory in which nothing is seen; ENOTEMPTY."""
        remove.remove(self.superblock, dentry)

    def rename(self, old: "Dentry", new: "Dentry") -> None:
        """Move a name; EXDEV for a directory of a lower layer, unless redirect_dir=on."""
        rename.rename(self.superblock, old, new)

    def change(self, dentry: "Dentry", change: Change) -> None:
        """Set attributes, once it is copied up."""
        copy_up.copy_up(self.superblock, dentry)
        assert self.upper is not None
        self.real.change(self.upper, change)

    def readlink(self, dentry: "Dentry", task: "Task | None" = None) -> str:
        """Return what a symbolic link says."""
        return self.real.readlink(self.real_dentry, task)

    def before_open(self, dentry: "Dentry", flags: int) -> None:
        """Copy up if data may be written. Fifos and devices are not: what is written to them is not their data."""
        if self.upper is None and (flags & O_ACCMODE != O_RDONLY or flags & O_TRUNC) and self.kind not in _SPECIAL:
            copy_up.copy_up(self.superblock, dentry, truncate=bool(flags & O_TRUNC))

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> "OpenFile":
        """Open; the descriptor holds this inode."""
        return open_inode(task, self, location, flags)

    def read_at(self, offset: int, n: int) -> bytes:
        """Return at most n bytes of the data of the layer that has it now."""
        return self.real.read_at(offset, n)

    def stretches(self, size: int) -> list[tuple[int, int]]:
        """Return what is no hole of the data of the layer that has it now."""
        return self.real.stretches(size)

    def write_at(self, offset: int, data: bytes) -> int:
        """Write into the upper layer's data."""
        if self.upper is None:
            fail(errno.EROFS)
        return self.real.write_at(offset, data)

    def get_xattr(self, name: str) -> bytes:
        """Return an extended attribute; overlayfs's own are not seen (ENODATA)."""
        return self.real.get_xattr(xattr.stored_name(self.superblock, name))

    def list_xattrs(self) -> list[str]:
        """Return the names of the extended attributes, but for overlayfs's own."""
        return xattr.shown_names(self.superblock, self.real.list_xattrs())

    def set_xattr(self, dentry: "Dentry", name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute, once it is copied up."""
        copy_up.copy_up(self.superblock, dentry)
        self.real.set_xattr(self.real_dentry, xattr.stored_name(self.superblock, name), value, flags)

    def remove_xattr(self, dentry: "Dentry", name: str) -> None:
        """Remove an extended attribute; if there is none, nothing is copied up (ENODATA)."""
        stored = xattr.stored_name(self.superblock, name)
        if self.upper is None:
            self.real.get_xattr(stored)
        copy_up.copy_up(self.superblock, dentry)
        self.real.remove_xattr(self.real_dentry, stored)


# The phenomena have an OverlayInode to work on, so they can be imported only now.
from minidocker.sim.overlay import copy_up, create, inode_numbers, lookup, readdir, remove, rename, xattr  # noqa: E402
