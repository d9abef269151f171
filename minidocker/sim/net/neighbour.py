"""Neighbours: who on a link has which address, as ARP finds it out (arp(7), net/core/neighbour.c).

A packet for somebody unknown waits while ARP asks, once a second, three times; then it is returned as unreachable. What
is known counts for 30 seconds (REACHABLE), then as hearsay (STALE): it is still used, but asked for again if nothing
confirms it within 5 seconds (DELAY, PROBE). Linux spreads the 30 seconds by chance between 15 and 45.
"""

from typing import TYPE_CHECKING, Final

from minidocker.netlink import Neighbour
from minidocker.sim.net.address import ANY, EVERYBODY, group_mac, is_multicast
from minidocker.sim.net.arp import REPLY, REQUEST, Arp
from minidocker.sim.net.ethernet import Ethernet

if TYPE_CHECKING:
    from minidocker.sim.net.ipv4 import IPv4
    from minidocker.sim.net.link import Link
    from minidocker.sim.net.namespace import NetNamespace
    from minidocker.sim.scheduler import Timer

SECOND_NS: Final = 1_000_000_000
#: base_reachable_time, delay_first_probe_time, retrans_time of /proc/sys/net/ipv4/neigh (arp(7)).
REACHABLE_NS, DELAY_NS, RETRANS_NS = 30 * SECOND_NS, 5 * SECOND_NS, SECOND_NS
#: How often ARP asks (mcast_solicit, ucast_solicit).
PROBES: Final = 3
#: How many packets wait for an answer; beyond that the oldest is lost (unres_qlen).
QUEUE: Final = 101


class Entry:
    """What is known of one neighbour."""

    __slots__ = ("address", "confirmed_ns", "link", "mac", "probes", "queue", "state", "timer")

    def __init__(self, link: "Link", address: str) -> None:
        """Know nothing yet."""
        self.link = link
        self.address = address
        self.mac = ""
        self.state = "NONE"
        self.confirmed_ns = 0
        self.probes = 0
        self.queue: list[IPv4] = []
        self.timer: Timer | None = None


