"""Inodes: files, directories and all else that has a mode and an owner, without a name (Linux's struct inode).

:class:`Inode` is what every file system's inodes answer; the rest of the kernel asks only that, after it has checked
permissions. :class:`HeldInode` keeps its mode, owner, times and data in an object of pyfakefs, the lab's simulated
disk, made by pyfakefs's own constructors. What pyfakefs does not have (device numbers, link counts as Linux counts
them) is held here, and names are held by dentries.
"""

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pyfakefs.fake_file import FakeDirectory, FakeFile

from minidocker.kernel import Stat
from minidocker.linux import S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, XATTR_CREATE, XATTR_REPLACE, fail
from minidocker.sim.sparse import PAGE, SparseData
from minidocker.sim.user_namespace import FIRST, UserNamespace

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.mount import Mount
    from minidocker.sim.open_file import OpenFile
    from minidocker.sim.task import Task


@dataclass(slots=True, kw_only=True)
class Change:
    """What chmod, chown, truncate or utime change of an inode; None leaves a value as it is (Linux's struct iattr)."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None


class SuperBlock:
    """One mounted-able file system: its device number, options and root (Linux's struct super_block).

    ``shared``: is every mount of it the same file system, as cgroupfs's are?
    """

    shared = False

    def __init__(self, kernel: "SimKernel", fstype: str, *, source: str = "none", readonly: bool = False) -> None:
        """Take the next anonymous device number. The file system itself sets ``root``."""
        self.kernel = kernel
        self.fstype = fstype
        self.source = source
        self.readonly = readonly
        self.device = kernel.new_device()
        self.user: UserNamespace = FIRST
        """The user namespace that it was mounted in (s_user_ns): elsewhere its devices are no devices."""
        self.tells_of_system = False
        """Does it tell of more than its own files, as proc does (SB_I_USERNS_VISIBLE)?"""
        self.root: Dentry
        self.last_ino = 0

    def new_ino(self) -> int:
        """Return the next free inode number."""
        self.last_ino += 1
        return self.last_ino

    def options(self) -> list[str]:
        """Return the file system's own options, as /proc/mounts lists them."""
        return []

    def mount_root(self, task: "Task") -> "Dentry":
        """Return what a new mount by this task shows."""
        return self.root

    def path_of(self, dentry: "Dentry", reader: "Task") -> str:
        """Return a dentry's path from the file system's root, as mountinfo shows it to a reader."""
        return dentry.path()

    def remount(self, flags_readonly: bool, data: str) -> None:
        """Change options of the mounted file system (mount(2), MS_REMOUNT)."""
        self.readonly = flags_readonly


class Inode:
    """What every inode answers. Directories' calls take dentries, since only those know names and parents.

    Nothing here checks permissions. What a kind of inode cannot do it refuses as Linux does.
    """

    __slots__ = ("__weakref__", "dead", "ino", "mapping", "superblock")

    mode: int
    uid: int
    gid: int
    nlink: int
    rdev: int

    immutable: ClassVar[bool] = False
    """Can nobody write it, whatever the mode says (EPERM)?"""

    def __init__(self, superblock: SuperBlock, ino: int) -> None:
        """Belong to a file system."""
        self.superblock = superblock
        self.ino = ino
        self.dead = False
        """A directory that was removed while somebody is still in it."""
        self.mapping: Any = None
        """What a fifo's ends or a device's opens share: theirs to use."""

    @property
    def kind(self) -> int:
        """The type bits of the mode: S_IFREG, S_IFDIR …."""
        return self.mode & S_IFMT

    @property
    def is_dir(self) -> bool:
        """Is it a directory?"""
        return self.mode & S_IFMT == S_IFDIR

    @property
    def is_link(self) -> bool:
        """Is it a symbolic link?"""
        return self.mode & S_IFMT == S_IFLNK

    @property
    def is_whiteout(self) -> bool:
        """Is it overlayfs's mark for "nothing here": a character device 0:0?"""
        return self.mode & S_IFMT == S_IFCHR and self.rdev == 0

    def lets_in(self, creds: "Credentials") -> bool:
        """Does it allow what neither its mode nor a capability does?"""
        return False

    def stat(self, dentry: "Dentry") -> Stat:
        """Tell about the inode (stat(2)), in the kernel's numbers for owner and group."""
        fail(errno.ENOSYS)

    def lookup(self, dentry: "Dentry") -> None:
        """Find what a name of this directory leads to: set ``dentry.inode`` if anything, and cache it if worth it."""

    def names(self, dentry: "Dentry") -> list[str]:
        """Return the names in this directory."""
        fail(errno.ENOTDIR)

    def make(self, dentry: "Dentry", mode: int, creds: "Credentials", *, rdev: int = 0, target: str = "") -> None:
        """Make an inode of the type in mode at a negative dentry of this directory; EPERM where that cannot be."""
        fail(errno.EPERM)

    def link(self, old: "Dentry", new: "Dentry") -> None:
        """Give old's inode one more name in this directory."""
        fail(errno.EPERM)

    def unlink(self, dentry: "Dentry") -> None:
        """Remove a name that is not a directory's."""
        fail(errno.EPERM)

    def rmdir(self, dentry: "Dentry") -> None:
        """Remove an empty directory; ENOTEMPTY."""
        fail(errno.EPERM)

    def rename(self, old: "Dentry", new: "Dentry") -> None:
        """Move a name of this directory to another place, replacing what is there."""
        fail(errno.EPERM)

    def change(self, dentry: "Dentry", change: Change) -> None:
        """Set attributes."""
        fail(errno.EPERM)

    def readlink(self, dentry: "Dentry", task: "Task | None" = None) -> str:
        """Return what a symbolic link says."""
        fail(errno.EINVAL)

    def follow(self, task: "Task") -> "tuple[Mount, Dentry] | None":
        """Return where a magic link (such as /proc/PID/root) leads, or None for an ordinary one."""
        return None

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> "OpenFile":
        """Open; permissions were checked, and O_CREAT and O_TRUNC are the caller's to do."""
        fail(errno.ENXIO)

    def before_open(self, dentry: "Dentry", flags: int) -> None:
        """Make ready for an open with these flags (overlayfs copies up here)."""

    def read_at(self, offset: int, n: int) -> bytes:
        """Return at most n bytes of a regular file's data."""
        fail(errno.EINVAL)

    def write_at(self, offset: int, data: bytes) -> int:
        """Write into a regular file's data and return how many bytes; ENOSPC."""
        fail(errno.EINVAL)

    def stretches(self, size: int) -> list[tuple[int, int]]:
        """Return (start, end) of what is no hole of a regular file's first bytes (lseek(2), SEEK_DATA)."""
        return [(0, size)]

    @property
    def size(self) -> int:
        """How many bytes a regular file has."""
        return 0

    def get_xattr(self, name: str) -> bytes:
        """Return an extended attribute; ENODATA if there is none."""
        fail(errno.EOPNOTSUPP)

    def list_xattrs(self) -> list[str]:
        """Return the names of the extended attributes."""
        return []

    def set_xattr(self, dentry: "Dentry", name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute."""
        fail(errno.EOPNOTSUPP)

    def remove_xattr(self, dentry: "Dentry", name: str) -> None:
        """Remove an extended attribute; ENODATA if there is none."""
        fail(errno.EOPNOTSUPP)


class Disk:
    """What pyfakefs's constructors ask of a file system; a whole FakeFilesystem (50 ms, /tmp …) is not needed."""

    is_windows_fs = False


_DISK: Any = Disk()


#: The name spaces of extended attributes; access control lists (system.*) are not modelled.
XATTR_NAMESPACES: Final = ("user.", "trusted.", "security.")


def check_xattr_name(name: str) -> None:
    """Refuse a name space that is not kept (EOPNOTSUPP), and one without a name (EINVAL)."""
    prefix = next((space for space in XATTR_NAMESPACES if name.startswith(space)), None)
    if prefix is None:
        fail(errno.EOPNOTSUPP)
    if name == prefix:
        fail(errno.EINVAL)


class HeldInode(Inode):
    """An inode in memory, held by pyfakefs: mode, owner, times, data and xattrs. tmpfs's and proc's inodes are such."""

    __slots__ = ("_attributes", "data", "held", "nlink", "rdev", "target", "xattrs")

    def __init__(
        self, superblock: SuperBlock, mode: int, uid: int, gid: int, *, rdev: int = 0, target: str = ""
    ) -> None:
        """Make an inode that has no name yet, with the next inode number."""
        super().__init__(superblock, superblock.new_ino())
        is_dir = mode & S_IFMT == S_IFDIR
        if is_dir:
            self.held: FakeFile = FakeDirectory("", mode & 0o7777, filesystem=_DISK)
        else:
            self.held = FakeFile("", mode, contents=bytearray(), filesystem=_DISK)  # type: ignore[type-var]
        self.data = SparseData(self.held.byte_contents)  # type: ignore[arg-type]  # the bytearray just given
        self.xattrs: dict[str, bytes] = self.held.xattr
        self.nlink = 2 if is_dir else 1
        self.rdev = rdev
        self.target = target
        attributes = self._attributes = self.held.stat_result
        attributes.st_mode, attributes.st_uid, attributes.st_gid = mode, uid, gid
        now_ns = superblock.kernel.clock.now_ns()
        attributes.st_atime_ns = attributes.st_mtime_ns = attributes.st_ctime_ns = now_ns

    @property
    def mode(self) -> int:  # type: ignore[override]  # a value in other inodes, held by pyfakefs in this one
        """Type and permission bits."""
        return self._attributes.st_mode

    @property
    def uid(self) -> int:  # type: ignore[override]
        """The owner."""
        return self._attributes.st_uid

    @property
    def gid(self) -> int:  # type: ignore[override]
        """The group."""
        return self._attributes.st_gid

    @property
    def size(self) -> int:
        """How many bytes a file has, or a symbolic link's text."""
        return len(self.target.encode("utf-8", "surrogateescape")) if self.target else self.data.size

    def stat(self, dentry: "Dentry") -> Stat:
        """Tell about the inode (stat(2))."""
        held, size = self._attributes, self.stat_size(dentry)
        return Stat(
            st_mode=held.st_mode,
            st_ino=self.ino,
            st_dev=self.superblock.device,
            st_nlink=self.nlink,
            st_uid=held.st_uid,
            st_gid=held.st_gid,
            st_size=size,
            st_rdev=self.rdev,
            st_blocks=self.data.taken * (PAGE // 512),
            st_atime_ns=held.st_atime_ns,
            st_mtime_ns=held.st_mtime_ns,
            st_ctime_ns=held.st_ctime_ns,
        )

    def stat_size(self, dentry: "Dentry") -> int:
        """Return what stat(2) tells as the size."""
        return self.size

    def touch(self) -> None:
        """Note that the data (or a directory's names) changed now."""
        held = self._attributes
        held.st_mtime_ns = held.st_ctime_ns = self.superblock.kernel.clock.now_ns()

    def change(self, dentry: "Dentry", change: Change) -> None:
        """Set attributes."""
        held = self._attributes
        if change.size is not None:
            self.resize(change.size)
        if change.mode is not None:
            held.st_mode = held.st_mode & S_IFMT | change.mode & 0o7777
        if change.uid is not None:
            held.st_uid = change.uid
        if change.gid is not None:
            held.st_gid = change.gid
        if change.atime_ns is not None:
            held.st_atime_ns = change.atime_ns
        if change.mtime_ns is not None:
            held.st_mtime_ns = change.mtime_ns
        held.st_ctime_ns = self.superblock.kernel.clock.now_ns()

    def resize(self, size: int) -> None:
        """Cut the data, or put a hole at its end."""
        self.data.resize(size)
        self.touch()

    def readlink(self, dentry: "Dentry", task: "Task | None" = None) -> str:
        """Return what a symbolic link says."""
        return self.target if self.is_link else super().readlink(dentry, task)

    def read_at(self, offset: int, n: int) -> bytes:
        """Return at most n bytes of the data."""
        return self.data.read(offset, n)

    def stretches(self, size: int) -> list[tuple[int, int]]:
        """Return (start, end) of what was written of the first bytes; the rest is holes."""
        return self.data.written(size)

    def get_xattr(self, name: str) -> bytes:
        """Return an extended attribute; ENODATA if there is none."""
        check_xattr_name(name)
        value = self.xattrs.get(name)
        if value is None:
            fail(errno.ENODATA)
        return value

    def list_xattrs(self) -> list[str]:
        """Return the names of the extended attributes."""
        return list(self.xattrs)

    def set_xattr(self, dentry: "Dentry", name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute; EEXIST with XATTR_CREATE, ENODATA with XATTR_REPLACE."""
        check_xattr_name(name)
        if flags & XATTR_CREATE and name in self.xattrs:
            fail(errno.EEXIST)
        if flags & XATTR_REPLACE and name not in self.xattrs:
            fail(errno.ENODATA)
        self.xattrs[name] = value

    def remove_xattr(self, dentry: "Dentry", name: str) -> None:
        """Remove an extended attribute; ENODATA if there is none."""
        check_xattr_name(name)
        if name not in self.xattrs:
            fail(errno.ENODATA)
        del self.xattrs[name]
