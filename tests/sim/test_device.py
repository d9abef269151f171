"""Devices: null, zero, full, random."""

import errno

import pytest

from minidocker.linux import MS_NODEV, O_RDONLY, O_RDWR, SEEK_END
from minidocker.sim import SimKernel


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


def use(kernel, name):
    fd = kernel.open(f"/dev/{name}", O_RDWR)
    try:
        return kernel.read(fd, 5), kernel.write(fd, b"data")
    finally:
        kernel.close(fd)


def test_null(kernel):
    assert use(kernel, "null") == (b"", 4)


def test_zero(kernel):
    assert use(kernel, "zero") == (bytes(5), 4)


def test_full(kernel):
    fd = kernel.open("/dev/full", O_RDWR)
    assert kernel.read(fd, 3) == bytes(3)
    with pytest.raises(OSError) as caught:
        kernel.write(fd, b"x")
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("name", ["random", "urandom"])
def test_random_is_the_same_each_run_and_other_each_open(kernel, name):
    again = SimKernel()
    first, second = use(kernel, name), use(kernel, name)
    assert first != second
    assert (use(again, name), use(again, name)) == (first, second)
    assert len(set(_read(kernel, name, 4000))) > 200
    again.close_kernel()


def _read(kernel, name, n):
    fd = kernel.open(f"/dev/{name}", O_RDONLY)
    data = kernel.read(fd, n)
    kernel.close(fd)
    return data


def test_what_stat_says(kernel):
    status = kernel.stat("/dev/null")
    assert status.st_mode == 0o020666
    assert status.st_rdev == 1 << 8 | 3
    fd = kernel.open("/dev/null", O_RDONLY)
    assert kernel.fstat(fd) == status
    assert kernel.lseek(fd, 7, SEEK_END) == 0
    assert kernel.readlink(f"/proc/self/fd/{fd}") == "/dev/null"


@pytest.mark.parametrize(("mode", "device"), [(0o020666, 5 << 8), (0o020666, 4 << 8 | 1), (0o060666, 8 << 8)])
def test_no_such_device(kernel, mode, device):
    kernel.mknod("/tmp/node", mode, device)
    with pytest.raises(OSError) as caught:
        kernel.open("/tmp/node", O_RDONLY)
    assert caught.value.errno == errno.ENXIO


def test_no_terminal(kernel):
    with pytest.raises(OSError) as caught:
        kernel.open("/dev/tty", O_RDWR)
    assert caught.value.errno == errno.ENXIO
    assert kernel.syscall("isatty", 0) is False


def test_nodev(kernel):
    kernel.mount("none", "/mnt", "tmpfs", MS_NODEV)
    kernel.mknod("/mnt/null", 0o020666, 1 << 8 | 3)
    with pytest.raises(PermissionError):
        kernel.open("/mnt/null", O_RDONLY)


def test_node_on_two_names_is_one_device(kernel):
    kernel.link("/dev/null", "/tmp/nothing")
    fd = kernel.open("/tmp/nothing", O_RDONLY)
    assert kernel.read(fd, 1) == b""
