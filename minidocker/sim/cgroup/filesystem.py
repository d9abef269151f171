"""cgroupfs: a hierarchy as a file system (fs/kernfs, kernel/cgroup). mkdir makes a group, rmdir removes one.

The files of a group are its controllers' and those that every group has (``core_v1.py``, ``core_v2.py``). A file's text
is made when it is read from the start; each write is a word to the controller, whatever the offset.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.kernel import Stat
from minidocker.linux import S_IFDIR, S_IFMT, S_IFREG, SEEK_CUR, fail
from minidocker.sim.cgroup import core_v1, core_v2
from minidocker.sim.cgroup.controller import File, Writer
from minidocker.sim.cgroup.group import Cgroup
from minidocker.sim.cgroup.namespace import root_seen_by
from minidocker.sim.dentry import Dentry
from minidocker.sim.inode import Change, Inode, SuperBlock
from minidocker.sim.open_file import OpenFile
from minidocker.sim.regular import InodeFile

if TYPE_CHECKING:
    from minidocker.sim.cgroup.hierarchy import Hierarchy
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.mount import Mount
    from minidocker.sim.task import Task

_FILES: Final[dict[tuple[bool, bool, tuple[str, ...]], dict[str, File]]] = {}


def files(group: Cgroup) -> dict[str, File]:
    """Return the files that a group has, by name: those of each group first, then its controllers'."""
    key = (group.hierarchy.is_v2, group.parent is None, tuple(group.states))
    found = _FILES.get(key)
    if found is None:
        found = _FILES[key] = {file.name: file for file in _all_files(group) if _has(group, file)}
    return found


def _all_files(group: Cgroup) -> list[File]:
    controllers = [group.hierarchy.controllers[name] for name in group.states]
    if group.hierarchy.is_v2:
        return [*core_v2.FILES, *(file for controller in controllers for file in controller.v2)]
    return [*core_v1.FILES, *(file for controller in controllers for file in controller.v1)]


def _has(group: Cgroup, file: File) -> bool:
    return file.on_others if group.parent else file.on_root


class CgroupFs(SuperBlock):
    """One hierarchy as a file system: however often it is mounted, it is the same."""

    shared = True

    def __init__(self, hierarchy: "Hierarchy", source: str) -> None:
        """Show a hierarchy's root."""
        super().__init__(hierarchy.kernel, "cgroup2" if hierarchy.is_v2 else "cgroup", source=source)
        self.hierarchy = hierarchy
        self.root = Dentry("", None, None, self)
        self.root.inode = GroupDirectory(self, hierarchy.root, S_IFDIR | 0o555)
        hierarchy.root.dentry = self.root

    def options(self) -> list[str]:
        """Return the controllers of a v1 hierarchy and its name, or v2's switches, as /proc/mounts lists them."""
        return self.hierarchy.options()

    def mount_root(self, task: "Task") -> Dentry:
        """Return what a mount by this task shows: the root of its cgroup namespace (cgroup_namespaces(7))."""
        return root_seen_by(task, self.hierarchy).dentry

    def path_of(self, dentry: Dentry, reader: "Task") -> str:
        """Return a group's path as it is from the root of the reader's cgroup namespace."""
        inode = dentry.inode
        if not isinstance(inode, GroupInode):
            return dentry.path()
        return inode.group.path_from(root_seen_by(reader, self.hierarchy))


class GroupInode(Inode):
    """An inode of cgroupfs: without a size, but with an owner who can be changed: so a group is delegated."""

    __slots__ = ("changed_ns", "gid", "group", "mode", "nlink", "rdev", "uid")

    superblock: CgroupFs

    def __init__(self, superblock: CgroupFs, group: Cgroup, mode: int) -> None:
        """Belong to who made the group."""
        super().__init__(superblock, superblock.new_ino())
        self.group = group
        self.mode = mode
        self.uid, self.gid = group.owner
        self.nlink = 1
        self.rdev = 0
        self.changed_ns = group.hierarchy.kernel.clock.now_ns()

    def stat(self, dentry: Dentry) -> Stat:
        """Tell about the inode."""
        return Stat(
            st_mode=self.mode, st_ino=self.ino, st_dev=self.superblock.device, st_nlink=self.links(), st_uid=self.uid,
            st_gid=self.gid, st_size=0, st_atime_ns=self.changed_ns, st_mtime_ns=self.changed_ns,
            st_ctime_ns=self.changed_ns,
        )  # fmt: skip

    def links(self) -> int:
        """Return what stat(2) tells as the number of links."""
        return self.nlink

    def change(self, dentry: Dentry, change: Change) -> None:
        """Set owner, mode and times. A truncation means nothing here, so that ``>`` works."""
        if change.mode is not None:
            self.mode = self.mode & S_IFMT | change.mode & 0o7777
        self.uid = self.uid if change.uid is None else change.uid
        self.gid = self.gid if change.gid is None else change.gid


