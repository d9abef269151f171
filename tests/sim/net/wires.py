"""Networks for the tests: hosts that are network namespaces, joined by pairs and bridges, and programs that send."""

import contextlib

from minidocker.linux import AF_INET, CLONE_NEWNET, IPPROTO_ICMP, O_CLOEXEC, O_RDONLY, SOCK_RAW, SOCK_STREAM
from minidocker.sim import SimKernel
from minidocker.sim.net.checksum import checksum


async def pauses(k):
    await k.pause()
    return 0


def encoding(raise_for):
    """Have each frame on its way tried: it has as many bytes as it says."""

    def checked(self, source, link, frame):
        assert len(frame.encode()) == frame.size
        raise_for(self, source, link, frame)

    return checked


class Wires:
    """A kernel, a bridge lab0 on its host's side (172.17.0.1), and hosts that hang on it: 172.17.0.2 and so on."""

    def __init__(self) -> None:
        self.kernel = kernel = SimKernel()
        self.told = []
        self.here = kernel.open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
        kernel.newlink("lab0", "bridge", address="02:42:ac:11:00:01")
        kernel.setlink("lab0", up=True)
        kernel.newaddr("lab0", "172.17.0.1/16", broadcast="172.17.255.255")
        self.hosts = []

    def host(self):
        """Add a host and return a descriptor of its namespace."""
        kernel, number = self.kernel, len(self.hosts) + 2
        pid = kernel.clone(pauses, flags=CLONE_NEWNET, fds={})
        there = kernel.open(f"/proc/{pid}/ns/net", O_RDONLY | O_CLOEXEC)
        kernel.newlink(f"veth{number}", "veth", peer="eth0", netns=there)
        kernel.setlink(f"veth{number}", master="lab0", up=True)
        self.enter(there)
        kernel.setlink("lo", up=True)
        kernel.setlink("eth0", up=True, address=f"02:42:ac:11:{number >> 8:02x}:{number & 255:02x}")
        kernel.newaddr("eth0", f"172.17.{number >> 8}.{number & 255}/16", broadcast="172.17.255.255")
        kernel.newroute("default", gateway="172.17.0.1")
        self.leave()
        self.hosts.append((pid, there))
        return there

    def enter(self, there):
        """Be in a host's network, from the host's side."""
        self.kernel.setns(there)

    def leave(self):
        """Be in one's own network again."""
        self.kernel.setns(self.here)

    def listen(self):
        """Begin to collect what is told."""
        self.kernel.listener = self.told.append

    def frames(self):
        """Return what was told of frames, (call, link, to, what), and forget it."""
        found = [
            (event.name, inner.path, inner.data["to"], inner.data["what"])
            for event in self.told
            for inner in event.inner
            if inner.name == "frame"
        ]
        self.told.clear()
        return found

    def echo(self, address, sequence=1):
        """Send an echo request from where one is, and return the socket."""
        fd = self.kernel.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
        message = bytes([8, 0, 0, 0, 0, 77, 0, sequence])
        message = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
        self.kernel.sendto(fd, message, (address, 0))
        return fd

    def listening(self, port, backlog=5):
        """Return a listening socket of where one is."""
        fd = self.kernel.socket(AF_INET, SOCK_STREAM)
        self.kernel.bind(fd, ("0.0.0.0", port))
        self.kernel.listen(fd, backlog)
        return fd

    def connecting(self, address, port):
        """Return a socket that has begun to connect."""
        fd = self.kernel.socket(AF_INET, SOCK_STREAM)
        with contextlib.suppress(BlockingIOError):
            self.kernel.connect(fd, (address, port))
        return fd
