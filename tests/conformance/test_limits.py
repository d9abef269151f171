"""Limits of containers on both kernels: who is held up, who is killed, what is measured, and what docker says to it.

The simulated kernel runs with each layout of control groups; the real one with what the machine has.
"""

from pathlib import Path

import pytest
import rights

from minidocker import control
from minidocker.cgroup_files import weight
from minidocker.compare import compare
from minidocker.hosts import open_host

MB = 1 << 20
#: What a real machine's scheduler may be off by, in shares of a processor; and the simulated one.
NEAR = {"real": 0.05, "sim": 0.01}


@pytest.fixture(scope="module", params=["sim-v2", "sim-v1", "sim-hybrid", "real"])
def shared_host(request):
    kernel, _, layout = request.param.partition("-")
    if kernel == "real":
        rights.require("root")
    host = open_host(kernel, like={"cgroups": layout} if layout else None)
    if kernel == "real":
        prefer(host.kernel.groups.directories)
    yield host
    host.close()


def prefer(directories):
    """Put the lab before whatever else runs on this machine: what is measured is the lab's own sharing."""
    for directory in map(Path, directories.values()):
        for file, most in (("cpu.shares", "262144"), ("cpu.weight", "10000")):
            if (directory / file).exists():
                (directory / file).write_text(most)


@pytest.fixture
def host(shared_host):
    yield shared_host
    for container in list(shared_host.engine.containers.values()):
        shared_host.engine.remove(container, force=True)
    assert shared_host.kernel.listener_error is None
    layout = shared_host.engine.cgroups.layout
    left = [name for root in layout.roots for name in shared_host.kernel.listdir(f"{root}/docker") if len(name) == 64]
    assert not left, "groups of containers that are gone"


def is_v1(host):
    return bool(host.engine.cgroups.layout.v1)


def kind(host):
    return host.description["kind"]


def usage(host, name):
    return host.engine.cgroups.usage(host.engine.find(name).id)


def used_cpus(host, seconds, *names):
    """Let time pass, and return how much of a processor each container had meanwhile."""
    before = [usage(host, name).cpu_ns for name in names]
    began_ns = host.engine.now_ns()
    control.let_pass(host.engine, seconds)
    elapsed_ns = host.engine.now_ns() - began_ns
    return [(usage(host, name).cpu_ns - then) / elapsed_ns for name, then in zip(names, before, strict=True)]


def started(host, line):
    outcome = host.docker(line)
    assert outcome.exit_code == 0, outcome.stderr


# memory


def test_memory_ends_at_the_limit(host):
    peak = "memory/memory.max_usage_in_bytes" if is_v1(host) else "memory.peak"
    script = f"stress --vm 1 --vm-bytes 128m --vm-hang 0; echo $?; cat /sys/fs/cgroup/{peak}"
    outcome = host.docker(["run", "--name", "big", "-m", "64m", "--memory-swap", "64m", "lab", "sh", "-c", script])
    *_, code, peak_bytes = outcome.stdout.split()
    assert "got signal 9" in outcome.stderr
    assert (code, outcome.exit_code) == ("1", 0)
    assert abs(int(peak_bytes) - 64 * MB) <= MB
    assert host.engine.find("big").oom_killed


def test_what_fits_is_left_alone(host):
    outcome = host.docker("run --name fits -m 64m lab stress -q --vm 1 --vm-bytes 16m --vm-hang 1 --timeout 1")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert not host.engine.find("fits").oom_killed


def test_memory_is_counted_while_it_is_held(host):
    started(host, "run -d --name holds -m 64m lab stress -q --vm 1 --vm-bytes 32m --vm-hang 0")
    for _ in range(100):
        control.let_pass(host.engine, 0.05)
        if usage(host, "holds").memory >= 32 * MB:
            break
    held = usage(host, "holds")
    assert 32 * MB <= held.memory < 48 * MB
    assert (held.memory_limit, held.oom_kills) == (64 * MB, 0)
    assert held.pids == 2
    name, share = host.docker("stats --no-stream holds").stdout.splitlines()[1].split()[1:3]
    assert name == "holds"
    assert float(share.rstrip("%")) < 50


def test_a_lower_limit_for_a_running_container(host):
    started(host, "run -d --name runs -m 64m lab sleep 1000")
    file = "memory/memory.limit_in_bytes" if is_v1(host) else "memory.max"
    assert host.docker("update -m 32m runs").stdout == "runs\n"
    assert host.docker(f"exec runs cat /sys/fs/cgroup/{file}").stdout == f"{32 * MB}\n"
    assert usage(host, "runs").memory_limit == 32 * MB


# tasks


def test_no_more_tasks_than_allowed(host):
    outcome = host.docker(
        ["run", "--rm", "--pids-limit", "3", "lab", "sh", "-c", "sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait"]
    )
    assert outcome.stderr == "sh: can't fork: Resource temporarily unavailable\n"
    assert outcome.exit_code == 2


