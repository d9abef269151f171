"""What the tasks of test_sockets.py do: each in a network namespace of its own, alone with its loopback."""

import struct

from conformance.task_programs import error_of, read_file, say

from minidocker.linux import (
    AF_INET,
    CLONE_NEWNET,
    CLONE_NEWNS,
    IPPROTO_ICMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    MS_PRIVATE,
    MS_REC,
    O_RDONLY,
    O_WRONLY,
    S_IFMT,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SIG_IGN,
    SIGPIPE,
    SIGUSR1,
    SO_BROADCAST,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_SOCKET,
)
from minidocker.sim.net.checksum import checksum

HERE = "127.0.0.1"


async def alone(k, name, *args):
    """Switch the loopback on and do a case."""
    await k.setlink("lo", up=True)
    return await globals()[name](k, *args) or 0


async def stream(k, port=0, flags=0):
    fd = await k.socket(AF_INET, SOCK_STREAM | flags)
    if port:
        await k.bind(fd, (HERE, port))
    return fd


async def listening(k, port, backlog=5):
    fd = await stream(k, port)
    await k.listen(fd, backlog)
    return fd


async def connected(k, port=7000):
    """Return a listening socket, a client's and the server's end of one connection."""
    listener = await listening(k, port)
    client = await stream(k)
    await k.connect(client, (HERE, port))
    server, _ = await k.accept4(listener)
    return listener, client, server


async def kinds(k):
    for family, kind, protocol in (
        (AF_INET, SOCK_STREAM, IPPROTO_TCP), (AF_INET, SOCK_DGRAM, IPPROTO_UDP), (AF_INET, SOCK_STREAM, IPPROTO_UDP),
        (AF_INET, SOCK_DGRAM, IPPROTO_TCP), (AF_INET, SOCK_DGRAM, IPPROTO_ICMP), (AF_INET, SOCK_RAW, 0),
        (AF_INET, SOCK_RAW, IPPROTO_ICMP), (AF_INET, 5, 0), (AF_INET, 11, 0), (99, SOCK_STREAM, 0),
        (AF_INET, SOCK_STREAM, 300),
    ):  # fmt: skip
        await say(k, await error_of(k.socket(family, kind, protocol)))


async def not_sockets(k):
    fd = await k.open("/dev/null", O_RDONLY)
    reading, _ = await k.pipe2()
    for number in (fd, reading, 99):
        await say(
            k,
            await error_of(k.bind(number, (HERE, 7000))),
            await error_of(k.listen(number, 1)),
            await error_of(k.accept4(number)),
            await error_of(k.connect(number, (HERE, 7000))),
            await error_of(k.recvfrom(number, 1)),
            await error_of(k.getsockname(number)),
        )


async def what_a_socket_is(k):
    fd = await stream(k)
    await say(k, oct((await k.fstat(fd)).st_mode & S_IFMT), await error_of(k.lseek(fd, 0, 0)))
    await say(k, (await k.readlink(f"/proc/self/fd/{fd}")).partition("[")[0])
    await say(k, await k.getsockname(fd), await error_of(k.getpeername(fd)))
    again = await k.dup(fd)
    await k.bind(again, (HERE, 7000))
    await k.close(again)
    await say(k, await k.getsockname(fd))


async def bind(k):
    one, two = await stream(k), await stream(k)
    for address in (("9.9.9.9", 7000), ("1.2.3", 7000), (HERE, 70000), (HERE, 7000), (HERE, 7001)):
        await say(k, await error_of(k.bind(one, address)))
    for host in (HERE, "0.0.0.0", "127.0.0.2"):
        await say(k, host, await error_of(k.bind(await stream(k), (host, 7000))))
    await k.bind(two, ("0.0.0.0", 0))
    await say(k, 32768 <= (await k.getsockname(two))[1] <= 60999)


async def ports_below_1024(k):
    one = await stream(k)
    await k.seteuid(1000)
    await say(k, await error_of(k.bind(one, (HERE, 80))), await error_of(k.bind(one, (HERE, 1024))))
    await say(k, await error_of(k.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)))


async def without_rights(k):
    await k.seteuid(1000)
    await say(
        k,
        await error_of(k.newlink("lab0", "bridge")),
        await error_of(k.setlink("lo", up=False)),
        await error_of(k.dellink("lo")),
        await error_of(k.newaddr("lo", "10.0.0.1/8")),
        await error_of(k.newroute("default", link="lo")),
    )
    await say(k, len(await k.getlink()), len(await k.getaddr()))


