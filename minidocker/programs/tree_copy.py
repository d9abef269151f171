"""Copying files and trees, as cp does, and mv between file systems."""

import errno
from dataclasses import dataclass, field

from minidocker.kernel import Stat
from minidocker.linux import O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from minidocker.programs import stdio
from minidocker.programs.file_mode import PERMISSIONS
from minidocker.system import System


@dataclass(slots=True, kw_only=True)
class Copier:
    """How things are copied, and what has been: hard links within what is copied stay hard links."""

    k: System
    program: str
    recursive: bool = False
    preserve: bool = False
    follow: bool = True
    force: bool = False
    link: bool = False
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    made: set[tuple[int, int]] = field(default_factory=set)
    """The directories that were made: a tree copied into itself must not meet its own copy."""

    async def complain(self, message: str) -> int:
        """Tell what went wrong."""
        await stdio.complain(self.k, f"{self.program}: {message}")
        return 1

    async def lookup(self, path: str, *, follow: bool) -> Stat | None:
        """Return what stat tells of a path, None if there is nothing."""
        try:
            return await (self.k.stat(path) if follow else self.k.lstat(path))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise

    async def copy(self, source: str, target: str, *, follow: bool | None = None) -> int:
        """Copy whatever source is to the name target, and return 1 if anything could not be copied."""
        try:
            status = await (
                self.k.stat(source) if (self.follow if follow is None else follow) else self.k.lstat(source)
            )
        except OSError as error:
            return await self.complain(f"can't stat '{source}': {stdio.reason(error)}")
        try:
            there = await self.lookup(target, follow=False)
        except OSError as error:
            return await self.complain(f"can't stat '{target}': {stdio.reason(error)}")
        if there is not None and (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino):
            return await self.complain(f"'{source}' and '{target}' are the same file")
        if status.st_mode & S_IFMT == S_IFDIR:
            return await self.directory(source, target, status, there)
        try:
            return await self.leaf(source, target, status, there)
        except OSError as error:
            return await self.complain(f"can't create '{target}': {stdio.reason(error)}")

    async def directory(self, source: str, target: str, status: Stat, there: Stat | None) -> int:
        """Copy a directory and all in it; its mode last, so that a read-only one can be filled."""
        if not self.recursive:
            return await self.complain(f"omitting directory '{source}'")
        if (status.st_dev, status.st_ino) in self.made:
            return await self.complain(f"recursion detected, omitting directory '{source}'")
        if there is not None and there.st_mode & S_IFMT != S_IFDIR and not await is_directory(self.k, target):
            return await self.complain(f"target '{target}' is not a directory")
        try:
            if there is None:
                await self.k.mkdir(target, status.st_mode & PERMISSIONS | 0o700)
            made = await self.k.lstat(target)
            self.made.add((made.st_dev, made.st_ino))
            names = sorted(await self.k.listdir(source))
        except OSError as error:
            return await self.complain(f"can't create directory '{target}': {stdio.reason(error)}")
        failed = 0
        for name in names:
            failed |= await self.copy(
                f"{source.rstrip('/')}/{name}", f"{target.rstrip('/')}/{name}", follow=self.follow
            )
        if there is None:
            mask = await self.k.umask(0)
            await self.k.umask(mask)
            await self.k.chmod(target, status.st_mode & PERMISSIONS & ~mask)
        return failed | await self.preserved(target, status)

    async def leaf(self, source: str, target: str, status: Stat, there: Stat | None) -> int:
        """Copy what is no directory."""
        kind = status.st_mode & S_IFMT
        if there is not None and (kind != S_IFREG or there.st_mode & S_IFMT not in (S_IFREG, S_IFLNK, S_IFCHR)):
            if there.st_mode & S_IFMT == S_IFDIR:
                return await self.complain(f"can't create '{target}': Is a directory")
            await self.k.unlink(target)
        if self.link:
            await self.k.link(source, target)
            return 0
        if not self.follow and status.st_nlink > 1 and await self.linked(target, status):
            return 0
        if kind == S_IFREG:
            failed = await self.data(source, target, status)
        else:
            failed = await self.node(source, target, status, kind)
        return failed or await self.preserved(target, status)

    async def linked(self, target: str, status: Stat) -> bool:
        """Link to the copy of the same inode, if there is one."""
        first = self.links.setdefault((status.st_dev, status.st_ino), target)
        if first == target:
            return False
        await self.k.link(first, target)
        return True

    async def node(self, source: str, target: str, status: Stat, kind: int) -> int:
        """Copy a symlink, a device, a fifo or a socket. Reading one of these is for those who don't recurse."""
        if kind == S_IFLNK:
            await self.k.symlink(await self.k.readlink(source), target)
        elif not self.recursive:
            return await self.data(source, target, status)
        else:
            device = status.st_rdev if kind in (S_IFCHR, S_IFBLK) else 0
            await self.k.mknod(target, status.st_mode, device)
        return 0

    async def data(self, source: str, target: str, status: Stat) -> int:
        """Copy a file's bytes."""
        try:
            reading = await self.k.open(source, O_RDONLY)
        except OSError as error:
            return await self.complain(f"can't open '{source}': {stdio.reason(error)}")
        try:
            writing = await self.create(target, status.st_mode & PERMISSIONS)
        except OSError as error:
            await self.k.close(reading)
            return await self.complain(f"can't create '{target}': {stdio.reason(error)}")
        failed = await self.pump(reading, writing)
        await self.k.close(writing)
        await self.k.close(reading)
        return failed

    async def create(self, target: str, mode: int) -> int:
        """Open what is to be written; with -f what cannot be opened is removed first."""
        flags = O_WRONLY | O_CREAT | O_TRUNC
        try:
            return await self.k.open(target, flags, mode)
        except OSError:
            if not self.force:
                raise
            await self.k.unlink(target)
            return await self.k.open(target, flags, mode)

    async def pump(self, reading: int, writing: int) -> int:
        """Move all bytes from one descriptor to another."""
        verb = "read"
        try:
            while data := await self.k.read(reading, stdio.BLOCK):
                verb = "write"
                await stdio.write_all(self.k, writing, data)
                verb = "read"
        except OSError as error:
            return await self.complain(f"{verb} error: {stdio.reason(error)}")
        return 0

    async def preserved(self, target: str, status: Stat) -> int:
        """Give a copy the times, owner and mode of its original, if that is asked for."""
        if not self.preserve:
            return 0
        try:
            if status.st_mode & S_IFMT == S_IFLNK:
                await self.k.lchown(target, status.st_uid, status.st_gid)
                return 0
            await self.k.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            await self.k.chown(target, status.st_uid, status.st_gid)
            await self.k.chmod(target, status.st_mode & PERMISSIONS)
        except OSError as error:
            return await self.complain(f"can't preserve attributes of '{target}': {stdio.reason(error)}")
        return 0


async def is_directory(k: System, path: str) -> bool:
    """Tell whether a path leads to a directory."""
    try:
        return (await k.stat(path)).st_mode & S_IFMT == S_IFDIR
    except OSError:
        return False


def inside_of(directory: str, path: str) -> str:
    """Return the path that the last name of another one has in a directory."""
    return f"{directory.rstrip('/')}/{path.rstrip('/').rsplit('/', 1)[-1]}"
