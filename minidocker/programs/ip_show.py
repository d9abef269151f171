"""What ``ip`` shows of each table, in busybox's columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from minidocker.netlink import Address, Link
from minidocker.programs import addresses, stdio
from minidocker.programs.ip_words import Bad, Words
from minidocker.system import System

#: The flags that busybox has a word for.
_FLAGS: Final[Sequence[str]] = (
    "NO-CARRIER", "LOOPBACK", "BROADCAST", "POINTOPOINT", "MULTICAST", "NOARP", "UP", "LOWER_UP",
)  # fmt: skip
_FOREVER: Final = "       valid_lft forever preferred_lft forever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How it is to be shown: of which family, empty for all, and whether on one line each."""

    family: str = ""
    one_line: bool = False

    def join(self, lines: Sequence[str]) -> str:
        """Return lines that belong together."""
        return ("\\" if self.one_line else "\n").join(lines) + "\n"


async def links(k: System, words: Words, style: Style) -> None:
    """Show links, or one (ip link)."""
    wanted, up = _wanted(words)
    found = await k.getlink()
    by_index = {link.index: link for link in found}
    output = stdio.Output(k)
    for link in _chosen(found, wanted, up, words):
        await output.write(style.join([_link(link, by_index), _hardware(link)]))
    await output.flush()


async def addresses_of(k: System, words: Words, style: Style) -> None:
    """Show links and their addresses, or only the addresses, a line each (ip address)."""
    wanted, up = _wanted(words)
    found, told = await k.getlink(), await k.getaddr()
    by_index = {link.index: link for link in found}
    output = stdio.Output(k)
    for link in _chosen(found, wanted, up, words):
        own = [address for address in told if address.link == link.name and style.family in ("", "inet")]
        if style.family in ("inet", "inet6") and not own:
            continue
        if not style.one_line:
            hardware = [_hardware(link)] if style.family in ("", "link") else []
            await output.write(style.join([_link(link, by_index), *hardware]))
        for index, address in enumerate(own):
            await output.write(style.join(_address(address, own[:index], link if style.one_line else None)))
    await output.flush()


async def routes(k: System, words: Words, style: Style) -> None:
    """Show the main table (ip route)."""
    wanted = words.device() if words.peek() == "dev" else ""
    prefix = words.take()
    output = stdio.Output(k)
    for route in await k.getroute():
        destination = route.destination.removesuffix("/32")
        if wanted not in ("", route.link) or prefix not in ("", route.destination, destination):
            continue
        via = f"via {route.gateway} " if route.gateway else ""
        scope = f"scope {route.scope} " if route.scope != "global" else ""
        source = f" src {route.source} " if route.source else ""
        await output.line(f"{destination} {via}dev {route.link} {scope}{source}")
    await output.flush()


async def neighbours(k: System, words: Words, style: Style) -> None:
    """Show whose hardware address is known (ip neigh)."""
    wanted = words.device()
    output = stdio.Output(k)
    for neighbour in await k.getneigh():
        if wanted in ("", neighbour.link):
            mac = f"lladdr {neighbour.mac} " if neighbour.mac else ""
            await output.line(f"{neighbour.address} dev {neighbour.link} {mac}{neighbour.state}")
    await output.flush()


def _wanted(words: Words) -> tuple[str, bool]:
    """Read ``[up] [dev IFACE]``."""
    up = words.peek() == "up"
    if up:
        words.take()
    return words.device(), up


def _chosen(found: Sequence[Link], wanted: str, up: bool, words: Words) -> list[Link]:
    chosen = [link for link in found if wanted in ("", link.name) and (not up or "UP" in link.flags)]
    if wanted and not any(link.name == wanted for link in found):
        raise Bad(f"can't find device '{wanted}'", words.status)
    return chosen


def _link(link: Link, by_index: dict[int, Link]) -> str:
    """Return a link's first line. Of a peer in another namespace it knows the index, and takes it to be down."""
    peer = by_index.get(link.peer)
    at = f"@{peer.name if peer else f'if{link.peer}'}" if link.peer else ""
    flags = [flag for flag in _FLAGS if flag in link.flags]
    if link.peer and not (peer and "UP" in peer.flags):
        flags.append("M-DOWN")
    master = f"master {link.master} " if link.master else ""
    return f"{link.index}: {link.name}{at}: <{','.join(flags)}> mtu {link.mtu} qdisc {link.qdisc} {master}qlen 1000"


def _hardware(link: Link) -> str:
    kind, everybody = ("loopback", "00") if link.kind == "loopback" else ("ether", "ff")
    return f"    link/{kind} {link.address} brd {':'.join([everybody] * 6)}"


def _address(address: Address, before: Sequence[Address], link: Link | None) -> list[str]:
    """Return an address's lines; one of a network that an earlier one is of already is secondary."""
    brd = f" brd {address.broadcast}" if address.broadcast else ""
    secondary = " secondary" if _network(address) in map(_network, before) else ""
    head = f"{link.index}: {link.name}" if link else ""
    return [f"{head}    inet {address.address}{brd} scope {address.scope}{secondary} {address.link}", _FOREVER]


def _network(address: Address) -> tuple[int, int]:
    ip, _, length = address.address.partition("/")
    return addresses.to_number(ip) & addresses.mask_of(int(length)), int(length)
