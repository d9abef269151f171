"""Virtual Ethernet: two links, each the other's wire (veth(4)). Best known for leading out of a namespace."""

from typing import TYPE_CHECKING

from minidocker.sim.net.link import Link

if TYPE_CHECKING:
    from minidocker.sim.net.ethernet import Ethernet


class Veth(Link):
    """One end of a pair. It has a signal while both ends are up; both go when one is removed."""

    kind = "veth"
    peer: "Veth | None" = None

    @property
    def peer_index(self) -> int:
        """The other end's index, in whichever namespace that is."""
        return self.peer.index if self.peer else 0

    def join(self, peer: "Veth") -> None:
        """Become the other end of a link, and it of this one."""
        self.peer, peer.peer = peer, self
        self.carrier = peer.carrier = False
        self.signalled = peer.signalled = True

    def send(self, frame: "Ethernet") -> None:
        """Let the frame come out at the other end."""
        if self.peer is not None:
            self.namespace.softirq.raise_for(self, self.peer, frame)

    def changed_state(self) -> None:
        """Give both ends a signal while both are up."""
        peer = self.peer
        if peer is None:
            return
        signal = self.up and peer.up
        for end in (self, peer):
            end.carrier = signal
            if end.master is not None:
                end.master.port_changed()

    def remove(self) -> None:
        """Take the other end away, too."""
        peer, self.peer = self.peer, None
        self.leave_namespace()
        if peer is not None:
            peer.peer, peer.carrier = None, False
            peer.leave_namespace()