async def reuse(k):
    """Bind a port that a connection had, which is still remembered; and one where somebody listens."""
    for wanted in (0, 1):
        port = 7000 + wanted
        listener = await stream(k)
        await k.setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, wanted)
        await k.bind(listener, (HERE, port))
        await k.listen(listener, 5)
        client = await stream(k)
        await k.connect(client, (HERE, port))
        server, _ = await k.accept4(listener)
        other = await stream(k)
        await k.setsockopt(other, SOL_SOCKET, SO_REUSEADDR, 1)
        await say(k, "listening", await error_of(k.bind(other, (HERE, port))))
        for fd in (server, client, listener):
            await k.close(fd)
        await k.sleep(0.05)
        for allowed in (0, 1):
            other = await stream(k)
            await k.setsockopt(other, SOL_SOCKET, SO_REUSEADDR, allowed)
            await say(k, wanted, allowed, await error_of(k.bind(other, (HERE, port))))
            await k.close(other)


async def listen(k):
    fd = await stream(k)
    await say(k, await error_of(k.accept4(fd)), await error_of(k.accept4(fd, 1)))
    await k.listen(fd, 5)
    await say(k, (await k.getsockname(fd))[1] > 0)
    await say(
        k,
        await error_of(k.recvfrom(fd, 1)),
        await error_of(k.connect(fd, (HERE, 9))),
        await error_of(k.bind(fd, (HERE, 0))),
        await error_of(k.getpeername(fd)),
    )
    await k.signal(SIGPIPE, SIG_IGN)
    await say(k, await error_of(k.sendto(fd, b"x")))


async def not_connected(k):
    await k.signal(SIGPIPE, SIG_IGN)
    fd = await stream(k)
    await say(k, await error_of(k.recvfrom(fd, 1)), await error_of(k.read(fd, 1)))
    await say(k, await error_of(k.sendto(fd, b"x")), await error_of(k.write(fd, b"x")))
    await say(k, await error_of(k.shutdown(fd, SHUT_RD)), await error_of(k.shutdown(fd, 3)))
    await say(k, await error_of(k.connect(fd, (HERE, 9))), await error_of(k.connect(fd, ("192.0.2.1", 9))))
    await say(
        k, await error_of(k.connect(fd, ("255.255.255.255", 9))), (host := await k.getsockname(fd))[0], host[1] > 0
    )
    await k.connect(fd, (HERE, (await k.getsockname(await listening(k, 7000)))[1]))
    await say(k, await k.getpeername(fd))


async def talk(k):
    listener, client, server = await connected(k)
    await say(k, await k.getpeername(client), await k.getsockname(client) == await k.getpeername(server))
    await say(k, await error_of(k.connect(client, (HERE, 7000))), await error_of(k.bind(client, (HERE, 0))))
    await say(k, await k.write(client, b"hello"), await k.sendto(client, b" world", ("9.9.9.9", 9)))
    await say(k, await k.recvfrom(server, 4), await k.read(server, 100))
    await say(k, await k.sendto(server, b"well"), await k.recvfrom(client, 100))
    await k.shutdown(client, SHUT_WR)
    await k.signal(SIGPIPE, SIG_IGN)
    await say(k, await k.read(server, 10), await k.read(server, 10), await error_of(k.write(client, b"x")))
    await say(k, await k.write(server, b"last"), await k.read(client, 10))
    await k.close(server)
    await say(k, await k.read(client, 10), await k.read(client, 0))
    await k.close(client)
    await k.close(listener)


async def peer_is_gone(k):
    """Write to who has closed: the first time it is taken, then there is a reset, and a SIGPIPE."""
    seen = []
    await k.signal(SIGPIPE, seen.append)
    _, client, server = await connected(k)
    await k.close(server)
    await k.sleep(0.01)
    await say(k, await error_of(k.write(client, b"x")))
    await k.sleep(0.01)
    await say(k, await error_of(k.write(client, b"x")), seen)
    await say(k, await k.read(client, 1), await k.read(client, 1))


async def closed_with_unread_data(k):
    seen = []
    await k.signal(SIGPIPE, seen.append)
    _, client, server = await connected(k)
    await k.write(client, b"never read")
    await k.write(server, b"still read")
    await k.close(server)
    await k.sleep(0.01)
    await say(k, await k.read(client, 100))
    await say(
        k, await error_of(k.read(client, 1)), await k.read(client, 1), await error_of(k.write(client, b"x")), seen
    )


