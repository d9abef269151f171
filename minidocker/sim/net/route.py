"""Routes: where a packet for an address goes (Linux's fib, ip-route(8)).

There are two tables, asked one after the other: ``local``, of the addresses that are this host's own and of broadcasts,
and ``main``. In each the longest prefix decides, and among equals the one that came first.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from minidocker.linux import fail
from minidocker.netlink import Route as RouteValue
from minidocker.sim.net.address import dotted, mask, number

if TYPE_CHECKING:
    from minidocker.sim.net.link import Link

Kind = Literal["unicast", "local", "broadcast"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route: packets for this network leave by this link, for a gateway if there is one."""

    net: int
    prefix: int
    link: "Link"
    gateway: str = ""
    source: str = ""
    scope: str = "global"
    protocol: str = "boot"
    kind: Kind = "unicast"

    @property
    def destination(self) -> str:
        """The network as it is written: ``172.17.0.0/16`` or ``default``."""
        return f"{dotted(self.net)}/{self.prefix}" if self.prefix else "default"

    def value(self) -> RouteValue:
        """Tell about the route (RTM_NEWROUTE)."""
        return RouteValue(
            destination=self.destination, link=self.link.name, gateway=self.gateway, source=self.source,
            scope=self.scope, protocol=self.protocol,
        )  # fmt: skip


class Table:
    """The routes of one table: prefix length → network → routes, the first of which counts."""

    __slots__ = ("_lengths", "_routes", "made")

    def __init__(self) -> None:
        """Start empty."""
        self._routes: dict[int, dict[int, list[Route]]] = {}
        self._lengths: list[int] = []
        self.made = False
        """Was there ever a route in it?"""

    def add(self, route: Route) -> None:
        """Add a route after those to the same network."""
        self.made = True
        if route.prefix not in self._routes:
            self._routes[route.prefix] = {}
            self._lengths = sorted(self._routes, reverse=True)
        self._routes[route.prefix].setdefault(route.net, []).append(route)

    def remove(self, route: Route) -> None:
        """Take a route away."""
        nets = self._routes[route.prefix]
        nets[route.net].remove(route)
        if not nets[route.net]:
            del nets[route.net]

    def to(self, net: int, prefix: int) -> list[Route]:
        """Return the routes to exactly this network."""
        return self._routes.get(prefix, {}).get(net, [])

    def all_to(self, address: int) -> Iterator[Route]:
        """Yield the routes for an address, the best first."""
        for prefix in self._lengths:
            yield from self._routes[prefix].get(address & mask(prefix), ())

    def lookup(self, address: int) -> Route | None:
        """Return the route for an address: the longest prefix that holds it."""
        for prefix in self._lengths:
            routes = self._routes[prefix].get(address & mask(prefix))
            if routes:
                return routes[0]
        return None

    def __iter__(self) -> Iterator[Route]:
        """Yield all routes in the order of ``ip route``: by network, longer prefixes first."""
        nets = [(net, -prefix, routes) for prefix, found in self._routes.items() for net, routes in found.items()]
        for _, _, routes in sorted(nets, key=lambda entry: entry[:2]):
            yield from routes

    def remove_all(self, link: "Link", *kinds: Kind) -> None:
        """Take away all routes over a link, of these kinds."""
        for route in [route for route in self if route.link is link and route.kind in kinds]:
            self.remove(route)


class Routes:
    """The routes of one network namespace."""

    __slots__ = ("local", "main")

    def __init__(self) -> None:
        """Start with none."""
        self.local = Table()
        self.main = Table()

    def remove_over(self, link: "Link", *, own: bool) -> None:
        """Take away the routes over a link, or all but those of its own addresses: they stay while it is off."""
        self.local.remove_all(link, "broadcast", *(("local",) if own else ()))
        self.main.remove_all(link, "unicast")

    def lookup(self, address: str) -> Route | None:
        """Return the route for an address, or None: ENETUNREACH."""
        value = number(address)
        return self.local.lookup(value) or self.main.lookup(value)

    def is_local(self, address: str) -> bool:
        """Is it an address of this namespace's own?"""
        route = self.local.lookup(number(address))
        return route is not None and route.kind == "local"

    def add_by_call(self, route: Route) -> None:
        """Add a route to the main table; EEXIST if there is one to the same network."""
        if self.main.to(route.net, route.prefix):
            fail(errno.EEXIST)
        self.main.add(route)

    def remove_by_call(self, net: int, prefix: int, gateway: str, link: "Link | None") -> None:
        """Remove the first route to a network that fits; ESRCH if none does."""
        for route in self.main.to(net, prefix):
            if gateway in ("", route.gateway) and link in (None, route.link):
                self.main.remove(route)
                return
        fail(errno.ESRCH)

    def remove_from(self, table: Table, route: Route) -> None:
        """Take away what an address brought with it, if it is still there."""
        if route in table.to(route.net, route.prefix):
            table.remove(route)

    def gateway_link(self, gateway: str, link: "Link | None") -> "Link":
        """Return the link that leads to a gateway: it must be on a link, not behind another gateway (fib_check_nh).

        ENETUNREACH if it is not, EINVAL if the address is no host's.
        """
        value = number(gateway)
        tables = (self.local, self.main)
        routes = [route for table in tables for route in table.all_to(value) if link in (None, route.link)]
        route = next((route for route in routes if route.scope != "global"), None)
        if route is None:
            fail(errno.ENETUNREACH)
        if route.kind == "broadcast":
            fail(errno.EINVAL)
        return route.link
