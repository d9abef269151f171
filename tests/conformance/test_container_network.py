"""How containers are plugged in and talk to each other, on both kernels; the traces of it call by call."""

import json
import re
from dataclasses import replace

import pytest

from minidocker.cgroup_jobs import read_all
from minidocker.compare import compare
from minidocker.linux import CLONE_NEWNET, O_CLOEXEC, O_RDONLY
from tests.conformance.docker_host import namespace, own_namespace, said
from tests.real.leftovers import eventually

HOSTS = (
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
)
ADDRESS = re.compile(r"inet (\S+) .*scope global eth0")
FOREVER = "       valid_lft forever preferred_lft forever"
TIMES = re.compile(r"(time=|max = )[\d./]+ ms")


def address(host, container):
    """Return a running container's address, as it sees it itself."""
    return ADDRESS.search(said(host, f"exec {container} ip -4 addr show eth0"))[1].partition("/")[0]


def links(host):
    return {link.name: link for link in host.kernel.getlink()}


# what a container gets


def test_each_gets_the_next_address_and_the_lowest_that_is_free(host):
    for name in ("one", "two", "three"):
        said(host, f"run -d --name {name} lab sleep 1000")
    assert [address(host, name) for name in ("one", "two", "three")] == ["172.17.0.2", "172.17.0.3", "172.17.0.4"]
    said(host, "rm -f two")
    assert said(host, "run --rm lab hostname -i") == "172.17.0.3\n"
    said(host, "kill three")
    assert said(host, "run --rm lab hostname -i") == "172.17.0.3\n"
    said(host, "start three")
    assert address(host, "three") == "172.17.0.3"


def test_what_it_sees_of_its_network(host):
    said(host, "run -d --name web lab sleep 1000")
    show = said(host, "exec web ip -o -4 addr").splitlines()
    assert [re.sub(r"^\d+", "N", line) for line in show] == [
        "N: lo    inet 127.0.0.1/8 scope host lo\\" + FOREVER,
        f"N: eth0    inet 172.17.0.2/16 brd 172.17.255.255 scope global eth0\\{FOREVER}",
    ]
    assert "link/ether 02:42:ac:11:00:02 brd ff:ff:ff:ff:ff:ff" in said(host, "exec web ip link show eth0")
    assert said(host, "exec web ip route") == (
        "default via 172.17.0.1 dev eth0 \n172.17.0.0/16 dev eth0 scope link  src 172.17.0.2 \n"
    )


def test_its_cable_ends_at_the_bridge(host):
    said(host, "run -d --name web lab sleep 1000")
    veth = links(host)[f"veth{host.engine.find('web').id[:7]}"]
    assert (veth.master, veth.kind) == ("docker0", "veth")
    assert {"UP", "LOWER_UP"} <= set(veth.flags)
    [inside] = [line for line in said(host, "exec web ip -o link").splitlines() if "eth0" in line]
    assert inside.startswith(f"{veth.peer}: eth0@if{veth.index}: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1500")


def test_its_end_takes_the_cable_away(host):
    said(host, "run -d --name web lab sleep 1000")
    name = f"veth{host.engine.find('web').id[:7]}"
    said(host, "rm -f web")
    assert eventually(lambda: name not in links(host))


def test_the_files_that_tell_of_it(host):
    outcome = said(host, "run --rm -h web --domainname lab.example lab cat /etc/hosts /etc/hostname")
    assert outcome == f"{HOSTS}172.17.0.2\tweb.lab.example web\nweb\n"
    assert said(host, "run --rm lab cat /etc/resolv.conf").startswith("#")
    assert said(host, "run --rm --network none -h web lab cat /etc/hosts") == HOSTS
    assert "/etc/hosts" in said(host, "run --rm lab mount")


def test_the_files_are_no_part_of_the_container(host):
    said(host, ["run", "--name", "web", "lab", "sh", "-c", "echo 10.0.0.1 db >> /etc/hosts; tail -n 1 /etc/hosts"])
    assert said(host, "diff web") == ""


