"""Links of this machine's kernel: the port's words, Linux's errors, nothing of the host's seen or touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rights import ROOT

from minidocker.linux import CLONE_NEWNET, O_CLOEXEC, O_RDONLY, errno_name
from minidocker.netlink import Address, Route
from minidocker.real import RealKernel
from minidocker.system import System
from tests.real.leftovers import eventually

pytestmark = pytest.mark.real


@pytest.fixture
def links(allowed):
    """A kernel with a bridge and nothing else."""
    kernel = RealKernel()
    kernel.newlink("lab0", "bridge", address="02:42:ac:11:00:01")
    kernel.newaddr("lab0", "172.17.0.1/16", broadcast="172.17.255.255")
    kernel.setlink("lab0", up=True)
    yield kernel
    kernel.close_kernel()


async def sleeps(k: System) -> int:
    await k.sleep(60)
    return 0


async def tells_its_links(k: System) -> int:
    await k.setlink("lo", up=True)
    for link in await k.getlink():
        await k.write(1, f"{link.name} {link.kind} {','.join(link.flags)}\n".encode())
    return 0


def namespace_of(kernel: RealKernel, main) -> tuple[int, int]:
    """Start a task in a network namespace of its own; give its pid and a descriptor of the namespace."""
    pid = kernel.clone(main, flags=CLONE_NEWNET)
    return pid, kernel.open(f"/proc/{pid}/ns/net", O_RDONLY | O_CLOEXEC)


def test_the_helper_sees_a_loopback_and_nothing_of_the_hosts(links):
    assert [link.name for link in links.getlink()] == ["lo", "lab0"]
    assert links.getaddr()[0] == Address(link="lo", address="127.0.0.1/8", scope="host")
    assert not set(os.listdir("/sys/class/net")) & {"lab0"}


def test_a_pair_joins_two_namespaces(links):
    _, theirs = namespace_of(links, sleeps)
    own = links.open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
    links.newlink("veth1", "veth", peer="eth0", netns=theirs)
    links.setlink("veth1", master="lab0", up=True)
    links.setns(theirs, CLONE_NEWNET)
    links.newaddr("eth0", "172.17.0.2/16", broadcast="172.17.255.255")
    links.setlink("eth0", up=True, address="02:42:ac:11:00:02")
    links.newroute("default", gateway="172.17.0.1")
    inside, routes = links.getlink(), links.getroute()
    links.setns(own, CLONE_NEWNET)
    outside = next(link for link in links.getlink() if link.name == "veth1")
    assert [link.name for link in inside] == ["lo", "eth0"]
    assert inside[1].address == "02:42:ac:11:00:02"
    assert inside[1].flags == ("BROADCAST", "MULTICAST", "UP", "LOWER_UP")
    assert (outside.master, outside.kind, outside.peer) == ("lab0", "veth", inside[1].index)
    assert routes == [
        Route(destination="default", link="eth0", gateway="172.17.0.1"),
        Route(destination="172.17.0.0/16", link="eth0", source="172.17.0.2", scope="link", protocol="kernel"),
    ]


def test_the_end_of_a_namespace_takes_the_pair_along(links):
    pid, theirs = namespace_of(links, sleeps)
    links.newlink("veth1", "veth", peer="eth0", netns=theirs)
    links.close(theirs)
    links.kill(pid, 9)
    assert eventually(lambda: all(link.name != "veth1" for link in links.getlink()))


def test_a_task_in_a_container_has_the_calls_too(links):
    reading, writing = links.pipe2(O_CLOEXEC)
    links.clone(tells_its_links, flags=CLONE_NEWNET, fds={1: writing})
    links.close(writing)
    links.watch(reading)
    while links.poll(None)[0].fd != reading:
        pass
    assert links.read(reading, 4096) == b"lo loopback LOOPBACK,UP,LOWER_UP\n"


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "expected"),
    [
        ("newlink", ("lab0", "bridge"), {}, "EEXIST"),
        ("newlink", ("x", "nonsense"), {}, "EOPNOTSUPP"),
        ("setlink", ("x",), {"up": True}, "ENODEV"),
        ("setlink", ("lo",), {"netns": 77}, "EBADF"),
        ("dellink", ("lo",), {}, "EOPNOTSUPP"),
        ("newaddr", ("lab0", "172.17.0.1/16"), {}, "EEXIST"),
        ("newaddr", ("lab0", "172.17.0/16"), {}, "EINVAL"),
        ("newaddr", ("lab0", "172.17.0.1/33"), {}, "EINVAL"),
        ("deladdr", ("lab0", "10.0.0.1/8"), {}, "EADDRNOTAVAIL"),
        ("newroute", ("default",), {"gateway": "9.9.9.9"}, "ENETUNREACH"),
        ("newroute", ("172.17.0.0/16",), {"link": "x"}, "ENODEV"),
        ("delroute", ("default",), {"gateway": "9.9.9.9"}, "ESRCH"),
    ],
)
def test_errors_are_the_kernels(links, name, args, kwargs, expected):
    with pytest.raises(OSError) as caught:
        getattr(links, name)(*args, **kwargs)
    assert errno_name(caught.value.errno) == expected


def test_pyroute2_brings_no_thread_and_not_its_front(allowed):
    script = (
        "import sys, threading; from minidocker.real import links;"
        "print(threading.active_count(), sorted({'asyncio', 'ssl', 'multiprocessing'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "1 []\n"


def test_a_helper_that_has_loaded_it_has_one_thread(links):
    assert "Threads:\t1\n" in Path(f"/proc/{links.pid}/status").read_text()


def test_without_pyroute2_the_calls_say_so(allowed, monkeypatch):
    bare = [entry for entry in sys.path if "site-packages" not in entry]
    monkeypatch.setattr(sys, "path", bare)
    kernel = RealKernel()
    with pytest.raises(OSError, match="Protocol not supported") as caught:
        kernel.newlink("lab0", "bridge")
    assert "pip install 'minidocker[real]'" in caught.value.__notes__[0]
    kernel.close_kernel()