async def backlog(k):
    """A full backlog lets no more in: the handshake of the third is never answered."""
    await listening(k, 7000, 1)
    clients = [await stream(k, flags=SOCK_NONBLOCK) for _ in range(3)]
    for client in clients:
        await error_of(k.connect(client, (HERE, 7000)))
    await k.sleep(0.05)
    await say(k, *[await error_of(k.connect(client, (HERE, 7000))) for client in clients])


async def nonblocking(k):
    listener = await listening(k, 7000)
    client = await stream(k, flags=SOCK_NONBLOCK)
    await say(k, *[await error_of(k.connect(client, (HERE, 7000))) for _ in range(3)])
    server, _ = await k.accept4(listener, SOCK_NONBLOCK)
    await say(k, await error_of(k.read(server, 1)), await error_of(k.recvfrom(client, 1)))
    refused = await stream(k, flags=SOCK_NONBLOCK)
    await say(k, *[await error_of(k.connect(refused, (HERE, 9))) for _ in range(3)])


async def much(k, size):
    """Send much to a child that reads it, and get its count back."""
    listener = await listening(k, 7000)
    child = await k.clone(counts, size)
    server, _ = await k.accept4(listener)
    data = bytes(range(256)) * 256
    left = size
    while left:
        left -= await k.write(server, data[: min(left, len(data))])
    await k.shutdown(server, SHUT_WR)
    await say(k, await k.read(server, 100))
    await say(k, await k.read(server, 100))
    await k.wait4(child)


async def counts(k, size):
    client = await stream(k)
    await k.connect(client, (HERE, 7000))
    total, right = 0, True
    while data := await k.read(client, 10_000):
        right = right and data == bytes((total + n) % 256 for n in range(len(data)))
        total += len(data)
    await k.write(client, f"{total} {right}".encode())
    return 0


async def a_reader_who_waits(k):
    """Wait for a client, then for data, in a child; the timeout and the signal come from elsewhere."""
    listener = await listening(k, 7000)
    reading, writing = await k.pipe2()
    child = await k.clone(accepts_and_reads, listener, writing)
    await k.close(listener)
    await k.close(writing)
    client = await stream(k)
    await k.connect(client, (HERE, 7000))
    await k.sleep(0.02)
    await k.write(client, b"late")
    await say(k, await k.read(reading, 100))
    await k.wait4(child)


async def accepts_and_reads(k, listener, writing):
    server, _ = await k.accept4(listener)
    await k.write(writing, await k.read(server, 100))
    return 0


