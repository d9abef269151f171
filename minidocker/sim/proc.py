"""proc: tasks and the kernel's settings as files (proc(5)). What they say is in ``proc_files.py``.

A proc mount shows the tasks of one PID namespace, its mounter's: ``/proc/7`` is who is 7 there. Directories of tasks
are made anew at each lookup; links such as ``/proc/7/root`` are magic: they lead to the place, whatever its path.
"""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from minidocker.kernel import Stat
from minidocker.linux import O_ACCMODE, O_RDONLY, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, SEEK_CUR, SEEK_SET, fail
from minidocker.sim.dentry import Dentry
from minidocker.sim.inode import Change, Inode, SuperBlock
from minidocker.sim.mount import register
from minidocker.sim.namespace import Namespace
from minidocker.sim.namespaces import NAMES, namespace_of
from minidocker.sim.net.proc_net import OF_NET
from minidocker.sim.net.socket import Socket
from minidocker.sim.open_file import OpenFile
from minidocker.sim.path import Location, path_of
from minidocker.sim.pidfd import PidFile
from minidocker.sim.pipe import Pipe, PipeEnd
from minidocker.sim.proc_files import OF_SYSTEM, OF_TASK, Text, View, not_modelled
from minidocker.sim.proc_settings import SETTINGS
from minidocker.sim.ptrace import may_access
from minidocker.sim.refuse import refuse
from minidocker.sim.regular import InodeFile
from minidocker.sim.user_namespace import UNMAPPED

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.mount import Mount
    from minidocker.sim.pid_namespace import PidNamespace
    from minidocker.sim.task import Task

#: How many inode numbers a task's directory has.
_STRIDE: Final = 1 << 16


class Proc(SuperBlock):
    """One instance of proc, for one PID namespace."""

    def __init__(self, kernel: "SimKernel", source: str, pids: "PidNamespace") -> None:
        """Make the tree that does not depend on tasks."""
        super().__init__(kernel, "proc", source=source)
        self.user, self.tells_of_system = pids.owner, True
        self.pids = pids
        self.root = Dentry("", None, Root(self), self)
        for path, (mode, text) in OF_SYSTEM.items():
            *directories, name = path.split("/")
            inode = TextInode(self, mode, text)
            if path.startswith("sys/net/") and UNMAPPED not in (self.user.kuid(0), self.user.kgid(0)):
                inode.uid, inode.gid = self.user.kuid(0), self.user.kgid(0)  # net_ctl_set_ownership()
            self._put(self._directory(directories), name, inode)
        for path in kernel.profile.pseudo:
            self._put_opaque(path)
        self._put(self.root, "self", Self(self))
        self._put(self.root, "mounts", Link(self, "self/mounts"))
        self._put(self.root, "net", Link(self, "self/net"))

    def _put_opaque(self, path: str) -> None:
        """Have a directory, empty here, or a file whose text is not modelled, if the path is one of /proc."""
        *directories, name = path.removesuffix("/").split("/")[1:]
        if directories[:1] == ["proc"]:
            parent = self._directory(directories[1:])
            inode = Directory(self, 0o555) if path.endswith("/") else TextInode(self, 0o444, not_modelled)
            if name not in parent.children:
                self._put(parent, name, inode)

    def _directory(self, names: list[str]) -> Dentry:
        here = self.root
        for name in names:
            here = here.children.get(name) or self._put(here, name, Directory(self, 0o555))
        return here

    def _put(self, parent: Dentry, name: str, inode: Inode) -> Dentry:
        dentry = Dentry(name, parent, None, self)
        dentry.instantiate(inode)
        return dentry


def mount_proc(task: "Task", source: str, data: str, readonly: bool) -> SuperBlock:
    """Make a proc for the PID namespace that the caller is in; options (hidepid …) are not modelled: EINVAL."""
    if data:
        refuse(errno.EINVAL, f"does not model the option {data!r} of proc")
    return Proc(task.kernel, source or "none", task.ns.pid)


register("proc", mount_proc, lambda task: task.ns.pid.owner)


