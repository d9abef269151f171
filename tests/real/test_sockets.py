"""Sockets of this machine's kernel: the host's side never waits, a task does, and a handled signal ends that."""

import time

import pytest

from minidocker.linux import (
    AF_INET,
    CLONE_NEWNET,
    IPPROTO_ICMP,
    O_CLOEXEC,
    O_RDONLY,
    SIGUSR1,
    SO_RCVTIMEO,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_SOCKET,
)
from minidocker.system import System
from tests.real.leftovers import eventually

pytestmark = pytest.mark.real

HERE = ("127.0.0.1", 8080)


@pytest.fixture
def listening(kernel):
    fd = kernel.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC)
    kernel.setsockopt(fd, SOL_SOCKET, 2, 1)
    kernel.bind(fd, HERE)
    kernel.listen(fd, 5)
    yield fd
    kernel.close(fd)


def test_the_hosts_side_never_waits(kernel, listening):
    with pytest.raises(BlockingIOError):
        kernel.accept4(listening)
    client = kernel.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC)
    kernel.connect(client, HERE)
    server, peer = kernel.accept4(listening, SOCK_CLOEXEC)
    assert kernel.getsockname(client) == peer
    assert kernel.getpeername(client) == HERE
    for receive in (kernel.recvfrom, kernel.read):
        with pytest.raises(BlockingIOError):
            receive(server, 10)
    assert kernel.sendto(client, b"hello") == 5
    assert kernel.recvfrom(server, 10) == (b"hello", None)
    kernel.close(client)
    assert kernel.read(server, 10) == b""
    kernel.close(server)


def test_what_fails_fails_as_in_linux(kernel):
    fd = kernel.socket(AF_INET, SOCK_STREAM)
    try:
        with pytest.raises(ConnectionRefusedError):
            kernel.connect(fd, ("127.0.0.1", 81))
        with pytest.raises(OSError, match="Network is unreachable"):
            kernel.connect(fd, ("192.0.2.1", 81))
        with pytest.raises(OSError, match="Invalid argument"):
            kernel.connect(fd, ("localhost", 81))  # a name is no address
        with pytest.raises(OSError, match="Cannot assign"):
            kernel.bind(fd, ("192.0.2.1", 81))
        with pytest.raises(OSError, match="not connected"):
            kernel.getpeername(fd)
    finally:
        kernel.close(fd)
    with pytest.raises(OSError, match="non-socket"):
        kernel.bind(0, HERE)
    with pytest.raises(OSError, match="Address family not supported"):
        kernel.socket(16, SOCK_RAW)


def test_datagrams_keep_their_sender(kernel):
    a, b = (kernel.socket(AF_INET, SOCK_DGRAM) for _ in range(2))
    kernel.bind(a, ("127.0.0.1", 7000))
    kernel.bind(b, ("127.0.0.1", 7001))
    kernel.sendto(b, b"x", ("127.0.0.1", 7000))
    assert kernel.recvfrom(a, 10) == (b"x", ("127.0.0.1", 7001))
    kernel.close(a)
    kernel.close(b)


def test_a_raw_socket_hears_the_echo(kernel):
    fd = kernel.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    kernel.sendto(fd, bytes([8, 0, 0xF7, 0xFE, 0, 1, 0, 0]), ("127.0.0.1", 0))
    packet, sender = kernel.recvfrom(fd, 100)
    assert sender == ("127.0.0.1", 0)
    assert packet[9] == IPPROTO_ICMP
    kernel.close(fd)


async def receives(k: System, handle: bool, timeout_ms: int) -> int:
    """Wait for a datagram that nobody sends, and say what came of it."""
    await k.setlink("lo", up=True)
    if handle:
        await k.signal(SIGUSR1, lambda _: None)
    fd = await k.socket(AF_INET, SOCK_DGRAM)
    if timeout_ms:
        await k.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout_ms)
    await k.bind(fd, ("127.0.0.1", 7000))
    await k.write(1, b"waiting\n")
    try:
        await k.recvfrom(fd, 10)
    except OSError as error:
        await k.write(1, f"{error.strerror}\n".encode())
    return 0


async def connects(k: System, handle: bool) -> int:
    """Connect to oneself and talk, the one end to the other, whatever signals are handled."""
    await k.setlink("lo", up=True)
    if handle:
        await k.signal(SIGUSR1, lambda _: None)
    listening = await k.socket(AF_INET, SOCK_STREAM)
    await k.bind(listening, HERE)
    await k.listen(listening, 1)
    client = await k.socket(AF_INET, SOCK_STREAM)
    await k.connect(client, HERE)
    server, _ = await k.accept4(listening)
    await k.write(client, b"x" * 100_000)
    total = 0
    while total < 100_000:
        total += len(await k.read(server, 1 << 16))
    try:
        await k.connect(await k.socket(AF_INET, SOCK_STREAM), ("127.0.0.1", 81))
    except ConnectionRefusedError:
        await k.write(1, f"{total}\n".encode())
    return 0


def is_asleep(kernel, pid: int) -> bool:
    """Does a task sleep (proc_pid_stat(5))? It writes no more, so it is in the call that waits."""
    fd = kernel.open(f"/proc/{pid}/stat", O_RDONLY | O_CLOEXEC)
    try:
        return kernel.read(fd, 4096).rpartition(b") ")[2].startswith(b"S")
    finally:
        kernel.close(fd)


def output(kernel, main, *args, meanwhile=lambda pid: None) -> str:
    reading, writing = kernel.pipe2(O_CLOEXEC)
    pid = kernel.clone(main, *args, flags=CLONE_NEWNET, fds={1: writing, 2: writing})
    kernel.close(writing)
    kernel.watch(reading)
    text = b""
    while True:
        kernel.poll(1)
        try:
            data = kernel.read(reading, 4096)
        except BlockingIOError:
            continue
        if not data:
            break
        text += data
        if data == b"waiting\n":
            meanwhile(pid)
    kernel.close(reading)
    while kernel.wait4(pid, 1) == (0, 0):
        kernel.poll(1)
    return text.decode()


@pytest.mark.parametrize("handle", [True, False])
def test_a_task_waits_as_long_as_it_said(kernel, handle):
    began = time.monotonic()
    assert output(kernel, receives, handle, 100) == "waiting\nResource temporarily unavailable\n"
    assert time.monotonic() - began > 0.1


def test_a_handled_signal_ends_the_waiting(kernel):
    def meanwhile(pid: int) -> None:
        assert eventually(lambda: is_asleep(kernel, pid))
        kernel.kill(pid, SIGUSR1)

    assert output(kernel, receives, True, 0, meanwhile=meanwhile) == "waiting\nInterrupted system call\n"


@pytest.mark.parametrize("handle", [True, False])
def test_a_task_talks_to_itself(kernel, handle):
    assert output(kernel, connects, handle) == "100000\n"
