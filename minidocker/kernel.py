"""The port: Linux's system calls, by Linux's names. Everything above asks only this; two kernels answer it.

Each call has the name, arguments, result and errors of Python's :mod:`os` where ``os`` has it, and of the manual page
(section 2) where it doesn't. All raise ``OSError(errno, strerror, path)``. Every call passes through one place,
:meth:`Port.syscall`: there a kernel performs it, and there a trace comes from.

The engine calls these *plain* functions on the host's side; they never wait for a program (a pipe that is empty gives
EAGAIN; :meth:`Tasks.poll` tells when to look again). What runs as a task uses the awaited twin,
:class:`minidocker.system.System`: its calls have the same names and arguments, and may wait.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from minidocker.netlink import Address, Link, Neighbour, Route
from minidocker.port import Event, Inner, Listener, Port, SyscallEvent
from minidocker.stat import Stat

__all__ = [
    "Capabilities", "Event", "Files", "Inner", "Ipc", "Kernel", "Links", "Listener", "Memory", "Mounts", "Port",
    "Sockets", "Stat", "SyscallEvent", "Tasks",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """A task's capability sets, as bit masks: ``1 << CAPABILITIES["CAP_KILL"]`` (capabilities(7))."""

    effective: int
    permitted: int
    inheritable: int


