"""Mounts on both kernels: bind, read-only, stacking, propagation, tmpfs's size, what keeps a mount busy."""

import contextlib
import itertools

import pytest

from minidocker.linux import (
    MNT_DETACH,
    MS_BIND,
    MS_MOVE,
    MS_NODEV,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_SHARED,
    MS_SLAVE,
    O_CREAT,
    O_RDONLY,
    O_WRONLY,
    S_IFCHR,
    SEEK_SET,
    errno_name,
)

DISK = "/var/lib/docker"
_numbers = itertools.count()


@pytest.fixture(scope="module", params=["sim", pytest.param("real", marks=pytest.mark.real)])
def kernel(request):
    """One kernel for all cases; each case has a directory of its own."""
    import rights

    if request.param == "real":
        rights.require("root")
        from minidocker.real import RealKernel as AKernel
    else:
        from minidocker.sim import SimKernel as AKernel
    kernel = AKernel()
    yield kernel
    kernel.close_kernel()


@pytest.fixture
def base(kernel):
    """A directory with the directories a, b, c and the file f in it."""
    path = f"{DISK}/mounts{next(_numbers)}"
    with contextlib.suppress(FileExistsError):
        kernel.mkdir(DISK)
    for name in ("", "/a", "/b", "/c"):
        kernel.mkdir(path + name)
    write(kernel, f"{path}/f", b"file")
    return path


def write(kernel, path, data=b"data"):
    fd = kernel.open(path, O_CREAT | O_WRONLY)
    kernel.write(fd, data)
    kernel.close(fd)


def refused(call, *args) -> str:
    with pytest.raises(OSError) as caught:
        call(*args)
    return errno_name(caught.value.errno)


def test_a_bind_mount_shows_the_same_tree(kernel, base):
    kernel.mount(f"{base}/a", f"{base}/b", "", MS_BIND)
    write(kernel, f"{base}/b/x")
    assert kernel.stat(f"{base}/a/x") == kernel.stat(f"{base}/b/x")
    assert refused(kernel.rename, f"{base}/a/x", f"{base}/b/y") == "EXDEV"
    assert refused(kernel.link, f"{base}/a/x", f"{base}/b/y") == "EXDEV"
    assert refused(kernel.rmdir, f"{base}/b") == "EBUSY"
    assert refused(kernel.rename, f"{base}/b", f"{base}/d") == "EBUSY"
    kernel.umount2(f"{base}/b")
    assert kernel.listdir(f"{base}/b") == []


def test_files_can_be_bound_to_files_only(kernel, base):
    write(kernel, f"{base}/g", b"other")
    kernel.mount(f"{base}/f", f"{base}/g", "", MS_BIND)
    fd = kernel.open(f"{base}/g", O_RDONLY)
    assert kernel.read(fd, 9) == b"file"
    kernel.close(fd)
    assert refused(kernel.mount, f"{base}/f", f"{base}/a", "", MS_BIND) == "ENOTDIR"
    assert refused(kernel.mount, f"{base}/a", f"{base}/f", "", MS_BIND) == "ENOTDIR"
    assert refused(kernel.unlink, f"{base}/g") == "EBUSY"
    kernel.umount2(f"{base}/g")


def test_read_only_bind(kernel, base):
    kernel.mount(f"{base}/a", f"{base}/b", "", MS_BIND | MS_RDONLY)
    kernel.mkdir(f"{base}/b/rw")  # the flag counts only with a remount
    kernel.mount("none", f"{base}/b", "", MS_BIND | MS_REMOUNT | MS_RDONLY)
    assert refused(kernel.mkdir, f"{base}/b/x") == "EROFS"
    assert refused(kernel.open, f"{base}/b/x", O_CREAT | O_WRONLY) == "EROFS"
    kernel.mkdir(f"{base}/a/x")
    assert refused(kernel.mount, "none", f"{base}/b/x", "", MS_BIND | MS_REMOUNT) == "EINVAL"
    kernel.umount2(f"{base}/b")


