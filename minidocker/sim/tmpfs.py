"""tmpfs: a file system in memory (tmpfs(5)). The root of the simulated host is one too.

Its tree of dentries *is* its contents, as in Linux: what isn't in the cache doesn't exist.
"""

import errno
import gc
from typing import TYPE_CHECKING, Final

from minidocker.linux import S_IFDIR, S_IFMT, fail, strerror
from minidocker.sim.cgroup.memory import SHMEM, Charges, charge
from minidocker.sim.credentials import ROOT, Credentials
from minidocker.sim.dentry import Dentry
from minidocker.sim.inode import Change, HeldInode, SuperBlock
from minidocker.sim.permission import new_owner
from minidocker.sim.regular import open_inode
from minidocker.sim.sparse import PAGE, pages

if TYPE_CHECKING:
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.mount import Mount
    from minidocker.sim.open_file import OpenFile
    from minidocker.sim.task import Task

_UNITS: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
#: How many bytes a name adds to st_size of its directory (BOGO_DIRENT_SIZE in mm/shmem.c).
_NAME_SIZE: Final = 20


class Tmpfs(SuperBlock):
    """One tmpfs. ``free_pages`` is what ``size=`` left; data beyond it is ENOSPC."""

    def __init__(
        self,
        kernel: "SimKernel",
        *,
        source: str = "tmpfs",
        size: int | None = None,
        mode: int = 0o1777,
        creds: "Credentials" = ROOT,
    ) -> None:
        """Make an empty one, whose root belongs to the mounter; size in bytes."""
        super().__init__(kernel, "tmpfs", source=source)
        self.user = creds.user
        self.size = kernel.profile.disk_bytes if size is None else size
        self.free_pages = pages(self.size)
        self.shown: list[str] = []
        self.charged_as = SHMEM
        """What its pages are to a memory cgroup."""
        self.root = Dentry("", None, TmpfsInode(self, S_IFDIR | mode, creds.euid, creds.egid), self)

    def options(self) -> list[str]:
        """Return ``size=…`` and ``mode=…`` if they were given, in Linux's order (shmem_show_options)."""
        return sorted(self.shown, reverse=True)

    def has(self, more: int) -> bool:
        """Are there so many free pages? Before the answer is no, inodes that only each other refer to are let go."""
        if more > self.free_pages:
            gc.collect()
        return more <= self.free_pages


def mount_tmpfs(task: "Task", source: str, data: str, readonly: bool) -> SuperBlock:
    """Make a tmpfs by mount(2)'s data: ``size=`` bytes (k, m, g, %) and ``mode=`` octal; EINVAL for all else."""
    size, mode, shown = None, 0o1777, []
    for option in filter(None, data.split(",")):
        key, _, value = option.partition("=")
        if key == "size":
            size = _parse_size(value, task.kernel.profile.disk_bytes)
            shown.append(f"size={size >> 10}k")
        elif key == "mode" and value:
            mode = _parse_number(value, 8) & 0o7777
            shown += [f"mode={mode:o}"] if mode != 0o1777 else []
        else:
            raise OSError(errno.EINVAL, f"{strerror(errno.EINVAL)}: tmpfs: unknown parameter '{key}'")
    tmpfs = Tmpfs(task.kernel, source=source or "none", size=size, mode=mode, creds=task.creds)
    tmpfs.shown = shown
    return tmpfs


def _parse_size(text: str, whole: int) -> int:
    if text.endswith("%"):
        return whole * _parse_number(text[:-1], 10) // 100
    unit = _UNITS.get(text[-1:].lower(), 1)
    size = _parse_number(text[:-1] if unit > 1 else text, 10) * unit
    return pages(size) * PAGE


def _parse_number(text: str, base: int) -> int:
    try:
        return int(text, base)
    except ValueError:
        fail(errno.EINVAL)


