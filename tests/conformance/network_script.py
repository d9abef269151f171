"""Random calls on links, addresses and routes, made by a task in two network namespaces, and what comes of each.

A script is a list of [call, arguments, keywords], JSON's values all, so that both kernels can be given the same one.
"""

import random

from conformance.task_programs import say

from minidocker.linux import CLONE_NEWNET, O_CLOEXEC, O_RDONLY, errno_name

LINKS = ("lo", "lab0", "lab0", "lab1", "a0", "a0", "b0", "b0", "c0")
NETWORKS = ("10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16", "default", "10.1.2.3", "10.1.2.3/24")
ADDRESSES = ("10.1.0.1/16", "10.1.2.1/24", "10.1.2.2/24", "10.2.0.1/16", "10.1.2.3/32", "127.0.0.2/8", "10.1.2.1/31")
GATEWAYS = ("", "", "10.1.0.9", "10.1.2.9", "10.2.0.9", "10.1.2.1", "10.1.255.255")
MACS = ("", "", "02:00:00:00:00:0a", "02:00:00:00:00:0b", "01:00:00:00:00:01")


#: What there is from the start.
_BEGIN = [
    ["newlink", ["a0", "veth"], {"peer": "b0"}],
    ["newlink", ["lab0", "bridge"], {}],
    ["newaddr", ["a0", "10.1.0.1/16"], {}],
    ["setlink", ["a0"], {"up": True}],
]


def script(seed, length=40):
    """Return a random script; the same seed gives the same."""
    chance = random.Random(seed)
    makers = [_newlink] * 4 + [_setlink] * 8 + [_dellink] + [_newaddr] * 5 + [_deladdr] * 2 + [_newroute] * 4
    makers += [_delroute] * 2 + [_go]
    return [*_BEGIN, *[chance.choice(makers)(chance) for _ in range(length)]]


def _newlink(chance):
    kind, name = chance.choice((("bridge", "lab0"), ("bridge", "lab1"), ("veth", "a0"), ("veth", "c0"), ("veth", "b0")))
    other = {"a0": "b0", "c0": "d0", "b0": "a0"}.get(name, "")
    netns = chance.choice((None, None, "there")) if other else None
    return ["newlink", [name, kind], {"peer": other, "netns": netns, "address": chance.choice(MACS)}]


def _setlink(chance):
    change = chance.choice((
        {"up": True}, {"up": True}, {"up": False}, {"master": "lab0"}, {"master": "lab1"}, {"master": ""},
        {"mtu": chance.choice((60, 1400, 1500, 9000))}, {"address": chance.choice(MACS[2:])},
        {"new_name": chance.choice(LINKS)}, {"netns": "there"}, {"up": True, "master": "lab0"},
    ))  # fmt: skip
    if change.get("mtu", 68) < 68:
        return ["setlink", [chance.choice(("a0", "b0", "lab0"))], change]  # without IP: lo's is refused by name
    return ["setlink", [chance.choice(LINKS)], change]


def _dellink(chance):
    return ["dellink", [chance.choice(LINKS)], {}]


def _newaddr(chance):
    address = chance.choice(ADDRESSES)
    broadcast = chance.choice(("", "10.1.255.255"))
    return ["newaddr", [chance.choice(LINKS), address], {"broadcast": broadcast}]


def _deladdr(chance):
    return ["deladdr", [chance.choice(LINKS), chance.choice(ADDRESSES)], {}]


def _newroute(chance):
    keywords = {"gateway": chance.choice(GATEWAYS), "link": chance.choice(("", "", "", *LINKS))}
    return ["newroute", [chance.choice(NETWORKS)], keywords]


def _delroute(chance):
    keywords = {"gateway": chance.choice(GATEWAYS), "link": chance.choice(("", "", *LINKS, "nothing"))}
    return ["delroute", [chance.choice(NETWORKS)], keywords]


def _go(_):
    return ["go", [], {}]


async def follow(k, calls):
    """Make the calls, and say what each led to: its error, and all that there is then."""
    here = await k.open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
    await k.unshare(CLONE_NEWNET)
    there = await k.open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
    for number, (name, arguments, keywords) in enumerate(calls):
        error = None
        if name == "go":
            here, there = there, here
            await k.setns(here)
        else:
            chosen = keywords | ({"netns": there} if keywords.get("netns") else {})
            try:
                await getattr(k, name)(*arguments, **chosen)
            except OSError as failure:
                error = errno_name(failure.errno)
        await say(k, number, name, arguments, keywords, error)
        await _picture(k)
    return 0


async def _picture(k):
    """Say what there is; not the addresses that a kernel made up, nor signals, which take a real one its time."""
    links = await k.getlink()
    for one in links:
        flags = [flag for flag in one.flags if flag not in ("LOWER_UP", "NO-CARRIER")]
        await say(k, " ", one.index, one.name, one.kind, one.mtu, flags, one.master, one.peer)
    for one in await k.getaddr():
        await say(k, "  inet", one.link, one.address, one.scope, one.broadcast)
    for one in await k.getroute():
        await say(k, "  route", one.destination, one.link, one.gateway, one.source, one.scope, one.protocol)
