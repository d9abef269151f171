"""nsfs: namespaces as files (fs/nsfs.c). ``/proc/PID/ns/KIND`` leads here, and such a file can be mounted elsewhere.

A file of nsfs holds its namespace: as long as somebody has it open, or it is mounted somewhere, the namespace lives on
without a task in it.
"""

from typing import TYPE_CHECKING, Final

from minidocker.kernel import Stat
from minidocker.linux import S_IFREG
from minidocker.sim.dentry import Dentry
from minidocker.sim.inode import Change, Inode, SuperBlock
from minidocker.sim.mount import Mount
from minidocker.sim.open_file import OpenFile
from minidocker.sim.path import Location

if TYPE_CHECKING:
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.namespace import Namespace
    from minidocker.sim.task import Task

#: The device number of the file system.
DEVICE: Final = 4


class Nsfs(SuperBlock):
    """The one nsfs of a kernel. It has no names: each file is a root of its own."""

    def __init__(self, kernel: "SimKernel") -> None:
        """Be mounted where nobody sees it."""
        super().__init__(kernel, "nsfs", source="nsfs")
        self.device = DEVICE
        self.root = Dentry("", None, None, self)
        self.mount = Mount(self, self.root)

    def place(self, namespace: "Namespace") -> Location:
        """Return the place of a namespace's file, which no path leads to; in no circle, so it goes at once."""
        return Location(self.mount, Dentry("", self.root, NamespaceInode(self, namespace), self))

    def path_of(self, dentry: Dentry, reader: "Task") -> str:
        """Return a file's name as mountinfo and ``/proc/PID/fd`` have it: ``uts:[4026531838]``."""
        inode = dentry.inode
        return inode.namespace.name if isinstance(inode, NamespaceInode) else "/"


class NamespaceInode(Inode):
    """A namespace as a file: it can be opened for reading, and nothing else (it is immutable: EPERM)."""

    __slots__ = ("gid", "mode", "namespace", "nlink", "rdev", "uid")

    immutable = True

    def __init__(self, superblock: Nsfs, namespace: "Namespace") -> None:
        """Have the namespace's number, and hold it."""
        super().__init__(superblock, namespace.id)
        self.mode, self.nlink, self.rdev, self.uid, self.gid = S_IFREG | 0o444, 1, 0, 0, 0
        self.namespace = namespace
        namespace.get()

    def __del__(self) -> None:
        """Let go of the namespace."""
        self.namespace.put()

    def stat(self, dentry: Dentry) -> Stat:
        """Tell the number: equal numbers are the same namespace."""
        return Stat(st_mode=self.mode, st_ino=self.ino, st_dev=DEVICE, st_nlink=1, st_uid=0, st_gid=0, st_size=0)

    def change(self, dentry: Dentry, change: Change) -> None:
        """Refuse any change (EPERM)."""
        if change != Change():
            super().change(dentry, change)

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> OpenFile:
        """Open it, for setns."""
        return NamespaceFile(self, location, flags)


class NamespaceFile(OpenFile):
    """An open file of nsfs: a hold on a namespace, for setns."""

    __slots__ = ("_inode", "location")

    def __init__(self, inode: NamespaceInode, location: "tuple[Mount, Dentry]", flags: int) -> None:
        """Hold the inode, which holds the namespace."""
        super().__init__(flags)
        self._inode = inode
        self.location = location

    @property
    def namespace(self) -> "Namespace":
        """The namespace."""
        return self._inode.namespace

    def stat(self) -> Stat:
        """Tell its number as the inode's."""
        return self._inode.stat(self.location[1])
