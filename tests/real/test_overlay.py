"""Overlay mounts: as many layers as Linux takes, odd names, and what the kernel says when it refuses."""

import os

import pytest

from minidocker.linux import MS_RDONLY, O_CREAT, O_WRONLY
from minidocker.real import overlay, probe

pytestmark = pytest.mark.needs("linux")
ROOTLESS = os.geteuid() != 0
OPTIONS = ",".join(probe.describe()["overlay"])


@pytest.fixture
def stack(kernel, place):
    for name in ("upper", "work", "merged"):
        kernel.mkdir(f"{place}/{name}")
    yield place
    if kernel.stat(f"{place}/merged").st_dev != kernel.stat(place).st_dev:
        kernel.umount2(f"{place}/merged")


def mount(kernel, place: str, lowers: list[str], flags: int = 0) -> None:
    layers = f"lowerdir={':'.join(lowers)},upperdir={place}/upper,workdir={place}/work"
    kernel.mount("overlay", f"{place}/merged", "overlay", flags, f"{layers},{OPTIONS}")


def layers(kernel, place: str, count: int) -> list[str]:
    """Layers with names so long that many don't fit into a page; each has one file of its own and one of all."""
    found = [f"{place}/{'layer' * 15}{number}" for number in range(count)]
    for number, path in enumerate(found):
        kernel.mkdir(path)
        for name in (str(number), "all"):
            fd = kernel.open(f"{path}/{name}", O_CREAT | O_WRONLY)
            kernel.write(fd, str(number).encode())
            kernel.close(fd)
    return found


def content(kernel, path: str) -> bytes:
    fd = kernel.open(path, 0)
    try:
        return kernel.read(fd, 100)
    finally:
        kernel.close(fd)


@pytest.mark.parametrize("count", [1, 2, 40, 60, pytest.param(500, marks=pytest.mark.slow)])
def test_many_layers(kernel, stack, count):
    lowers = layers(kernel, stack, count)
    assert overlay.needs_fsconfig(":".join(lowers)) == (count > 40)
    mount(kernel, stack, lowers)
    assert len(kernel.listdir(f"{stack}/merged")) == count + 1
    assert content(kernel, f"{stack}/merged/all") == b"0"
    kernel.unlink(f"{stack}/merged/all")
    assert kernel.lstat(f"{stack}/upper/all").st_rdev == 0


@pytest.mark.slow
def test_501_layers_are_einval_and_the_kernel_says_why(kernel, stack):
    lowers = layers(kernel, stack, 501)
    with pytest.raises(OSError, match="Invalid argument") as refused:
        mount(kernel, stack, lowers)
    assert refused.value.filename == f"{stack}/merged"
    assert any("too many lower directories" in note for note in refused.value.__notes__)


@pytest.mark.parametrize("count", [1, 60])
def test_odd_names(kernel, stack, count):
    odd = f"{stack}/a:b,c\\d"
    kernel.mkdir(odd)
    kernel.mkdir(f"{odd}/found")
    escaped = odd.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
    mount(kernel, stack, [escaped, *layers(kernel, stack, count)])
    assert "found" in kernel.listdir(f"{stack}/merged")


@pytest.mark.parametrize("count", [1, 60])
def test_read_only(kernel, stack, count):
    mount(kernel, stack, layers(kernel, stack, count), MS_RDONLY)
    with pytest.raises(OSError, match="Read-only"):
        kernel.mkdir(f"{stack}/merged/new")


def test_a_missing_layer_is_enoent(kernel, stack):
    for count in (0, 60):
        with pytest.raises(FileNotFoundError) as missing:
            mount(kernel, stack, [*layers(kernel, stack, count), f"{stack}/missing"])
        assert missing.value.filename == f"{stack}/merged"


def test_an_unknown_option_is_einval(kernel, stack):
    lowers = layers(kernel, stack, 60)
    with pytest.raises(OSError, match="Invalid argument"):
        kernel.mount("overlay", f"{stack}/merged", "overlay", 0, f"lowerdir={':'.join(lowers)},nonsense=1")


def test_options_are_told_one_by_one():
    assert list(overlay.options(r"lowerdir=/a\:b:/c,upperdir=/u\,v,userxattr")) == [
        ("lowerdir+", "/a:b"),
        ("lowerdir+", "/c"),
        ("upperdir", "/u,v"),
        ("userxattr", ""),
    ]
