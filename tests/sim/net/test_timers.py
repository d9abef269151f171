"""What the network does by the clock: ARP asks again, segments are sent again, and what is known grows old."""

import pytest
from sim.net.wires import Wires, encoding

from minidocker.linux import O_RDONLY, errno_name
from minidocker.sim.net.softirq import Softirq

SECOND_NS = 1_000_000_000


@pytest.fixture
def wires(monkeypatch):
    """A network, each of whose frames can be written as bytes."""
    monkeypatch.setattr(Softirq, "raise_for", encoding(Softirq.raise_for))
    wires = Wires()
    yield wires
    wires.kernel.close_kernel()


@pytest.fixture
def two(wires):
    first, second = wires.host(), wires.host()
    wires.enter(first)
    return wires, first, second


def connected(wires, first, second):
    """Return the two ends of a connection between the hosts."""
    wires.enter(second)
    listening = wires.listening(80)
    wires.enter(first)
    client = wires.connecting("172.17.0.3", 80)
    server, _ = wires.kernel.accept4(listening)
    return client, server


def let_pass(wires, seconds):
    """Let time pass, with all that happens in it."""
    until_ns = wires.kernel.clock.now_ns() + int(seconds * SECOND_NS)
    while (left := until_ns - wires.kernel.clock.now_ns()) > 0:
        wires.kernel.poll(left / SECOND_NS)


def error(call, *args):
    try:
        call(*args)
    except OSError as failure:
        return errno_name(failure.errno)
    return None


def state(wires):
    return [(one.address, one.state) for one in wires.kernel.getneigh()]


def test_what_arp_knows_grows_old_and_is_asked_for_again(two):
    wires, _, _ = two
    wires.echo("172.17.0.3")
    assert state(wires) == [("172.17.0.3", "REACHABLE")]
    let_pass(wires, 31)
    assert state(wires) == [("172.17.0.3", "STALE")]
    wires.echo("172.17.0.3")
    assert state(wires) == [("172.17.0.3", "DELAY")]
    let_pass(wires, 4.9)
    assert state(wires) == [("172.17.0.3", "DELAY")]
    wires.listen()
    let_pass(wires, 0.2)
    assert state(wires) == [("172.17.0.3", "REACHABLE")]
    wires.kernel.getneigh()
    asked = next(inner for event in wires.told for inner in event.inner if inner.path == "eth0")
    assert (asked.data["dst"], asked.data["what"].split(",")[1]) == (
        "02:42:ac:11:00:03",
        " Request who-has 172.17.0.3 tell 172.17.0.2",
    )


def test_a_neighbour_that_has_gone_is_given_up(two):
    wires, _, second = two
    wires.echo("172.17.0.3")
    wires.enter(second)
    wires.kernel.setlink("eth0", up=False)
    wires.enter(two[1])
    let_pass(wires, 31)
    wires.echo("172.17.0.3")
    let_pass(wires, 5.5)
    assert state(wires) == [("172.17.0.3", "PROBE")]
    let_pass(wires, 3)
    assert state(wires) == [("172.17.0.3", "FAILED")]


def test_a_syn_is_sent_again_until_there_is_an_answer(two):
    wires, first, second = two
    wires.echo("172.17.0.3")
    wires.enter(second)
    listening = wires.listening(80)
    wires.kernel.setlink("eth0", up=False)
    wires.enter(first)
    client = wires.connecting("172.17.0.3", 80)
    assert error(wires.kernel.connect, client, ("172.17.0.3", 80)) == "EALREADY"
    wires.enter(second)
    wires.kernel.setlink("eth0", up=True)
    wires.enter(first)
    assert error(wires.kernel.accept4, listening) == "EAGAIN"
    let_pass(wires, 1.1)
    wires.kernel.accept4(listening)


def test_a_syn_that_nobody_answers_is_given_up_after_131_seconds(two):
    """A full backlog answers nothing; ARP is well all the time."""
    wires, first, second = two
    wires.enter(second)
    wires.listening(80, backlog=0)
    wires.enter(first)
    wires.connecting("172.17.0.3", 80)
    wires.listen()
    client = wires.connecting("172.17.0.3", 80)
    let_pass(wires, 130.9)
    assert error(wires.kernel.connect, client, ("172.17.0.3", 80)) == "EALREADY"
    syns = [what for _, link, _, what in wires.frames() if link == "eth0" and "[S]" in what]
    assert len(syns) == 11
    let_pass(wires, 0.2)
    assert error(wires.kernel.connect, client, ("172.17.0.3", 80)) == "ETIMEDOUT"


