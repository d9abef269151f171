"""Pipes and fifos: what only the simulator can be asked about. The rest: tests/conformance."""

import errno

import pytest
from conformance import task_programs
from conformance.outcome import run
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.linux import O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY, SIGKILL, SIGPIPE, SIGUSR1
from minidocker.sim import SimKernel

SIZES = st.integers(1, 80_000)


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


def raises(number, call, *args):
    with pytest.raises(OSError) as caught:
        call(*args)
    assert caught.value.errno == number


def test_what_is_written_is_read(kernel):
    reading, writing = kernel.pipe2()
    assert kernel.write(writing, b"hello") == 5
    assert kernel.read(reading, 2) == b"he"
    assert kernel.read(reading, 0) == b""
    assert kernel.read(reading, 9) == b"llo"
    raises(errno.EAGAIN, kernel.read, reading, 1)
    kernel.close(writing)
    assert kernel.read(reading, 1) == b""


def test_the_wrong_end(kernel):
    reading, writing = kernel.pipe2()
    raises(errno.EBADF, kernel.write, reading, b"x")
    raises(errno.EBADF, kernel.read, writing, 1)
    raises(errno.ESPIPE, kernel.lseek, reading, 0, 0)
    raises(errno.EINVAL, kernel.pipe2, 1)


def test_inodes(kernel):
    reading, writing = kernel.pipe2(O_CLOEXEC)
    other, _ = kernel.pipe2()
    assert kernel.fstat(reading) == kernel.fstat(writing)
    assert kernel.fstat(reading).st_mode == 0o010600
    assert kernel.fstat(reading).st_ino != kernel.fstat(other).st_ino


def test_the_host_writes_what_fits(kernel):
    _reading, writing = kernel.pipe2()
    assert kernel.write(writing, bytes(100_000)) == 65536
    raises(errno.EAGAIN, kernel.write, writing, b"x")


def test_nobody_reads(kernel):
    reading, writing = kernel.pipe2()
    kernel.close(reading)
    raises(errno.EPIPE, kernel.write, writing, b"x")
    assert kernel.write(writing, b"") == 0


def test_a_descriptor_table_that_is_full_leaves_no_half_pipe(kernel):
    before = kernel.listdir("/proc/self/fd")
    kernel.host.files.limit = len(before) + 1
    raises(errno.EMFILE, kernel.pipe2)
    assert kernel.listdir("/proc/self/fd") == before


def test_up_to_pipe_buf_nothing_is_torn(kernel):
    """Two writers of 4096 bytes each: whatever is read comes in whole pieces."""

    async def main(k):
        reading, writing = await k.pipe2()
        for letter in (b"a", b"b"):
            await k.clone(write_many, reading, writing, letter)
        await k.close(writing)
        data = await task_programs.read_all(k, reading)
        pieces = {data[start : start + 4096] for start in range(0, len(data), 4096)}
        assert pieces == {b"a" * 4096, b"b" * 4096}
        return len(data) // 4096

    async def write_many(k, reading, writing, letter):
        await k.close(reading)
        for _ in range(40):
            assert await k.write(writing, letter * 4096) == 4096
        return 0

    assert run(kernel, main).code == 80


def test_a_write_that_a_handler_interrupts_returns_what_it_took(kernel):
    async def main(k):
        reading, writing = await k.pipe2()
        seen = []
        await k.signal(SIGUSR1, seen.append)
        await k.clone(disturb, reading)
        taken = await k.write(writing, bytes(100_000))
        assert await task_programs.error_of(k.write(writing, b"more")) == "EINTR"
        return 9 if (taken, seen) == (65536, [SIGUSR1] * 2) else 1

    async def disturb(k, reading):
        for _ in range(2):
            await k.sleep(1)
            await k.kill(await k.getppid(), SIGUSR1)
        await k.sleep(1)
        return 0

    assert run(kernel, main).code == 9


