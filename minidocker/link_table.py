"""What system calls tell of networks: the links, addresses and routes of each network namespace (rtnetlink(7)).

A veth's two ends know each other, wherever they are moved and whatever they are called then; when a namespace goes, its
links go, and with each veth its other end.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from minidocker.netlink import Link
from minidocker.state import Draft

_LOOPBACK: Final = "127.0.0.1/8"


class Links:
    """Network namespace → name → link, and namespace → destination → route."""

    def begin(self, draft: Draft, space: str) -> None:
        """Give a new network namespace what each has: a loopback device that is down."""
        draft.put(("links", space), {"lo": {"kind": "loopback", "up": False, "addresses": []}})

    def newlink(self, draft: Draft, space: str, name: str, kind: str, asked: Mapping[str, Any], target: str) -> None:
        """Note a new link, down; of a veth both ends, the other one perhaps in another namespace, ``target``."""
        peer = asked.get("peer")
        there = target or space
        row = _link(kind, [there, peer] if peer else None)
        draft.put(("links", space, name), row | ({"address": asked["address"]} if asked.get("address") else {}))
        if peer:
            draft.put(("links", there, peer), _link(kind, [space, name]))

    def setlink(self, draft: Draft, space: str, name: str, wanted: Mapping[str, Any], target: str) -> None:
        """Note a change of a link. ``target`` is the network namespace that it is moved to, or nothing."""
        if not draft.get("links", space, name):
            draft.put(("links", space, name), _link("loopback" if name == "lo" else "", None))
        if wanted.get("master") is not None:
            draft.put(("links", space, name, "master"), wanted["master"] or None)
        for key in ("address", "mtu"):
            if wanted.get(key):
                draft.put(("links", space, name, key), wanted[key])
        if target and target != space:
            self._move(draft, (space, name), (target, name))
            space = target
        if wanted.get("new_name"):
            self._move(draft, (space, name), (space, wanted["new_name"]))
            name = wanted["new_name"]
        if wanted.get("up") is not None:
            self._switch(draft, space, name, up=wanted["up"])

    def _move(self, draft: Draft, old: tuple[str, str], new: tuple[str, str]) -> None:
        """Give a link another name, or another namespace: there it is down, and has neither bridge nor addresses."""
        row = dict(draft.get("links", *old))
        if old[0] != new[0]:
            self._switch(draft, *old, up=False)
            row |= {"up": False, "addresses": []}
            row.pop("master", None)
        draft.put(("links", *old), None)
        draft.put(("links", *new), row)
        if peer := row.get("peer"):
            draft.put(("links", *peer, "peer"), list(new))
        for other, link in (draft.get("links", old[0]) or {}).items():
            if link.get("master") == old[1]:
                draft.put(("links", old[0], other, "master"), new[1] if old[0] == new[0] else None)

    def _switch(self, draft: Draft, space: str, name: str, *, up: bool) -> None:
        """Switch a link on or off: its networks' routes come and go with it, and the loopback device has an address."""
        draft.put(("links", space, name, "up"), up)
        row = draft.get("links", space, name)
        if up and row["kind"] == "loopback" and not row["addresses"]:
            draft.put(("links", space, name, "addresses"), [_LOOPBACK])
            return
        for address in row["addresses"]:
            if up:
                self._connect(draft, space, name, address)
        if not up:
            for destination, route in (draft.get("routes", space) or {}).items():
                if route.get("link") == name:
                    draft.put(("routes", space, destination), None)

    def _connect(self, draft: Draft, space: str, name: str, address: str) -> None:
        """Note the route that comes with an address: its network is reached by that link."""
        interface = ipaddress.ip_interface(address)
        if draft.get("links", space, name, "kind") != "loopback" and interface.network.prefixlen < 32:
            draft.put(("routes", space, str(interface.network)), {"link": name})

    def dellink(self, draft: Draft, space: str, name: str) -> None:
        """Note that a link is gone, and with a veth its other end."""
        row = draft.get("links", space, name) or {}
        for where, which in ((space, name), *([row["peer"]] if row.get("peer") else [])):
            if draft.get("links", where, which):
                self._switch(draft, where, which, up=False)
                draft.put(("links", where, which), None)
                for other, link in (draft.get("links", where) or {}).items():
                    if link.get("master") == which:
                        draft.put(("links", where, other, "master"), None)

    def newaddr(self, draft: Draft, space: str, name: str, address: str) -> None:
        """Note an address, and its network's route."""
        if not draft.get("links", space, name):
            draft.put(("links", space, name), _link("loopback" if name == "lo" else "", None))
        draft.put(("links", space, name, "addresses"), [*draft.get("links", space, name, "addresses"), address])
        if draft.get("links", space, name, "up"):
            self._connect(draft, space, name, address)

    def deladdr(self, draft: Draft, space: str, name: str, address: str) -> None:
        """Note that an address is taken away, and its network's route."""
        left = [each for each in draft.get("links", space, name, "addresses") or [] if each != address]
        draft.put(("links", space, name, "addresses"), left)
        network = str(ipaddress.ip_interface(address).network)
        if (draft.get("routes", space, network) or {}).get("link") == name:
            draft.put(("routes", space, network), None)

    def newroute(self, draft: Draft, space: str, destination: str, gateway: str, link: str) -> None:
        """Note a route. One by a gateway leads over the link whose network that is in."""
        over = link or next(self._towards(draft, space, gateway), "")
        draft.put(("routes", space, destination), {"link": over} | ({"gateway": gateway} if gateway else {}))

    def _towards(self, draft: Draft, space: str, gateway: str) -> Iterator[str]:
        for destination, route in (draft.get("routes", space) or {}).items():
            if destination != "default" and ipaddress.ip_address(gateway) in ipaddress.ip_network(destination):
                yield route["link"]

    def delroute(self, draft: Draft, space: str, destination: str) -> None:
        """Note that a route is gone."""
        draft.put(("routes", space, destination), None)

    def found(self, draft: Draft, space: str, links: Sequence[Link]) -> None:
        """Take in what a look around shows (RTM_GETLINK): links that were there before anybody told of them."""
        for link in links:
            if not draft.get("links", space, link.name):
                row = {**_link(link.kind, None), "up": "UP" in link.flags}
                draft.put(("links", space, link.name), row | ({"master": link.master} if link.master else {}))

    def hop(self, draft: Draft, here: str, link: str, to: str) -> tuple[str, str]:
        """Return between which namespaces a frame goes from link to link: a veth's two ends, or one namespace's links.

        ``here`` is the namespace of who sent it: the one that is meant where several have links of these names.
        """
        tables: Mapping[str, Any] = draft.get("links") or {}
        for space, links in tables.items():
            peer = (links.get(link) or {}).get("peer")
            if peer and peer[1] == to:
                return space, peer[0]
        within = [space for space, links in tables.items() if link in links and to in links]
        found = here if here in within or not within else within[0]
        return found, found

    def gone(self, draft: Draft, space: str) -> None:
        """Note that a network namespace is gone: its links with it, and the other ends of its veths."""
        for name in list(draft.get("links", space) or {}):
            self.dellink(draft, space, name)
        draft.put(("links", space), None)
        draft.put(("routes", space), None)


def _link(kind: str, peer: list[str] | None) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": kind, "up": False, "addresses": []}
    return row | ({"peer": peer} if peer else {})