def test_a_directory_with_mounts_in_it_cannot_be_moved_away(host):
    outcome = host.docker("run --rm lab mv /etc /old")
    assert outcome.exit_code == 1
    assert "Resource busy" in outcome.stderr or "Device or resource busy" in outcome.stderr


# the other networks


def test_none_has_a_loopback_alone(host):
    assert said(host, "run --rm --network none lab ip -o addr") == (
        "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n"
    )
    assert said(host, "run --rm --network none lab ip route") == ""
    assert host.docker("run --rm --network none lab ping -c 1 172.17.0.1").stderr == (
        "ping: sendto: Network is unreachable\n"
    )
    assert "1 packets received" in said(host, "run --rm --network none lab ping -q -c 1 127.0.0.1")


def test_host_is_the_labs_own(host):
    said(host, "run --rm lab true")  # the first on the bridge makes it
    said(host, "run -d --name web --net host lab sleep 1000")
    assert namespace(host, "web", "net") == own_namespace(host, "net")
    assert said(host, "exec web hostname") == f"{host.kernel.gethostname()}\n"
    assert "172.17.0.1/16" in said(host, "exec web ip -4 addr show docker0")
    assert said(host, "run --rm --network host -h other lab hostname") == "other\n"


def test_another_containers(host):
    said(host, "run -d --name web -h web.example lab sleep 1000")
    said(host, "run -d --name side --network container:web lab sleep 1000")
    assert namespace(host, "side", "net") == namespace(host, "web", "net")
    assert said(host, "exec side hostname -i") == f"{address(host, 'web')}\n"
    assert said(host, "exec side hostname") == "web.example\n"
    assert said(host, "run --rm lab hostname -i") == "172.17.0.3\n"  # side has taken none
    said(host, "rm -f web")
    assert "172.17.0.2" in said(host, "exec side ip addr")  # a namespace lives as long as anybody is in it


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run --network nosuch lab true", "network nosuch not found"),
        ("run --network container:nosuch lab true", "No such container: nosuch"),
        ("run -h x --network container:web lab true", "conflicting options: hostname and the network mode"),
    ],
)
def test_what_cannot_be(host, line, message):
    said(host, "run -d --name web lab sleep 1000")
    outcome = host.docker(line)
    assert outcome.exit_code == 125
    assert outcome.stderr.startswith(f"docker: Error response from daemon: {message}\n")


FLAGS = ["-p 80:80", "-P", "--link web", "--dns 1.1.1.1", "--network-alias a", "--ip 172.17.0.9"]


@pytest.mark.parametrize("flag", FLAGS)
def test_what_comes_later_is_refused_by_name(host, flag):
    outcome = host.docker(f"run {flag} lab true")
    assert outcome.exit_code == 125
    assert "does not have --" in outcome.stderr


def test_a_container_whose_network_is_gone_does_not_start(host):
    said(host, "run -d --name web lab true")
    host.engine.wait(host.engine.find("web"))
    outcome = host.docker("run --network container:web lab true")
    assert (outcome.exit_code, "is not running" in outcome.stderr) == (125, True)


# what goes over the cables


def test_ping(host):
    said(host, "run -d --name web lab sleep 1000")
    text = said(host, "run --rm lab ping -c 2 -i 0.01 172.17.0.2")
    assert TIMES.sub("", text) == (
        "PING 172.17.0.2 (172.17.0.2): 56 data bytes\n"
        "64 bytes from 172.17.0.2: seq=0 ttl=64 \n"
        "64 bytes from 172.17.0.2: seq=1 ttl=64 \n"
        "\n--- 172.17.0.2 ping statistics ---\n"
        "2 packets transmitted, 2 packets received, 0% packet loss\n"
        "round-trip min/avg/\n"
    )


def test_ping_of_oneself_and_of_the_gateway(host):
    said(host, "run -d --name web -h web lab sleep 1000")
    for name in ("web", "localhost", "127.0.0.1", "172.17.0.1", "172.17.0.2"):
        assert "1 packets received" in said(host, f"exec web ping -q -c 1 {name}")