class Files(Port, Protocol):
    """Files and descriptors: the names, arguments, results and errors of Python's os."""

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """Open a file and return the lowest free descriptor (open(2)). ``mode`` counts for O_CREAT, less the umask."""
        return self.syscall("open", path, flags, mode)

    def close(self, fd: int) -> None:
        """Close a descriptor (close(2))."""
        return self.syscall("close", fd)

    def read(self, fd: int, n: int) -> bytes:
        """Read at most n bytes at the descriptor's offset; ``b""`` is the end (read(2))."""
        return self.syscall("read", fd, n)

    def write(self, fd: int, data: bytes) -> int:
        """Write bytes at the descriptor's offset and return how many were taken (write(2))."""
        return self.syscall("write", fd, data)

    def lseek(self, fd: int, position: int, whence: int) -> int:
        """Move a descriptor's offset and return it, in bytes from the start (lseek(2))."""
        return self.syscall("lseek", fd, position, whence)

    def truncate(self, path: str, length: int) -> None:
        """Cut or grow a file to length bytes (truncate(2))."""
        return self.syscall("truncate", path, length)

    def ftruncate(self, fd: int, length: int) -> None:
        """Cut or grow an open file to length bytes (ftruncate(2))."""
        return self.syscall("ftruncate", fd, length)

    def stat(self, path: str, *, follow_symlinks: bool = True) -> Stat:
        """Tell about the inode that a path leads to (stat(2))."""
        return self.syscall("stat", path) if follow_symlinks else self.syscall("lstat", path)

    def lstat(self, path: str) -> Stat:
        """Tell about the inode of a name, of a symlink itself (lstat(2))."""
        return self.syscall("lstat", path)

    def fstat(self, fd: int) -> Stat:
        """Tell about an open file's inode (fstat(2))."""
        return self.syscall("fstat", fd)

    def listdir(self, path: str = ".") -> list[str]:
        """Return the names in a directory, without ``.`` and ``..``, in no particular order (getdents64(2))."""
        return self.syscall("listdir", path)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        """Make a directory (mkdir(2))."""
        return self.syscall("mkdir", path, mode)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory (rmdir(2))."""
        return self.syscall("rmdir", path)

    def unlink(self, path: str) -> None:
        """Remove a name (unlink(2))."""
        return self.syscall("unlink", path)

    def rename(self, src: str, dst: str) -> None:
        """Give an inode another name, replacing what has it (rename(2))."""
        return self.syscall("rename", src, dst)

    def link(self, src: str, dst: str, *, follow_symlinks: bool = True) -> None:
        """Give an inode one more name: a symlink's own, if src is one (link(2))."""
        return (
            self.syscall("link", src, dst) if follow_symlinks else self.syscall("link", src, dst, follow_symlinks=False)
        )

    def symlink(self, src: str, dst: str) -> None:
        """Make a symbolic link at dst that says src (symlink(2))."""
        return self.syscall("symlink", src, dst)

    def readlink(self, path: str) -> str:
        """Return what a symbolic link says (readlink(2))."""
        return self.syscall("readlink", path)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits (chmod(2))."""
        return self.syscall("chmod", path, mode)

    def fchmod(self, fd: int, mode: int) -> None:
        """Set the permission bits of an open file (fchmod(2))."""
        return self.syscall("fchmod", fd, mode)

    def chown(self, path: str, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        """Set owner and group; -1 leaves one as it is (chown(2), lchown(2))."""
        return self.syscall("chown" if follow_symlinks else "lchown", path, uid, gid)

    def lchown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group of a symlink itself (lchown(2))."""
        return self.syscall("lchown", path, uid, gid)

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        """Set owner and group of an open file (fchown(2))."""
        return self.syscall("fchown", fd, uid, gid)

    def mknod(self, path: str, mode: int = 0o600, device: int = 0) -> None:
        """Make a node: regular file, fifo, socket or device (mknod(2)). ``device`` is ``major << 8 | minor``."""
        return self.syscall("mknod", path, mode, device)

    def setxattr(
        self, path: str, attribute: str, value: bytes, flags: int = 0, *, follow_symlinks: bool = True
    ) -> None:
        """Set an extended attribute (setxattr(2)); flags: XATTR_CREATE, XATTR_REPLACE."""
        return self.syscall("setxattr" if follow_symlinks else "lsetxattr", path, attribute, value, flags)

    def getxattr(self, path: str, attribute: str, *, follow_symlinks: bool = True) -> bytes:
        """Return an extended attribute (getxattr(2)); ENODATA if there is none."""
        return self.syscall("getxattr" if follow_symlinks else "lgetxattr", path, attribute)

    def listxattr(self, path: str, *, follow_symlinks: bool = True) -> list[str]:
        """Return the names of the extended attributes (listxattr(2))."""
        return self.syscall("listxattr" if follow_symlinks else "llistxattr", path)

    def removexattr(self, path: str, attribute: str, *, follow_symlinks: bool = True) -> None:
        """Remove an extended attribute (removexattr(2))."""
        return self.syscall("removexattr" if follow_symlinks else "lremovexattr", path, attribute)

    def utime(
        self,
        path: str,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set times of access and modification: seconds, or nanoseconds with ``ns=``; none means now (utimensat(2))."""
        if times is not None and ns is not None:
            message = "utime: you may specify either 'times' or 'ns' but not both"
            raise ValueError(message)
        if times is not None:
            ns = (int(times[0] * 1_000_000_000), int(times[1] * 1_000_000_000))
        return self.syscall("utime", path, ns, follow_symlinks)

    def access(self, path: str, mode: int) -> bool:
        """Tell whether the real user may read, write or execute; like os.access it never raises (access(2))."""
        return self.syscall("access", path, mode)

    def chdir(self, path: str) -> None:
        """Change the working directory (chdir(2))."""
        return self.syscall("chdir", path)

    def fchdir(self, fd: int) -> None:
        """Change the working directory to an open one (fchdir(2))."""
        return self.syscall("fchdir", fd)

    def getcwd(self) -> str:
        """Return the working directory (getcwd(2))."""
        return self.syscall("getcwd")

    def umask(self, mask: int) -> int:
        """Set the bits that new files don't get, and return the old ones (umask(2))."""
        return self.syscall("umask", mask)

    def dup(self, fd: int) -> int:
        """Return another descriptor of the same open file (dup(2))."""
        return self.syscall("dup", fd)

    def dup2(self, fd: int, fd2: int) -> int:
        """Make fd2 a descriptor of fd's open file (dup2(2))."""
        return self.syscall("dup2", fd, fd2)

    def pipe2(self, flags: int = 0) -> tuple[int, int]:
        """Return the reading and the writing end of a new pipe (pipe2(2)); flags: O_CLOEXEC, O_NONBLOCK."""
        return self.syscall("pipe2", flags)

    def fsync(self, fd: int) -> None:
        """Write an open file's data to its disk (fsync(2))."""
        return self.syscall("fsync", fd)


class Mounts(Port, Protocol):
    """The tree of mounts of the caller's mount namespace."""

    def mount(self, source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
        """Attach a file system, or change what is attached (mount(2)).

        Types: overlay, tmpfs, proc, sysfs, mqueue, devpts, cgroup, cgroup2, and with MS_BIND any directory or file. An
        overlay takes up to 500 lower directories; how a kernel is told of more than fit into one page is below the
        port.
        """
        return self.syscall("mount", source, target, fstype, flags, data)

    def umount2(self, target: str, flags: int = 0) -> None:
        """Detach the topmost mount at target (umount2(2)); flags: MNT_DETACH, UMOUNT_NOFOLLOW."""
        return self.syscall("umount2", target, flags)

    def pivot_root(self, new_root: str, put_old: str) -> None:
        """Make new_root the root of the mount namespace, and put the old one at put_old (pivot_root(2))."""
        return self.syscall("pivot_root", new_root, put_old)


class Credentials(Port, Protocol):
    """Who the caller is."""

    def seteuid(self, euid: int) -> None:
        """Set the effective user id (seteuid(2)): with it go the file system id and root's capabilities."""
        return self.syscall("seteuid", euid)

    def setegid(self, egid: int) -> None:
        """Set the effective group id (setegid(2))."""
        return self.syscall("setegid", egid)

    def setuid(self, uid: int) -> None:
        """Become a user for good (setuid(2))."""
        return self.syscall("setuid", uid)

    def setgid(self, gid: int) -> None:
        """Become a group for good (setgid(2))."""
        return self.syscall("setgid", gid)

    def setgroups(self, groups: Sequence[int]) -> None:
        """Set the supplementary groups (setgroups(2))."""
        return self.syscall("setgroups", list(groups))

    def getgroups(self) -> list[int]:
        """Return the supplementary groups (getgroups(2))."""
        return self.syscall("getgroups")

    def getuid(self) -> int:
        """Return the real user id (getuid(2))."""
        return self.syscall("getuid")

    def geteuid(self) -> int:
        """Return the effective user id (geteuid(2))."""
        return self.syscall("geteuid")

    def getgid(self) -> int:
        """Return the real group id (getgid(2))."""
        return self.syscall("getgid")

    def getegid(self) -> int:
        """Return the effective group id (getegid(2))."""
        return self.syscall("getegid")

    def capget(self, pid: int = 0) -> Capabilities:
        """Return the capability sets of a task, 0 the caller (capget(2))."""
        return self.syscall("capget", pid)

    def capset(self, effective: int, permitted: int, inheritable: int) -> None:
        """Set the caller's capability sets, as bit masks (capset(2)); EPERM for what it is not permitted."""
        return self.syscall("capset", effective, permitted, inheritable)

    def prctl(self, option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
        """Change how the kernel treats the caller (prctl(2)): bounding and ambient set, no_new_privs …"""
        return self.syscall("prctl", option, arg2, arg3, arg4, arg5)

    def seccomp(self, operation: int, flags: int, policy: Mapping[str, Any]) -> None:
        """Filter the calls of the caller and its children from now on (seccomp(2)).

        ``policy`` is Docker's JSON (``defaultAction``, ``syscalls``); a kernel makes its own kind of filter of it.
        ENOSYS where it cannot; EACCES without CAP_SYS_ADMIN or no_new_privs.
        """
        return self.syscall("seccomp", operation, flags, policy)


class Tasks(Port, Protocol):
    """Tasks and the namespaces they live in."""

    def clone(
        self,
        main: Callable[..., Coroutine[Any, Any, int]],
        *args: Any,
        flags: int = 0,
        fds: Mapping[int, int] | None = None,
        cgroup: int | None = None,
    ) -> int:
        """Start a task that runs ``main(system, *args)``, and return its pid (clone(2), as glibc's does).

        ``flags`` are the CLONE_NEW* of the namespaces it gets for itself. ``fds`` says which descriptors it starts
        with, child's number → caller's; of those 0, 1 and 2 stay open over execve, the others keep the caller's
        close-on-exec flag. From the host's side main must be importable (a module's function) and args
        JSON's values: they cross into another process. ``cgroup`` is a descriptor of the directory of a v2 control
        group in which the task begins, instead of the caller's (clone3's CLONE_INTO_CGROUP); EBUSY, EACCES, EBADF.
        """
        if cgroup is None:
            return self.syscall("clone", main, *args, flags=flags, fds=fds)
        return self.syscall("clone", main, *args, flags=flags, fds=fds, cgroup=cgroup)

    def unshare(self, flags: int) -> None:
        """Move the caller into new namespaces (unshare(2)); a new PID namespace takes the next child."""
        return self.syscall("unshare", flags)

    def setns(self, fd: int, nstype: int = 0) -> None:
        """Join the namespace of an open /proc/PID/ns file, or with a pidfd those that nstype says (setns(2))."""
        return self.syscall("setns", fd, nstype)

    def sethostname(self, name: str) -> None:
        """Set the host name of the caller's UTS namespace (sethostname(2))."""
        return self.syscall("sethostname", name)

    def gethostname(self) -> str:
        """Return the host name of the caller's UTS namespace (uname(2))."""
        return self.syscall("gethostname")

    def kill(self, pid: int, signal: int) -> None:
        """Send a signal (kill(2)); 0 only asks whether one could."""
        return self.syscall("kill", pid, signal)

    def wait4(self, pid: int, options: int = 0) -> tuple[int, int]:
        """Reap a child that ended: (pid, status), or (0, 0) with WNOHANG while none has (wait4(2))."""
        return self.syscall("wait4", pid, options)

    def getpid(self) -> int:
        """Return the caller's id in its own PID namespace (getpid(2))."""
        return self.syscall("getpid")

    def pidfd_open(self, pid: int, flags: int = 0) -> int:
        """Return a descriptor of a task, for setns into several of its namespaces at once (pidfd_open(2))."""
        return self.syscall("pidfd_open", pid, flags)

    def setdomainname(self, name: str) -> None:
        """Set the NIS domain name of the caller's UTS namespace (setdomainname(2))."""
        return self.syscall("setdomainname", name)

    def getdomainname(self) -> str:
        """Return the NIS domain name of the caller's UTS namespace (getdomainname(2))."""
        return self.syscall("getdomainname")

    def sched_getaffinity(self, pid: int = 0) -> list[int]:
        """Return the processors that a task may run on, sorted (sched_getaffinity(2))."""
        return self.syscall("sched_getaffinity", pid)

    def poll(self, timeout_s: float | None = 0.0) -> list[Event]:
        """Let tasks run and return what happened: readable watched descriptors and ended children.

        Waits at most timeout_s (None: until something happens or nothing can). The simulated kernel runs its
        scheduler here; the real one reads what its helper sent. An "exited" child stays to be reaped by wait4.
        """
        ...

    def watch(self, fd: int) -> None:
        """Have poll tell when fd is readable (epoll_ctl(2), EPOLL_CTL_ADD). Closing it ends that."""
        ...


class Memory(Port, Protocol):
    """Memory: what a task maps, and who is charged for it."""

    def mmap(self, length: int, flags: int = 0) -> int:
        """Map so many bytes of private anonymous memory and return the address (mmap(2)).

        With MAP_POPULATE every page is touched at once, and charged to the caller's memory cgroup: there the OOM killer
        may end a task. Without it nothing is charged; ENOMEM where there is no room for it.
        """
        return self.syscall("mmap", length, flags)

    def munmap(self, address: int, length: int) -> None:
        """Give mapped memory back (munmap(2))."""
        return self.syscall("munmap", address, length)

    def process_vm_readv(self, pid: int, address: int, length: int) -> bytes:
        """Read a task's memory, the caller's own or another's (process_vm_readv(2)); EFAULT, ESRCH, EPERM."""
        return self.syscall("process_vm_readv", pid, address, length)

    def process_vm_writev(self, pid: int, address: int, data: bytes) -> int:
        """Write a task's memory (process_vm_writev(2))."""
        return self.syscall("process_vm_writev", pid, address, data)


class Ipc(Port, Protocol):
    """System V message queues and shared memory (sysvipc(7)): each IPC namespace has its own."""

    def msgget(self, key: int, flags: int = 0o600) -> int:
        """Return the message queue of a key in the caller's IPC namespace, made with IPC_CREAT (msgget(2))."""
        return self.syscall("msgget", key, flags)

    def msgsnd(self, msqid: int, mtype: int, data: bytes, flags: int = 0) -> None:
        """Append a message to a queue (msgsnd(2)); waits for room unless IPC_NOWAIT (EAGAIN)."""
        return self.syscall("msgsnd", msqid, mtype, data, flags)

    def msgrcv(self, msqid: int, size: int, mtype: int = 0, flags: int = 0) -> tuple[int, bytes]:
        """Take a message, its type and its bytes, off a queue (msgrcv(2)); ENOMSG (IPC_NOWAIT), EIDRM."""
        return self.syscall("msgrcv", msqid, size, mtype, flags)

    def msgctl(self, msqid: int, command: int) -> None:
        """Remove a queue: IPC_RMID (msgctl(2))."""
        return self.syscall("msgctl", msqid, command)

    def shmget(self, key: int, size: int, flags: int = 0o600) -> int:
        """Return the shared memory segment of a key in the caller's IPC namespace, made with IPC_CREAT (shmget(2))."""
        return self.syscall("shmget", key, size, flags)

    def shmat(self, shmid: int, flags: int = 0) -> int:
        """Attach a segment and return the address (shmat(2)); process_vm_readv and process_vm_writev reach it."""
        return self.syscall("shmat", shmid, flags)

    def shmdt(self, address: int) -> None:
        """Detach a segment (shmdt(2))."""
        return self.syscall("shmdt", address)

    def shmctl(self, shmid: int, command: int) -> None:
        """Remove a segment once nobody has it attached: IPC_RMID (shmctl(2))."""
        return self.syscall("shmctl", shmid, command)


class Links(Port, Protocol):
    """Links, addresses and routes of the caller's network namespace, in rtnetlink(7)'s nouns and verbs."""

    def newlink(self, name: str, kind: str, *, peer: str = "", netns: int | None = None, address: str = "") -> None:
        """Make a link of kind ``bridge``, ``veth`` (with its ``peer``) or ``dummy`` (RTM_NEWLINK); EEXIST, EPERM.

        ``netns`` is a descriptor of the network namespace in which the peer is made; without it it is made here, too.
        (To move it there afterwards costs a real kernel 15 ms: it waits until nobody uses the link any more.)
        """
        return self.syscall("newlink", name, kind, peer=peer, netns=netns, address=address)

    def setlink(
        self,
        name: str,
        *,
        up: bool | None = None,
        master: str | None = None,
        netns: int | None = None,
        new_name: str = "",
        mtu: int = 0,
        address: str = "",
    ) -> None:
        """Change a link: up or down, its bridge (``master``, "" for none), name, MTU, MAC address (RTM_SETLINK).

        ``netns`` is a descriptor of the network namespace that it moves to. ENODEV, EBUSY (a new name while it is up).
        """
        return self.syscall(
            "setlink", name, up=up, master=master, netns=netns, new_name=new_name, mtu=mtu, address=address
        )

    def dellink(self, name: str) -> None:
        """Remove a link; of a veth both ends go (RTM_DELLINK)."""
        return self.syscall("dellink", name)

    def getlink(self) -> list[Link]:
        """Return the links of the caller's network namespace, by index (RTM_GETLINK)."""
        return self.syscall("getlink")

    def newaddr(self, link: str, address: str, *, broadcast: str = "") -> None:
        """Give a link an address such as ``172.17.0.2/16``, and its network's route (RTM_NEWADDR); EEXIST, ENODEV.

        ``broadcast`` is told with it (IFA_BROADCAST); Docker says ``172.17.255.255``, ip(8) by itself nothing.
        """
        return self.syscall("newaddr", link, address, broadcast=broadcast)

    def deladdr(self, link: str, address: str) -> None:
        """Take an address away (RTM_DELADDR); EADDRNOTAVAIL."""
        return self.syscall("deladdr", link, address)

    def getaddr(self) -> list[Address]:
        """Return the addresses of the caller's network namespace (RTM_GETADDR)."""
        return self.syscall("getaddr")

    def newroute(self, destination: str, *, gateway: str = "", link: str = "") -> None:
        """Add a route to ``10.0.0.0/8`` or ``default`` (RTM_NEWROUTE); ENETUNREACH: no link leads to the gateway."""
        return self.syscall("newroute", destination, gateway=gateway, link=link)

    def delroute(self, destination: str, *, gateway: str = "", link: str = "") -> None:
        """Remove a route (RTM_DELROUTE); ESRCH."""
        return self.syscall("delroute", destination, gateway=gateway, link=link)

    def getroute(self) -> list[Route]:
        """Return the main table's routes in the caller's network namespace (RTM_GETROUTE)."""
        return self.syscall("getroute")

    def getneigh(self) -> list[Neighbour]:
        """Return what ARP has learnt in the caller's network namespace (RTM_GETNEIGH)."""
        return self.syscall("getneigh")


class Sockets(Port, Protocol):
    """Sockets of the internet (ip(7), tcp(7), udp(7), raw(7)). An address is ``("172.17.0.2", 80)``."""

    def socket(self, family: int, type: int, protocol: int = 0) -> int:
        """Return a new socket of the caller's network namespace (socket(2)): AF_INET; stream, datagram, raw ICMP."""
        return self.syscall("socket", family, type, protocol)

    def bind(self, fd: int, address: tuple[str, int]) -> None:
        """Give a socket its own address and port (bind(2)); EADDRINUSE, EADDRNOTAVAIL, EACCES below port 1024."""
        return self.syscall("bind", fd, address)

    def listen(self, fd: int, backlog: int) -> None:
        """Let a socket take connections (listen(2))."""
        return self.syscall("listen", fd, backlog)

    def accept4(self, fd: int, flags: int = 0) -> tuple[int, tuple[str, int]]:
        """Take a connection: its descriptor and the peer's address (accept4(2))."""
        return self.syscall("accept4", fd, flags)

    def connect(self, fd: int, address: tuple[str, int]) -> None:
        """Connect to an address (connect(2)); ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT."""
        return self.syscall("connect", fd, address)

    def sendto(self, fd: int, data: bytes, address: tuple[str, int] | None = None) -> int:
        """Send a datagram, or bytes of a stream (sendto(2))."""
        return self.syscall("sendto", fd, data, address)

    def recvfrom(self, fd: int, n: int) -> tuple[bytes, tuple[str, int] | None]:
        """Receive a datagram and its sender's address, or bytes of a stream (recvfrom(2)); EAGAIN after SO_RCVTIMEO."""
        return self.syscall("recvfrom", fd, n)

    def shutdown(self, fd: int, how: int) -> None:
        """Close one direction of a connection, or both (shutdown(2))."""
        return self.syscall("shutdown", fd, how)

    def getsockname(self, fd: int) -> tuple[str, int]:
        """Return a socket's own address (getsockname(2))."""
        return self.syscall("getsockname", fd)

    def getpeername(self, fd: int) -> tuple[str, int]:
        """Return the address at the other end (getpeername(2)); ENOTCONN."""
        return self.syscall("getpeername", fd)

    def setsockopt(self, fd: int, level: int, option: int, value: int) -> None:
        """Set an option (socket(7)): SO_REUSEADDR, SO_RCVTIMEO (the value in milliseconds)."""
        return self.syscall("setsockopt", fd, level, option, value)


class Kernel(Files, Mounts, Credentials, Tasks, Memory, Ipc, Links, Sockets, Protocol):
    """A whole Linux, seen from the host's side by root (or by whoever runs the lab, rootless)."""

    listener: Listener | None
    listener_error: BaseException | None

    def observe(self, name: str, lowers: Sequence[str], upper: str) -> None:
        """From now on tell the listener what each call changes in this upper directory (topmost lower first)."""
        ...

    def unobserve(self, name: str) -> None:
        """Stop observing an upper directory."""
        ...

    def job(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run ``function(kernel, *args)`` close to the kernel, in one round trip, untraced, and return what it returns.

        For bulk work: unpacking ten thousand files, walking a tree. function is importable and uses only the port's
        plain calls; args and result are what marshal takes (None, numbers, str, bytes, tuples, lists, dicts). A
        function among args is one for clone.
        """
        ...

    def together(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run ``function(kernel, *args)`` as a job; but where somebody listens call by call, so that each is told."""
        return self.job(function, *args) if self.listener is None else function(self, *args)

    def attend(self, timeout_s: float | None, function: Callable[..., Any]) -> list[tuple[Event, Any]]:
        """Poll, and run ``function(kernel, kind, number)`` for each event, together with it if nobody listens.

        ``number`` is the event's fd or pid. Returns the events, those of descriptors first, with what it returned.
        """
        events = sorted(self.poll(timeout_s), key=lambda event: event.kind == "exited")
        return [(event, self.together(function, event.kind, event.number)) for event in events]

    def close_kernel(self) -> None:
        """End it: every task is killed, every mount undone, nothing is left on the host."""
        ...
