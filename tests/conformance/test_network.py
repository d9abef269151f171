"""Links, addresses, routes and neighbours: the same calls on both kernels, from the host's side."""

import time

import pytest

from minidocker.linux import CLONE_NEWNET, O_CLOEXEC, O_RDONLY, errno_name


async def sleeps(k):
    await k.sleep(600)
    return 0


def error(call, *args, **kwargs):
    """Return the errno's name of a call that must fail, or None."""
    try:
        call(*args, **kwargs)
    except OSError as failure:
        return errno_name(failure.errno)
    return None


def names(kernel):
    return [link.name for link in kernel.getlink()]


def link(kernel, name):
    return next(link for link in kernel.getlink() if link.name == name)


def routes(kernel):
    return [(one.destination, one.gateway, one.link, one.source, one.scope, one.protocol) for one in kernel.getroute()]


def until(holds, patience=200):
    """Wait for what a real kernel does in its own time: signals come and go, and namespaces end, in a worker."""
    for _ in range(patience):
        if holds():
            return
        time.sleep(0.02)
    assert holds()


@pytest.fixture
def pair(kernel):
    """A veth pair, both ends here and down: a0 and b0."""
    kernel.newlink("a0", "veth", peer="b0", address="02:00:00:00:00:0a")
    return kernel


@pytest.fixture
def other(kernel):
    """A descriptor of another network namespace, in which a task sleeps, and one of the host's own."""
    pid = kernel.clone(sleeps, flags=CLONE_NEWNET)
    there = kernel.open(f"/proc/{pid}/ns/net", O_RDONLY | O_CLOEXEC)
    here = kernel.open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
    yield there, here, pid
    kernel.setns(here)


def test_the_host_has_a_loopback_that_is_up(kernel):
    (lo,) = kernel.getlink()
    assert (lo.index, lo.name, lo.kind, lo.address, lo.mtu) == (1, "lo", "loopback", "00:00:00:00:00:00", 65536)
    assert lo.flags == ("LOOPBACK", "UP", "LOWER_UP")
    assert [(one.link, one.address, one.scope) for one in kernel.getaddr()] == [("lo", "127.0.0.1/8", "host")]
    assert kernel.getroute() == []


def test_a_new_namespace_has_a_loopback_that_is_down(kernel, other):
    kernel.setns(other[0], CLONE_NEWNET)
    (lo,) = kernel.getlink()
    assert (lo.index, lo.name, lo.flags) == (1, "lo", ("LOOPBACK",))
    assert (kernel.getaddr(), kernel.getroute(), kernel.getneigh()) == ([], [], [])
    kernel.setlink("lo", up=True)
    assert [one.address for one in kernel.getaddr()] == ["127.0.0.1/8"]


def test_a_pair_and_its_indices(pair):
    a, b = link(pair, "a0"), link(pair, "b0")
    assert (b.index, a.index, a.peer, b.peer) == (2, 3, 2, 3)
    assert (a.kind, a.address, a.mtu, a.flags) == ("veth", "02:00:00:00:00:0a", 1500, ("BROADCAST", "MULTICAST"))


def test_a_pair_has_a_signal_while_both_ends_are_up(pair):
    pair.setlink("a0", up=True)
    until(lambda: link(pair, "a0").flags == ("NO-CARRIER", "BROADCAST", "MULTICAST", "UP"))
    pair.setlink("b0", up=True)
    until(lambda: link(pair, "a0").flags == ("BROADCAST", "MULTICAST", "UP", "LOWER_UP"))
    pair.setlink("a0", up=False)
    assert link(pair, "a0").flags == ("BROADCAST", "MULTICAST")


def test_both_ends_of_a_pair_go(pair):
    pair.dellink("b0")
    assert names(pair) == ["lo"]
    pair.newlink("a0", "veth", peer="b0")
    assert link(pair, "b0").index == 4


@pytest.mark.parametrize(
    ("name", "kind", "peer", "address", "expected"),
    [
        ("a0", "bridge", "", "", "EEXIST"),
        ("a1", "veth", "b0", "", "EEXIST"),
        ("c0", "veth", "c0", "", "EEXIST"),
        ("c0", "token", "", "", "EOPNOTSUPP"),
        ("c/0", "bridge", "", "", "EINVAL"),
        ("c 0", "bridge", "", "", "EINVAL"),
        (".", "bridge", "", "", "EINVAL"),
        ("abcdefghijklmnop", "bridge", "", "", "ERANGE"),
        ("abcdefghijklmno", "bridge", "", "", None),
        ("c0", "veth", "c1", "01:00:00:00:00:0a", "EADDRNOTAVAIL"),
        ("c0", "bridge", "", "00:00:00:00:00:00", "EADDRNOTAVAIL"),
    ],
)
def test_links_that_cannot_be(pair, name, kind, peer, address, expected):
    assert error(pair.newlink, name, kind, peer=peer, address=address) == expected


