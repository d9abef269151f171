"""The port performed at once, with os: what each call is on this machine.

Three classes differ in how they wait. :class:`Direct` waits as os does, :class:`minidocker.real.host.Host` (the
engine's side, in the helper) never waits, :class:`minidocker.real.tasks.TaskCalls` (in a child) is ended by signals.
"""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from minidocker import arguments
from minidocker.kernel import Credentials, Event, Files, Ipc, Links, Memory, Mounts, Sockets, Stat, Tasks
from minidocker.linux import CLONE_NEWNET, O_CLOEXEC, fail
from minidocker.real import capability, ipc, memory, netns, overlay, seccomp, syscalls
from minidocker.real.own import OWN_FDS, checked
from minidocker.real.sockets import SocketCalls

__all__ = ["OWN_FDS", "Direct", "checked", "stat_of"]

#: What a lab without pyroute2 is told.
NO_PYROUTE2: Final = "links need pyroute2, which is not installed: pip install 'minidocker[real]'"


def stat_of(found: os.stat_result) -> Stat:
    """Return what os tells of an inode as the port has it."""
    return Stat(
        st_mode=found.st_mode,
        st_ino=found.st_ino,
        st_dev=found.st_dev,
        st_nlink=found.st_nlink,
        st_uid=found.st_uid,
        st_gid=found.st_gid,
        st_size=found.st_size,
        st_rdev=found.st_rdev,
        st_blocks=found.st_blocks,
        st_atime_ns=found.st_atime_ns,
        st_mtime_ns=found.st_mtime_ns,
        st_ctime_ns=found.st_ctime_ns,
    )