def test_the_number_of_tasks_can_be_changed(host):
    started(host, "run -d --name few --pids-limit 5 lab sleep 1000")
    assert (usage(host, "few").pids, usage(host, "few").pids_limit) == (1, 5)
    host.docker("update --pids-limit -1 few")
    assert usage(host, "few").pids_limit == 0


# processors


@pytest.mark.slow
def test_shares_of_a_processor_that_is_short(host):
    for name, shares in (("one", 256), ("three", 768)):
        started(host, f"run -d --name {name} --cpuset-cpus 0 --cpu-shares {shares} lab stress -q --cpu 1")
    control.let_pass(host.engine, 0.3)
    one, three = used_cpus(host, 2.0, "one", "three")
    expected = 0.25 if is_v1(host) else weight(256) / (weight(256) + weight(768))  # v2's are not quite 1:3
    print(f"{host.description['kind']}: {one:.3f} and {three:.3f} of a processor")
    assert abs(one / (one + three) - expected) <= NEAR[kind(host)]


@pytest.mark.slow
@pytest.mark.parametrize("shared_host", ["sim-v2", "sim-v1", "sim-hybrid"], indirect=True)  # it has two idle processors
def test_nobody_is_held_back_where_there_is_enough(host):
    started(host, "run -d --name one --cpuset-cpus 0 --cpu-shares 2 lab stress -q --cpu 1")
    started(host, "run -d --name other --cpuset-cpus 1 --cpu-shares 1024 lab stress -q --cpu 1")
    assert all(share > 0.97 for share in used_cpus(host, 1.0, "one", "other"))


@pytest.mark.slow
def test_half_a_processor(host):
    started(host, "run -d --name half --cpus 0.5 lab stress -q --cpu 1")
    control.let_pass(host.engine, 0.3)
    [share] = used_cpus(host, 2.0, "half")
    print(f"{host.description['kind']}: {share:.3f} of a processor")
    assert abs(share - 0.5) <= 0.03
    assert usage(host, "half").throttled_periods > 0
    assert usage(host, "half").throttled_ns > 0
    assert host.docker("update --cpus 0.25 half").exit_code == 0
    control.let_pass(host.engine, 0.3)
    [share] = used_cpus(host, 2.0, "half")
    assert abs(share - 0.25) <= 0.03


@pytest.mark.slow
def test_stats_tells_the_share(host):
    started(host, "run -d --name half --cpus 0.5 lab stress -q --cpu 1")
    header, row = host.docker("stats --no-stream half").stdout.splitlines()
    assert header.split("  ")[0] == "CONTAINER ID"
    assert abs(float(row.split()[2].rstrip("%")) - 50) <= 5
    assert row.split()[-1] == "2"


# the freezer


@pytest.mark.slow
def test_paused_it_uses_nothing(host):
    started(host, "run -d --name busy lab stress -q --cpu 1")
    control.let_pass(host.engine, 0.2)
    assert host.docker("pause busy").stdout == "busy\n"
    before = usage(host, "busy")
    assert used_cpus(host, 0.5, "busy") == [0]
    after = usage(host, "busy")
    assert (after.cpu_ns, after.per_cpu_ns, after.pids) == (before.cpu_ns, before.per_cpu_ns, before.pids)
    assert "(Paused)" in host.docker("ps").stdout
    assert host.engine.find("busy").status == "paused"
    assert host.docker("unpause busy").stdout == "busy\n"
    assert used_cpus(host, 0.5, "busy")[0] > 0.05
    assert "(Paused)" not in host.docker("ps").stdout


def test_a_paused_container_can_be_killed(host):
    started(host, "run -d --name asleep lab sleep 1000")
    host.docker("pause asleep")
    assert host.docker("kill asleep").stdout == "asleep\n"
    assert host.docker("wait asleep").stdout == "137\n"


# words: real Docker's (28.2 with Engine 26.1), for each command what is printed on standard error, and the exit code

REFUSED = [
    ("run --rm -m 1m lab true", 125, "docker: Error response from daemon: Minimum memory limit allowed is 6MB\n"),
    ("run --rm -m 1m nosuch true", 125, "docker: Error response from daemon: Minimum memory limit allowed is 6MB\n"),
    ("run --rm -m abc lab true", 125, 'invalid argument "abc" for "-m, --memory" flag: invalid size: \'abc\'\n'),
    (
        "run --rm --cpus 300 lab true",
        125,
        "docker: Error response from daemon: Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs ",
    ),
    (
        "run --rm --cpuset-cpus 700 lab true",
        125,
        "docker: Error response from daemon: Requested CPUs are not available - requested 700, available: {cpuset}\n",
    ),
    ("run --rm --cpu-shares -1 lab true", 125, "docker: Error response from daemon: shares: invalid argument\n"),
    ("update web", 1, "you must provide one or more flags when using this command\n"),
    ("update -m 32m nosuch", 1, "Error response from daemon: No such container: nosuch\n"),
    (
        "update -m 32m web",
        1,
        "Error response from daemon: Cannot update container {id}: Memory limit should be smaller than already set ",
    ),
    ("unpause web", 1, "Error response from daemon: Container {id} is not paused\n"),
    ("pause created", 1, "Error response from daemon: container {created} is not running\n"),
    ("pause nosuch", 1, "Error response from daemon: No such container: nosuch\n"),
    ("stats --no-stream nosuch", 1, "Error response from daemon: No such container: nosuch\n"),
]
PAUSED = [
    ("pause web", 1, "Error response from daemon: Container {id} is already paused\n"),
    ("exec web true", 1, "Error response from daemon: Container web is paused, unpause the container before exec\n"),
    ("start web", 1, "Error response from daemon: cannot start a paused container, try unpause instead\n"),
    (
        "rm web",
        1,
        'Error response from daemon: cannot remove container "/web": container is paused and must be unpaused first\n',
    ),
]


