"""What the tasks of test_sockets.py say to each other over a cable: a veth pair between two network namespaces."""

from conformance.socket_programs import echo, stream
from conformance.task_programs import error_of, say

from minidocker.linux import (
    AF_INET,
    CLONE_NEWNET,
    IPPROTO_ICMP,
    O_CLOEXEC,
    O_RDONLY,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
)


async def cable(k, name, *args):
    """Join this namespace (10.1.0.1) and a child's (10.1.0.2) by a veth pair, and do a case."""
    await k.setlink("lo", up=True)
    reading, writing = await k.pipe2(O_CLOEXEC)
    ready, go = await k.pipe2(O_CLOEXEC)
    child = await k.clone(at_the_other_end, ready, writing, f"{name}_there", args, flags=CLONE_NEWNET)
    there = await k.open(f"/proc/{child}/ns/net", O_RDONLY | O_CLOEXEC)
    await k.newlink("a0", "veth", peer="b0", netns=there, address="02:00:00:00:00:0a")
    await k.newaddr("a0", "10.1.0.1/24", broadcast="10.1.0.255")
    await k.setlink("a0", up=True)
    await k.write(go, b"x")
    await k.read(reading, 1)
    await globals()[name](k, *args)
    await k.kill(child, 9)
    await k.wait4(child)
    return 0


async def at_the_other_end(k, ready, writing, name, args):
    await k.read(ready, 1)
    await k.setlink("lo", up=True)
    await k.setlink("b0", up=True, address="02:00:00:00:00:0b")
    await k.newaddr("b0", "10.1.0.2/24", broadcast="10.1.0.255")
    await globals()[name](k, writing, *args)
    await k.write(writing, b"x")
    await k.sleep(600)
    return 0


async def ping(k):
    fd = await k.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    await k.sendto(fd, echo(77, 1, b"data"), ("10.1.0.2", 0))
    packet, sender = await k.recvfrom(fd, 100)
    await say(k, sender, packet[8], packet[20:].hex())
    (one,) = await k.getneigh()
    await say(k, one.address, one.link, one.mac, one.state)


async def ping_there(k, _):
    """Do nothing: the kernel answers."""


async def nobody_there(k):
    """Send to an address that nobody has: after three questions in three seconds ARP gives up."""
    fd = await k.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    client = await stream(k)
    await k.sendto(fd, echo(77, 1, b"data"), ("10.1.0.9", 0))
    (one,) = await k.getneigh()
    await say(k, one.address, one.mac, one.state)
    before = await k.time_ns()
    packet, sender = await k.recvfrom(fd, 100)
    await say(k, sender, packet[20:22].hex(), 2.5 < (await k.time_ns() - before) / 1e9 < 4.5)
    await say(k, [(one.address, one.mac, one.state) for one in await k.getneigh()])
    await say(k, await error_of(k.connect(client, ("10.1.0.9", 80))))


async def nobody_there_there(k, _):
    """Do nothing."""


async def serve(k):
    client = await stream(k)
    await k.connect(client, ("10.1.0.2", 80))
    await say(k, (await k.getsockname(client))[0], await k.getpeername(client))
    await k.write(client, b"question")
    await say(k, await k.read(client, 100), await k.read(client, 100))
    refused = await stream(k)
    await say(k, await error_of(k.connect(refused, ("10.1.0.2", 81))))


async def serve_there(k, writing):
    listener = await k.socket(AF_INET, SOCK_STREAM)
    await k.bind(listener, ("0.0.0.0", 80))
    await k.listen(listener, 5)
    await k.clone(answers, listener)
    await k.close(listener)


async def answers(k, listener):
    server, (host, _) = await k.accept4(listener)
    await k.write(server, await k.read(server, 100) + f" of {host}".encode())
    return 0


async def route(k):
    """Reach what lies behind the other end, which forwards: its time to live counts down."""
    await k.newroute("10.2.0.0/24", gateway="10.1.0.2")
    fd = await k.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    for host, ttl in (("10.2.0.1", 64), ("10.2.0.2", 64), ("10.2.0.2", 1), ("10.3.0.1", 64)):
        await k.setsockopt(fd, 0, 2, ttl)
        error = await error_of(k.sendto(fd, echo(77, 1, b"data"), (host, 0)))
        if error == "ENETUNREACH":
            await say(k, host, error)
            continue
        packet, sender = await k.recvfrom(fd, 100)
        await say(k, host, ttl, sender, packet[8], packet[20:22].hex())


async def route_there(k, _):
    """Be a router: a second network behind, with a host of its own."""
    fd = await k.open("/proc/sys/net/ipv4/ip_forward", 1)
    await k.write(fd, b"1\n")
    await k.close(fd)
    here = await k.open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
    await k.unshare(CLONE_NEWNET)
    inside = await k.open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
    await k.setns(here)
    await k.newlink("c0", "veth", peer="d0", netns=inside)
    await k.newaddr("c0", "10.2.0.1/24")
    await k.setlink("c0", up=True)
    await k.setns(inside)
    await k.setlink("d0", up=True)
    await k.newaddr("d0", "10.2.0.2/24")
    await k.newroute("default", gateway="10.2.0.1")
    await k.setns(here)


async def large(k):
    """Send more than fits one frame: it goes in pieces, and comes whole."""
    fd = await k.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    await k.sendto(fd, echo(77, 1, b"z" * 3000), ("10.1.0.2", 0))
    packet, _ = await k.recvfrom(fd, 5000)
    await say(k, len(packet), packet[2:4].hex(), packet[6:8].hex(), packet[20:28].hex(), packet[28:] == b"z" * 3000)
    for size in (65507, 65508, 70000):
        await say(k, size, await error_of(k.sendto(fd, echo(77, 2, b"z" * size), ("10.1.0.2", 0))))
    datagram = await k.socket(AF_INET, SOCK_DGRAM)
    await k.connect(datagram, ("10.1.0.2", 7000))
    await k.write(datagram, b"y" * 10_000)
    await say(k, await k.read(datagram, 100))


async def large_there(k, _):
    datagram = await k.socket(AF_INET, SOCK_DGRAM)
    await k.bind(datagram, ("10.1.0.2", 7000))
    await k.clone(says_how_much, datagram)


async def says_how_much(k, datagram):
    data, sender = await k.recvfrom(datagram, 1 << 16)
    await k.sendto(datagram, f"{len(data)} {set(data)}".encode(), sender)
    return 0