def test_a_reader_that_leaves_in_the_middle_of_a_write(kernel):
    async def main(k):
        reading, writing = await k.pipe2()
        child = await k.clone(write_all, reading, writing)
        await k.close(writing)
        assert len(await k.read(reading, 1000)) == 1000
        await k.close(reading)
        return (await k.wait4(child))[1]

    async def write_all(k, reading, writing):
        await k.close(reading)
        await k.write(writing, bytes(100_000))
        return 0

    assert run(kernel, main).code == SIGPIPE


@settings(max_examples=40, deadline=None)
@given(
    writes=st.lists(st.integers(1, 80_000), max_size=8), reads=st.lists(st.integers(1, 80_000), min_size=1, max_size=5)
)
def test_bytes_come_out_as_they_went_in(writes, reads):
    kernel = SimKernel()
    got = []

    async def writer(k, writing):
        for number, size in enumerate(writes):
            assert await k.write(writing, bytes([number]) * size) == size
        return 0

    async def main(k):
        reading, writing = await k.pipe2()
        await k.clone(writer, writing, fds={writing: writing})
        await k.close(writing)
        turn = 0
        while data := await k.read(reading, reads[turn % len(reads)]):
            got.append(data)
            turn += 1
        return 3

    assert run(kernel, main).code == 3
    assert b"".join(got) == b"".join(bytes([number]) * size for number, size in enumerate(writes))
    kernel.close_kernel()


@pytest.fixture
def fifo(kernel):
    kernel.mknod("/tmp/fifo", 0o010644)
    return "/tmp/fifo"


def test_the_writer_may_be_gone_before_the_reader_wakes(kernel, fifo):
    async def reader(k):
        fd = await k.open(fifo, O_RDONLY)
        assert await task_programs.read_all(k, fd) == b"in one go"
        return 4

    async def writer(k):
        fd = await k.open(fifo, O_WRONLY)
        await k.write(fd, b"in one go")
        await k.close(fd)
        return 0

    async def main(k):
        first = await k.clone(reader)
        await k.sleep(0.1)
        await k.clone(writer)
        return (await k.wait4(first))[1] >> 8

    assert run(kernel, main).code == 4


def test_an_opener_that_is_killed_counts_no_more(kernel, fifo):
    async def reader(k):
        await k.open(fifo, O_RDONLY)

    pid = kernel.clone(reader)
    kernel.poll()
    kernel.kill(pid, SIGKILL)
    kernel.poll()
    raises(errno.ENXIO, kernel.open, fifo, O_WRONLY | O_NONBLOCK)


def test_opening_a_fifo_can_be_interrupted(kernel, fifo):
    async def main(k):
        await k.signal(SIGUSR1, lambda _signum: None)
        await k.clone(disturb)
        return 6 if await task_programs.error_of(k.open(fifo, O_RDONLY)) == "EINTR" else 1

    async def disturb(k):
        await k.kill(await k.getppid(), SIGUSR1)
        return 0

    assert run(kernel, main).code == 6
    raises(errno.ENXIO, kernel.open, fifo, O_WRONLY | O_NONBLOCK)


def test_the_hosts_side_does_not_wait_for_the_other(kernel, fifo):
    raises(errno.EAGAIN, kernel.open, fifo, O_RDONLY)
    reading = kernel.open(fifo, O_RDONLY | O_NONBLOCK)
    writing = kernel.open(fifo, O_WRONLY)
    kernel.write(writing, b"x")
    assert kernel.read(reading, 5) == b"x"
    assert kernel.fstat(reading).st_mode == 0o010644
    assert kernel.fstat(reading).st_ino == kernel.stat(fifo).st_ino


def test_a_pipe_is_reached_through_proc_too(kernel):
    reading, writing = kernel.pipe2()
    again = kernel.open(f"/proc/self/fd/{writing}", O_WRONLY)
    kernel.close(writing)
    kernel.write(again, b"once more")
    assert kernel.read(reading, 20) == b"once more"
    kernel.close(again)
    assert kernel.read(reading, 20) == b""