def test_what_docker_refuses(host):
    started(host, "run -d --name web lab sleep 1000")
    started(host, "create --name created lab true")
    for line, code, words in REFUSED:
        assert_refused(host, line, code, words)
    host.docker("pause web")
    for line, code, words in PAUSED:
        assert_refused(host, line, code, words)


def assert_refused(host, line, code, words):
    outcome, support = host.docker(line), host.engine.cgroups.support
    ids = {"id": host.engine.find("web").id, "created": host.engine.find("created").id}
    expected = words.format(cpus=support.cpus, cpuset=support.cpuset_cpus, **ids)
    assert outcome.stderr.startswith(expected), line
    assert outcome.exit_code == code, line


def test_a_limit_that_the_kernel_refuses(host):
    outcome = host.docker("run --rm --cpus 0.001 lab true")
    assert outcome.exit_code == 125
    file = "cpu.cfs_quota_us: invalid argument: unknown" if is_v1(host) else "cpu.max: invalid argument: unknown"
    assert "error setting cgroup config for procHooks process: failed to write" in outcome.stderr
    assert file in outcome.stderr
    started(host, "run -d --name web lab sleep 1000")
    outcome = host.docker("update --cpus 0.001 web")
    assert (
        f"Cannot update container {host.engine.find('web').id}: runc did not terminate successfully" in outcome.stderr
    )
    assert host.engine.find("web").host_config.resources.nano_cpus == 0


def test_a_container_sees_its_own_limits_and_cannot_lift_them(host):
    file = "pids/pids.max" if is_v1(host) else "pids.max"
    outcome = host.docker(
        f"run --rm --pids-limit 20 lab sh -c 'cat /sys/fs/cgroup/{file}; echo 99 > /sys/fs/cgroup/{file}'"
    )
    assert outcome.stdout == "20\n"
    assert "Read-only file system" in outcome.stderr


def test_stats_of_what_does_not_run(host):
    started(host, "create --name created lab true")
    row = host.docker("stats --no-stream created").stdout.splitlines()[1]
    assert row.split()[1:] == ["created", "0.00%", "0B", "/", "0B", "0.00%", "0B", "/", "0B", "0B", "/", "0B", "0"]


# where there are no control groups


def test_without_control_groups_nothing_is_limited_silently():
    host = open_host("sim", like={"cgroups": "none"})
    outcome = host.docker("run --rm -m 64m --pids-limit 5 lab echo ran")
    assert (outcome.stdout, outcome.exit_code) == ("ran\n", 0)
    cannot = "WARNING: Your kernel does not support {} or the cgroup is not mounted. {}"
    assert outcome.stderr.splitlines() == [
        cannot.format("memory limit capabilities", "Limitation discarded."),
        cannot.format("PIDs limit capabilities", "PIDs limit discarded."),
    ]
    refused = host.docker("run --rm --cpus 0.5 lab true")
    assert "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler" in refused.stderr
    host.docker("run -d --name web lab sleep 1000")
    assert "no cgroup freezer is mounted" in host.docker("pause web").stderr
    host.close()


# call by call

COMPARED = [
    "run -d --name web -m 64m --memory-reservation 32m --cpus 0.5 -c 512 --cpuset-cpus 0 --pids-limit 20 lab sleep 99",
    "exec web sh -c 'cat /sys/fs/cgroup/memory*/memory.max /sys/fs/cgroup/memory*/memory.limit_in_bytes 2> /dev/null'",
    "pause web",
    "update --cpu-shares 256 --pids-limit 30 web",
    "unpause web",
    "update -m 32m --memory-swap 48m web",
    "update --cpus 0.001 web",
    "run --rm --cpu-shares 1 lab true",
    "run --rm --cgroupns private lab true",
    "run --rm --pids-limit 2 lab sh -c 'sleep 1 & sleep 1 & wait'",
    "kill web",
    "rm web",
]


@pytest.mark.real
def test_the_traces_agree(labs_pair):
    sim, real = labs_pair
    for line in COMPARED:
        model, kernel = sim.docker(line), real.docker(line)
        assert (model.stdout, model.stderr, model.exit_code) == (kernel.stdout, kernel.stderr, kernel.exit_code), line
        difference = compare(model.trace, kernel.trace)
        assert difference is None, f"{line}: {difference}"
