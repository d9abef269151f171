"""Ping sockets: datagrams of ICMP that can only ask for an echo, so that one needs no rights (net/ipv4/ping.c).

Who may have one is said by group: net.ipv4.ping_group_range, "1 0" (nobody) in a new network namespace. The echoes'
identifier is the socket's port, whatever the program puts there; the kernel makes the checksum.
"""

import errno
from collections import deque
from typing import TYPE_CHECKING

from minidocker.linux import fail
from minidocker.sim.net.address import ANY
from minidocker.sim.net.datagram import BUFFER
from minidocker.sim.net.icmp import ECHO_REQUEST, Icmp, decode
from minidocker.sim.net.ipv4 import IPv4
from minidocker.sim.net.ports import NOWHERE, Address
from minidocker.sim.net.socket import SELF, Socket

if TYPE_CHECKING:
    from minidocker.sim.task import Task


def may_ping(task: "Task") -> bool:
    """Tell whether a task has a group that may have ping sockets in its network."""
    least, most = task.ns.net.ping_groups
    return any(least <= group <= most for group in (task.creds.egid, *task.creds.groups))


class PingSocket(Socket):
    """A ping socket."""

    __slots__ = ("_held", "_queue", "has_port")

    kind = "icmp"
    exclusive = False

    def __init__(self, task: "Task", flags: int) -> None:
        """Start without an identifier."""
        super().__init__(task, flags)
        self.has_port = False
        self._queue: deque[tuple[bytes, Address]] = deque()
        self._held = 0

    def bind(self, task: "Task", address: str, port: int) -> None:
        """Take an address, and an identifier."""
        if self.has_port:
            fail(errno.EINVAL)
        self.may_bind(task, address, 0)
        self.namespace.ip.ping.bind(self, address, port)

    def _autobind(self) -> None:
        if not self.has_port:
            self.namespace.ip.ping.bind(self, self.local[0], 0)

    def connect(self, task: "Task", address: Address) -> None:
        """Say whom one pings: only from there answers are received."""
        host = SELF if address[0] == ANY else address[0]
        source = self.source(host)
        self._autobind()
        self.local, self.remote = (source, self.local[1]), (host, address[1])

    def send(self, task: "Task", data: bytes, address: Address | None) -> int:
        """Ask for an echo; EINVAL for any other message."""
        if address is None and self.remote == NOWHERE:
            fail(errno.EDESTADDRREQ)
        if len(data) < 8 or (data[0], data[1]) != (ECHO_REQUEST, 0):
            fail(errno.EINVAL)
        host = (address or self.remote)[0]
        host = SELF if host == ANY else host
        source = self.source(host)
        self._autobind()
        ip, given = self.namespace.ip, decode(data)
        message = Icmp(type=ECHO_REQUEST, rest=self.local[1] << 16 | given.sequence, data=given.data)
        ip.send(IPv4(src=source, dst=host, payload=message, ttl=self.ttl, identification=ip.next_id()))
        return len(data)

    def receive(self, task: "Task", n: int) -> tuple[bytes, Address | None]:
        """Give the next answer, without IP's header."""
        if self._queue:
            data, sender = self._queue.popleft()
            self._held -= len(data)
            return data[:n], sender
        return self.wait(task, receiving=True)

    def take(self, packet: IPv4, message: Icmp) -> None:
        """Keep an answer, if it is from whom and to whom it should, and there is room."""
        wrong = self.local[0] not in (ANY, packet.dst) or (self.remote != NOWHERE and self.remote[0] != packet.src)
        if not wrong and self._held + message.size <= BUFFER:
            self._held += message.size
            self._queue.append((message.encode(), (packet.src, 0)))
            self.changed.wake()

    def readable(self) -> bool:
        """Would receiving return at once?"""
        return bool(self._queue)

    def release(self) -> None:
        """Give the identifier back."""
        self.namespace.ip.ping.give_back(self)
        super().release()
