"""ip: links, addresses, routes and neighbours of the network namespace that one is in. The words are busybox's.

It looks once at each table that it shows and makes one call for what it changes. Beyond busybox 1.35 it takes the name
of a veth's peer, ``ip link add A type veth peer name B``, as iproute2 does.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

from minidocker.linux import O_CLOEXEC, O_RDONLY
from minidocker.programs import addresses, ip_show, stdio
from minidocker.programs.ip_words import Bad, Words, choose
from minidocker.programs.options import Usage, refuse
from minidocker.system import System

_SYNOPSIS: Final = (
    "[OPTIONS] address|route|link|neigh [ARGS]\n\n"
    "OPTIONS := -f[amily] inet|inet6|link | -o[neline]\n\n"
    "ip addr add|del IFADDR dev IFACE | show|flush [dev IFACE]\n"
    "ip route list|add|del ROUTE\n"
    "ip link add NAME type bridge|dummy|veth [peer name NAME] | del IFACE\n"
    "ip link set IFACE [up|down] [mtu NUM] [name NAME] [address MAC]\n"
    "\t[master IFACE | nomaster] [netns PID]\n"
    "ip neigh show [dev DEV]"
)
_FAMILIES: Final = ("inet", "inet6", "link")

Verb: TypeAlias = Callable[[System, Words, ip_show.Style], Awaitable[None]]


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Show or change."""
    words = Words(argv[1:])
    try:
        style = _style(words)
        name, verbs, default = choose(words.take(), _OBJECTS) or _unknown()
        words.status = 2 if name == "link" else 1
        await _verb(verbs, words, default)(k, words, style)
    except Usage as usage:
        return await refuse(k, "ip", usage, _SYNOPSIS)
    except Bad as bad:
        await stdio.complain(k, f"ip: {bad}")
        return bad.status
    except stdio.WriteError:
        raise
    except OSError as error:
        await stdio.complain(k, f"ip: {words.doing or 'RTNETLINK answers'}: {stdio.reason(error)}")
        return 2
    return 0


def _style(words: Words) -> ip_show.Style:
    """Take the options: a letter each, or the beginning of a long name."""
    family, one_line = "", False
    while words.peek().startswith("-"):
        option = words.take().lstrip("-")
        if option and "oneline".startswith(option):
            one_line = True
        elif option in ("4", "6"):
            family = "inet" if option == "4" else "inet6"
        elif option and "family".startswith(option):
            family = words.take()
            if family not in _FAMILIES:
                raise Bad(f"invalid argument '{family}' to 'family'")
        else:
            raise Usage
    return ip_show.Style(family=family, one_line=one_line)


def _verb(verbs: Sequence[tuple[str, Verb]], words: Words, default: Verb) -> Verb:
    if not words.peek():
        return default
    word = words.take()
    found = choose(word, verbs)
    if found is None:
        raise Bad(f"invalid argument '{word}' to 'ip'", words.status)
    return found


def _unknown() -> tuple[str, Sequence[tuple[str, Verb]], Verb]:
    raise Usage


# links


async def _link_add(k: System, words: Words, style: ip_show.Style) -> None:
    name = kind = peer = address = ""
    while word := words.take():
        if word == "type":
            kind = words.value()
        elif word == "address":
            address = words.value()
        elif word == "peer":
            peer = words.value() if words.peek() != "name" else (words.take(), words.value())[1]
        else:
            name = words.value() if word in ("name", "dev") else word
    if kind == "veth" and not peer:
        peer = await _free_name(k, "veth")
    await k.newlink(name or await _free_name(k, kind), kind, peer=peer, address=address)


async def _free_name(k: System, kind: str) -> str:
    """Return the first name of a kind that no link has, as the kernel would: ``veth0``."""
    taken = {link.name for link in await k.getlink()}
    number = 0
    while f"{kind}{number}" in taken:
        number += 1
    return f"{kind}{number}"


async def _link_del(k: System, words: Words, style: ip_show.Style) -> None:
    name = words.device()
    if not name:
        raise Usage
    await k.dellink(await _existing(k, words, name))


async def _link_set(k: System, words: Words, style: ip_show.Style) -> None:
    """Make a request for each thing to change, in the order in which they are told, the name first (busybox)."""
    name, asked = "", []
    while word := words.take():
        if one := await _asked(k, words, word):
            asked.append(one)
        elif name:
            raise words.twice("dev", word)
        else:
            name = words.value() if word == "dev" else word
    if not name:
        raise Bad('"dev" requires an argument', 2)
    for doing, change in asked:
        words.doing = doing
        await _change(k, words, name, change)
        name = change.get("new_name", name)


async def _asked(k: System, words: Words, word: str) -> tuple[str, dict[str, Any]] | None:
    """Return what a word asks for: busybox's name of the request, if it is one of its own, and setlink's argument."""
    if word in ("up", "down"):
        return "SIOCGIFFLAGS", {"up": word == "up"}
    if word == "mtu":
        return "SIOCSIFMTU", {"mtu": _mtu(words)}
    if word == "name":
        return "SIOCSIFNAME", {"new_name": words.value()}
    if word == "address":
        return "SIOCGIFINDEX", {"address": _mac(words)}
    if word in ("master", "nomaster"):
        return "", {"master": words.value() if word == "master" else ""}
    if word == "netns":
        return "", {"netns": await _namespace(k, words)}
    return None


async def _change(k: System, words: Words, name: str, change: dict[str, Any]) -> None:
    for device in (name, change.get("master")) if not words.doing else ():
        if isinstance(device, str) and device:
            await _existing(k, words, device)
    await k.setlink(name, **change)