class Neighbours:
    """The neighbours of one network namespace (Linux's arp_tbl)."""

    __slots__ = ("_entries", "_namespace")

    def __init__(self, namespace: "NetNamespace") -> None:
        """Know nobody."""
        self._namespace = namespace
        self._entries: dict[tuple[Link, str], Entry] = {}

    def values(self) -> list[Neighbour]:
        """Return what is known, by link and address (RTM_GETNEIGH)."""
        found = sorted(self._entries.values(), key=lambda entry: (entry.link.index, entry.address))
        return [
            Neighbour(address=entry.address, link=entry.link.name, mac=entry.mac, state=self._state(entry))
            for entry in found
        ]

    def forget(self, link: "Link") -> None:
        """Forget all on a link: it went down, or has another address of its own now."""
        for key in [key for key in self._entries if key[0] is link]:
            self._stop(self._entries.pop(key))

    # sending

    def send(self, link: "Link", address: str, packet: "IPv4") -> None:
        """Send a packet to a neighbour, or keep it until one knows where to."""
        if "NOARP" in link.words:
            self._output(link, link.mac, packet)
        elif is_multicast(address):
            self._output(link, group_mac(address), packet)
        else:
            self._send_to(self._entry(link, address), packet)

    def _send_to(self, entry: Entry, packet: "IPv4") -> None:
        state = self._state(entry)
        if state in ("NONE", "FAILED"):
            entry.state, entry.probes, entry.mac = "INCOMPLETE", 0, ""
            entry.queue.append(packet)
            self._probe(entry)
        elif state == "INCOMPLETE":
            entry.queue = [*entry.queue[1 - QUEUE :], packet]
        else:
            if state == "STALE":
                entry.state = "DELAY"
                self._in(entry, DELAY_NS)
            self._output(entry.link, entry.mac, packet)

    def confirm(self, link: "Link", address: str) -> None:
        """Take note that a neighbour answers: a connection got on."""
        entry = self._entries.get((link, address))
        if entry is not None and entry.mac:
            entry.confirmed_ns = self._namespace.now_ns()

    def _output(self, link: "Link", mac: str, packet: "IPv4") -> None:
        link.transmit(Ethernet(dst=mac, src=link.mac, payload=packet))

    def broadcast(self, link: "Link", packet: "IPv4") -> None:
        """Send a packet to everybody on a link."""
        self._output(link, EVERYBODY, packet)

    # asking

    def _entry(self, link: "Link", address: str) -> Entry:
        entry = self._entries.get((link, address))
        if entry is None:
            entry = self._entries[link, address] = Entry(link, address)
        return entry

    def _state(self, entry: Entry) -> str:
        """Return the state as it is now: what was REACHABLE becomes STALE by itself."""
        if entry.state == "REACHABLE" and self._namespace.now_ns() - entry.confirmed_ns > REACHABLE_NS:
            entry.state = "STALE"
        return entry.state

    def _in(self, entry: Entry, ns: int) -> None:
        """Look at an entry again in a while."""
        self._stop(entry)
        scheduler = self._namespace.kernel.scheduler
        entry.timer = scheduler.call_at(self._namespace.now_ns() + ns, lambda: self._timeout(entry))

    @staticmethod
    def _stop(entry: Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None

    def _probe(self, entry: Entry) -> None:
        """Ask once more: everybody, or the one who had the address when it was last heard of."""
        entry.probes += 1
        self._in(entry, RETRANS_NS)
        link = entry.link
        waiting = entry.queue[0].src if entry.queue else ANY
        source = waiting if self._namespace.routes.is_local(waiting) else self._namespace.ip.source(entry.address)
        question = Arp(operation=REQUEST, sender_mac=link.mac, sender_ip=source, target_ip=entry.address)
        link.transmit(Ethernet(dst=entry.mac or EVERYBODY, src=link.mac, payload=question))

    def _timeout(self, entry: Entry) -> None:
        """Ask again, or give up; an entry that was confirmed meanwhile is well (neigh_timer_handler)."""
        entry.timer = None
        if entry.state == "DELAY":
            if self._namespace.now_ns() - entry.confirmed_ns <= DELAY_NS:
                entry.state = "REACHABLE"
                return
            entry.state, entry.probes = "PROBE", 0
        if entry.state not in ("INCOMPLETE", "PROBE"):
            return
        if entry.probes < PROBES:
            self._probe(entry)
            return
        entry.state, entry.mac = "FAILED", ""
        packets, entry.queue = entry.queue, []
        for packet in packets:
            self._namespace.ip.host_unreachable(packet)

    # hearing

    def receive(self, link: "Link", arp: Arp) -> None:
        """Take an ARP packet: answer a question for an address of ours, learn from an answer (arp_process)."""
        ours = self._namespace.routes.is_local(arp.target_ip)
        if arp.operation == REQUEST and ours and arp.sender_ip != ANY:
            self._learn(self._entry(link, arp.sender_ip), arp.sender_mac, "STALE")
        elif (entry := self._entries.get((link, arp.sender_ip))) is not None:
            self._learn(entry, arp.sender_mac, "REACHABLE" if arp.operation == REPLY and ours else "STALE")
        if arp.operation == REQUEST and ours:
            answer = Arp(
                operation=REPLY, sender_mac=link.mac, sender_ip=arp.target_ip,
                target_mac=arp.sender_mac, target_ip=arp.sender_ip,
            )  # fmt: skip
            link.transmit(Ethernet(dst=arp.sender_mac, src=link.mac, payload=answer))

    def _learn(self, entry: Entry, mac: str, state: str) -> None:
        """Take note of who has an address, and send what waited for that (neigh_update)."""
        if state == "STALE" and entry.mac == mac and self._state(entry) in ("REACHABLE", "DELAY", "PROBE"):
            return
        self._stop(entry)
        entry.mac, entry.state = mac, state
        if state == "REACHABLE":
            entry.confirmed_ns = self._namespace.now_ns()
        packets, entry.queue = entry.queue, []
        for packet in packets:
            self._send_to(entry, packet)