class Direct(Files, Mounts, Credentials, Tasks, Memory, Ipc, Links, Sockets, SocketCalls):
    """This machine's kernel, called from this very process."""

    def __init__(self) -> None:
        """Know no descriptor yet."""
        self.cloexec: set[int] = set()
        """Which of the descriptors below OWN_FDS an execve closes."""
        self.calls: dict[str, Callable[..., Any]] = {**_OS_CALLS, **_FOLLOWING, **_LINK_CALLS} | {
            name.removeprefix("sys_"): getattr(self, name) for name in dir(self) if name.startswith("sys_")
        }

    def syscall(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Perform the named call; ENOSYS if the port has none of that name."""
        call = self.calls.get(name)
        try:
            arguments.check(name, args)
            return call(*args, **kwargs) if call else fail(errno.ENOSYS)
        except OSError as error:
            arguments.name_paths(error, name, args)
            raise

    def poll(self, timeout_s: float | None = 0.0) -> list[Event]:
        """Refuse: who calls the kernel from this very process has nobody to wait for it (ENOSYS)."""
        return self.syscall("poll")

    def watch(self, fd: int) -> None:
        """Refuse, as poll (ENOSYS)."""
        self.syscall("watch")

    # descriptors

    def sys_open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """Open a file (open(2)); close-on-exec only if the flags say so."""
        return self.new_fd(os.open(path, flags, mode), flags)

    def sys_close(self, fd: int) -> None:
        """Close a descriptor (close(2))."""
        os.close(checked(fd))
        self.cloexec.discard(fd)

    def sys_dup(self, fd: int) -> int:
        """Return another descriptor of an open file (dup(2))."""
        return self.new_fd(os.dup(checked(fd)), 0)

    def sys_dup2(self, fd: int, fd2: int) -> int:
        """Make fd2 a descriptor of fd's open file (dup2(2))."""
        os.dup2(checked(fd), checked(fd2))
        if fd != fd2:
            self.cloexec.discard(fd2)
        return fd2

    def sys_pipe2(self, flags: int = 0) -> tuple[int, int]:
        """Return both ends of a new pipe (pipe2(2))."""
        read_end, write_end = os.pipe2(flags)
        if max(read_end, write_end) >= OWN_FDS:
            os.close(read_end)
            os.close(write_end)
            fail(errno.EMFILE)
        if flags & O_CLOEXEC:
            self.cloexec |= {read_end, write_end}
        return read_end, write_end

    def new_fd(self, fd: int, flags: int) -> int:
        """Return a new descriptor, noted or made inheritable as the flags say.

        EMFILE where the lab's own begin. (os makes every descriptor close-on-exec; the port leaves that to the caller.)
        """
        if fd >= OWN_FDS:
            os.close(fd)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if flags & O_CLOEXEC:
            self.cloexec.add(fd)
        else:
            os.set_inheritable(fd, True)
        return fd

    def sys_pidfd_open(self, pid: int, flags: int = 0) -> int:
        """Return a descriptor of a task, which an execve closes (pidfd_open(2))."""
        return self.new_fd(os.pidfd_open(pid, flags), O_CLOEXEC)

    def sys_sched_getaffinity(self, pid: int = 0) -> list[int]:
        """Return the processors that a task may run on (sched_getaffinity(2))."""
        return sorted(os.sched_getaffinity(pid))

    def sys_read(self, fd: int, n: int) -> bytes:
        """Read at the descriptor's offset (read(2))."""
        return os.read(checked(fd), n)

    def sys_write(self, fd: int, data: bytes) -> int:
        """Write at the descriptor's offset (write(2))."""
        return os.write(checked(fd), data)

    # what os has under another name or with other arguments

    def sys_stat(self, path: str) -> Stat:
        """Tell about the inode that a path leads to (stat(2))."""
        return stat_of(os.stat(path))

    def sys_lstat(self, path: str) -> Stat:
        """Tell about the inode of a name (lstat(2))."""
        return stat_of(os.lstat(path))

    def sys_fstat(self, fd: int) -> Stat:
        """Tell about an open file's inode (fstat(2))."""
        return stat_of(os.fstat(checked(fd)))

    def sys_link(self, src: str, dst: str, *, follow_symlinks: bool = False) -> None:
        """Give an inode one more name (link(2)), which os.link does not do by default on every version of Python."""
        os.link(src, dst, follow_symlinks=False)

    def sys_utime(self, path: str, ns: tuple[int, int] | None = None, follow_symlinks: bool = True) -> None:
        """Set times in nanoseconds, or to now (utimensat(2))."""
        if ns is None:
            os.utime(path, follow_symlinks=follow_symlinks)
        else:
            os.utime(path, ns=tuple(ns), follow_symlinks=follow_symlinks)  # type: ignore[arg-type]

    def sys_access(self, path: str, mode: int) -> bool:
        """Tell whether the real user may read, write or execute; never raises (access(2))."""
        return "\0" not in path and os.access(path, mode)

    def sys_gethostname(self) -> str:
        """Return the host name (uname(2))."""
        return os.uname().nodename

    def sys_mount(self, source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
        """Attach a file system (mount(2)); an overlay of many layers by fsopen(2)."""
        if fstype == "overlay" and overlay.needs_fsconfig(data):
            overlay.mount(target, flags, data)
        else:
            syscalls.mount(source, target, fstype, flags, data)

    def sys_unshare(self, flags: int) -> None:
        """Move into new namespaces (unshare(2))."""
        syscalls.unshare(flags)
        if flags & CLONE_NEWNET:
            netns.ipv4_only()

    def sys_setgroups(self, groups: Sequence[int]) -> None:
        """Set the supplementary groups (setgroups(2))."""
        os.setgroups(list(groups))


_OS_NAMES: Final = (
    "truncate", "listdir", "mkdir", "rmdir", "unlink", "rename", "symlink", "readlink", "chmod", "chown", "lchown",
    "mknod", "chdir", "getcwd", "umask", "seteuid", "setegid", "setuid", "setgid", "getgroups", "getuid",
    "geteuid", "getgid", "getegid", "getpid", "kill",
)  # fmt: skip
_OTHER_NAMES: Final = ("umount2", "pivot_root", "sethostname", "setdomainname", "getdomainname", "prctl")
_IPC_NAMES: Final = ("msgget", "msgsnd", "msgrcv", "msgctl", "shmget", "shmat", "shmdt", "shmctl")
_DESCRIPTOR_NAMES: Final = ("lseek", "ftruncate", "fchmod", "fchown", "fchdir", "fsync", "setns", "isatty")


def _of_descriptor(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call with the lab's own descriptors out of its reach."""
    return lambda fd, *args: call(checked(fd), *args)


#: The calls that are os's own or :mod:`minidocker.real.syscalls`'s, name for name.
_OS_CALLS: Final[dict[str, Callable[..., Any]]] = (
    {name: getattr(os, name) for name in _OS_NAMES}
    | {"seccomp": seccomp.seccomp}
    | {name: getattr(syscalls, name) for name in _OTHER_NAMES}
    | {name: getattr(capability, name) for name in ("capget", "capset")}
    | {name: getattr(memory, name) for name in ("mmap", "munmap", "process_vm_readv", "process_vm_writev")}
    | {name: getattr(ipc, name) for name in _IPC_NAMES}
    | {name: _of_descriptor(getattr(os, name, None) or getattr(syscalls, name)) for name in _DESCRIPTOR_NAMES}
)

#: The calls that have a twin for symbolic links themselves.
_FOLLOWING: Final[dict[str, Callable[..., Any]]] = {
    "setxattr": lambda path, name, value, flags=0: os.setxattr(path, name, value, flags),
    "lsetxattr": lambda path, name, value, flags=0: os.setxattr(path, name, value, flags, follow_symlinks=False),
    "getxattr": os.getxattr,
    "lgetxattr": lambda path, name: os.getxattr(path, name, follow_symlinks=False),
    "listxattr": os.listxattr,
    "llistxattr": lambda path: os.listxattr(path, follow_symlinks=False),
    "removexattr": os.removexattr,
    "lremovexattr": lambda path, name: os.removexattr(path, name, follow_symlinks=False),
}


def _link_call(name: str) -> Callable[..., Any]:
    """Return a call of :mod:`minidocker.real.links`, which is loaded when the first of them is made."""

    def call(*args: Any, netns: int | None = None, **kwargs: Any) -> Any:
        try:
            from minidocker.real import links  # noqa: PLC0415  pyroute2 costs 10 ms, and a lab may lack it
        except ModuleNotFoundError:
            error = OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
            error.add_note(NO_PYROUTE2)
            raise error from None
        if netns is not None:
            kwargs["netns"] = checked(netns)
        return getattr(links, name)(*args, **kwargs)

    return call


_LINK_CALLS: Final = {
    name: _link_call(name)
    for name in (
        "newlink", "setlink", "dellink", "getlink", "newaddr", "deladdr", "getaddr", "newroute", "delroute",
        "getroute", "getneigh",
    )
}  # fmt: skip
