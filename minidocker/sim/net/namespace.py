"""A network namespace: links, addresses, routes, neighbours and sockets of its own (network_namespaces(7))."""

import errno
from typing import TYPE_CHECKING, ClassVar, Final

from minidocker.linux import fail
from minidocker.sim.namespace import Namespace
from minidocker.sim.net.address import ANY, InterfaceAddress, dotted, is_loopback, mask, number
from minidocker.sim.net.ethernet import Ethernet
from minidocker.sim.net.ip import Ip
from minidocker.sim.net.link import NAME_MAX, Link, Loopback
from minidocker.sim.net.neighbour import Neighbours
from minidocker.sim.net.route import Route, Routes

if TYPE_CHECKING:
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.net.route import Kind, Table
    from minidocker.sim.net.softirq import Softirq
    from minidocker.sim.user_namespace import UserNamespace

#: What ``lo`` is given when it is switched on.
LOOPBACK: Final = "127.0.0.1"


class NetNamespace(Namespace):
    """One network of its own. Sockets refer to it, too.

    ``forwarding`` is net.ipv4.ip_forward, ``unprivileged_port`` net.ipv4.ip_unprivileged_port_start, ``ping_groups``
    net.ipv4.ping_group_range.
    """

    __slots__ = (
        "_last_index", "by_name", "forwarding", "ip", "kernel", "links", "loopback", "neighbours", "ping_groups",
        "routes", "softirq", "unprivileged_port",
    )  # fmt: skip
    kind: ClassVar = "net"

    def __init__(self, number: int, owner: "UserNamespace", kernel: "SimKernel") -> None:
        """Start with a loopback, switched off, and nothing else."""
        super().__init__(number, owner)
        self.kernel = kernel
        self.softirq: Softirq = kernel.softirq
        self.links: dict[int, Link] = {}
        self.by_name: dict[str, Link] = {}
        self._last_index = 0
        self.routes = Routes()
        self.neighbours = Neighbours(self)
        self.ip = Ip(self)
        self.forwarding = False
        self.ping_groups: tuple[int, int] = (1, 0)
        self.unprivileged_port: int = 1024
        self.loopback = Loopback(self)

    def now_ns(self) -> int:
        """Return the kernel's time."""
        return self.kernel.clock.now_ns()

    def end(self) -> None:
        """Come to an end: all links go, and with a veth its other end, wherever that is."""
        for link in list(self.links.values()):
            if link is not self.loopback and self.links.get(link.index) is link:  # it may have gone with its peer
                link.remove()
        self.ip.tcp.close()

    # links

    def adopt(self, link: Link, index: int = 0) -> int:
        """Take a link in and return its index here: the one it has elsewhere if that is free, else the next one."""
        if not index or index in self.links:
            index = self._next_index()
        self.links[index] = link
        self.by_name[link.name] = link
        return index

    def _next_index(self) -> int:
        index = self._last_index + 1
        while index in self.links:
            index += 1
        self._last_index = index
        return index

    def drop(self, link: Link) -> None:
        """Let a link go, and all that led over it."""
        self.routes.remove_over(link, own=True)
        self.forget_neighbours(link)
        del self.links[link.index]
        del self.by_name[link.name]

    def find(self, name: str) -> Link:
        """Return the link of a name; ENODEV."""
        return self.by_name.get(name) or fail(errno.ENODEV)

    def free_name(self, name: str) -> str:
        """Return a name that a link can have; of ``veth%d`` the first that is free. EINVAL, ERANGE, EEXIST."""
        if len(name) > NAME_MAX:
            fail(errno.ERANGE)
        if name in ("", ".", "..") or any(letter in "/:" or letter.isspace() for letter in name):
            fail(errno.EINVAL)
        if name.count("%") == 1 and "%d" in name:
            return next(found for n in range(1 << 15) if (found := name.replace("%d", str(n))) not in self.by_name)
        if "%" in name:
            fail(errno.EINVAL)
        if name in self.by_name:
            fail(errno.EEXIST)
        return name

    # addresses

    def link_up(self, link: Link) -> None:
        """Bring the routes of a link's addresses; ``lo`` gets its own address, unless it has it."""
        if link is self.loopback and not any(one.local == LOOPBACK for one in link.addresses):
            self.add_address(link, LOOPBACK, 8, "")
        for address in link.addresses:
            self._add_routes(link, address)

    def link_down(self, link: Link) -> None:
        """Take away the routes over a link, and what ARP knows there; its own addresses are still this host's."""
        self.routes.remove_over(link, own=False)
        self.forget_neighbours(link)

    def forget_neighbours(self, link: Link) -> None:
        """Take away what ARP knows on a link."""
        self.neighbours.forget(link)

    def add_address(self, link: Link, local: str, prefix: int, broadcast: str) -> None:
        """Give a link an address; EEXIST if it has it."""
        same = [old for old in link.addresses if old.prefix == prefix and old.holds(local)]
        if any(old.local == local for old in same):
            fail(errno.EEXIST)
        scope = "host" if is_loopback(local) else "global"
        new = InterfaceAddress(local=local, prefix=prefix, scope=scope, broadcast=broadcast, secondary=bool(same))
        _insert(link.addresses, new)
        self._add_routes(link, new)

    def remove_address(self, link: Link, local: str, prefix: int) -> None:
        """Take an address from a link, and with the first of a network the others there; EADDRNOTAVAIL."""
        found = [old for old in link.addresses if old.local == local and old.prefix == prefix]
        if not found:
            fail(errno.EADDRNOTAVAIL)
        doomed = [old for old in link.addresses if old.secondary and old.prefix == prefix and old.holds(local)]
        for old in [*found, *(doomed if not found[0].secondary else [])]:
            if old in link.addresses:
                link.addresses.remove(old)
                self._remove_routes(link, old)
        if not link.addresses:
            self.routes.remove_over(link, own=True)

    def _add_routes(self, link: Link, address: InterfaceAddress) -> None:
        for table, route in self._routes_of(link, address):
            if route not in table.to(route.net, route.prefix):
                table.add(route)

    def _remove_routes(self, link: Link, address: InterfaceAddress) -> None:
        """Take away what only this address brought, and all routes that prefer it as their source."""
        kept = [route for other in link.addresses for _, route in self._routes_of(link, other)]
        for table, route in self._routes_of(link, address):
            if route not in kept:
                self.routes.remove_from(table, route)
        if not self.routes.is_local(address.local):
            for route in [route for route in self.routes.main if route.source == address.local]:
                self.routes.main.remove(route)

    def _routes_of(self, link: Link, address: InterfaceAddress) -> "list[tuple[Table, Route]]":
        """Return the routes that come with an address (fib_add_ifaddr): its own, its network's, its broadcast's."""
        local, main, source = self.routes.local, self.routes.main, address.local

        def route(net: int, prefix: int, kind: "Kind", scope: str) -> Route:
            return Route(net=net, prefix=prefix, link=link, source=source, scope=scope, protocol="kernel", kind=kind)

        found = [(local, route(number(source), 32, "local", "host"))]
        if not link.up or address.secondary:
            return found
        if address.broadcast:
            found.append((local, route(number(address.broadcast), 32, "broadcast", "link")))
        if address.prefix < 32:
            if link is self.loopback:
                found.append((local, route(address.net, address.prefix, "local", "host")))
            else:
                found.append((main, route(address.net, address.prefix, "unicast", "link")))
        if address.prefix < 31:
            last = address.net | ~mask(address.prefix) & 0xFFFFFFFF
            if dotted(last) != address.broadcast:
                found.append((local, route(last, 32, "broadcast", "link")))
        return found

    def source_for(self, route: Route, destination: str) -> str:
        """Return the address that a packet without one gets (inet_select_addr); 0.0.0.0 if nothing has an address."""
        if route.kind == "local":
            return destination
        if route.source:
            return route.source
        near = route.gateway or destination
        links = [route.link, *(link for link in self.links.values() if link is not route.link)]
        for link in links:
            fitting = [one for one in link.addresses if one.scope == "global" and not one.secondary]
            if fitting:
                return next((one.local for one in fitting if one.holds(near)), fitting[0].local)
        return ANY

    # frames

    def receive(self, link: Link, frame: Ethernet) -> None:
        """Take a frame that came in at a link, if it is for that link or for everybody (eth_type_trans)."""
        if link.up and (frame.dst == link.mac or frame.dst[1] in "13579bdf"):
            self.ip.receive(link, frame)


def _insert(addresses: list[InterfaceAddress], new: InterfaceAddress) -> None:
    """Put an address in its place: those of this host alone first, first ones before second ones."""
    if new.secondary:
        addresses.append(new)
        return
    place = next((at for at, old in enumerate(addresses) if old.secondary or _rank(old) > _rank(new)), len(addresses))
    addresses.insert(place, new)


def _rank(address: InterfaceAddress) -> int:
    return 0 if address.scope == "host" else 1