def test_ping_tells_who_answered_the_first_question(host):
    said(host, "run -d --name web lab sleep 1000")
    said(host, "run -d --name db lab sleep 1000")
    said(host, "exec web ping -c 1 172.17.0.3")
    assert said(host, "exec web ip neigh") == "172.17.0.3 dev eth0 lladdr 02:42:ac:11:00:03 REACHABLE\n"
    assert "172.17.0.2 dev eth0 lladdr 02:42:ac:11:00:02" in said(host, "exec db ip neigh")


def test_nobody_there(host):
    outcome = host.docker("run --rm lab ping -q -c 1 -W 1 172.17.0.99")
    assert outcome.exit_code == 1
    assert "1 packets transmitted, 0 packets received, 100% packet loss" in outcome.stdout


def test_no_way_out(host):
    outcome = host.docker("run --rm lab ping -q -c 1 -W 1 192.0.2.1")
    assert (outcome.exit_code, outcome.stderr) == (1, "ping: warning: got ICMP 3 (Destination Unreachable)\n")
    outcome = host.docker("run --rm lab nc 192.0.2.1 80")
    assert (outcome.exit_code, outcome.stderr) == (
        1,
        "nc: can't connect to remote host (192.0.2.1): Network is unreachable\n",
    )


def test_a_connection_between_containers(host):
    server = ["run", "-d", "--name", "web", "lab", "sh", "-c", "echo from the server | nc -l -p 80"]
    said(host, server)
    assert said(host, ["run", "--rm", "lab", "sh", "-c", "echo from the client | nc 172.17.0.2 80"]) == (
        "from the server\n"
    )
    assert host.engine.wait(host.engine.find("web")) == 0
    assert said(host, "logs web") == "from the client\n"


def test_a_server_with_a_program(host):
    said(host, "run -d --name web lab nc -ll -p 8080 -e echo served")
    for _ in range(2):
        assert said(host, "run --rm lab nc 172.17.0.2 8080") == "served\n"


def test_nobody_listens(host):
    said(host, "run -d --name web lab sleep 1000")
    outcome = host.docker("run --rm lab nc 172.17.0.2 80")
    assert (outcome.exit_code, outcome.stderr) == (
        1,
        "nc: can't connect to remote host (172.17.0.2): Connection refused\n",
    )


def test_who_shares_a_network_shares_its_ports(host):
    said(host, "run -d --name web lab nc -ll -p 80 -e echo served")
    assert said(host, "run --rm --network container:web lab nc 127.0.0.1 80") == "served\n"
    outcome = host.docker("run --rm --network container:web lab nc -l -p 80")
    assert (outcome.exit_code, outcome.stderr) == (1, "nc: bind: Address already in use\n")
    assert said(host, "run --rm --network host lab nc 172.17.0.2 80") == "served\n"


def test_the_lab_itself_can_talk_to_a_container(host):
    said(host, "run -d --name web lab nc -ll -p 80 -e echo served")
    text = said(host, ["run", "--rm", "--net", "host", "lab", "sh", "-c", "nc 172.17.0.2 80"])
    assert text == "served\n"


def test_a_network_is_seen_from_outside_too(host):
    said(host, "run -d --name web lab sleep 1000")
    kernel = host.kernel
    own, theirs = (
        kernel.open(f"/proc/{pid}/ns/net", O_RDONLY | O_CLOEXEC) for pid in ("self", host.engine.find("web").pid)
    )
    kernel.setns(theirs, CLONE_NEWNET)
    inside = [link.name for link in kernel.getlink()]
    kernel.setns(own, CLONE_NEWNET)
    kernel.close(own)
    kernel.close(theirs)
    assert inside == ["lo", "eth0"]


# what the engine tells