def test_nodev(kernel, base):
    kernel.mknod(f"{base}/a/null", S_IFCHR | 0o666, 0x103)
    kernel.mount(f"{base}/a", f"{base}/b", "", MS_BIND)
    kernel.close(kernel.open(f"{base}/b/null", O_WRONLY))
    kernel.mount("none", f"{base}/b", "", MS_BIND | MS_REMOUNT | MS_NODEV)
    assert refused(kernel.open, f"{base}/b/null", O_WRONLY) == "EACCES"
    kernel.umount2(f"{base}/b")


def test_only_a_recursive_bind_takes_the_mounts_below(kernel, base):
    kernel.mkdir(f"{base}/a/in")
    kernel.mount("tmpfs", f"{base}/a/in", "tmpfs")
    kernel.mkdir(f"{base}/a/in/seen")
    kernel.mount(f"{base}/a", f"{base}/b", "", MS_BIND)
    kernel.mount(f"{base}/a", f"{base}/c", "", MS_BIND | MS_REC)
    assert kernel.listdir(f"{base}/b/in") == []
    assert kernel.listdir(f"{base}/c/in") == ["seen"]
    assert refused(kernel.umount2, f"{base}/c") == "EBUSY"
    for path in ("c", "b", "a/in"):
        kernel.umount2(f"{base}/{path}", MNT_DETACH)


def test_mounts_stack_and_the_topmost_goes_first(kernel, base):
    for name in ("one", "two"):
        kernel.mount("tmpfs", f"{base}/a", "tmpfs")
        kernel.mkdir(f"{base}/a/{name}")
    assert kernel.listdir(f"{base}/a") == ["two"]
    kernel.umount2(f"{base}/a")
    assert kernel.listdir(f"{base}/a") == ["one"]
    kernel.umount2(f"{base}/a")
    assert refused(kernel.umount2, f"{base}/a") == "EINVAL"
    assert refused(kernel.umount2, f"{base}/absent") == "ENOENT"


def test_what_keeps_a_mount_busy(kernel, base):
    kernel.mount("tmpfs", f"{base}/a", "tmpfs")
    write(kernel, f"{base}/a/x")
    fd = kernel.open(f"{base}/a/x", O_RDONLY)
    assert refused(kernel.umount2, f"{base}/a") == "EBUSY"
    kernel.close(fd)
    kernel.chdir(f"{base}/a")
    assert refused(kernel.umount2, f"{base}/a") == "EBUSY"
    kernel.umount2(f"{base}/a", MNT_DETACH)
    assert kernel.listdir(".") == ["x"]
    assert refused(kernel.stat, f"{base}/a/x") == "ENOENT"
    kernel.chdir("/")


def test_a_shared_mount_tells_its_peer_and_a_slave_but_not_the_other_way(kernel, base):
    kernel.mount("tmpfs", f"{base}/a", "tmpfs")
    kernel.mkdir(f"{base}/a/in")
    kernel.mount("none", f"{base}/a", "", MS_SHARED)
    kernel.mount(f"{base}/a", f"{base}/b", "", MS_BIND)
    kernel.mount(f"{base}/a", f"{base}/c", "", MS_BIND)
    kernel.mount("none", f"{base}/c", "", MS_SLAVE)
    kernel.mount("tmpfs", f"{base}/b/in", "tmpfs")
    kernel.mkdir(f"{base}/b/in/told")
    assert [kernel.listdir(f"{base}/{name}/in") for name in "abc"] == [["told"]] * 3
    kernel.umount2(f"{base}/a/in")
    assert [kernel.listdir(f"{base}/{name}/in") for name in "abc"] == [[]] * 3
    kernel.mount("tmpfs", f"{base}/c/in", "tmpfs")
    kernel.mkdir(f"{base}/c/in/own")
    assert [kernel.listdir(f"{base}/{name}/in") for name in "abc"] == [[], [], ["own"]]
    kernel.mount("none", f"{base}/b", "", MS_PRIVATE)
    kernel.mount("tmpfs", f"{base}/a/in", "tmpfs")
    kernel.mkdir(f"{base}/a/in/again")
    assert kernel.listdir(f"{base}/b/in") == []
    for name in "abc":
        kernel.umount2(f"{base}/{name}", MNT_DETACH)