def test_a_peer_without_a_name_gets_one(kernel):
    kernel.newlink("v5", "veth")
    kernel.newlink("v6", "veth")
    assert names(kernel) == ["lo", "veth0", "v5", "veth1", "v6"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "nothing", "up": True}, "ENODEV"),
        ({"name": "a0", "master": "nothing"}, "ENODEV"),
        ({"name": "a0", "master": "b0"}, "EOPNOTSUPP"),
        ({"name": "lo", "master": "lab0"}, "EINVAL"),
        ({"name": "lab0", "master": "lab0"}, "ELOOP"),
        ({"name": "a0", "new_name": "b0"}, "EEXIST"),
        ({"name": "a0", "new_name": "a0"}, None),
        ({"name": "a0", "new_name": "x/y"}, "EINVAL"),
        ({"name": "a0", "mtu": 67}, "EINVAL"),
        ({"name": "a0", "mtu": 65536}, "EINVAL"),
        ({"name": "a0", "mtu": 65535}, None),
        ({"name": "lab0", "mtu": 65536}, "EINVAL"),
        ({"name": "lo", "mtu": 100000}, None),
        ({"name": "a0", "address": "01:00:00:00:00:01"}, "EADDRNOTAVAIL"),
        ({"name": "a0", "address": "00:00:00:00:00:00"}, "EADDRNOTAVAIL"),
        ({"name": "a0", "netns": 99}, "EBADF"),
        ({"name": "a0", "netns": 0}, "EINVAL"),
    ],
)
def test_changes_that_cannot_be(pair, change, expected):
    pair.newlink("lab0", "bridge")
    assert error(pair.setlink, **change) == expected


def test_lo_stays(kernel):
    assert error(kernel.dellink, "lo") == "EOPNOTSUPP"
    assert error(kernel.dellink, "nothing") == "ENODEV"


def test_a_link_gets_another_name(pair):
    pair.setlink("a0", new_name="z0", up=True)
    assert names(pair) == ["lo", "b0", "z0"]


def test_a_bridge_has_a_signal_while_a_port_has_one(pair):
    pair.newlink("lab0", "bridge")
    pair.setlink("lab0", up=True)
    assert link(pair, "lab0").flags == ("BROADCAST", "MULTICAST", "UP", "LOWER_UP")
    pair.setlink("a0", master="lab0", up=True)
    assert link(pair, "a0").master == "lab0"
    until(lambda: link(pair, "lab0").flags == ("NO-CARRIER", "BROADCAST", "MULTICAST", "UP"))
    pair.setlink("b0", up=True)
    until(lambda: link(pair, "lab0").flags == ("BROADCAST", "MULTICAST", "UP", "LOWER_UP"))


def test_a_bridge_has_its_ports_lowest_address_and_mtu(pair):
    pair.newlink("lab0", "bridge")
    pair.setlink("b0", address="02:00:00:00:00:0b")
    pair.setlink("b0", master="lab0")
    assert link(pair, "lab0").address == "02:00:00:00:00:0b"
    pair.setlink("a0", master="lab0", mtu=1400)
    assert (link(pair, "lab0").address, link(pair, "lab0").mtu) == ("02:00:00:00:00:0a", 1400)
    pair.setlink("a0", master="")
    assert (link(pair, "lab0").address, link(pair, "lab0").mtu) == ("02:00:00:00:00:0b", 1500)
    pair.setlink("b0", master="")
    assert link(pair, "lab0").address == "00:00:00:00:00:00"
    pair.setlink("lab0", address="02:00:00:00:00:01", mtu=1300)
    pair.setlink("a0", master="lab0")
    assert (link(pair, "lab0").address, link(pair, "lab0").mtu) == ("02:00:00:00:00:01", 1300)


def test_a_bridge_that_goes_lets_its_ports_be(pair):
    pair.newlink("lab0", "bridge", address="02:42:00:00:00:01")
    pair.setlink("a0", master="lab0")
    pair.dellink("lab0")
    assert link(pair, "a0").master == ""


