"""The port as a task sees it: the same calls as :mod:`minidocker.kernel`, awaited.

``await`` *is* the trap into the kernel. A program is a coroutine; each call yields one :class:`Trap` to whoever drives
it. The simulated scheduler performs the call, or parks the task until it can; the real driver performs it at once,
inside the cloned process. Nothing else may be awaited, so a program cannot tell on which kernel it runs.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from minidocker.kernel import Capabilities, Stat
from minidocker.netlink import Address, Link, Neighbour, Route

#: What :meth:`System.signal` takes: SIG_DFL, SIG_IGN, or a plain function of the signal's number.
Handler: TypeAlias = int | Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Trap(Awaitable[Any]):
    """One system call on its way into the kernel. Its result, or OSError, comes back at the await."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __await__(self) -> Generator["Trap", Any, Any]:
        """Yield to the driver, and return what it sends."""
        return (yield self)


def trap(name: str, /, *args: Any, **kwargs: Any) -> Trap:
    """Name a system call, to be awaited."""
    return Trap(name, args, kwargs)


#: A program: ``await main(system, argv, environ)`` returns its exit code.
Program: TypeAlias = "Callable[[System, list[str], dict[str, str]], Coroutine[Any, Any, int]]"
#: What clone starts: ``await main(system, *args)`` returns the exit code.
Main: TypeAlias = "Callable[..., Coroutine[Any, Any, int]]"