def test_move(kernel, base):
    kernel.mount("tmpfs", f"{base}/a", "tmpfs")
    kernel.mkdir(f"{base}/a/in")
    assert refused(kernel.mount, f"{base}/a", f"{base}/a/in", "", MS_MOVE) == "ELOOP"
    assert refused(kernel.mount, f"{base}/a/in", f"{base}/b", "", MS_MOVE) == "EINVAL"
    kernel.mount(f"{base}/a", f"{base}/b", "", MS_MOVE)
    assert kernel.listdir(f"{base}/a") == []
    assert kernel.listdir(f"{base}/b") == ["in"]
    kernel.umount2(f"{base}/b")


def test_the_size_of_a_tmpfs(kernel, base):
    kernel.mount("tmpfs", f"{base}/a", "tmpfs", 0, "size=64k,mode=750")
    assert kernel.stat(f"{base}/a").st_mode & 0o7777 == 0o750
    fd = kernel.open(f"{base}/a/x", O_CREAT | O_WRONLY)
    assert kernel.write(fd, bytes(100_000)) == 65536
    assert refused(kernel.write, fd, b"more") == "ENOSPC"
    kernel.ftruncate(fd, 0)
    kernel.lseek(fd, 0, SEEK_SET)
    assert kernel.write(fd, b"more") == 4
    kernel.close(fd)
    kernel.umount2(f"{base}/a")
    assert refused(kernel.mount, "tmpfs", f"{base}/a", "tmpfs", 0, "size=lots") == "EINVAL"
    assert refused(kernel.mount, "tmpfs", f"{base}/a", "tmpfs", 0, "unknown=1") == "EINVAL"


def test_data_of_a_removed_file_stays_until_it_is_closed(kernel, base):
    kernel.mount("tmpfs", f"{base}/a", "tmpfs", 0, "size=64k")
    fd = kernel.open(f"{base}/a/x", O_CREAT | O_WRONLY)
    kernel.write(fd, bytes(65536))
    kernel.unlink(f"{base}/a/x")
    other = kernel.open(f"{base}/a/y", O_CREAT | O_WRONLY)
    assert refused(kernel.write, other, b"1") == "ENOSPC"
    kernel.close(fd)
    assert kernel.write(other, b"1") == 1
    kernel.close(other)
    kernel.umount2(f"{base}/a")


def test_a_copy_up_that_does_not_fit_leaves_nothing(kernel, base):
    kernel.mount("tmpfs", f"{base}/a", "tmpfs", 0, "size=64k")
    for name in "uw":
        kernel.mkdir(f"{base}/a/{name}")
    kernel.mkdir(f"{base}/m")
    write(kernel, f"{base}/b/big", bytes(100_000))
    data = f"lowerdir={base}/b,upperdir={base}/a/u,workdir={base}/a/w"
    kernel.mount("overlay", f"{base}/m", "overlay", 0, data)
    assert refused(kernel.chmod, f"{base}/m/big", 0o600) == "ENOSPC"
    assert kernel.listdir(f"{base}/a/u") == []
    assert kernel.stat(f"{base}/m/big").st_size == 100_000
    kernel.umount2(f"{base}/m")
    kernel.umount2(f"{base}/a")


def test_others_than_root_may_not_mount(kernel, base):
    kernel.seteuid(1000)
    try:
        assert refused(kernel.mount, "tmpfs", f"{base}/a", "tmpfs") == "EPERM"
        assert refused(kernel.umount2, "/proc") == "EPERM"
    finally:
        kernel.seteuid(0)


def test_what_is_detached_falls_apart(kernel, base):
    kernel.mount("outer", f"{base}/a", "tmpfs")
    kernel.mkdir(f"{base}/a/d")
    kernel.mount("inner", f"{base}/a/d", "tmpfs")
    write(kernel, f"{base}/a/d/f")
    kernel.chdir(f"{base}/a")
    try:
        kernel.umount2(".", MNT_DETACH)
        assert (kernel.listdir("."), kernel.listdir("d")) == (["d"], [])
    finally:
        kernel.chdir("/")
