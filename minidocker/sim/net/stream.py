"""Stream sockets: what a program has of a TCP connection (tcp(7), net/ipv4/af_inet.c). The rest: ``connection.py``."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import IPPROTO_TCP, SHUT_RD, SHUT_RDWR, SHUT_WR, TCP_NODELAY, fail
from minidocker.sim.net.address import ANY
from minidocker.sim.net.connection import Connection
from minidocker.sim.net.ports import NOWHERE, Address
from minidocker.sim.net.socket import SELF, Socket, broken_pipe

if TYPE_CHECKING:
    from typing import NoReturn

    from minidocker.sim.task import Task

#: The longest queue of connections that nobody accepted yet (net.core.somaxconn).
SOMAXCONN = 4096
#: The level and number of an option that changes nothing here: data never waits for more (TCP_NODELAY).
_NODELAY = (IPPROTO_TCP, TCP_NODELAY)


class StreamSocket(Socket):
    """A TCP socket."""

    __slots__ = ("_connecting", "_deaf", "_mute", "connection")

    kind = "tcp"

    def __init__(self, task: "Task", flags: int, connection: Connection | None = None) -> None:
        """Start with no connection, or have one that was accepted."""
        super().__init__(task, flags)
        if connection is None:
            connection = Connection(self.namespace)
        else:
            self.namespace.put()
            self.namespace = connection.namespace
            self.namespace.get()
        self.connection = connection
        connection.owner = self._stat.st_uid, self._stat.st_ino
        self.changed = connection.changed
        self._connecting = self._deaf = self._mute = False

    def option(self, level: int, option: int, value: int) -> None:
        """Set an option."""
        if (level, option) != _NODELAY:
            super().option(level, option, value)
            self.connection.reuse, self.connection.ttl = self.reuse, self.ttl

    def name(self) -> Address:
        """Return its own address."""
        return self.connection.local

    def peer(self) -> Address:
        """Return the address at the other end; ENOTCONN."""
        connection = self.connection
        return fail(errno.ENOTCONN) if connection.state in ("CLOSE", "LISTEN", "SYN_SENT") else connection.remote

    # before there is a connection

    def bind(self, task: "Task", address: str, port: int) -> None:
        """Take an address and a port; EINVAL if it has one."""
        connection = self.connection
        if connection.state != "CLOSE" or connection.has_port:
            fail(errno.EINVAL)
        self.may_bind(task, address, port)
        tcp = self.namespace.ip.tcp
        tcp.tidy()
        tcp.ports.bind(connection, address, port)
        connection.bound = port != 0 or connection.bound

    def listen(self, backlog: int) -> None:
        """Take connections; EINVAL if it is one, EADDRINUSE if another listens there."""
        connection, ports = self.connection, self.namespace.ip.tcp.ports
        if connection.state not in ("CLOSE", "LISTEN"):
            fail(errno.EINVAL)
        if not connection.has_port:
            ports.bind(connection, ANY, 0)
        if ports.contested(connection):
            fail(errno.EADDRINUSE)
        connection.listen(SOMAXCONN if backlog < 0 else min(backlog, SOMAXCONN))

    def accept(self, task: "Task", flags: int) -> tuple[Socket, Address]:
        """Give the next connection; EINVAL unless it listens."""
        connection = self.connection
        if connection.state != "LISTEN":
            fail(errno.EINVAL)
        if not connection.accepted:
            self.wait(task, receiving=True)
        new = connection.accepted.popleft()
        new.listener = None
        return StreamSocket(task, flags, new), new.remote

    def connect(self, task: "Task", address: Address) -> None:
        """Connect: wait for the handshake, or see later what became of it (inet_stream_connect).

        The host's side waits no more than a link takes, which is no time at all here: it gets EINPROGRESS only if there
        is no answer yet.
        """
        connection, fresh = self.connection, not self._connecting
        if fresh:
            self._open(address)
        if fresh and self.nonblocking:
            fail(errno.EINPROGRESS)
        if connection.state == "SYN_SENT":
            self._not_yet(task, fresh=fresh)
        self._connecting = False
        if connection.state == "CLOSE":
            connection.remote = NOWHERE
            if not connection.bound:
                connection.local = ANY, connection.local[1]
            fail(self._error() or errno.ECONNABORTED)

    def _open(self, address: Address) -> None:
        if self.connection.state != "CLOSE":
            fail(errno.EISCONN)
        self.connection.open((SELF if address[0] == ANY else address[0], address[1]))
        self._connecting = True

    def _not_yet(self, task: "Task", *, fresh: bool) -> "NoReturn":
        if self.nonblocking or task is task.kernel.host:
            fail(errno.EINPROGRESS if fresh else errno.EALREADY)
        self.wait(task)

    def _error(self) -> int:
        error, self.connection.error = self.connection.error, 0
        return error

    # once there is one

    def send(self, task: "Task", data: bytes, address: Address | None) -> int:
        """Send bytes; an address means nothing. Waits for room. EPIPE and SIGPIPE where nobody reads (tcp_sendmsg)."""
        connection, taken = self.connection, int(task.wait.kept or 0) if task.wait else 0
        if connection.state == "SYN_SENT":
            self.wait(task)
        if connection.error or self._mute or connection.state not in ("ESTABLISHED", "CLOSE_WAIT"):
            return taken or self._cannot_send(task)
        taken += connection.write(data[taken:])
        if taken == len(data):
            return taken
        if taken and (self.nonblocking or task is task.kernel.host or (task.wait and task.wait.interrupted)):
            return taken
        return self.wait(task, kept=taken)

    def _cannot_send(self, task: "Task") -> "NoReturn":
        error = self._error()
        if error and error != errno.EPIPE:
            fail(error)
        broken_pipe(task)

    def receive(self, task: "Task", n: int) -> tuple[bytes, Address | None]:
        """Give bytes that came, ``b""`` at the end; ENOTCONN, ECONNRESET, ETIMEDOUT (tcp_recvmsg)."""
        connection = self.connection
        if connection.state == "LISTEN" or (connection.state == "CLOSE" and connection.remote == NOWHERE):
            fail(errno.ENOTCONN)
        if connection.incoming:
            return connection.read(n), None
        if connection.end_of_stream or n == 0:
            return b"", None
        if connection.error:
            fail(self._error())
        if self._deaf or connection.state in ("CLOSE", "TIME_WAIT"):
            return b"", None
        return self.wait(task, receiving=True)

    def shutdown(self, how: int) -> None:
        """Close a direction, or both: a FIN says that nothing more comes from here."""
        connection = self.connection
        if connection.state == "CLOSE":
            fail(errno.ENOTCONN)
        reading, writing = how in (SHUT_RD, SHUT_RDWR), how in (SHUT_WR, SHUT_RDWR)
        if connection.state in ("LISTEN", "SYN_SENT"):
            if reading and connection.state == "LISTEN":
                connection.stop_listening()
            elif reading:
                connection.fail(0)
            return
        self._deaf |= reading
        if writing:
            self._mute = True
            connection.close_stream()
        connection.changed.wake()

    def readable(self) -> bool:
        """Would accepting or receiving return at once?"""
        connection = self.connection
        if connection.state == "LISTEN":
            return bool(connection.accepted)
        if connection.state == "SYN_SENT":
            return False
        over = connection.end_of_stream or connection.error or self._deaf
        return bool(connection.incoming or over or connection.state in ("CLOSE", "TIME_WAIT"))

    def release(self) -> None:
        """Leave the connection to itself."""
        self.connection.abandon()
        super().release()