class GroupDirectory(GroupInode):
    """A group as a directory."""

    __slots__ = ()

    def links(self) -> int:
        """Return 2 and one for each group inside; 0 once it was removed."""
        return 0 if self.dead else 2 + len(self.group.children)

    def names(self, dentry: Dentry) -> list[str]:
        """Return the names of the files and of the groups inside; none once it was removed."""
        return [] if self.dead else [*files(self.group), *self.group.children]

    def lookup(self, dentry: Dentry) -> None:
        """Find a file. Groups are always in the cache, and a removed group has nothing (ENOENT)."""
        if self.dead:
            fail(errno.ENOENT)
        file = files(self.group).get(dentry.name)
        if file is not None:
            dentry.instantiate(GroupFile(self.superblock, self.group, file))

    def make(self, dentry: Dentry, mode: int, creds: "Credentials", *, rdev: int = 0, target: str = "") -> None:
        """Make a group (mkdir); regular files are EACCES and all else is EPERM, as for every directory that makes none.

        EAGAIN at cgroup.max.depth or cgroup.max.descendants of a group around, EINVAL for a name with a line's end.
        """
        if mode & S_IFMT != S_IFDIR:
            fail(errno.EACCES if mode & S_IFMT == S_IFREG else errno.EPERM)
        if "\n" in dentry.name:
            fail(errno.EINVAL)
        group = core_v2.new_group(self.group, dentry.name, (creds.euid, creds.egid))
        group.dentry = dentry
        dentry.instantiate(GroupDirectory(self.superblock, group, mode))

    def rmdir(self, dentry: Dentry) -> None:
        """Remove a group; EBUSY while a task or a group is in it. Zombies do not count."""
        inode = dentry.inode
        assert isinstance(inode, GroupDirectory)
        core_v2.remove_group(inode.group)
        inode.dead = True
        inode.nlink = 0
        dentry.drop()

    def rename(self, old: Dentry, new: Dentry) -> None:
        """Rename a v1 group within its parent (EIO elsewhere, EEXIST); in v2 nobody may (EPERM)."""
        inode = old.inode
        if self.group.hierarchy.is_v2:
            fail(errno.EPERM)
        if not isinstance(inode, GroupDirectory):
            fail(errno.ENOTDIR)
        if new.parent is not old.parent:
            fail(errno.EIO)
        if new.inode is not None:
            fail(errno.EEXIST)
        group = inode.group
        del self.group.children[group.name]
        group.name = new.name
        self.group.children[group.name] = group
        old.move(new)

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> OpenFile:
        """Open the directory."""
        return InodeFile(location, self, flags)


class GroupFile(GroupInode):
    """A file of a group."""

    __slots__ = ("file",)

    def __init__(self, superblock: CgroupFs, group: Cgroup, file: File) -> None:
        """Have the mode that the file's kind has."""
        super().__init__(superblock, group, S_IFREG | file.mode)
        self.file = file

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> OpenFile:
        """Open; what cannot be read or written is refused only when that is tried."""
        return CgroupFile(task, location, self, flags)


class CgroupFile(OpenFile):
    """An open file of a group. ``creds`` are those that it was opened with: they count when a task is moved."""

    __slots__ = ("_offset", "_text", "creds", "inode", "location")

    def __init__(self, task: "Task", location: "tuple[Mount, Dentry]", inode: GroupFile, flags: int) -> None:
        """Start at the beginning."""
        super().__init__(flags)
        self.location, self.inode = location, inode
        self.creds = task.creds.copy()
        self._offset, self._text = 0, b""

    def _live(self) -> Cgroup:
        """Return the group; ENODEV once it was removed, or the controller switched off."""
        group = self.inode.group
        if group.dead or self.inode.file.name not in files(group):
            fail(errno.ENODEV)
        return group

    def read(self, task: "Task", n: int) -> bytes:
        """Return at most n bytes from the offset on; EINVAL for what is only written."""
        group = self._live()
        if self.inode.file.read is None:
            fail(errno.EINVAL)
        if not self._offset:
            self._text = self.inode.file.read(group, task).encode()
        data = self._text[self._offset : self._offset + n]
        self._offset += len(data)
        return data

    def write(self, task: "Task", data: bytes) -> int:
        """Tell the controller; EINVAL for what is only read. Nothing is not told."""
        group = self._live() if data else self.inode.group
        if data:
            if self.inode.file.write is None:
                fail(errno.EINVAL)
            self.inode.file.write(group, Writer(task=task, file=self), data.decode("utf-8", "surrogateescape"))
        return len(data)

    def lseek(self, task: "Task", position: int, whence: int) -> int:
        """Move the offset; the end is where the size says, at 0."""
        if whence == SEEK_CUR:
            position += self._offset
        if position < 0:
            fail(errno.EINVAL)
        self._offset = position
        return position

    def stat(self) -> Stat:
        """Tell about the inode."""
        return self.inode.stat(self.location[1])
