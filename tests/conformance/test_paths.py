"""Paths, permissions and owners on both kernels: what the path walk follows and refuses, who may do what."""

import contextlib
import itertools

import pytest

from minidocker.linux import (
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_PATH,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    R_OK,
    S_IFSOCK,
    SEEK_CUR,
    SEEK_END,
    W_OK,
    X_OK,
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
    kernel.umask(0o022)
    kernel.setgroups([])
    yield kernel
    kernel.close_kernel()


@pytest.fixture
def here(kernel):
    """A new directory, the working directory of the case."""
    path = f"{DISK}/paths{next(_numbers)}"
    for name in (DISK, path):
        with contextlib.suppress(FileExistsError):
            kernel.mkdir(name)
    kernel.chdir(path)
    yield path
    kernel.seteuid(0)
    kernel.setegid(0)
    kernel.chdir("/")


def write(kernel, path, mode=0o644):
    fd = kernel.open(path, O_CREAT | O_EXCL | O_WRONLY, 0o600)
    kernel.write(fd, b"data")
    kernel.close(fd)
    kernel.chmod(path, mode)
    return path


def refused(call, *args, **kwargs) -> str:
    with pytest.raises(OSError) as caught:
        call(*args, **kwargs)
    return errno_name(caught.value.errno)


def test_forty_links_are_followed_and_no_more(kernel, here):
    write(kernel, "l0")
    for number in range(1, 42):
        kernel.symlink(f"l{number - 1}", f"l{number}")
    assert kernel.stat("l40").st_size == 4
    assert refused(kernel.stat, "l41") == "ELOOP"
    kernel.symlink("self", "self")
    assert refused(kernel.open, "self", O_RDONLY) == "ELOOP"
    assert kernel.readlink("self") == "self"


def test_lengths(kernel, here):
    assert refused(kernel.mkdir, "n" * 256) == "ENAMETOOLONG"
    kernel.mkdir("n" * 255)
    assert refused(kernel.mkdir, "é" * 128) == "ENAMETOOLONG"
    assert refused(kernel.stat, "./" * 2048) == "ENAMETOOLONG"
    assert kernel.stat("./" * 2047)
    assert refused(kernel.stat, "") == "ENOENT"


def test_dots_and_slashes(kernel, here):
    kernel.mkdir("d")
    write(kernel, "f")
    kernel.symlink("d", "to_d")
    kernel.symlink("f", "to_f")
    assert kernel.stat("d/../d/./").st_ino == kernel.stat("d").st_ino
    assert kernel.stat("/..").st_ino == kernel.stat("/").st_ino
    assert kernel.lstat("to_d/").st_ino == kernel.stat("d").st_ino
    assert refused(kernel.stat, "f/") == "ENOTDIR"
    assert refused(kernel.lstat, "to_f/") == "ENOTDIR"
    assert refused(kernel.stat, "f/..") == "ENOTDIR"
    assert refused(kernel.open, "new/", O_CREAT) == "EISDIR"
    assert refused(kernel.rmdir, "d/.") == "EINVAL"
    assert refused(kernel.rmdir, "d/..") == "ENOTEMPTY"
    assert refused(kernel.unlink, "to_d/") == "ENOTDIR"
    kernel.mkdir("slash/")


def test_creating_through_a_dangling_link(kernel, here):
    kernel.symlink("new", "link")
    assert refused(kernel.open, "link", O_CREAT | O_EXCL | O_WRONLY) == "EEXIST"
    kernel.close(kernel.open("link", O_CREAT | O_WRONLY))
    assert sorted(kernel.listdir()) == ["link", "new"]
    assert refused(kernel.mkdir, "link") == "EEXIST"


def test_open_flags(kernel, here):
    kernel.mkdir("d")
    write(kernel, "f")
    kernel.symlink("f", "link")
    kernel.mknod("socket", S_IFSOCK | 0o666)
    assert refused(kernel.open, "link", O_RDONLY | O_NOFOLLOW) == "ELOOP"
    assert refused(kernel.open, "f", O_RDONLY | O_DIRECTORY) == "ENOTDIR"
    assert refused(kernel.open, "d", O_WRONLY) == "EISDIR"
    assert refused(kernel.open, "d", O_CREAT | O_RDONLY) == "EISDIR"
    assert refused(kernel.open, "d", O_CREAT | O_DIRECTORY) == "EINVAL"
    assert refused(kernel.open, "socket", O_RDONLY) == "ENXIO"
    fd = kernel.open("link", O_PATH | O_NOFOLLOW)
    assert kernel.fstat(fd).st_size == 1
    assert refused(kernel.read, fd, 1) == "EBADF"
    kernel.close(fd)


def test_descriptors(kernel, here):
    write(kernel, "f")
    fd = kernel.open("f", O_RDWR | O_APPEND)
    twin = kernel.dup(fd)
    assert kernel.read(fd, 2) == b"da"
    assert kernel.lseek(twin, 0, SEEK_CUR) == 2
    assert kernel.write(twin, b"!") == 1
    assert kernel.lseek(fd, -1, SEEK_END) == 4
    assert refused(kernel.lseek, fd, -1, 0) == "EINVAL"
    kernel.close(fd)
    assert kernel.dup(twin) == fd
    assert refused(kernel.close, 77) == "EBADF"
    assert kernel.dup2(twin, 55) == 55
    for number in (fd, twin, 55):
        kernel.close(number)
    assert refused(kernel.read, twin, 1) == "EBADF"


def test_a_removed_working_directory(kernel, here):
    kernel.mkdir("d")
    kernel.chdir("d")
    kernel.rmdir("../d")
    assert refused(kernel.getcwd) == "ENOENT"
    assert refused(kernel.mkdir, "x") == "ENOENT"
    assert kernel.listdir(".") == []
    kernel.chdir("..")
    assert kernel.getcwd() == here


def test_search_permission_on_the_way(kernel, here):
    kernel.mkdir("closed")
    write(kernel, "closed/f")
    kernel.chmod("closed", 0o744)
    kernel.seteuid(1000)
    assert kernel.listdir("closed") == ["f"]
    assert refused(kernel.stat, "closed/f") == "EACCES"
    assert refused(kernel.stat, "closed/..") == "EACCES"
    assert refused(kernel.chdir, "closed") == "EACCES"
    assert refused(kernel.mkdir, "new") == "EACCES"
    assert refused(kernel.mkdir, "closed") == "EEXIST"


def test_owner_group_and_others(kernel, here):
    write(kernel, "f", 0o640)
    kernel.chown("f", 1000, 2000)
    for uid, gid, may_read, may_write in ((1000, 0, True, True), (1001, 2000, True, False), (1001, 1001, False, False)):
        kernel.setegid(gid)
        kernel.seteuid(uid)
        for flags, may in ((O_RDONLY, may_read), (O_WRONLY, may_write)):
            if may:
                kernel.close(kernel.open("f", flags))
            else:
                assert refused(kernel.open, "f", flags) == "EACCES"
        kernel.seteuid(0)
    assert (kernel.access("f", R_OK | W_OK), kernel.access("f", X_OK)) == (True, False)


def test_in_a_sticky_directory_only_the_owner_removes(kernel, here):
    kernel.mkdir("tmp")
    kernel.chmod("tmp", 0o1777)
    write(kernel, "tmp/f", 0o666)
    kernel.seteuid(1000)
    assert refused(kernel.unlink, "tmp/f") == "EPERM"
    assert refused(kernel.rename, "tmp/f", "tmp/g") == "EPERM"
    kernel.mkdir("tmp/own")
    kernel.rmdir("tmp/own")


def test_a_set_group_id_directory_hands_its_group_down(kernel, here):
    kernel.mkdir("d")
    kernel.chown("d", -1, 2000)
    kernel.chmod("d", 0o2777)
    kernel.setegid(1000)
    kernel.seteuid(1000)
    kernel.mkdir("d/sub", 0o755)
    fd = kernel.open("d/f", O_CREAT | O_WRONLY, 0o2755)
    kernel.close(fd)
    assert (kernel.stat("d/sub").st_gid, oct(kernel.stat("d/sub").st_mode & 0o7777)) == (2000, "0o2755")
    assert (kernel.stat("d/f").st_gid, oct(kernel.stat("d/f").st_mode & 0o7777)) == (2000, "0o755")


def test_set_user_id_ends_when_owner_or_data_change(kernel, here):
    for name, change in (("owner", lambda path: kernel.chown(path, -1, -1)), ("data", None)):
        write(kernel, name, 0o6777)
        if change is not None:
            change(name)
        else:
            kernel.seteuid(1000)
            fd = kernel.open(name, O_WRONLY)
            kernel.write(fd, b"x")
            kernel.close(fd)
        assert oct(kernel.stat(name).st_mode & 0o7777) == "0o777"


def test_only_root_gives_files_away(kernel, here):
    write(kernel, "f")
    kernel.chown("f", 1000, 1000)
    kernel.setegid(1000)
    kernel.seteuid(1000)
    assert refused(kernel.chown, "f", 1001, -1) == "EPERM"
    assert refused(kernel.chown, "f", -1, 2000) == "EPERM"
    kernel.chown("f", 1000, 1000)
    kernel.chmod("f", 0o600)
    assert refused(kernel.seteuid, 1001) == "EPERM"


def test_renames(kernel, here):
    for path in ("a", "a/b", "full", "full/x"):
        kernel.mkdir(path)
    write(kernel, "f")
    assert refused(kernel.rename, "a", "a/b/c") == "EINVAL"
    assert refused(kernel.rename, "a/b", "a") == "ENOTEMPTY"
    assert refused(kernel.rename, "a", "full") == "ENOTEMPTY"
    assert refused(kernel.rename, "a", "f") == "ENOTDIR"
    assert refused(kernel.rename, "f", "a") == "EISDIR"
    assert refused(kernel.rename, "f", "g/") == "ENOTDIR"
    assert refused(kernel.rename, ".", "x") == "EBUSY"
    kernel.link("f", "same")
    kernel.rename("f", "same")
    assert {"f", "same"} <= set(kernel.listdir())
    kernel.rename("a/b", "full/b")
    assert (kernel.stat("a").st_nlink, kernel.stat("full").st_nlink) == (2, 4)


@pytest.mark.parametrize(
    ("call", "paths"),
    [
        (lambda k: k.open("absent", O_RDONLY), ("absent", None)),
        (lambda k: k.rename("absent", "other"), ("absent", "other")),
        (lambda k: k.link("absent", "other"), ("absent", "other")),
        (lambda k: k.symlink("text", "absent/new"), ("text", "absent/new")),
        (lambda k: k.setxattr("absent", "user.x", b""), ("absent", None)),
        (lambda k: k.chown("absent", 0, 0), ("absent", None)),
        (lambda k: k.utime("absent"), ("absent", None)),
        (lambda k: k.mknod("absent/new"), ("absent/new", None)),
        (lambda k: k.pivot_root("absent", "absent/old"), ("absent", "absent/old")),
        (lambda k: k.truncate("absent", 1 << 80), ("absent", None)),
        (lambda k: k.link("a\0b", "c"), ("a\0b", "c")),
        (lambda k: k.mount("tmpfs", "/absent", "tmpfs"), ("/absent", None)),
        (lambda k: k.umount2("/absent"), ("/absent", None)),
        (lambda k: k.close(99), (None, None)),
    ],
)
def test_errors_name_their_paths(kernel, here, call, paths):
    with pytest.raises(OSError) as caught:
        call(kernel)
    assert (caught.value.filename, caught.value.filename2) == paths


@pytest.mark.parametrize(
    "call",
    [
        lambda k: k.open("a\0b", O_RDONLY),
        lambda k: k.symlink("a\0b", "x"),
        lambda k: k.setxattr(".", "user.\0", b""),
        lambda k: k.mount("none", ".", "tmpfs", 0, "size=1m\0"),
        lambda k: k.sethostname("a\0b"),
        lambda k: k.kill(1 << 40, 9),
        lambda k: k.kill(1, 1 << 40),
        lambda k: k.chown(".", 1 << 32, -1),
        lambda k: k.chown(".", 0, -2),
        lambda k: k.setgroups([1 << 32]),
        lambda k: k.lseek(0, 1 << 63, 0),
        lambda k: k.ftruncate(0, 1 << 63),
        lambda k: k.truncate("x", -(1 << 70)),
        lambda k: k.utime(".", ns=(1 << 100, 0)),
        lambda k: k.mknod("x", 0o600, 1 << 64),
        lambda k: k.read(0, 1 << 64),
        lambda k: k.close(1 << 40),
    ],
)
def test_what_no_call_can_say_is_einval(kernel, here, call):
    assert refused(call, kernel) == "EINVAL"


def test_minus_one_as_linux_has_it_leaves_an_owner(kernel, here):
    kernel.chown(write(kernel, "f"), 5, 6)
    kernel.chown("f", 0xFFFFFFFF, 7)
    assert (kernel.stat("f").st_uid, kernel.stat("f").st_gid) == (5, 7)
    assert kernel.access("a\0b", R_OK) is False


def test_only_written_pages_take_room(kernel, here):
    kernel.mkdir("t")
    kernel.mount("none", "t", "tmpfs", 0, "size=64k")
    try:
        fd = kernel.open("t/f", O_CREAT | O_RDWR, 0o600)
        kernel.ftruncate(fd, 1 << 40)
        kernel.lseek(fd, 1 << 30, 0)
        kernel.write(fd, b"far")
        kernel.lseek(fd, 5000, 0)
        kernel.write(fd, b"near")
        assert (kernel.fstat(fd).st_size, kernel.fstat(fd).st_blocks) == (1 << 40, 16)
        kernel.lseek(fd, (1 << 30) - 2, 0)
        assert kernel.read(fd, 7) == b"\0\0far\0\0"
        kernel.lseek(fd, 4094, 0)
        assert kernel.write(fd, b"x" * 5000) == 5000
        assert kernel.fstat(fd).st_blocks == 32
        kernel.ftruncate(fd, 9092)
        kernel.ftruncate(fd, 20000)
        kernel.lseek(fd, 4092, 0)
        assert kernel.read(fd, 20000) == b"\0\0" + b"x" * 4998 + bytes(10908)
        assert kernel.fstat(fd).st_blocks == 24
        kernel.close(fd)
    finally:
        kernel.umount2("t")


def test_the_engines_directory_is_there(kernel):
    assert oct(kernel.stat(DISK).st_mode) == "0o40710"
