"""Who carries frames from link to link, and tells of each hop (Linux's NET_RX softirq, net/core/dev.c).

A call that sends does not deliver: it leaves the frame in a queue, and the queue is worked off before the call goes on.
What is received may send more, which joins the queue at its end. So all that follows from a call at once (the answer to
an ARP request, the packet that waited for it, the echo's reply, the ACK of data) happens within that call, in the order
in which it does on a Linux that has nothing else to do, and no program need run for it.
"""

from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from minidocker.port import Inner
from minidocker.sim.net.ethernet import HEADER

if TYPE_CHECKING:
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.net.ethernet import Ethernet
    from minidocker.sim.net.link import Link

#: How many frames one call may set in motion. Only a broadcast that runs in a circle comes to so many: on Linux it runs
#: until somebody cuts the circle, here the rest is dropped.
BUDGET: Final = 30_000


class Softirq:
    """The frames on their way, of all namespaces of a kernel."""

    __slots__ = ("_numbers", "_queue", "_running", "dropped", "kernel", "later")

    def __init__(self, kernel: "SimKernel") -> None:
        """Start with none."""
        self.kernel = kernel
        self._queue: deque[tuple[Link, Ethernet]] = deque()
        self._running = False
        self._numbers = count(1)
        self.dropped = 0
        self.later: list[Inner] = []
        """Hops outside any call (a timer's): they are told with the next call that is told of."""

    def next_number(self) -> int:
        """Return a number that was not returned before: for what must look random, and be the same in each run."""
        return next(self._numbers)

    def take_later(self) -> list[Inner]:
        """Give the hops that no call was told of yet, and forget them."""
        later, self.later = self.later, []
        return later

    def raise_for(self, source: "Link", link: "Link", frame: "Ethernet") -> None:
        """Let a frame come in at a link, after those that wait already; what is too large for it is lost."""
        self.tell(source, link, frame)
        if not link.up or frame.size - HEADER > link.mtu:
            self.dropped += 1
            return
        self._queue.append((link, frame))
        self.run()

    def run(self) -> None:
        """Deliver until nothing is on its way; does nothing while that is being done already."""
        if self._running:
            return
        self._running = True
        queue, left = self._queue, BUDGET
        try:
            while queue:
                link, frame = queue.popleft()
                link.receive(frame)
                left -= 1
                if not left:
                    self.dropped += len(queue)
                    queue.clear()
        finally:
            self._running = False

    def tell(self, source: "Link", to: "Link", frame: "Ethernet", via: str = "") -> None:
        """Tell the listener, if there is one, of one hop: from link to link, perhaps through a bridge."""
        kernel = self.kernel
        if kernel.listener is None and kernel.inner is None:
            return
        told = self.later if kernel.inner is None else kernel.inner
        told.append(
            Inner(name="frame", path=source.name, size=frame.size, simulated=True, data=_hop(source, to, frame, via))
        )


def _hop(source: "Link", to: "Link", frame: "Ethernet", via: str) -> dict[str, Any]:
    """Return what is told of a hop: between which links of which network namespaces, and what the frame is."""
    return {
        "netns": source.namespace.id,
        "link": source.name,
        "to_netns": to.namespace.id,
        "to": to.name,
        "via": via,
        "what": frame.what,
        "src": frame.src,
        "dst": frame.dst,
        "protocol": frame.payload.protocol,
    }
