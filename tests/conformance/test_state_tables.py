"""The state's tables after docker's commands: the same from both kernels, and true to what the kernel itself says."""

import pytest

from minidocker.compare import compare
from minidocker.state import Change, shared


def last(outcome):
    return outcome.trace.at(len(outcome.trace) - 1)


def agreed(state):
    """Return a state less what is local."""
    return {table: kept.new for table, rows in state.items() if (kept := shared(Change((table,), None, rows)))}


def while_running(outcome):
    """Return the state when the program had just begun."""
    start = next(step.index for step in outcome.trace.steps if step.call == "execve")
    return outcome.trace.at(start)


def test_a_container_has_namespaces_of_its_own_and_two_numbers(host):
    state = while_running(host.docker("run --name web lab true"))
    task = next(row for line, row in state["tasks"].items() if line != "0")
    spaces = task["namespaces"]
    for kind in ("mnt", "pid", "uts", "ipc", "net"):
        assert spaces[kind] != f"{kind}:1"
    assert state["namespaces"][spaces["pid"]]["parent"] == "pid:1"
    assert len(task["pids"]) == 2
    assert task["pids"][1] == 1
    assert state["namespaces"][spaces["uts"]]["hostname"] == host.engine.find("web").id[:12]
    assert len(task["caps"]) == 14


def test_its_network_is_a_cable_to_the_bridge(host):
    state = while_running(host.docker("run --name web lab true"))
    space = next(row["namespaces"]["net"] for line, row in state["tasks"].items() if line != "0")
    peer, port = state["links"][space]["eth0"]["peer"]
    assert peer == "net:1"
    assert state["links"]["net:1"][port]["master"] == "docker0"
    assert state["links"][space]["eth0"]["addresses"][0].startswith("172.17.0.")
    assert state["routes"][space]["default"] == {"link": "eth0", "gateway": "172.17.0.1"}


def test_its_limits_are_in_its_control_groups_with_what_is_used(host):
    outcome = host.docker("run --name web -m 64m --pids-limit 30 lab sh -c 'true; true'")
    state = while_running(outcome)
    groups = next(row["cgroups"] for line, row in state["tasks"].items() if line != "0")
    files = {}
    for group in groups.values():
        files |= state["cgroups"][group]["files"]
    assert files.get("memory.max", files.get("memory.limit_in_bytes")) == "67108864"
    assert files["pids.max"] == "30"
    used = {
        name
        for step in outcome.trace.steps
        for change in step.changes
        if "usage" in change.path
        for name in _names(change)
    }
    assert "pids.current" in used


def _names(change):
    return change.new if len(change.path) == 3 else [change.path[3]]


def test_when_it_is_gone_so_is_all_of_it(host):
    state = last(host.docker("run --rm -m 64m lab true"))
    assert set(state["tasks"]) == {"0"}
    assert {space.partition(":")[2] for space in state["namespaces"]} == {"1"}
    assert not any("docker/" in group for group in state["cgroups"])
    assert set(state["links"]) == {"net:1"}
    assert not any("eth0" in links for links in state["links"].values())


COMMANDS = (
    "run --name one lab sh -c 'hostname; id'",
    "run --name two -m 64m --cpus 0.5 --pids-limit 20 lab sh -c 'true | cat'",
    "run --name three --net none --hostname three lab hostname",
    "run --name four --pid host --ipc host lab hostname",
    "run --name five --privileged lab sh -c 'mount -t tmpfs none /mnt; umount /mnt'",
    "run --name six -u 1000:1000 lab id",
    "run -d --name seven -m 64m lab sleep 1000",
    "exec seven sh -c 'hostname; true'",
    "run --name eight --net container:seven lab ip addr",
    "run --name nine lab ping -c 1 172.17.0.2",
    "update -m 96m seven",
    "stats --no-stream seven",
    "inspect seven",
    "pause seven",
    "unpause seven",
    "rm -f seven",
)


@pytest.mark.slow
@pytest.mark.needs("root")
def test_both_kernels_tell_the_same_of_each_command(labs_pair):
    sim, real = labs_pair
    for command in COMMANDS:
        one, other = sim.docker(command), real.docker(command)
        difference = compare(one.trace, other.trace)
        assert difference is None, f"{command}: {difference}"
        ours, theirs = agreed(last(one)), agreed(last(other))
        assert ours == theirs, command
        if one.exit_code == 125:
            print("refused:", command, one.stderr.strip().splitlines()[:1])