def test_network_settings(host):
    said(host, "run -d --name web lab sleep 1000")
    said(host, "run -d --name side --network container:web lab sleep 1000")
    settings = {name: host.engine.network.settings(host.engine.find(name)) for name in ("web", "side")}
    assert settings["web"]["IPAddress"] == settings["web"]["Networks"]["bridge"]["IPAddress"] == "172.17.0.2"
    assert settings["web"]["MacAddress"] == "02:42:ac:11:00:02"
    assert (settings["web"]["Gateway"], settings["web"]["IPPrefixLen"]) == ("172.17.0.1", 16)
    assert (settings["side"]["IPAddress"], settings["side"]["Networks"]) == ("", {})


def test_the_networks_are_listed(host):
    lines = said(host, "network ls").splitlines()
    assert lines[0].split() == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]
    assert [line.split()[1:] for line in lines[1:]] == [
        ["bridge", "bridge", "local"],
        ["host", "host", "local"],
        ["none", "null", "local"],
    ]
    assert said(host, "network ls -q") == "".join(line.split()[0] + "\n" for line in lines[1:])


def test_the_bridge_is_described(host):
    said(host, "run -d --name web lab sleep 1000")
    [told] = json.loads(said(host, "network inspect bridge"))
    assert told["IPAM"]["Config"] == [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]
    [container] = told["Containers"].values()
    assert (container["Name"], container["IPv4Address"]) == ("web", "172.17.0.2/16")
    outcome = host.docker("network inspect nosuch")
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (
        1,
        "[]\n",
        "Error response from daemon: network nosuch not found\n",
    )


@pytest.mark.parametrize("verb", ["create web", "connect bridge web", "rm bridge", "prune"])
def test_networks_of_ones_own_come_later(host, verb):
    outcome = host.docker(f"network {verb}")
    assert outcome.exit_code == 1
    assert "does not have" in outcome.stderr


# call by call

LINES = [
    "run --rm lab ip addr",
    "run --rm lab ip route",
    "run --rm lab cat /etc/hosts",
    "run --rm --network none lab ip link",
    "run --rm -h lab --network host lab ip -o -4 addr show docker0",  # without flags: a signal's end is noticed late
    "run --rm lab ping -c 2 172.17.0.1",
    "run --rm lab ping -c 1 127.0.0.1",
    "run --rm lab nc 172.17.0.1 80",
    "run --rm lab ping -c 1 -W 1 172.17.0.99",
    # who asks says nothing for so long that the other has said all by then: else whose turn it is decides
    ["run", "--rm", "lab", "sh", "-c", "echo hello | nc -l -p 80 & sleep 0.5; sleep 0.5 | nc 127.0.0.1 80"],
    "run --rm lab ifconfig lo",
]


@pytest.mark.real
@pytest.mark.parametrize("line", LINES, ids=str)
def test_agree_call_by_call(labs_pair, line):
    model, kernel = (host.docker(line).trace for host in labs_pair)
    difference = compare(model, kernel)
    assert difference is None, str(difference)


LISTENS = """sh -c 'until grep -q ":0050 " /proc/net/tcp; do sleep 0.05; done'"""


def test_who_has_ended_is_unplugged_at_once(host):
    said(host, "run -d --name one lab sleep 1000")
    said(host, "run -d --name two lab sleep 1000")
    assert ["UP" in link.flags for link in cables(host)] == [True, True]
    said(host, "rm -f one")
    assert sum("UP" in link.flags for link in cables(host)) == 1
    said(host, "kill two")
    assert not any("UP" in link.flags for link in cables(host))


def test_who_has_thrown_its_cable_away_ends_as_any_other(host):
    said(host, "run --rm --cap-add NET_ADMIN lab ip link del eth0")
    assert said(host, "ps -aq") == ""
    assert "/merged " not in mounts(host)
    assert said(host, "run --rm lab hostname -i") == "172.17.0.2\n"


def test_who_shares_the_network_of_one_that_ends_is_unplugged_too(host):
    said(host, "run -d --name owner lab sleep 1000")
    said(host, "run -d --name guest --network container:owner lab sleep 1000")
    assert "1 packets received" in said(host, "exec guest ping -q -c 1 172.17.0.1")
    said(host, "rm -f owner")
    assert not any("UP" in link.flags for link in cables(host))
    assert host.docker("exec guest ping -q -c 1 -W 1 172.17.0.1").exit_code == 1
    assert "inet 127.0.0.1/8" in said(host, "exec guest ip addr show lo")