class ProcInode(Inode):
    """An inode of proc: it belongs to root, or to the user whose task it tells of, and has no size."""

    __slots__ = ("gid", "mode", "nlink", "rdev", "uid")

    superblock: Proc

    def __init__(self, superblock: Proc, mode: int, subject: "Task | None" = None, ino: int = 0) -> None:
        """Take the next inode number, unless one is given."""
        super().__init__(superblock, ino or superblock.new_ino())
        self.mode = mode
        self.uid, self.gid = _owner(subject, mode) if subject else (0, 0)  # the machine's root, whoever mounts it
        self.nlink = 2 if self.is_dir else 1
        self.rdev = 0

    def stat(self, dentry: Dentry) -> Stat:
        """Tell about the inode; its times are now."""
        now_ns = self.superblock.kernel.clock.now_ns()
        return Stat(
            st_mode=self.mode, st_ino=self.ino, st_dev=self.superblock.device, st_nlink=self.nlink, st_uid=self.uid,
            st_gid=self.gid, st_size=0, st_atime_ns=now_ns, st_mtime_ns=now_ns, st_ctime_ns=now_ns,
        )  # fmt: skip

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> OpenFile:
        """Open a directory; files say more."""
        return InodeFile(location, self, flags)


def _owner(subject: "Task", mode: int) -> tuple[int, int]:
    """Return whose a task's files are: its user's; root's if nobody may look into its memory (task_dump_owner).

    Its own directory is the user's in any case, since it always told that.
    """
    memory = subject.memory
    if mode == S_IFDIR | 0o555 or (subject.alive and memory.dumpable):
        return subject.creds.euid, subject.creds.egid
    root, group = (memory.user.kuid(0), memory.user.kgid(0)) if subject.alive else (0, 0)
    return (0 if root == UNMAPPED else root), (0 if group == UNMAPPED else group)


class Directory(ProcInode):
    """A directory whose names do not change."""

    __slots__ = ()

    def __init__(self, superblock: Proc, mode: int, subject: "Task | None" = None, ino: int = 0) -> None:
        """Make an empty directory."""
        super().__init__(superblock, S_IFDIR | mode, subject, ino)

    def names(self, dentry: Dentry) -> list[str]:
        """Return what is in it."""
        return list(dentry.children)

    def lookup(self, dentry: Dentry) -> None:
        """Find nothing but what is in the cache: ENOENT, at once, so that nothing can be made here either."""
        fail(errno.ENOENT)


class Root(Directory):
    """``/proc``: the settings, and a directory for each task of the namespace."""

    __slots__ = ()

    def __init__(self, superblock: Proc) -> None:
        """Be the first inode."""
        super().__init__(superblock, 0o555)

    def names(self, dentry: Dentry) -> list[str]:
        """Return the settings and the pids."""
        return [*dentry.children, *map(str, sorted(self.superblock.pids.tasks))]

    def lookup(self, dentry: Dentry) -> None:
        """Find a task by its pid."""
        name = dentry.name
        if name.isascii() and name.isdecimal() and not name.startswith("0"):
            task = self.superblock.pids.find(int(name))
            if task is not None:
                dentry.inode = TaskDirectory(self.superblock, task)
                return
        fail(errno.ENOENT)


class OfTask(Directory):
    """A directory that tells of one task; what is in it is made when it is looked up."""

    __slots__ = ("subject",)

    def __init__(self, superblock: Proc, mode: int, subject: "Task", part: int) -> None:
        """Number it by the task's pid."""
        super().__init__(superblock, mode, subject, superblock.pids.number(subject) * _STRIDE + part)
        self.subject = subject

    def part(self, name: str) -> int:
        """Return an inode number for a name in it."""
        return self.ino + 1 + self.entries().index(name)

    def entries(self) -> list[str]:
        """Return the names; none once the task is gone."""
        return []

    def names(self, dentry: Dentry) -> list[str]:
        """Return the names in it."""
        return self.entries()

    def lookup(self, dentry: Dentry) -> None:
        """Find a name in it."""
        if dentry.name not in self.entries():
            fail(errno.ENOENT)
        dentry.inode = self.entry(dentry.name)

    def entry(self, name: str) -> Inode:
        """Make the inode of a name."""
        fail(errno.ENOENT)