def test_data_that_was_lost_comes_later(two):
    wires, first, second = two
    client, server = connected(wires, first, second)
    wires.kernel.setlink("eth0", up=False)
    wires.kernel.write(client, b"a" * 5000)
    wires.kernel.write(client, b"b" * 5000)
    let_pass(wires, 1.0)
    assert error(wires.kernel.read, server, 100) == "EAGAIN"
    wires.kernel.setlink("eth0", up=True)
    let_pass(wires, 2.0)
    assert wires.kernel.read(server, 20_000) == b"a" * 5000 + b"b" * 5000


def test_a_connection_that_is_cut_off_ends_after_a_quarter_of_an_hour(two):
    wires, first, second = two
    client, _ = connected(wires, first, second)
    wires.enter(second)
    wires.kernel.setlink("eth0", up=False)
    wires.enter(first)
    wires.kernel.write(client, b"lost")
    let_pass(wires, 924)
    assert error(wires.kernel.read, client, 10) == "EAGAIN"
    let_pass(wires, 1)
    assert error(wires.kernel.read, client, 10) == "ETIMEDOUT"
    assert error(wires.kernel.write, client, b"x") == "EPIPE"


def test_a_full_window_stops_the_sender_and_opens_again(two):
    wires, first, second = two
    client, server = connected(wires, first, second)
    wrote = read = 0
    while taken := _written(wires, client):
        wrote += taken
    while data := _read(wires, server):
        read += len(data)
    assert wrote == read == 131_072 + (1 << 19)


def _written(wires, fd):
    try:
        return wires.kernel.write(fd, b"w" * 10_000)
    except BlockingIOError:
        return 0


def _read(wires, fd):
    try:
        return wires.kernel.read(fd, 50_000)
    except BlockingIOError:
        return b""


def test_a_port_is_free_again_after_a_minute(two):
    wires, first, second = two
    client, server = connected(wires, first, second)
    wires.kernel.close(server)
    wires.kernel.close(client)
    wires.enter(second)
    for fd in list(wires.kernel.host.files.files):
        if error(wires.kernel.getsockname, fd) is None:
            wires.kernel.close(fd)
    assert error(wires.listening, 80) == "EADDRINUSE"
    let_pass(wires, 61)
    assert error(wires.listening, 80) is None


def test_the_hosts_side_is_told_when_a_socket_is_readable(two):
    wires, first, second = two
    wires.enter(second)
    listening = wires.listening(80)
    wires.kernel.watch(listening)
    assert wires.kernel.poll(0) == []
    wires.enter(first)
    client = wires.connecting("172.17.0.3", 80)
    assert [event.fd for event in wires.kernel.poll(0)] == [listening]
    server, _ = wires.kernel.accept4(listening)
    wires.kernel.watch(server)
    assert wires.kernel.poll(0) == []
    wires.kernel.write(client, b"x")
    assert [event.fd for event in wires.kernel.poll(0)] == [server]


def test_a_namespace_that_ends_breaks_off_its_connections(two):
    wires, first, second = two
    client, _ = connected(wires, first, second)
    kernel = wires.kernel
    kernel.kill(wires.hosts[1][0], 9)
    kernel.poll(0)
    kernel.close(second)
    assert "veth3" in [link.name for link in _links(wires)]  # the host's side still has sockets there
    for fd in list(kernel.host.files.files):
        if fd != client and error(kernel.getsockname, fd) is None:
            kernel.close(fd)
    assert "veth3" not in [link.name for link in _links(wires)]


def _links(wires):
    wires.leave()
    return wires.kernel.getlink()


def test_sockets_in_proc(two):
    wires, first, second = two
    client, _ = connected(wires, first, second)
    assert wires.kernel.readlink(f"/proc/self/fd/{client}").startswith("socket:[")
    assert error(wires.kernel.open, f"/proc/self/fd/{client}", O_RDONLY) == "ENXIO"


@pytest.mark.slow
def test_a_thousand_hosts_on_one_bridge(wires):
    wires.kernel.host.files.limit = 5000
    hosts = [wires.host() for _ in range(1000)]
    wires.enter(hosts[0])
    fd = wires.echo("172.17.3.233")
    packets = [wires.kernel.recvfrom(fd, 100)[0] for _ in range(1)]
    assert packets[0][20:21] == b"\0"
    wires.leave()
    assert len(wires.kernel.getlink()) == 1002
