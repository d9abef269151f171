"""The path walk: from a path to a dentry (path_resolution(7); Linux's fs/namei.c).

Step by step: search permission on each directory, ``.`` and ``..``, symbolic links (ELOOP at the 41st), mounts crossed
downwards and upwards, NAME_MAX and PATH_MAX, and what a trailing slash means.
"""

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from minidocker.linux import NAME_MAX, PATH_MAX, fail
from minidocker.sim.permission import MAY_EXEC, require

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.mount import Mount
    from minidocker.sim.task import Task

#: How many symbolic links one walk follows (MAXSYMLINKS).
MAX_LINKS: Final = 40


class Location(NamedTuple):
    """A place in the tree of mounts (Linux's struct path)."""

    mount: "Mount"
    dentry: "Dentry"

    @property
    def inode(self) -> "Inode":
        """The inode there; ENOENT if the dentry is negative."""
        inode = self.dentry.inode
        if inode is None:
            fail(errno.ENOENT)
        return inode


@dataclass(slots=True)
class FsContext:
    """A task's root, working directory and umask (Linux's struct fs_struct)."""

    root: Location
    cwd: Location
    umask: int = 0o022

    def copy(self) -> "FsContext":
        """Return a clone's."""
        return FsContext(self.root, self.cwd, self.umask)


class Last(NamedTuple):
    """The end of a path: the directory it was walked to, and the last name, not looked up yet.

    ``name`` is empty for the root itself; ``slash`` tells of a trailing slash.
    """

    parent: Location
    name: str
    slash: bool

    @property
    def normal(self) -> bool:
        """Is the name a name, and not ``.``, ``..`` or the root?"""
        return self.name not in ("", ".", "..")


class Walk:
    """One path walk of a task; it counts the symbolic links that it follows."""

    __slots__ = ("creds", "links", "root", "task")

    def __init__(self, task: "Task") -> None:
        """Start with no link followed."""
        self.task = task
        self.creds = task.creds
        self.root = task.fs.root
        self.links = 0

    def to_parent(self, path: str, start: Location) -> Last:
        """Walk to the directory of the last name. ``start``: where a relative path begins."""
        here = self.root if path[0] == "/" else start
        names = [name for name in path.split("/") if name]
        slash = path[-1] == "/"
        if not names:
            return Last(here, "", slash)
        last = names.pop()
        todo = names[::-1]
        creds = self.creds
        while todo:
            name = todo.pop()
            inode = here.dentry.inode
            require(creds, inode, MAY_EXEC)  # type: ignore[arg-type]  # only directories, which are positive
            if name == ".":
                continue
            if name == "..":
                here = self.up(here)
                continue
            found = self.down(here, name)
            inode = found.dentry.inode
            if inode is None:
                fail(errno.ENOENT)
            if inode.is_link:
                here, more = self.enter_link(found, here)
                todo += more[::-1]
                continue
            if not inode.is_dir:
                fail(errno.ENOTDIR)
            here = found
        require(creds, here.inode, MAY_EXEC)
        return Last(here, last, slash)

    def enter_link(self, link: Location, parent: Location) -> tuple[Location, list[str]]:
        """Follow a link in the middle of a path: where to go on, and the names that it adds."""
        target = self.follow(link)
        if isinstance(target, Location):
            if not target.inode.is_dir:
                fail(errno.ENOTDIR)
            return target, []
        return (self.root if target[0] == "/" else parent), [name for name in target.split("/") if name]

    def follow(self, link: Location) -> "str | Location":
        """Read a link, counting it; a magic link (proc) gives a place instead of a text."""
        self.links += 1
        if self.links > MAX_LINKS:
            fail(errno.ELOOP)
        place = link.inode.follow(self.task)
        if place is not None:
            return Location(*place)
        target = link.inode.readlink(link.dentry, self.task)
        if not target:
            fail(errno.ENOENT)
        return target

    def child(self, directory: "Dentry", name: str) -> "Dentry":
        """Look a name up in a directory, not crossing mounts; the dentry may be negative."""
        child = directory.children.get(name)
        if child is None:
            if len(name) > NAME_MAX // 4 and len(name.encode("utf-8", "surrogateescape")) > NAME_MAX:
                fail(errno.ENAMETOOLONG)
            if directory.inode.dead:  # type: ignore[union-attr]  # only directories, which are positive
                fail(errno.ENOENT)
            child = directory.child(name)
        return child

    def down(self, here: Location, name: str) -> Location:
        """Look a name up, and cross the mounts that lie on it."""
        mount, dentry = here
        child = self.child(dentry, name)
        return mount.cross(child) if mount.children else Location(mount, child)

    def up(self, here: Location) -> Location:
        """Go to the parent directory, crossing mounts upwards; the task's root is its own parent."""
        mount, dentry = here
        while True:
            if dentry is self.root.dentry and mount is self.root.mount:
                return here
            if dentry is not mount.root:
                break
            if mount.place is None:
                return here
            mount, dentry = mount.place
        return mount.cross(dentry.parent)

    def step(self, last: Last) -> Location:
        """Look the last name up: a place whose dentry may be negative."""
        if last.normal:
            return self.down(last.parent, last.name)
        return self.up(last.parent) if last.name == ".." else last.parent

    def lookup(self, path: str, *, follow: bool = True) -> Location:
        """Walk a path to its end; ENOENT if there is nothing, ENOTDIR for a trailing slash after a file."""
        check_path(path)
        last = self.to_parent(path, self.task.fs.cwd)
        directory = False
        while True:
            directory = directory or last.slash or last.name == "."
            found = self.step(last)
            inode = found.inode
            if not inode.is_link or not (follow or directory):
                break
            target = self.follow(found)
            if isinstance(target, Location):
                found = target
                break
            last = self.to_parent(target, last.parent)
        if directory and not found.inode.is_dir:
            fail(errno.ENOTDIR)
        return found


def check_path(path: str) -> None:
    """Refuse an empty path (ENOENT), one of PATH_MAX bytes or more (ENAMETOOLONG), and one with a NUL (EINVAL)."""
    if not path:
        fail(errno.ENOENT)
    if len(path) >= PATH_MAX // 4 and len(path.encode("utf-8", "surrogateescape")) >= PATH_MAX:
        fail(errno.ENAMETOOLONG)
    if "\0" in path:
        fail(errno.EINVAL)


def lookup(task: "Task", path: str, *, follow: bool = True) -> Location:
    """Return the place that a path leads to for a task; ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG."""
    return Walk(task).lookup(path, follow=follow)


def lookup_parent(task: "Task", path: str) -> Last:
    """Return the directory that a path's last name lies in, and that name."""
    check_path(path)
    return Walk(task).to_parent(path, task.fs.cwd)


def path_of(task: "Task", location: Location) -> str | None:
    """Return the path of a place as seen from a task's root, or None if it cannot be reached from there (d_path)."""
    mount, dentry = location
    names: list[str] = []
    while not (dentry is task.fs.root.dentry and mount is task.fs.root.mount):
        if dentry is mount.root:
            if mount.place is None:
                return None
            mount, dentry = mount.place
        elif dentry.parent is dentry:
            return None
        else:
            names.append(dentry.name)
            dentry = dentry.parent
    return "/" + "/".join(reversed(names))
