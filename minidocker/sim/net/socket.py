"""Sockets: what all kinds have in common (socket(7), net/socket.c, net/ipv4/af_inet.c).

A socket belongs to the network namespace that its maker was in, for all its life, whatever becomes of the maker. A call
that must wait raises Wait, as for a pipe; the host's side never waits.
"""

import errno
from typing import TYPE_CHECKING, Any, Final, NoReturn

from minidocker.kernel import Stat
from minidocker.linux import (
    IP_TTL,
    IPPROTO_IP,
    O_RDWR,
    S_IFSOCK,
    SIGPIPE,
    SO_BROADCAST,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SOL_SOCKET,
    fail,
)
from minidocker.sim.capability import capable
from minidocker.sim.net.address import ANY, BROADCAST, is_multicast, number
from minidocker.sim.net.ipv4 import TTL
from minidocker.sim.net.ports import NOWHERE, Address
from minidocker.sim.open_file import OpenFile
from minidocker.sim.refuse import refuse
from minidocker.sim.signals import send
from minidocker.sim.task import Wait, WaitQueue

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: The device number of the file system that sockets are on.
SOCKFS: Final = 8
#: The address that "any address" means to who connects or sends: this host.
SELF: Final = "127.0.0.1"


class Socket(OpenFile):
    """A socket. Its kind says what the calls do; what a kind has not is refused as in Linux."""

    __slots__ = ("_stat", "broadcast", "changed", "error", "local", "namespace", "remote", "reuse", "timeout_ns", "ttl")

    kind: str = ""
    """Its name in /proc/net."""

    def __init__(self, task: "Task", flags: int) -> None:
        """Make a socket of the task's network namespace."""
        super().__init__(O_RDWR | flags)
        self.namespace = task.ns.net
        self.namespace.get()
        self.changed = WaitQueue()
        self.local: Address = NOWHERE
        self.remote: Address = NOWHERE
        self.error = 0
        """The errno of what went wrong meanwhile, for the next call to tell."""
        self.reuse = self.broadcast = False
        self.timeout_ns = 0
        """How long a receiving call waits; 0 is for ever."""
        self.ttl = TTL
        now_ns, creds = task.kernel.clock.now_ns(), task.creds
        self._stat = Stat(
            st_mode=S_IFSOCK | 0o777, st_ino=task.kernel.scheduler.next_number(), st_dev=SOCKFS, st_nlink=1,
            st_uid=creds.euid, st_gid=creds.egid, st_size=0, st_atime_ns=now_ns, st_mtime_ns=now_ns, st_ctime_ns=now_ns,
        )  # fmt: skip

    # what each kind does

    def bind(self, task: "Task", address: str, port: int) -> None:
        """Take an address of one's own."""
        fail(errno.EOPNOTSUPP)

    def listen(self, backlog: int) -> None:
        """Take connections."""
        fail(errno.EOPNOTSUPP)

    def accept(self, task: "Task", flags: int) -> "tuple[Socket, Address]":
        """Give the next connection, and the address at its other end."""
        fail(errno.EOPNOTSUPP)

    def connect(self, task: "Task", address: Address) -> None:
        """Connect to an address."""
        fail(errno.EOPNOTSUPP)

    def send(self, task: "Task", data: bytes, address: Address | None) -> int:
        """Send data, to an address where a kind has that, and return how many bytes."""
        fail(errno.EOPNOTSUPP)

    def receive(self, task: "Task", n: int) -> tuple[bytes, Address | None]:
        """Give what came: at most n bytes, and whom from where a kind has that."""
        fail(errno.EOPNOTSUPP)

    def shutdown(self, how: int) -> None:
        """Close a direction."""
        fail(errno.EOPNOTSUPP)

    # what all do

    def read(self, task: "Task", n: int) -> bytes:
        """Receive."""
        return self.receive(task, n)[0]

    def write(self, task: "Task", data: bytes) -> int:
        """Send."""
        return self.send(task, data, None)

    def stat(self) -> Stat:
        """Tell about the socket's inode."""
        return self._stat

    def release(self) -> None:
        """Let go of the network namespace; a kind lets go of the rest before."""
        self.namespace.put()

    def name(self) -> Address:
        """Return its own address (getsockname(2))."""
        return self.local

    def peer(self) -> Address:
        """Return the address at the other end (getpeername(2)); ENOTCONN."""
        return self.remote if self.remote != NOWHERE else fail(errno.ENOTCONN)

    def option(self, level: int, option: int, value: int) -> None:
        """Set an option; one that is not modelled is ENOPROTOOPT, by number."""
        if (level, option) == (SOL_SOCKET, SO_REUSEADDR):
            self.reuse = value != 0
        elif (level, option) == (SOL_SOCKET, SO_BROADCAST):
            self.broadcast = value != 0
        elif (level, option) == (SOL_SOCKET, SO_RCVTIMEO):
            self.timeout_ns = max(0, value) * 1_000_000
        elif (level, option) == (IPPROTO_IP, IP_TTL) and 1 <= value <= 255:
            self.ttl = value
        elif (level, option) == (IPPROTO_IP, IP_TTL):
            fail(errno.EINVAL)
        else:
            refuse(errno.ENOPROTOOPT, f"does not model option {option} of level {level}")

    def tell_error(self) -> None:
        """Raise what went wrong meanwhile; it is told once."""
        error, self.error = self.error, 0
        if error:
            fail(error)

    def may_bind(self, task: "Task", address: str, port: int) -> None:
        """Refuse an address that is not here (EADDRNOTAVAIL), and a port below 1024 to who has no right (EACCES).

        In a namespace that never had an address Linux lets one bind any: there is no table to say no (inet_addr_type).
        """
        local = self.namespace.routes.local
        here = address in (ANY, BROADCAST) or is_multicast(address) or local.lookup(number(address)) is not None
        if local.made and not here:
            fail(errno.EADDRNOTAVAIL)
        if 0 < port < self.namespace.unprivileged_port and not capable(
            task, self.namespace.owner, "CAP_NET_BIND_SERVICE"
        ):
            fail(errno.EACCES)

    def source(self, destination: str) -> str:
        """Return the address to send from; ENETUNREACH, EACCES for a broadcast unless SO_BROADCAST was set."""
        route = self.namespace.ip.route(destination)
        if (route.kind == "broadcast" or destination == BROADCAST) and not self.broadcast:
            fail(errno.EACCES)
        return self.local[0] if self.local[0] != ANY else self.namespace.source_for(route, destination)

    def wait(self, task: "Task", *, receiving: bool = False, kept: Any = None) -> NoReturn:
        """Wait for a change: EAGAIN if one doesn't, or has as long as one would."""
        if self.nonblocking or task is task.kernel.host:
            fail(errno.EAGAIN)
        now_ns = task.kernel.clock.now_ns()
        until_ns = (
            task.wait.until_ns if task.wait else now_ns + self.timeout_ns if receiving and self.timeout_ns else None
        )
        if until_ns is not None and now_ns >= until_ns:
            fail(errno.EAGAIN)
        raise Wait(self.changed, until_ns=until_ns, kept=kept)


def broken_pipe(task: "Task") -> NoReturn:
    """Tell a writer that nobody can ever read it: SIGPIPE, EPIPE."""
    send(task, SIGPIPE)
    fail(errno.EPIPE)