async def timeouts(k):
    _, client, _ = await connected(k)
    datagram = await k.socket(AF_INET, SOCK_DGRAM)
    for fd in (client, datagram):
        await k.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, 100)
        before = await k.time_ns()
        error = await error_of(k.read(fd, 10))
        await say(k, error, 100 <= (await k.time_ns() - before) // 1_000_000 < 400)


async def interrupted(k):
    seen = []
    await k.signal(SIGUSR1, seen.append)
    child = await k.clone(signals_parent)
    _, client, _ = await connected(k)
    await say(k, await error_of(k.read(client, 10)), seen)
    await k.wait4(child)


async def signals_parent(k):
    await k.sleep(0.05)
    await k.kill(await k.getppid(), SIGUSR1)
    return 0


async def exit_closes(k):
    listener = await listening(k, 7000)
    child = await k.clone(connects_and_leaves)
    server, _ = await k.accept4(listener)
    await k.wait4(child)
    await k.sleep(0.01)
    await say(k, await k.read(server, 100), await k.read(server, 100))


async def connects_and_leaves(k):
    client = await stream(k)
    await k.connect(client, (HERE, 7000))
    await k.write(client, b"bye")
    return 0


async def datagrams(k):
    one, two = [await k.socket(AF_INET, SOCK_DGRAM) for _ in range(2)]
    await k.bind(one, (HERE, 7000))
    await say(k, await error_of(k.bind(one, (HERE, 7001))), await error_of(k.bind(two, ("0.0.0.0", 7000))))
    await say(k, await k.sendto(two, b"one two", (HERE, 7000)), await k.sendto(two, b"", (HERE, 7000)))
    data, (host, port) = await k.recvfrom(one, 3)
    await say(k, data, host, (await k.getsockname(two)) == ("0.0.0.0", port), (await k.recvfrom(one, 3))[0])
    await say(k, await error_of(k.sendto(two, b"x")), await error_of(k.sendto(two, b"x", (HERE, 0))))
    await say(k, await error_of(k.sendto(two, b"x" * 65508, (HERE, 7000))))
    await say(k, await error_of(k.sendto(two, b"x" * 65507, (HERE, 7000))), len((await k.recvfrom(one, 1 << 17))[0]))
    await say(k, await error_of(k.sendto(two, b"x", ("192.0.2.1", 7))), await error_of(k.listen(two, 1)))
    await say(k, await error_of(k.accept4(two)), await error_of(k.shutdown(two, SHUT_RDWR)))
    await say(k, await error_of(k.sendto(two, b"x", ("127.255.255.255", 7000))), await error_of(k.getpeername(two)))
    await k.setsockopt(two, SOL_SOCKET, SO_BROADCAST, 1)
    await say(
        k,
        await error_of(k.sendto(two, b"x", ("127.255.255.255", 7000))),
        await error_of(k.sendto(two, b"x", (HERE, 7000))),
    )


async def connected_datagrams(k):
    one, two, three = [await k.socket(AF_INET, SOCK_DGRAM) for _ in range(3)]
    for fd, port in ((one, 7000), (two, 7001), (three, 7002)):
        await k.bind(fd, (HERE, port))
    await k.connect(one, (HERE, 7001))
    await say(k, await k.getpeername(one), await k.getsockname(one))
    await k.sendto(three, b"stray", (HERE, 7000))
    await k.sendto(two, b"right", (HERE, 7000))
    await say(k, await k.recvfrom(one, 10), await k.write(one, b"back"), await k.read(two, 10))
    await k.close(two)
    results = [await error_of(k.write(one, b"x")) for _ in range(3)]
    await say(k, results, await error_of(k.read(one, 10)))
    await k.sendto(three, b"x", (HERE, 7001))
    await say(k, "an unconnected one is not told", await error_of(k.sendto(three, b"x", (HERE, 7001))))


async def shared_port(k):
    fds = [await k.socket(AF_INET, SOCK_DGRAM) for _ in range(2)]
    for fd in fds:
        await k.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        await say(k, await error_of(k.bind(fd, (HERE, 7000))))


def echo(identifier, sequence, data):
    message = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + data
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


async def raw(k):
    """An echo to oneself: one hears the request as well as the reply, each with IP's header."""
    fd = await k.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    await say(k, await k.getsockname(fd), await error_of(k.getpeername(fd)))
    await say(k, await k.sendto(fd, echo(77, 1, b"data"), (HERE, 0)))
    for _ in range(2):
        packet, sender = await k.recvfrom(fd, 100)
        await say(k, sender, packet[0], packet[9], packet[12:20], packet[20:].hex(), checksum(packet[:20]))
    await k.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, 50)
    await k.sendto(fd, echo(77, 2, b"data")[:-1] + b"x", (HERE, 0))
    packet, _ = await k.recvfrom(fd, 100)
    await say(k, packet[20], "no answer to a wrong checksum", await error_of(k.recvfrom(fd, 100)))
    await say(
        k,
        await error_of(k.sendto(fd, b"", (HERE, 0))),
        await error_of(k.sendto(fd, b"x", ("192.0.2.1", 0))),
        await error_of(k.sendto(fd, echo(77, 3, b""), ("192.0.2.1", 0))),
    )
    datagram = await k.socket(AF_INET, SOCK_DGRAM)
    await k.sendto(datagram, b"who?", (HERE, 9))
    packet, sender = await k.recvfrom(fd, 100)
    await say(k, sender, packet[1], packet[20:22].hex(), packet[28 + 20 + 2 : 28 + 20 + 4].hex())


async def ping_sockets(k):
    """Ask for an echo without a raw socket: nobody may, until a group is let."""
    path = "/proc/sys/net/ipv4/ping_group_range"
    await say(k, (await read_file(k, path)).split(), await error_of(k.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)))
    for text in (b"0", b"0 x", b"0 0"):
        fd = await k.open(path, O_WRONLY)
        await say(k, await error_of(k.write(fd, text)))
        await k.close(fd)
    await k.seteuid(1000)
    fd = await k.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
    await say(k, await k.sendto(fd, echo(1, 7, b"data"), (HERE, 0)), await error_of(k.sendto(fd, echo(1, 8, b""))))
    answer, sender = await k.recvfrom(fd, 100)
    host, identifier = await k.getsockname(fd)
    await say(
        k, sender, host, answer[:2], int.from_bytes(answer[4:6], "big") == identifier, answer[6:], checksum(answer)
    )
    await say(
        k, await error_of(k.sendto(fd, b"\0" + bytes(7), (HERE, 0))), await error_of(k.sendto(fd, b"x", (HERE, 0)))
    )


