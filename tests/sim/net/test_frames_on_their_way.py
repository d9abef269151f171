"""What the listener is told of frames: which call set them off, and by which links they go."""

import pytest
from sim.net.wires import Wires, encoding

from minidocker.linux import AF_INET, SOCK_STREAM
from minidocker.sim.net.softirq import Softirq


@pytest.fixture
def wires(monkeypatch):
    """A network, each of whose frames can be written as bytes."""
    monkeypatch.setattr(Softirq, "raise_for", encoding(Softirq.raise_for))
    wires = Wires()
    yield wires
    wires.kernel.close_kernel()


@pytest.fixture
def two(wires):
    """Two hosts on a bridge; one is in the first's network."""
    first, second = wires.host(), wires.host()
    wires.enter(first)
    wires.listen()
    return wires, first, second


def test_a_ping_is_one_call_from_the_question_to_the_answer(two):
    wires, _, _ = two
    wires.echo("172.17.0.3")
    who = "ARP, Request who-has 172.17.0.3 tell 172.17.0.2, length 28"
    mine = "ARP, Reply 172.17.0.3 is-at 02:42:ac:11:00:03, length 28"
    request = "IP 172.17.0.2 > 172.17.0.3: ICMP echo request, id 77, seq 1, length 8"
    reply = "IP 172.17.0.3 > 172.17.0.2: ICMP echo reply, id 77, seq 1, length 8"
    assert wires.frames() == [
        ("sendto", "eth0", "veth2", who),
        ("sendto", "veth2", "lab0", who),
        ("sendto", "veth2", "veth3", who),
        ("sendto", "veth3", "eth0", who),
        ("sendto", "eth0", "veth3", mine),
        ("sendto", "veth3", "veth2", mine),
        ("sendto", "veth2", "eth0", mine),
        ("sendto", "eth0", "veth2", request),
        ("sendto", "veth2", "veth3", request),
        ("sendto", "veth3", "eth0", request),
        ("sendto", "eth0", "veth3", reply),
        ("sendto", "veth3", "veth2", reply),
        ("sendto", "veth2", "eth0", reply),
    ]


def test_a_hop_says_where_it_leads(two):
    wires, first, second = two
    wires.echo("172.17.0.3")
    hops = [inner for event in wires.told for inner in event.inner]
    numbers = [int(wires.kernel.fstat(fd).st_ino) for fd in (first, wires.here, second)]
    assert all(hop.simulated and not hop.observed for hop in hops)
    assert hops[7].data == {
        "netns": numbers[0], "link": "eth0", "to_netns": numbers[1], "to": "veth2", "via": "", "protocol": "icmp",
        "what": "IP 172.17.0.2 > 172.17.0.3: ICMP echo request, id 77, seq 1, length 8",
        "src": "02:42:ac:11:00:02", "dst": "02:42:ac:11:00:03",
    }  # fmt: skip
    assert (hops[8].data["netns"], hops[8].data["to_netns"], hops[8].data["via"]) == (numbers[1], numbers[1], "lab0")
    assert (hops[9].data["netns"], hops[9].data["to_netns"]) == (numbers[1], numbers[2])
    assert hops[7].size == 14 + 20 + 8


def test_a_handshake_belongs_to_connect(two):
    wires, first, second = two
    wires.enter(second)
    listening = wires.listening(80)
    wires.enter(first)
    wires.echo("172.17.0.3")
    wires.frames()
    client = wires.connecting("172.17.0.3", 80)
    flags = [what.split("Flags ")[1].split(",")[0] for _, link, _, what in wires.frames() if link == "eth0"]
    assert flags == ["[S]", "[S.]", "[.]"]
    server, _ = wires.kernel.accept4(listening)
    wires.kernel.write(client, b"hello")
    assert [call for call, *_ in wires.frames()] == ["write"] * 6
    wires.kernel.read(server, 10)
    assert wires.frames() == []
    wires.kernel.close(client)
    flags = [what.split("Flags ")[1].split(",")[0] for _, link, _, what in wires.frames() if link == "eth0"]
    assert flags == ["[F.]", "[.]"]


def test_a_bridge_floods_what_it_does_not_know_and_learns(wires):
    first, _, third = wires.host(), wires.host(), wires.host()
    wires.enter(third)
    wires.echo("172.17.0.1")  # so that the bridge hears of it
    wires.enter(first)
    wires.listen()
    wires.echo("172.17.0.4")
    to = [(link, to, what.split()[0]) for _, link, to, what in wires.frames()]
    assert ("veth2", "veth3", "ARP,") in to
    assert ("veth2", "veth3", "IP") not in to
    assert ("veth2", "veth4", "IP") in to


def test_what_is_for_the_bridge_itself_goes_up_to_the_host(two):
    wires, _, _ = two
    wires.echo("172.17.0.1")
    assert ("sendto", "veth2", "lab0", "IP 172.17.0.2 > 172.17.0.1: ICMP echo request, id 77, seq 1, length 8") in (
        wires.frames()
    )


def test_what_a_timer_sends_is_told_with_the_next_call(two):
    wires, _, _ = two
    fd = wires.echo("172.17.0.99")
    assert {call for call, *_ in wires.frames()} == {"sendto"}
    wires.kernel.poll(10.0)
    packet, _ = wires.kernel.recvfrom(fd, 100)
    found = wires.frames()
    assert packet[20:22] == b"\x03\x01"
    assert {call for call, *_ in found} == {"recvfrom"}
    assert [what for _, link, _, what in found if link == "eth0"] == [
        "ARP, Request who-has 172.17.0.99 tell 172.17.0.2, length 28"
    ] * 2
    assert [(link, to) for _, link, to, what in found if "ICMP" in what] == [("lo", "lo")]


async def connects(k, address):
    fd = await k.socket(AF_INET, SOCK_STREAM)
    try:
        await k.connect(fd, (address, 80))
    except OSError:
        return 1
    return 0


def test_a_call_that_waited_tells_all_that_happened_meanwhile(two):
    """Nobody answers: the question is asked thrice, then the connection fails; all that is told with connect."""
    wires, _, _ = two
    wires.kernel.clone(connects, "172.17.0.99")
    while not wires.kernel.poll(1.0):
        pass
    asked = [call for call, link, _, what in wires.frames() if link == "eth0" and "who-has" in what]
    assert asked == ["connect"] * 3


def test_nothing_is_told_where_nobody_listens(two):
    wires, _, _ = two
    wires.kernel.listener = None
    wires.echo("172.17.0.3")
    assert (wires.told, wires.kernel.softirq.later) == ([], [])


@pytest.mark.slow
def test_a_circle_ends(wires):
    """Two bridges joined by two wires carry a broadcast round until the budget is spent."""
    kernel = wires.kernel
    kernel.newlink("lab1", "bridge")
    kernel.setlink("lab1", up=True)
    for number in (1, 2):
        kernel.newlink(f"a{number}", "veth", peer=f"b{number}")
        kernel.setlink(f"a{number}", master="lab0", up=True)
        kernel.setlink(f"b{number}", master="lab1", up=True)
    wires.echo("172.17.0.99")
    assert kernel.softirq.dropped