def test_a_link_moves_to_another_namespace(pair, other):
    there, here, _ = other
    pair.setlink("a0", up=True)
    pair.newaddr("a0", "10.1.0.1/24")
    pair.setlink("a0", netns=there, new_name="eth0")
    assert names(pair) == ["lo", "b0"]
    assert link(pair, "b0").peer == 3
    pair.setns(there, CLONE_NEWNET)
    moved = link(pair, "eth0")
    assert (moved.index, moved.peer, moved.flags) == (3, 2, ("BROADCAST", "MULTICAST"))
    assert pair.getaddr() == []
    pair.newlink("lab0", "bridge")
    pair.newlink("lab1", "bridge")
    assert [(one.index, one.name) for one in pair.getlink()] == [(1, "lo"), (2, "lab0"), (3, "eth0"), (4, "lab1")]
    assert error(pair.setlink, "lab0", netns=here) == "EINVAL"
    assert error(pair.setlink, "lo", netns=here) == "EINVAL"
    pair.setlink("lab0", new_name="a0")
    pair.setns(here)
    assert error(pair.setlink, "b0", netns=there, new_name="a0") == "EEXIST"


def test_a_pair_is_made_across_namespaces(kernel, other):
    there, here, _ = other
    kernel.newlink("veth1", "veth", peer="eth0", netns=there)
    kernel.setns(there)
    assert names(kernel) == ["lo", "eth0"]
    kernel.dellink("eth0")
    kernel.setns(here)
    assert names(kernel) == ["lo"]


def test_the_end_of_a_namespace_is_the_end_of_its_pairs(kernel, other):
    there, _, pid = other
    kernel.newlink("veth1", "veth", peer="eth0", netns=there)
    kernel.kill(pid, 9)
    kernel.poll(5.0)
    kernel.wait4(pid)
    assert names(kernel) == ["lo", "veth1"]  # the descriptor still holds it
    kernel.close(there)
    until(lambda: names(kernel) == ["lo"])


# addresses


def test_an_address_brings_a_route_once_its_link_is_up(pair):
    pair.newaddr("a0", "10.1.0.1/24", broadcast="10.1.0.255")
    assert routes(pair) == []
    pair.setlink("a0", up=True)
    assert routes(pair) == [("10.1.0.0/24", "", "a0", "10.1.0.1", "link", "kernel")]
    (_, one) = pair.getaddr()
    assert (one.link, one.address, one.scope, one.broadcast) == ("a0", "10.1.0.1/24", "global", "10.1.0.255")
    pair.setlink("a0", up=False)
    assert routes(pair) == []
    assert len(pair.getaddr()) == 2


@pytest.mark.parametrize(
    ("device", "address", "expected"),
    [
        ("a0", "10.1.0.1/24", "EEXIST"),
        ("a0", "10.1.0.1/16", None),
        ("a0", "10.1.0.2/24", None),
        ("b0", "10.1.0.1/24", None),
        ("nothing", "10.1.0.1/24", "ENODEV"),
        ("a0", "10.1.0.1/33", "EINVAL"),
        ("a0", "10.1.0", "EINVAL"),
        ("a0", "10.1.0.256/8", "EINVAL"),
        ("a0", "10.1.0.1/x", "EINVAL"),
    ],
)
def test_addresses_that_cannot_be(pair, device, address, expected):
    pair.newaddr("a0", "10.1.0.1/24")
    assert error(pair.newaddr, device, address) == expected


def test_the_second_address_of_a_network_goes_with_the_first(pair):
    pair.setlink("a0", up=True)
    for address in ("10.1.0.1/24", "10.1.0.2/24", "10.2.0.1", "10.1.0.3/24"):
        pair.newaddr("a0", address)
    assert [one.address for one in pair.getaddr()[1:]] == ["10.1.0.1/24", "10.2.0.1/32", "10.1.0.2/24", "10.1.0.3/24"]
    assert error(pair.deladdr, "a0", "10.1.0.9/24") == "EADDRNOTAVAIL"
    assert error(pair.deladdr, "a0", "10.1.0.1/25") == "EADDRNOTAVAIL"
    pair.deladdr("a0", "10.1.0.3/24")
    pair.deladdr("a0", "10.1.0.1/24")
    assert [one.address for one in pair.getaddr()[1:]] == ["10.2.0.1/32"]
    assert routes(pair) == []