async def options(k):
    fd = await stream(k)
    await say(k, await error_of(k.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)))
    await say(k, await error_of(k.setsockopt(fd, SOL_SOCKET, 999, 1)), await error_of(k.setsockopt(fd, 99, 2, 1)))
    await say(k, await error_of(k.setsockopt(fd, 0, 2, 64)), await error_of(k.setsockopt(fd, 0, 2, 256)))


async def no_loopback(k):
    """Where the loopback was never on, nothing leads there; once it was, all is lost without a word."""
    await k.unshare(CLONE_NEWNET)
    for port in (7000, 7001):
        fd = await k.socket(AF_INET, SOCK_DGRAM)
        await say(k, await error_of(k.bind(fd, (HERE, port))), await error_of(k.sendto(fd, b"x", (HERE, port))))
        await k.setlink("lo", up=True)
        await k.setlink("lo", up=False)
    await k.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, 50)
    await say(k, await error_of(k.recvfrom(fd, 1)))


async def a_socket_stays_where_it_was_made(k):
    """A socket belongs to the network that it was made in, though its maker moves on."""
    listener = await listening(k, 7000)
    inside = await stream(k)
    await k.unshare(CLONE_NEWNET)
    await k.setlink("lo", up=True)
    outside = await stream(k)
    await say(k, await error_of(k.connect(outside, (HERE, 7000))), await error_of(k.connect(inside, (HERE, 7000))))
    await k.accept4(listener)


# two namespaces, a cable between them


async def files_of_sys(k, directory):
    """Look at the links through a sysfs of this network."""
    await k.unshare(CLONE_NEWNS)
    await k.mount("", "/", "", MS_REC | MS_PRIVATE)
    await k.newlink("lab0", "bridge", address="02:00:00:00:00:01")
    await k.newlink("a0", "veth", peer="b0", address="02:00:00:00:00:0a")
    await k.setlink("a0", master="lab0", up=True, mtu=1400)
    await k.mount("sysfs", directory, "sysfs")
    at = f"{directory}/class/net"
    await say(k, sorted(await k.listdir(at)), await k.readlink(f"{at}/a0"), await k.readlink(f"{at}/a0/master"))
    for name in ("address", "broadcast", "flags", "ifindex", "iflink", "mtu", "type", "carrier"):
        texts = [await error_of(read_file(k, f"{at}/{link}/{name}")) for link in ("lo", "a0", "b0")]
        await say(k, name, *[text.strip() for text in texts[: 2 if name == "address" else 3]])
    await say(k, *[(await read_file(k, f"{at}/{link}/operstate")).strip() for link in ("lo", "lab0", "b0")])
    await say(k, (await read_file(k, f"{at}/a0/statistics/rx_packets")).strip())
    await k.dellink("a0")
    await say(k, sorted(await k.listdir(at)))


async def settings(k):
    path = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    await say(
        k, (await read_file(k, path)).strip(), (await read_file(k, "/proc/sys/net/ipv4/ip_local_port_range")).split()
    )
    one, two = await stream(k), await stream(k)
    for text in (b"80", b"x", b"70000"):
        fd = await k.open(path, O_WRONLY)
        await say(k, await error_of(k.write(fd, text)))
        await k.close(fd)
    await k.seteuid(1000)
    await say(k, await error_of(k.bind(one, (HERE, 79))), await error_of(k.bind(two, (HERE, 80))))


async def files_of_proc(k):
    """Look at a network through /proc/net: links, routes, neighbours, sockets; not at what each kernel counts."""
    await k.newlink("a0", "veth", peer="b0")
    await k.setlink("a0", up=True)
    await k.setlink("b0", up=True)
    await k.newaddr("a0", "10.1.0.1/24")
    await k.newroute("default", gateway="10.1.0.254")
    await k.newroute("10.9.0.7", link="b0")
    listener = await listening(k, 8080)
    client = await stream(k, 9090)
    await k.connect(client, (HERE, 8080))
    datagram = await k.socket(AF_INET, SOCK_DGRAM)
    await k.bind(datagram, ("0.0.0.0", 53))
    await k.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    await k.accept4(listener)
    await k.sendto(datagram, b"x", ("10.1.0.7", 9))
    await say(k, await k.readlink("/proc/net"))
    for name in ("dev", "route", "arp", "tcp", "udp", "raw"):
        header, *lines = (await read_file(k, f"/proc/self/net/{name}")).splitlines()
        columns = slice(0, 1) if name == "dev" else slice(1, 4) if name in ("tcp", "udp", "raw") else slice(None)
        await say(k, name, len(header), *sorted("|".join(line.split()[columns]) for line in lines))