def _mtu(words: Words) -> int:
    text = words.value()
    if not text.isdecimal():
        raise Bad(f"invalid argument '{text}' to 'mtu'", 2)
    return int(text)


def _mac(words: Words) -> str:
    text = words.value()
    parts = text.split(":")
    if len(parts) != 6 or not all(
        part and len(part) < 3 and set(part) <= set("0123456789abcdefABCDEF") for part in parts
    ):
        raise Bad(f'"{text}" is invalid lladdr')
    return ":".join(f"{int(part, 16):02x}" for part in parts)


async def _namespace(k: System, words: Words) -> int:
    """Return a descriptor of a task's network namespace."""
    try:
        return await k.open(f"/proc/{words.value()}/ns/net", O_RDONLY | O_CLOEXEC)
    except FileNotFoundError as error:
        raise Bad("RTNETLINK answers: No such process", 2) from error


async def _existing(k: System, words: Words, name: str) -> str:
    """Return the name of a link that is there; refuse another."""
    if name not in {link.name for link in await k.getlink()}:
        raise Bad(f"can't find device '{name}'", words.status)
    return name


# addresses


async def _addr_add(k: System, words: Words, style: ip_show.Style) -> None:
    address, length, device, broadcast = await _of_address(k, words)
    if broadcast == "+":
        broadcast = addresses.to_address(addresses.to_number(address) | ~addresses.mask_of(length) & 0xFFFFFFFF)
    await k.newaddr(device, f"{address}/{length}", broadcast=broadcast)


async def _addr_del(k: System, words: Words, style: ip_show.Style) -> None:
    given = words.peek()
    address, length, device, _ = await _of_address(k, words)
    if "/" not in given:  # then the kernel asks for no prefix, and takes the first that has this address
        has = [a.address for a in await k.getaddr() if a.link == device and a.address.split("/")[0] == address]
        length = int(has[0].partition("/")[2]) if has else length
    await k.deladdr(device, f"{address}/{length}")


async def _of_address(k: System, words: Words) -> tuple[str, int, str, str]:
    """Read ``IFADDR [broadcast ADDR|+] dev IFACE``."""
    given = device = broadcast = ""
    while word := words.take():
        if word == "dev":
            device = words.value()
        elif word in ("broadcast", "brd"):
            broadcast = words.value()
        elif given:
            raise words.twice("local", word)
        else:
            given = word
    if not device:
        raise Bad('need "dev IFACE"')
    found = addresses.prefix_of(given)
    if found is None:
        raise Bad(f'an inet prefix is expected rather than "{given.partition("/")[0]}"')
    if broadcast not in ("", "+") and not addresses.is_address(broadcast):
        raise Bad(f'an inet address is expected rather than "{broadcast}"')
    return *found, await _existing(k, words, device), broadcast


async def _addr_flush(k: System, words: Words, style: ip_show.Style) -> None:
    if not words.peek():
        raise Bad("flush requires an argument")
    device = await _existing(k, words, words.device())
    while own := [address for address in await k.getaddr() if address.link == device]:
        await k.deladdr(device, own[0].address)  # with which others may go


# routes


async def _route_add(k: System, words: Words, style: ip_show.Style) -> None:
    destination, gateway, device = await _of_route(k, words)
    await k.newroute(destination, gateway=gateway, link=device)


async def _route_del(k: System, words: Words, style: ip_show.Style) -> None:
    destination, gateway, device = await _of_route(k, words)
    await k.delroute(destination, gateway=gateway, link=device)


async def _of_route(k: System, words: Words) -> tuple[str, str, str]:
    """Read ``[to] PREFIX [via ADDRESS] [dev IFACE]``."""
    destination = gateway = device = ""
    while word := words.take():
        if word == "via":
            gateway = words.value()
            if not addresses.is_address(gateway):
                raise Bad(f'an inet address is expected rather than "{gateway}"')
        elif word == "dev":
            device = await _existing(k, words, words.value())
        elif destination:
            raise words.twice("to", word)
        else:
            destination = words.value() if word == "to" else word
    if destination in ("", "default", "0/0"):
        return "default", gateway, device
    found = addresses.prefix_of(destination)
    if found is None:
        raise Bad(f'an inet prefix is expected rather than "{destination}"')
    return f"{found[0]}/{found[1]}", gateway, device


_SHOW: Final = ("list", "show", "lst")
_LINKS: Final[Sequence[tuple[str, Verb]]] = (
    ("add", _link_add), ("delete", _link_del), ("set", _link_set),
    ("show", ip_show.links), ("list", ip_show.links), ("lst", ip_show.links), ("ls", ip_show.links),
)  # fmt: skip
_ADDRESSES: Final[Sequence[tuple[str, Verb]]] = (
    ("add", _addr_add), ("delete", _addr_del),
    *((name, ip_show.addresses_of) for name in _SHOW), ("flush", _addr_flush),
)  # fmt: skip
_ROUTES: Final[Sequence[tuple[str, Verb]]] = (
    *((name, ip_show.routes) for name in ("list", "show", "lst")), ("add", _route_add), ("delete", _route_del),
)  # fmt: skip
_NEIGHBOURS: Final[Sequence[tuple[str, Verb]]] = tuple((name, ip_show.neighbours) for name in ("show", "list", "lst"))

_OBJECTS: Final[Sequence[tuple[str, tuple[str, Sequence[tuple[str, Verb]], Verb]]]] = (
    ("address", ("address", _ADDRESSES, ip_show.addresses_of)),
    ("route", ("route", _ROUTES, ip_show.routes)),
    ("link", ("link", _LINKS, ip_show.links)),
    ("neigh", ("neigh", _NEIGHBOURS, ip_show.neighbours)),
)