class TaskDirectory(OfTask):
    """``/proc/PID``."""

    __slots__ = ()

    def __init__(self, superblock: Proc, subject: "Task") -> None:
        """Be the first of the task's inodes."""
        super().__init__(superblock, 0o555, subject, 0)

    def entries(self) -> list[str]:
        """Return the names; none once the task was reaped."""
        if not self.superblock.pids.number(self.subject):
            return []
        return [*OF_TASK, "cwd", "root", "exe", "fd", "ns", "net"]

    def entry(self, name: str) -> Inode:
        """Make a file, a magic link or a directory."""
        block, subject = self.superblock, self.subject
        if name in OF_TASK:
            mode, text = OF_TASK[name]
            return TextInode(block, mode, text, subject, self.part(name))
        if name == "fd":
            return DescriptorDirectory(block, 0o500, subject, 256)
        if name == "ns":
            return NamespaceDirectory(block, 0o511, subject, 128)
        if name == "net":
            return NetDirectory(block, 0o555, subject, 192)
        return PlaceLink(block, subject, self.part(name), PLACES[name])


class NetDirectory(OfTask):
    """``/proc/PID/net``: the task's network; empty once it has ended."""

    __slots__ = ()

    def entries(self) -> list[str]:
        """Return the files' names."""
        return list(OF_NET) if self.subject.alive else []

    def entry(self, name: str) -> Inode:
        """Make a file."""
        tell, net = OF_NET[name], self.subject.ns.net
        return TextInode(self.superblock, 0o444, lambda _: tell(net), self.subject, self.part(name))


class DescriptorDirectory(OfTask):
    """``/proc/PID/fd``: a link for each descriptor."""

    __slots__ = ()

    def lets_in(self, creds: "Credentials") -> bool:
        """Let a task see its own descriptors, dumpable or not (proc_fd_permission)."""
        return creds is self.subject.creds

    def entries(self) -> list[str]:
        """Return the numbers."""
        return [str(fd) for fd in sorted(self.subject.files.files)]

    def entry(self, name: str) -> Inode:
        """Make the link; its mode tells how the descriptor was opened."""
        file = self.subject.files.files[int(name)]
        mode = 0o100 | (0o400 if file.may_read else 0) | (0o200 if file.may_write else 0)
        return DescriptorLink(self.superblock, self.subject, self.ino + 1 + int(name), mode, file)


class NamespaceDirectory(OfTask):
    """``/proc/PID/ns``: a link for each namespace."""

    __slots__ = ()

    def entries(self) -> list[str]:
        """Return the kinds that are modelled; once the task was reaped there is none."""
        return NAMES if self.superblock.pids.number(self.subject) else []

    def entry(self, name: str) -> Inode:
        """Make the link."""
        return NamespaceLink(self.superblock, self.subject, self.part(name), name)


class TextInode(ProcInode):
    """A file whose text is made when it is opened."""

    __slots__ = ("subject", "text")

    def __init__(self, superblock: Proc, mode: int, text: Text, subject: "Task | None" = None, ino: int = 0) -> None:
        """Tell of a task, or of the system."""
        super().__init__(superblock, S_IFREG | mode, subject, ino)
        self.text = text
        self.subject = subject

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> OpenFile:
        """Open with the text of this moment; ESRCH if the task is gone."""
        block, subject = self.superblock, self.subject or task
        if self.subject and not block.pids.number(self.subject):
            fail(errno.ESRCH)
        if self.mode & 0o044 == 0:
            _require_access(task, subject)
        writes = flags & O_ACCMODE != O_RDONLY
        if writes and not self.subject and self.uid == 0 and task.creds.euid:
            fail(errno.EACCES)  # settings know no capability
        if writes and location[1].name == "setgroups" and not task.creds.capable(subject.creds.user, "CAP_SYS_ADMIN"):
            fail(errno.EACCES)
        text = self.text(View(reader=task, subject=subject, pids=block.pids))
        return TextFile(location, self, flags, text.encode("utf-8", "surrogateescape"), task.creds)

    def change(self, dentry: Dentry, change: Change) -> None:
        """Take a truncation, which means nothing here, for O_TRUNC before a write; refuse all else (EPERM)."""
        if change != Change(size=change.size):
            fail(errno.EPERM)