class TmpfsInode(HeldInode):
    """An inode of a tmpfs. ``charges``: who is charged for its pages, set when somebody is."""

    __slots__ = ("charges",)

    superblock: Tmpfs

    def __del__(self) -> None:
        """Give the pages back: there is no name and no descriptor any more."""
        self.superblock.free_pages += self.data.taken
        charges = getattr(self, "charges", None)
        if charges is not None:
            charges.clear()

    def stat_size(self, dentry: Dentry) -> int:
        """Return st_size: a directory's grows with its names, of which . and .. are two."""
        return (len(dentry.children) + 2) * _NAME_SIZE if self.is_dir else self.size

    def names(self, dentry: Dentry) -> list[str]:
        """Return the names in this directory."""
        return list(dentry.children)

    def make(self, dentry: Dentry, mode: int, creds: "Credentials", *, rdev: int = 0, target: str = "") -> None:
        """Make an inode of the type in mode (create, mkdir, mknod, symlink)."""
        mode, uid, gid = new_owner(creds, self, mode)
        dentry.instantiate(TmpfsInode(self.superblock, mode, uid, gid, rdev=rdev, target=target))
        if mode & S_IFMT == S_IFDIR:
            self.nlink += 1
        self.touch()

    def link(self, old: Dentry, new: Dentry) -> None:
        """Give old's inode one more name in this directory."""
        inode = _inode(old)
        inode.nlink += 1
        new.instantiate(inode)
        inode.change(old, Change())
        self.touch()

    def unlink(self, dentry: Dentry) -> None:
        """Remove a name; the data goes with the last name and the last descriptor."""
        inode = _inode(dentry)
        dentry.drop()
        inode.nlink -= 1
        inode.change(dentry, Change())
        self.touch()

    def rmdir(self, dentry: Dentry) -> None:
        """Remove an empty directory; ENOTEMPTY."""
        if any(child.inode for child in dentry.children.values()):
            fail(errno.ENOTEMPTY)
        inode = _inode(dentry)
        dentry.drop()
        inode.nlink = 0
        inode.dead = True
        self.nlink -= 1
        self.touch()

    def rename(self, old: Dentry, new: Dentry) -> None:
        """Move a name of this directory, replacing what is at the new place; ENOTEMPTY."""
        target = new.parent.inode
        assert isinstance(target, TmpfsInode)
        if new.inode is not None:
            target.rmdir(new) if new.inode.is_dir else target.unlink(new)
        inode = _inode(old)
        if inode.is_dir:
            self.nlink -= 1
            target.nlink += 1
        old.move(new)
        inode.change(old, Change())
        self.touch()
        target.touch()

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> "OpenFile":
        """Open a file or directory, or the driver of a device or fifo."""
        return open_inode(task, self, location, flags)

    def write_at(self, offset: int, data: bytes) -> int:
        """Write into the data; a gap before it is a hole. What doesn't fit is not written; ENOSPC if nothing does."""
        held, disk = self.data, self.superblock
        end = offset + len(data)
        more = held.missing(offset, end)
        if more and not disk.has(more):
            data = data[: max(0, held.room(offset, end, disk.free_pages) - offset)]
            if not data:
                fail(errno.ENOSPC)
            more = held.missing(offset, offset + len(data))
        task = disk.kernel.current
        if more and task is not None and task.memcg is not None:
            data = data[: max(0, held.room(offset, end, self._charge(task, more)) - offset)]
            if not data:
                fail(errno.ENOMEM)
            more = held.missing(offset, offset + len(data))
        disk.free_pages -= more
        held.write(offset, data)
        self.touch()
        return len(data)

    def resize(self, size: int) -> None:
        """Cut the data, giving pages back, or put a hole at its end, which takes none."""
        before = self.data.taken
        super().resize(size)
        freed = before - self.data.taken
        self.superblock.free_pages += freed
        charges = getattr(self, "charges", None)
        if freed and charges is not None:
            charges.give_back(freed)

    def _charge(self, task: "Task", number: int) -> int:
        """Charge pages to a task's memory cgroup; return how many it may have."""
        charges: Charges | None = getattr(self, "charges", None)
        if charges is None:
            charges = self.charges = Charges(self.superblock.charged_as)
        return charge(task, charges, number)


def _inode(dentry: Dentry) -> TmpfsInode:
    assert isinstance(dentry.inode, TmpfsInode)
    return dentry.inode
