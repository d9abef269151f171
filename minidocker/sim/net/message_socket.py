"""Sockets of messages: what those of UDP and of ICMP have in common. A message comes whole, once, late or never."""

from collections import deque
from typing import TYPE_CHECKING, Final

from minidocker.sim.net.address import ANY
from minidocker.sim.net.ports import Address, Ports
from minidocker.sim.net.socket import SELF, Socket

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: How many bytes wait to be received; more are lost (net.core.rmem_default).
BUFFER: Final = 212_992


class MessageSocket(Socket):
    """A socket that keeps messages until they are received."""

    __slots__ = ("_held", "_queue")

    def __init__(self, task: "Task", flags: int) -> None:
        """Start with none."""
        super().__init__(task, flags)
        self._queue: deque[tuple[bytes, Address]] = deque()
        self._held = 0

    def keep(self, data: bytes, sender: Address) -> None:
        """Keep a message that came, if there is room."""
        if self._held + len(data) <= BUFFER:
            self._held += len(data)
            self._queue.append((data, sender))
            self.changed.wake()

    def receive(self, task: "Task", n: int) -> tuple[bytes, Address | None]:
        """Give the next message; what of it is longer than n is lost."""
        self.tell_error()
        if not self._queue:
            self.wait(task, receiving=True)
        data, sender = self._queue.popleft()
        self._held -= len(data)
        return data[:n], sender

    def destination(self, address: Address | None) -> Address:
        """Return whom a message is for: who is named, else who one is connected to. Any address means this host."""
        host, port = address or self.remote
        return SELF if host == ANY else host, port

    def readable(self) -> bool:
        """Would receiving return at once?"""
        return bool(self._queue or self.error)


class PortSocket(MessageSocket):
    """One with a port, or what its protocol has in the place of ports: taken by bind, or when it is first needed."""

    __slots__ = ("has_port", "ports")

    exclusive = False

    ports: Ports
    """Who has which, in the socket's network namespace: its protocol's to say."""

    def __init__(self, task: "Task", flags: int) -> None:
        """Start without one."""
        super().__init__(task, flags)
        self.has_port = False

    def autobind(self) -> None:
        """Take any port, unless it has one."""
        if not self.has_port:
            self.ports.bind(self, self.local[0], 0)

    def connect(self, task: "Task", address: Address) -> None:
        """Say whom one talks to: only from there anything is received."""
        host, port = self.destination(address)
        source = self.source(host)
        self.autobind()
        self.local, self.remote = (source, self.local[1]), (host, port)

    def release(self) -> None:
        """Give the port back."""
        self.ports.give_back(self)
        super().release()