class TextFile(OpenFile):
    """An open file of proc."""

    __slots__ = ("_inode", "_offset", "_text", "creds", "location")

    def __init__(
        self, location: "tuple[Mount, Dentry]", inode: TextInode, flags: int, text: bytes, creds: "Credentials"
    ) -> None:
        """Start at the beginning. ``creds`` are the opener's: for some files they count at a write."""
        super().__init__(flags)
        self.location, self._inode = location, inode
        self._offset, self._text = 0, text
        self.creds = creds.copy()

    @property
    def subject(self) -> "Task | None":
        """The task that it tells of, None for the system's files."""
        return self._inode.subject

    def read(self, task: "Task", n: int) -> bytes:
        """Return at most n bytes from the offset on."""
        data = self._text[self._offset : self._offset + n]
        self._offset += len(data)
        return data

    def write(self, task: "Task", data: bytes) -> int:
        """Set what can be set (``proc_settings.py``); EINVAL otherwise."""
        write = SETTINGS.get(self.location[1].name)
        if write is None:
            fail(errno.EINVAL)
        taken = write(task, self, data)
        if taken is not None:
            return taken
        self._offset += len(data)
        return len(data)

    @property
    def at_start(self) -> bool:
        """Was nothing read or written yet?"""
        return not self._offset

    def lseek(self, task: "Task", position: int, whence: int) -> int:
        """Move the offset; EINVAL from the end, which nobody knows."""
        if whence == SEEK_CUR:
            position += self._offset
        elif whence != SEEK_SET:
            fail(errno.EINVAL)
        if position < 0:
            fail(errno.EINVAL)
        self._offset = position
        return position

    def stat(self) -> Stat:
        """Tell about the inode."""
        return self._inode.stat(self.location[1])


class Link(ProcInode):
    """An ordinary symbolic link."""

    __slots__ = ("target",)

    def __init__(self, superblock: Proc, target: str) -> None:
        """Say something."""
        super().__init__(superblock, S_IFLNK | 0o777)
        self.target = target

    def readlink(self, dentry: Dentry, task: "Task | None" = None) -> str:
        """Return what it says."""
        return self.target


class Self(Link):
    """``/proc/self``: the reader's own directory; ENOENT if the namespace does not know the reader."""

    __slots__ = ()

    def __init__(self, superblock: Proc) -> None:
        """Say nothing but to a reader."""
        super().__init__(superblock, "")

    def readlink(self, dentry: Dentry, task: "Task | None" = None) -> str:
        """Return the reader's pid."""
        pid = self.superblock.pids.number(task) if task else 0
        return str(pid) if pid else fail(errno.ENOENT)


class MagicLink(ProcInode):
    """A link that leads to a place, not along a path. Only for the task's own user, and root (EACCES)."""

    __slots__ = ("subject",)

    def __init__(self, superblock: Proc, subject: "Task", ino: int, mode: int = 0o777) -> None:
        """Tell of a task."""
        super().__init__(superblock, S_IFLNK | mode, subject, ino)
        self.subject = subject

    def place(self, task: "Task") -> "Location":
        """Return where it leads."""
        fail(errno.ENOENT)

    def follow(self, task: "Task") -> "tuple[Mount, Dentry] | None":
        """Return where it leads, if the task may go there."""
        _require_access(task, self.subject)
        return self.place(task)

    def readlink(self, dentry: Dentry, task: "Task | None" = None) -> str:
        """Return the path of the place as the reader sees it."""
        reader = task or self.superblock.kernel.host
        _require_access(reader, self.subject)
        place = self.place(reader)
        path = path_of(reader, place) or place.dentry.superblock.path_of(place.dentry, reader)
        gone = place.inode.dead or not place.inode.nlink
        return path + " (deleted)" if gone else path


def _require_access(task: "Task", subject: "Task") -> None:
    """Raise EACCES unless one task may look into another (ptrace(2), "Ptrace access mode checking")."""
    if not may_access(task, subject):
        fail(errno.EACCES)


