"""Nothing is left of containers: after two hundred of them, and after kill -9 of a lab that is busy with them."""

import os
import random
import time

import pytest

from minidocker.client.docker import Docker
from minidocker.hosts import open_host
from tests.real import busy_engine, leftovers
from tests.real.conftest import need_kernel
from tests.real.labs import Labs

pytestmark = [pytest.mark.needs("root"), pytest.mark.slow]

COUNT = 200
TOGETHER = 8


@pytest.fixture(autouse=True)
def labs():
    """The labs of a test; at its end they are killed, the next one starts, and there is no more than there was."""
    need_kernel()
    before = leftovers.picture()
    started = Labs()
    yield started
    started.end()
    leftovers.nothing_more_than(before)


def inside(kernel) -> dict[str, list[str]]:
    """Return what a lab has: what of it is not there twice is a container's."""
    fd = kernel.open("/proc/self/mountinfo", os.O_RDONLY)
    mounts = b"".join(iter(lambda: kernel.read(fd, 1 << 16), b"")).decode().splitlines()
    kernel.close(fd)
    groups = [path for top in kernel.groups.directories.values() for path, _, _ in os.walk(top)]
    return {
        "mounts": mounts,
        "groups": sorted(groups),
        "links": sorted(link.name for link in kernel.getlink()),
        "descriptors": kernel.listdir("/proc/self/fd"),
        "processes": [name for name in kernel.listdir("/proc") if name.isdigit()],
        "layers": kernel.listdir("/var/lib/docker/overlay2"),
    }


def test_two_hundred_containers_eight_at_a_time():
    host = open_host("real")
    try:
        docker = Docker(host.engine)
        must(docker, "run", "--rm", "-m", "64m", "--pids-limit", "20", "lab", "true")  # what is made once is made
        assert cables_are_gone(host.kernel)
        before = inside(host.kernel)
        run_them(docker, random.Random(1))
        assert cables_are_gone(host.kernel)
        assert inside(host.kernel) == before
        assert not host.engine.containers
    finally:
        mine = leftovers.Lab(host.kernel.pid)
        host.close()
        mine.is_gone()


def cables_are_gone(kernel) -> bool:
    """The kernel clears up a network namespace, with the link that leads there, when it has time to."""
    return leftovers.eventually(lambda: not any(link.name.startswith("veth") for link in kernel.getlink()), 20)


def run_them(docker: Docker, choose: random.Random) -> None:
    """Have eight run at any time until two hundred have; some end by themselves, some are stopped, some killed."""
    for number in range(COUNT):
        running = must(docker, "ps", "-q").split()
        if len(running) == TOGETHER:
            end(docker, choose.choice(running), choose)
        limits, program = (
            choose.choice(busy_engine.LIMITS),
            choose.choice(["true", "exec sleep 100", "sleep 100 & wait"]),
        )
        must(docker, "run", "-d", *limits, "--name", f"number-{number}", "lab", "sh", "-c", program)
    for name in must(docker, "ps", "-aq").split():
        must(docker, "rm", "-f", name)


def end(docker: Docker, name: str, choose: random.Random) -> None:
    if choose.random() < 0.5:
        must(docker, "kill", name)
    must(docker, "rm", "-f", name)


def must(docker: Docker, *words: str) -> str:
    result = docker(words)
    assert result.exit_code == 0, result.stderr.decode()
    return result.stdout.decode()


@pytest.mark.parametrize("batch", range(10))
def test_fifty_kills_at_random_moments_while_containers_run(labs, batch):
    for seed in range(batch * 5, batch * 5 + 5):
        choose = random.Random(seed)
        busy = labs.start("-m", "tests.real.busy_engine", str(seed))
        helper = int(busy.stdout.readline())
        time.sleep(choose.random() * 0.6)
        mine = leftovers.Lab(helper)
        who = choose.choice(["lab", "lab", "helper"])
        print(f"seed {seed}: kill -9 of the {who}, {len(mine)} namespaces", end="")
        took_s = labs.kill(busy, busy.pid if who == "lab" else helper, mine)
        print(f", gone after {took_s * 1000:.1f} ms")