class System:
    """The system calls of a task. It holds no state: the kernel knows who is calling."""

    __slots__ = ()

    # files: see minidocker.kernel.Files

    async def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """Open a file and return the lowest free descriptor (open(2)). ``mode`` counts for O_CREAT, less the umask."""
        return await trap("open", path, flags, mode)

    async def close(self, fd: int) -> None:
        """Close a descriptor (close(2))."""
        return await trap("close", fd)

    async def read(self, fd: int, n: int) -> bytes:
        """Read at most n bytes at the descriptor's offset; ``b""`` is the end (read(2))."""
        return await trap("read", fd, n)

    async def write(self, fd: int, data: bytes) -> int:
        """Write bytes at the descriptor's offset and return how many were taken (write(2))."""
        return await trap("write", fd, data)

    async def lseek(self, fd: int, position: int, whence: int) -> int:
        """Move a descriptor's offset and return it, in bytes from the start (lseek(2))."""
        return await trap("lseek", fd, position, whence)

    async def truncate(self, path: str, length: int) -> None:
        """Cut or grow a file to length bytes (truncate(2))."""
        return await trap("truncate", path, length)

    async def ftruncate(self, fd: int, length: int) -> None:
        """Cut or grow an open file to length bytes (ftruncate(2))."""
        return await trap("ftruncate", fd, length)

    async def stat(self, path: str, *, follow_symlinks: bool = True) -> Stat:
        """Tell about the inode that a path leads to (stat(2))."""
        return await trap("stat", path) if follow_symlinks else await trap("lstat", path)

    async def lstat(self, path: str) -> Stat:
        """Tell about the inode of a name, of a symlink itself (lstat(2))."""
        return await trap("lstat", path)

    async def fstat(self, fd: int) -> Stat:
        """Tell about an open file's inode (fstat(2))."""
        return await trap("fstat", fd)

    async def listdir(self, path: str = ".") -> list[str]:
        """Return the names in a directory, without ``.`` and ``..``, in no particular order (getdents64(2))."""
        return await trap("listdir", path)

    async def mkdir(self, path: str, mode: int = 0o777) -> None:
        """Make a directory (mkdir(2))."""
        return await trap("mkdir", path, mode)

    async def rmdir(self, path: str) -> None:
        """Remove an empty directory (rmdir(2))."""
        return await trap("rmdir", path)

    async def unlink(self, path: str) -> None:
        """Remove a name (unlink(2))."""
        return await trap("unlink", path)

    async def rename(self, src: str, dst: str) -> None:
        """Give an inode another name, replacing what has it (rename(2))."""
        return await trap("rename", src, dst)

    async def link(self, src: str, dst: str, *, follow_symlinks: bool = True) -> None:
        """Give an inode one more name: a symlink's own, if src is one (link(2))."""
        return await trap("link", src, dst) if follow_symlinks else await trap("link", src, dst, follow_symlinks=False)

    async def symlink(self, src: str, dst: str) -> None:
        """Make a symbolic link at dst that says src (symlink(2))."""
        return await trap("symlink", src, dst)

    async def readlink(self, path: str) -> str:
        """Return what a symbolic link says (readlink(2))."""
        return await trap("readlink", path)

    async def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits (chmod(2))."""
        return await trap("chmod", path, mode)

    async def fchmod(self, fd: int, mode: int) -> None:
        """Set the permission bits of an open file (fchmod(2))."""
        return await trap("fchmod", fd, mode)

    async def chown(self, path: str, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        """Set owner and group; -1 leaves one as it is (chown(2), lchown(2))."""
        return await trap("chown" if follow_symlinks else "lchown", path, uid, gid)

    async def lchown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group of a symlink itself (lchown(2))."""
        return await trap("lchown", path, uid, gid)

    async def fchown(self, fd: int, uid: int, gid: int) -> None:
        """Set owner and group of an open file (fchown(2))."""
        return await trap("fchown", fd, uid, gid)

    async def mknod(self, path: str, mode: int = 0o600, device: int = 0) -> None:
        """Make a node: regular file, fifo, socket or device (mknod(2)). ``device`` is ``major << 8 | minor``."""
        return await trap("mknod", path, mode, device)

    async def setxattr(
        self, path: str, attribute: str, value: bytes, flags: int = 0, *, follow_symlinks: bool = True
    ) -> None:
        """Set an extended attribute (setxattr(2)); flags: XATTR_CREATE, XATTR_REPLACE."""
        return await trap("setxattr" if follow_symlinks else "lsetxattr", path, attribute, value, flags)

    async def getxattr(self, path: str, attribute: str, *, follow_symlinks: bool = True) -> bytes:
        """Return an extended attribute (getxattr(2)); ENODATA if there is none."""
        return await trap("getxattr" if follow_symlinks else "lgetxattr", path, attribute)

    async def listxattr(self, path: str, *, follow_symlinks: bool = True) -> list[str]:
        """Return the names of the extended attributes (listxattr(2))."""
        return await trap("listxattr" if follow_symlinks else "llistxattr", path)

    async def removexattr(self, path: str, attribute: str, *, follow_symlinks: bool = True) -> None:
        """Remove an extended attribute (removexattr(2))."""
        return await trap("removexattr" if follow_symlinks else "lremovexattr", path, attribute)

    async def utime(
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
        return await trap("utime", path, ns, follow_symlinks)

    async def access(self, path: str, mode: int) -> bool:
        """Tell whether the real user may read, write or execute; like os.access it never raises (access(2))."""
        return await trap("access", path, mode)

    async def chdir(self, path: str) -> None:
        """Change the working directory (chdir(2))."""
        return await trap("chdir", path)

    async def fchdir(self, fd: int) -> None:
        """Change the working directory to an open one (fchdir(2))."""
        return await trap("fchdir", fd)

    async def getcwd(self) -> str:
        """Return the working directory (getcwd(2))."""
        return await trap("getcwd")

    async def umask(self, mask: int) -> int:
        """Set the bits that new files don't get, and return the old ones (umask(2))."""
        return await trap("umask", mask)

    async def dup(self, fd: int) -> int:
        """Return another descriptor of the same open file (dup(2))."""
        return await trap("dup", fd)

    async def dup2(self, fd: int, fd2: int) -> int:
        """Make fd2 a descriptor of fd's open file (dup2(2))."""
        return await trap("dup2", fd, fd2)

    async def pipe2(self, flags: int = 0) -> tuple[int, int]:
        """Return the reading and the writing end of a new pipe (pipe2(2)); flags: O_CLOEXEC, O_NONBLOCK."""
        return await trap("pipe2", flags)

    async def fsync(self, fd: int) -> None:
        """Write an open file's data to its disk (fsync(2))."""
        return await trap("fsync", fd)

    # mounts: see minidocker.kernel.Mounts

    async def mount(self, source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
        """Attach a file system, or change what is attached (mount(2))."""
        return await trap("mount", source, target, fstype, flags, data)

    async def umount2(self, target: str, flags: int = 0) -> None:
        """Detach the topmost mount at target (umount2(2)); flags: MNT_DETACH, UMOUNT_NOFOLLOW."""
        return await trap("umount2", target, flags)

    async def pivot_root(self, new_root: str, put_old: str) -> None:
        """Make new_root the root of the mount namespace, and put the old one at put_old (pivot_root(2))."""
        return await trap("pivot_root", new_root, put_old)

    # credentials: see minidocker.kernel.Credentials

    async def seteuid(self, euid: int) -> None:
        """Set the effective user id (seteuid(2)): with it go the file system id and root's capabilities."""
        return await trap("seteuid", euid)

    async def setegid(self, egid: int) -> None:
        """Set the effective group id (setegid(2))."""
        return await trap("setegid", egid)

    async def setuid(self, uid: int) -> None:
        """Become a user for good (setuid(2))."""
        return await trap("setuid", uid)

    async def setgid(self, gid: int) -> None:
        """Become a group for good (setgid(2))."""
        return await trap("setgid", gid)

    async def setgroups(self, groups: Sequence[int]) -> None:
        """Set the supplementary groups (setgroups(2))."""
        return await trap("setgroups", list(groups))

    async def getgroups(self) -> list[int]:
        """Return the supplementary groups (getgroups(2))."""
        return await trap("getgroups")

    async def getuid(self) -> int:
        """Return the real user id (getuid(2))."""
        return await trap("getuid")

    async def geteuid(self) -> int:
        """Return the effective user id (geteuid(2))."""
        return await trap("geteuid")

    async def getgid(self) -> int:
        """Return the real group id (getgid(2))."""
        return await trap("getgid")

    async def getegid(self) -> int:
        """Return the effective group id (getegid(2))."""
        return await trap("getegid")

    async def capget(self, pid: int = 0) -> Capabilities:
        """Return the capability sets of a task, 0 the caller (capget(2))."""
        return await trap("capget", pid)

    async def capset(self, effective: int, permitted: int, inheritable: int) -> None:
        """Set the caller's capability sets, as bit masks (capset(2)); EPERM for what it is not permitted."""
        return await trap("capset", effective, permitted, inheritable)

    async def prctl(self, option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
        """Change how the kernel treats the caller (prctl(2)): bounding and ambient set, no_new_privs …"""
        return await trap("prctl", option, arg2, arg3, arg4, arg5)

    async def seccomp(self, operation: int, flags: int, policy: Mapping[str, Any]) -> None:
        """Filter the calls of the caller and its children from now on (seccomp(2))."""
        return await trap("seccomp", operation, flags, policy)

    # tasks: see minidocker.kernel.Tasks

    async def setns(self, fd: int, nstype: int = 0) -> None:
        """Join the namespace of an open /proc/PID/ns file, or with a pidfd those that nstype says (setns(2))."""
        return await trap("setns", fd, nstype)

    async def sethostname(self, name: str) -> None:
        """Set the host name of the caller's UTS namespace (sethostname(2))."""
        return await trap("sethostname", name)

    async def gethostname(self) -> str:
        """Return the host name of the caller's UTS namespace (uname(2))."""
        return await trap("gethostname")

    async def kill(self, pid: int, signal: int) -> None:
        """Send a signal (kill(2)); 0 only asks whether one could."""
        return await trap("kill", pid, signal)

    async def wait4(self, pid: int, options: int = 0) -> tuple[int, int]:
        """Reap a child that ended: (pid, status), or (0, 0) with WNOHANG while none has (wait4(2))."""
        return await trap("wait4", pid, options)

    async def getpid(self) -> int:
        """Return the caller's id in its own PID namespace (getpid(2))."""
        return await trap("getpid")

    async def pidfd_open(self, pid: int, flags: int = 0) -> int:
        """Return a descriptor of a task, for setns into several of its namespaces at once (pidfd_open(2))."""
        return await trap("pidfd_open", pid, flags)

    async def setdomainname(self, name: str) -> None:
        """Set the NIS domain name of the caller's UTS namespace (setdomainname(2))."""
        return await trap("setdomainname", name)

    async def getdomainname(self) -> str:
        """Return the NIS domain name of the caller's UTS namespace (getdomainname(2))."""
        return await trap("getdomainname")

    async def sched_getaffinity(self, pid: int = 0) -> list[int]:
        """Return the processors that a task may run on, sorted (sched_getaffinity(2))."""
        return await trap("sched_getaffinity", pid)

    # memory: see minidocker.kernel.Memory

    async def mmap(self, length: int, flags: int = 0) -> int:
        """Map so many bytes of private anonymous memory and return the address (mmap(2))."""
        return await trap("mmap", length, flags)

    async def munmap(self, address: int, length: int) -> None:
        """Give mapped memory back (munmap(2))."""
        return await trap("munmap", address, length)

    async def process_vm_readv(self, pid: int, address: int, length: int) -> bytes:
        """Read a task's memory, the caller's own or another's (process_vm_readv(2)); EFAULT, ESRCH, EPERM."""
        return await trap("process_vm_readv", pid, address, length)

    async def process_vm_writev(self, pid: int, address: int, data: bytes) -> int:
        """Write a task's memory (process_vm_writev(2))."""
        return await trap("process_vm_writev", pid, address, data)

    # ipc: see minidocker.kernel.Ipc

    async def msgget(self, key: int, flags: int = 0o600) -> int:
        """Return the message queue of a key in the caller's IPC namespace, made with IPC_CREAT (msgget(2))."""
        return await trap("msgget", key, flags)

    async def msgsnd(self, msqid: int, mtype: int, data: bytes, flags: int = 0) -> None:
        """Append a message to a queue (msgsnd(2)); waits for room unless IPC_NOWAIT (EAGAIN)."""
        return await trap("msgsnd", msqid, mtype, data, flags)

    async def msgrcv(self, msqid: int, size: int, mtype: int = 0, flags: int = 0) -> tuple[int, bytes]:
        """Take a message, its type and its bytes, off a queue (msgrcv(2)); ENOMSG (IPC_NOWAIT), EIDRM."""
        return await trap("msgrcv", msqid, size, mtype, flags)

    async def msgctl(self, msqid: int, command: int) -> None:
        """Remove a queue: IPC_RMID (msgctl(2))."""
        return await trap("msgctl", msqid, command)

    async def shmget(self, key: int, size: int, flags: int = 0o600) -> int:
        """Return the shared memory segment of a key in the caller's IPC namespace, made with IPC_CREAT (shmget(2))."""
        return await trap("shmget", key, size, flags)

    async def shmat(self, shmid: int, flags: int = 0) -> int:
        """Attach a segment and return the address (shmat(2)); process_vm_readv and process_vm_writev reach it."""
        return await trap("shmat", shmid, flags)

    async def shmdt(self, address: int) -> None:
        """Detach a segment (shmdt(2))."""
        return await trap("shmdt", address)

    async def shmctl(self, shmid: int, command: int) -> None:
        """Remove a segment once nobody has it attached: IPC_RMID (shmctl(2))."""
        return await trap("shmctl", shmid, command)

    # links: see minidocker.kernel.Links

    async def newlink(
        self, name: str, kind: str, *, peer: str = "", netns: int | None = None, address: str = ""
    ) -> None:
        """Make a link of kind ``bridge``, ``veth`` (with its ``peer``) or ``dummy`` (RTM_NEWLINK); EEXIST, EPERM."""
        return await trap("newlink", name, kind, peer=peer, netns=netns, address=address)

    async def setlink(
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
        """Change a link: up or down, bridge, name, MTU, MAC address, network namespace (RTM_SETLINK)."""
        return await trap(
            "setlink", name, up=up, master=master, netns=netns, new_name=new_name, mtu=mtu, address=address
        )

    async def dellink(self, name: str) -> None:
        """Remove a link; of a veth both ends go (RTM_DELLINK)."""
        return await trap("dellink", name)

    async def getlink(self) -> list[Link]:
        """Return the links of the caller's network namespace, by index (RTM_GETLINK)."""
        return await trap("getlink")

    async def newaddr(self, link: str, address: str, *, broadcast: str = "") -> None:
        """Give a link an address such as ``172.17.0.2/16``, and its network's route (RTM_NEWADDR); EEXIST, ENODEV."""
        return await trap("newaddr", link, address, broadcast=broadcast)

    async def deladdr(self, link: str, address: str) -> None:
        """Take an address away (RTM_DELADDR); EADDRNOTAVAIL."""
        return await trap("deladdr", link, address)

    async def getaddr(self) -> list[Address]:
        """Return the addresses of the caller's network namespace (RTM_GETADDR)."""
        return await trap("getaddr")

    async def newroute(self, destination: str, *, gateway: str = "", link: str = "") -> None:
        """Add a route to ``10.0.0.0/8`` or ``default`` (RTM_NEWROUTE); ENETUNREACH: no link leads to the gateway."""
        return await trap("newroute", destination, gateway=gateway, link=link)

    async def delroute(self, destination: str, *, gateway: str = "", link: str = "") -> None:
        """Remove a route (RTM_DELROUTE); ESRCH."""
        return await trap("delroute", destination, gateway=gateway, link=link)

    async def getroute(self) -> list[Route]:
        """Return the main table's routes in the caller's network namespace (RTM_GETROUTE)."""
        return await trap("getroute")

    async def getneigh(self) -> list[Neighbour]:
        """Return what ARP has learnt in the caller's network namespace (RTM_GETNEIGH)."""
        return await trap("getneigh")

    # sockets: see minidocker.kernel.Sockets

    async def socket(self, family: int, type: int, protocol: int = 0) -> int:
        """Return a new socket of the caller's network namespace (socket(2)): AF_INET; stream, datagram, raw ICMP."""
        return await trap("socket", family, type, protocol)

    async def bind(self, fd: int, address: tuple[str, int]) -> None:
        """Give a socket its own address and port (bind(2)); EADDRINUSE, EADDRNOTAVAIL, EACCES below port 1024."""
        return await trap("bind", fd, address)

    async def listen(self, fd: int, backlog: int) -> None:
        """Let a socket take connections (listen(2))."""
        return await trap("listen", fd, backlog)

    async def accept4(self, fd: int, flags: int = 0) -> tuple[int, tuple[str, int]]:
        """Take a connection: its descriptor and the peer's address (accept4(2))."""
        return await trap("accept4", fd, flags)

    async def connect(self, fd: int, address: tuple[str, int]) -> None:
        """Connect to an address (connect(2)); ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT."""
        return await trap("connect", fd, address)

    async def sendto(self, fd: int, data: bytes, address: tuple[str, int] | None = None) -> int:
        """Send a datagram, or bytes of a stream (sendto(2))."""
        return await trap("sendto", fd, data, address)

    async def recvfrom(self, fd: int, n: int) -> tuple[bytes, tuple[str, int] | None]:
        """Receive a datagram and its sender's address, or bytes of a stream (recvfrom(2)); EAGAIN after SO_RCVTIMEO."""
        return await trap("recvfrom", fd, n)

    async def shutdown(self, fd: int, how: int) -> None:
        """Close one direction of a connection, or both (shutdown(2))."""
        return await trap("shutdown", fd, how)

    async def getsockname(self, fd: int) -> tuple[str, int]:
        """Return a socket's own address (getsockname(2))."""
        return await trap("getsockname", fd)

    async def getpeername(self, fd: int) -> tuple[str, int]:
        """Return the address at the other end (getpeername(2)); ENOTCONN."""
        return await trap("getpeername", fd)

    async def setsockopt(self, fd: int, level: int, option: int, value: int) -> None:
        """Set an option (socket(7)): SO_REUSEADDR, SO_RCVTIMEO (the value in milliseconds)."""
        return await trap("setsockopt", fd, level, option, value)

    # only tasks can do these

    async def clone(self, main: Main, *args: Any, flags: int = 0, fds: Mapping[int, int] | None = None) -> int:
        """Start a child that runs ``main(system, *args)`` and return its pid (clone(2), as glibc's).

        The child has its own copy of the descriptors, working directory, umask and signal handlers, and of memory:
        on the simulated kernel memory is Python's and shared, so a child must not change its parent's variables.
        ``fds`` (child's number → caller's), if given, says which descriptors it starts with.
        """
        return await trap("clone", main, *args, flags=flags, fds=fds)

    async def unshare(self, flags: int) -> None:
        """Move into new namespaces (unshare(2)); a new PID namespace takes the next child."""
        return await trap("unshare", flags)

    async def execve(self, path: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Become another program (execve(2)): returns only by raising OSError. Close-on-exec descriptors are closed."""
        return await trap("execve", path, list(argv), dict(env))

    async def exit(self, status: int) -> None:
        """End the task (_exit(2)); never returns."""
        return await trap("exit", status)

    async def signal(self, signum: int, handler: Handler) -> Handler:
        """Say what a signal does, and return what it did (signal(2)).

        A function is called with the signal's number on the way back from a call, before the program sees its
        result; a call that was waiting raises EINTR. Handlers are plain functions: they set a variable, and the
        program looks at it.
        """
        return await trap("signal", signum, handler)

    async def sleep(self, seconds: float) -> None:
        """Do nothing for a time (nanosleep(2)); EINTR if a handler ran."""
        return await trap("sleep", seconds)

    async def sched_yield(self) -> None:
        """Let others run, and take the signals that have come (sched_yield(2)); no listener is told of it.

        For a loop that makes no other call: on the simulated kernel nobody else would ever run.
        """
        return await trap("sched_yield")

    async def pause(self) -> None:
        """Wait for a signal (pause(2)); always ends with EINTR."""
        return await trap("pause")

    async def getppid(self) -> int:
        """Return the parent's id as this PID namespace sees it, 0 if it is outside (getppid(2))."""
        return await trap("getppid")

    async def isatty(self, fd: int) -> bool:
        """Tell whether a descriptor is a terminal (isatty(3))."""
        return await trap("isatty", fd)

    async def time_ns(self) -> int:
        """Return the time of day in nanoseconds since 1970 (clock_gettime(2)); virtual on the simulated kernel."""
        return await trap("time_ns")