class PlaceLink(MagicLink):
    """``cwd``, ``root`` or ``exe``; ENOENT for a zombie, and for the exe of what never called execve."""

    __slots__ = ("_find",)

    def __init__(
        self, superblock: Proc, subject: "Task", ino: int, find: "Callable[[Task], tuple[Mount, Dentry] | None]"
    ) -> None:
        """Take a function that finds the place in the task."""
        super().__init__(superblock, subject, ino)
        self._find = find

    def place(self, task: "Task") -> "Location":
        """Return where it leads."""
        place = self._find(self.subject) if self.subject.alive else None
        return Location(*place) if place else fail(errno.ENOENT)


PLACES: Final[dict[str, "Callable[[Task], tuple[Mount, Dentry] | None]"]] = {
    "cwd": lambda task: task.fs.cwd,
    "root": lambda task: task.fs.root,
    "exe": lambda task: task.exe,
}


class DescriptorLink(MagicLink):
    """``/proc/PID/fd/N``: opening it opens the same inode anew; a pipe's other end is reached in this way too."""

    __slots__ = ("_file",)

    def __init__(self, superblock: Proc, subject: "Task", ino: int, mode: int, file: OpenFile) -> None:
        """Lead to what an open file is of."""
        super().__init__(superblock, subject, ino, mode)
        self._file = file

    def place(self, task: "Task") -> "Location":
        """Return where the file was opened, or a nameless place for a pipe."""
        file = self._file
        location = getattr(file, "location", None)
        if location is not None:
            return Location(*location)
        if isinstance(file, PipeEnd):
            return _nameless(task, PipeInode(self.superblock, file.pipe, file.stat()))
        return fail(errno.ENXIO)

    def readlink(self, dentry: Dentry, task: "Task | None" = None) -> str:
        """Return the path, or ``pipe:[inode number]``, or ``socket:[inode number]``."""
        if isinstance(self._file, PidFile):
            return "anon_inode:[pidfd]"
        if isinstance(self._file, PipeEnd) and self._file.location is None:
            return f"pipe:[{self._file.stat().st_ino}]"
        if isinstance(self._file, Socket):
            return f"socket:[{self._file.stat().st_ino}]"
        return super().readlink(dentry, task)


class NamespaceLink(MagicLink):
    """``/proc/PID/ns/KIND``: reads ``uts:[4026531838]``; opened, it is a hold on the namespace, for setns."""

    __slots__ = ("_name",)

    def __init__(self, superblock: Proc, subject: "Task", ino: int, name: str) -> None:
        """Lead to a task's namespace."""
        super().__init__(superblock, subject, ino)
        self._name = name

    def _namespace(self) -> Namespace:
        """Return what it leads to; ENOENT for a zombie, and for a PID namespace that has no init yet."""
        namespace = namespace_of(self.subject, self._name)
        unborn = self._name == "pid_for_children" and getattr(namespace, "init", None) is None
        return fail(errno.ENOENT) if namespace is None or unborn else namespace

    def place(self, task: "Task") -> "Location":
        """Return the place of its file."""
        return self.superblock.kernel.nsfs.place(self._namespace())

    def readlink(self, dentry: Dentry, task: "Task | None" = None) -> str:
        """Return the kind and the number: equal numbers are the same namespace."""
        _require_access(task or self.superblock.kernel.host, self.subject)
        return self._namespace().name


def _nameless(task: "Task", inode: Inode) -> "Location":
    """Return a place that no path leads to."""
    return Location(task.fs.root.mount, Dentry("", None, inode, inode.superblock))


class PipeInode(ProcInode):
    """A pipe as a file (pipefs), for who opens it once more through ``/proc/PID/fd``."""

    __slots__ = ("_stat",)

    def __init__(self, superblock: Proc, pipe: Pipe, stat: Stat) -> None:
        """Be the inode of a pipe."""
        super().__init__(superblock, S_IFIFO | 0o600, ino=stat.st_ino)
        self.mapping = pipe
        self.uid, self.gid = stat.st_uid, stat.st_gid
        self._stat = stat

    def stat(self, dentry: Dentry) -> Stat:
        """Tell what fstat tells."""
        return self._stat

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> OpenFile:
        """Open one more end; unlike a fifo's, it waits for nobody."""
        return PipeEnd(self.mapping, flags, lambda: self._stat)