def test_the_last_address_of_a_link_takes_all_its_routes_along(pair):
    pair.setlink("a0", up=True)
    pair.newaddr("a0", "10.1.0.1/24")
    pair.newroute("10.9.0.0/16", link="a0")
    pair.newroute("default", gateway="10.1.0.254")
    pair.deladdr("a0", "10.1.0.1/24")
    assert routes(pair) == []


# routes


@pytest.fixture
def up(pair):
    """The pair, up: a0 has 10.1.0.1/16."""
    for name in ("a0", "b0"):
        pair.setlink(name, up=True)
    pair.newaddr("a0", "10.1.0.1/16")
    return pair


def test_routes_in_their_order(up):
    up.newroute("default", gateway="10.1.0.254")
    up.newroute("10.9.0.0/16", link="b0")
    up.newroute("10.10.0.0/16", gateway="10.9.0.3")
    up.newroute("10.1.7.0/24", gateway="10.1.0.7", link="a0")
    up.newroute("10.1.0.0/24", link="b0")
    assert routes(up) == [
        ("default", "10.1.0.254", "a0", "", "global", "boot"),
        ("10.1.0.0/24", "", "b0", "", "link", "boot"),
        ("10.1.0.0/16", "", "a0", "10.1.0.1", "link", "kernel"),
        ("10.1.7.0/24", "10.1.0.7", "a0", "", "global", "boot"),
        ("10.9.0.0/16", "", "b0", "", "link", "boot"),
        ("10.10.0.0/16", "10.9.0.3", "b0", "", "global", "boot"),
    ]
    up.delroute("10.1.0.0/16")
    up.delroute("default", gateway="10.1.0.254", link="a0")
    up.setlink("b0", up=False)
    assert routes(up) == [("10.1.7.0/24", "10.1.0.7", "a0", "", "global", "boot")]


@pytest.mark.parametrize(
    ("destination", "gateway", "device", "expected"),
    [
        ("default", "10.1.0.254", "", None),
        ("default", "10.1.0.1", "", None),
        ("default", "10.2.0.1", "", "ENETUNREACH"),
        ("default", "10.2.0.1", "a0", "ENETUNREACH"),
        ("default", "10.1.0.7", "b0", "ENETUNREACH"),
        ("default", "10.1.255.255", "", "EINVAL"),
        ("10.8.0.0/16", "8.8.8.8", "", "ENETUNREACH"),
        ("10.8.0.0/16", "", "", "ENODEV"),
        ("10.8.0.0/16", "", "nothing", "ENODEV"),
        ("10.8.0.0/16", "", "lab0", "ENETDOWN"),
        ("10.8.1.0/16", "", "a0", "EINVAL"),
        ("10.1.0.0/16", "", "b0", "EEXIST"),
        ("10.7.0.0/16", "10.1.0.3", "", "EEXIST"),
        ("10.8.0.0/x", "", "a0", "EINVAL"),
        ("10.8.0.1", "", "a0", None),
    ],
)
def test_routes_that_cannot_be(up, destination, gateway, device, expected):
    up.newlink("lab0", "bridge")
    up.newroute("10.7.0.0/16", link="b0")
    assert error(up.newroute, destination, gateway=gateway, link=device) == expected


@pytest.mark.parametrize(
    ("destination", "gateway", "device", "expected"),
    [
        ("10.99.0.0/16", "", "", "ESRCH"),
        ("10.1.0.0/16", "", "b0", "ESRCH"),
        ("10.1.0.0/16", "10.1.0.3", "", "ESRCH"),
        ("10.1.0.0/16", "", "a0", None),
        ("10.1.0.0/16", "", "nothing", "ENODEV"),
    ],
)
def test_routes_that_are_not_there(up, destination, gateway, device, expected):
    assert error(up.delroute, destination, gateway=gateway, link=device) == expected


def test_ip_forward(kernel):
    path = "/proc/sys/net/ipv4/ip_forward"
    fd = kernel.open(path, O_RDONLY)
    before = kernel.read(fd, 16)
    kernel.close(fd)
    fd = kernel.open(path, 1)
    kernel.write(fd, b"1\n")
    kernel.close(fd)
    fd = kernel.open(path, O_RDONLY)
    assert (before in (b"0\n", b"1\n"), kernel.read(fd, 16)) == (True, b"1\n")