def mounts(host):
    return host.kernel.job(read_all, ["/proc/self/mountinfo"])[0]


def cables(host):
    """The near ends of the cables that there are: Linux takes its time to remove those of the dead."""
    return [link for link in host.kernel.getlink() if link.kind == "veth"]


def test_nobody_answers_for_a_dead_ones_address(host):
    said(host, "run -d --name asks lab sleep 1000")
    for number in range(6):
        said(host, f"run -d --name web lab nc -ll -p 80 -e echo served {number}")
        said(host, f"exec web {LISTENS}")
        assert said(host, "exec asks nc 172.17.0.3 80") == f"served {number}\n"
        said(host, "rm -f web")


def own(trace):
    """Of a command's trace what it has begun itself: into which command a server's calls fall is a matter of luck."""
    older = tuple(f"{task}." for task in trace.initial["tasks"] if task != "0")
    return replace(trace, steps=tuple(step for step in trace.steps if not f"{step.task}.".startswith(older)))


@pytest.mark.real
def test_two_containers_agree_call_by_call(labs_pair):
    for host in labs_pair:
        said(host, "run -d --name web lab nc -ll -p 80 -e echo served")
        said(host, f"exec web {LISTENS}")
    try:
        for line in ("run --rm lab ping -c 1 172.17.0.2", "run --rm lab nc 172.17.0.2 80", "exec web ip addr"):
            model, kernel = (own(host.docker(line).trace) for host in labs_pair)
            difference = compare(model, kernel)
            assert difference is None, f"{difference}\n{model.stderr}{kernel.stderr}"
    finally:
        for host in labs_pair:
            said(host, "rm -f web")


# what a container may do to its network


def test_a_container_may_look_and_not_change(host):
    for change in ("link set eth0 down", "addr add 10.0.0.1/8 dev lo", "route del default", "link add b0 type bridge"):
        outcome = host.docker(f"run --rm lab ip {change}")
        assert (outcome.exit_code, outcome.stderr.split(": ", 2)[2]) == (2, "Operation not permitted\n"), change


def test_with_net_admin_it_may(host):
    script = "ip link set eth0 down; ip route; ip link set eth0 up; ip addr add 10.0.0.1/8 dev eth0; ip route"
    assert said(host, ["run", "--rm", "--cap-add", "NET_ADMIN", "lab", "sh", "-c", script]) == (
        "10.0.0.0/8 dev eth0 scope link  src 10.0.0.1 \n172.17.0.0/16 dev eth0 scope link  src 172.17.0.2 \n"
    )


def test_ping_needs_net_raw(host):
    outcome = host.docker("run --rm --cap-drop NET_RAW lab ping -c 1 127.0.0.1")
    assert (outcome.exit_code, outcome.stderr) == (1, "ping: permission denied (are you root?)\n")


def test_who_is_no_root_may_listen_anywhere(host):
    said(host, "run -d --name web -u nobody lab nc -ll -p 80 -e echo served")
    assert said(host, "run --rm lab nc 172.17.0.2 80") == "served\n"
    assert said(host, "exec web cat /proc/sys/net/ipv4/ip_unprivileged_port_start") == "0\n"
    assert said(host, "exec web cat /proc/sys/net/ipv4/ping_group_range") == "0\t2147483647\n"
    outcome = host.docker("run --rm --network host -u nobody lab nc -l -p 80")
    assert (outcome.exit_code, outcome.stderr) == (1, "nc: bind: Permission denied\n")


@pytest.mark.slow
def test_many_containers_at_once(host):
    for number in range(30):
        said(host, f"run -d --name c{number} lab sleep 1000")
    assert address(host, "c29") == "172.17.0.31"
    assert "1 packets received" in said(host, "exec c0 ping -q -c 1 172.17.0.31")
    assert len([link for link in host.kernel.getlink() if link.master == "docker0"]) >= 30
