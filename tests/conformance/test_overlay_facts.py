"""What overlayfs does, row by row, on both kernels: copy-up, whiteouts, opaque directories, numbers, refusals."""

import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from minidocker.linux import (
    MNT_DETACH,
    MS_RDONLY,
    MS_REMOUNT,
    O_CREAT,
    O_EXCL,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    S_IFCHR,
    S_IFIFO,
    XATTR_REPLACE,
    errno_name,
)

DISK = "/var/lib/docker"
OFF = ",redirect_dir=off,index=off,xino=off,metacopy=off"
_numbers = itertools.count()


@dataclass
class Stack:
    """An overlay and its layers' directories; ``lowers[0]`` is the topmost."""

    k: Any
    base: str
    lowers: list[str]

    @property
    def upper(self) -> str:
        return f"{self.base}/u"

    @property
    def merged(self) -> str:
        return f"{self.base}/m"

    def write(self, path: str, data: bytes = b"data", mode: int = 0o644) -> str:
        fd = self.k.open(path, O_CREAT | O_EXCL | O_WRONLY, mode)
        self.k.write(fd, data)
        self.k.close(fd)
        return path

    def read(self, path: str) -> bytes:
        fd = self.k.open(path, O_RDONLY)
        try:
            return self.k.read(fd, 1 << 16)
        finally:
            self.k.close(fd)

    def touch_open(self, path: str, flags: int) -> None:
        self.k.close(self.k.open(path, flags))

    def mount(self, options: str = OFF, *, upper: bool = True, lowers: list[str] | None = None) -> str:
        data = "lowerdir=" + ":".join(lowers or self.lowers)
        if upper:
            data += f",upperdir={self.upper},workdir={self.base}/w"
        self.k.mount("overlay", self.merged, "overlay", 0, data + options)
        return self.merged

    def in_upper(self) -> list[str]:
        return self._walk(self.upper)

    def _walk(self, path: str) -> list[str]:
        found = []
        for name in sorted(self.k.listdir(path)):
            full = f"{path}/{name}"
            found.append(full.removeprefix(self.upper))
            if self.k.lstat(full).st_mode & 0o170000 == 0o040000:
                found += self._walk(full)
        return found

    def is_whiteout(self, name: str) -> bool:
        stat = self.k.lstat(f"{self.upper}{name}")
        return stat.st_mode & 0o170000 == S_IFCHR and stat.st_rdev == 0

    def is_opaque(self, name: str) -> bool:
        return "trusted.overlay.opaque" in self.k.listxattr(f"{self.upper}{name}")


def refused(call, *args, **kwargs) -> str:
    with pytest.raises(OSError) as caught:
        call(*args, **kwargs)
    return errno_name(caught.value.errno)


@pytest.fixture(scope="module", params=["sim", pytest.param("real", marks=pytest.mark.real)])
def kernel(request):
    """One kernel for all cases; each case has directories of its own."""
    import rights

    if request.param == "real":
        rights.require("root")
        from minidocker.real import RealKernel as AKernel
    else:
        from minidocker.sim import SimKernel as AKernel
    kernel = AKernel()
    kernel.umask(0o022)
    yield kernel
    kernel.close_kernel()


@pytest.fixture
def stack(kernel):
    """Two lower layers, an upper and a work directory, not mounted yet."""
    base = f"{DISK}/facts{next(_numbers)}"
    for path in (DISK, base):
        with contextlib.suppress(FileExistsError):
            kernel.mkdir(path)
    lowers = [f"{base}/l0", f"{base}/l1"]
    for path in (*lowers, f"{base}/u", f"{base}/w", f"{base}/m"):
        kernel.mkdir(path)
    yield Stack(kernel, base, lowers)
    kernel.seteuid(0)
    with contextlib.suppress(OSError):  # the case may have mounted nothing
        kernel.umount2(f"{base}/m", MNT_DETACH)


def test_descriptor_opened_before_the_copy_up_reads_the_new_data(kernel, stack):
    stack.write(f"{stack.lowers[0]}/f", b"old")
    m = stack.mount()
    reading = kernel.open(f"{m}/f", O_RDONLY)
    writing = kernel.open(f"{m}/f", O_WRONLY | O_TRUNC)
    kernel.write(writing, b"new")
    assert kernel.read(reading, 10) == b"new"
    kernel.close(reading)
    kernel.close(writing)
    assert stack.read(f"{stack.lowers[0]}/f") == b"old"


def test_descriptor_of_another_lower_hard_link_keeps_the_old_data(kernel, stack):
    stack.write(f"{stack.lowers[0]}/f", b"old")
    kernel.link(f"{stack.lowers[0]}/f", f"{stack.lowers[0]}/g")
    m = stack.mount()
    reading = kernel.open(f"{m}/g", O_RDONLY)
    writing = kernel.open(f"{m}/f", O_WRONLY)
    kernel.write(writing, b"new")
    assert kernel.read(reading, 10) == b"old"
    kernel.close(reading)
    kernel.close(writing)


def test_open_for_writing_copies_up_file_and_parents(kernel, stack):
    kernel.mkdir(f"{stack.lowers[0]}/d")
    stack.write(f"{stack.lowers[0]}/d/f")
    m = stack.mount()
    stack.touch_open(f"{m}/d/f", O_RDWR)
    assert stack.in_upper() == ["/d", "/d/f"]
    assert stack.read(f"{stack.upper}/d/f") == b"data"


@pytest.mark.parametrize(("flags", "copied"), [(O_RDONLY | O_TRUNC, ["/f"]), (O_CREAT | O_RDONLY, []), (O_RDONLY, [])])
def test_which_open_copies_up(kernel, stack, flags, copied):
    stack.write(f"{stack.lowers[0]}/f")
    m = stack.mount()
    stack.touch_open(f"{m}/f", flags)
    assert stack.in_upper() == copied
    assert kernel.stat(f"{m}/f").st_size == (0 if flags & O_TRUNC else 4)


@pytest.mark.parametrize("upper", [True, False])
def test_opening_a_fifo_or_device_for_writing_copies_nothing(kernel, stack, upper):
    kernel.mknod(f"{stack.lowers[0]}/fifo", S_IFIFO | 0o666)
    kernel.mknod(f"{stack.lowers[0]}/null", S_IFCHR | 0o666, 0x103)
    m = stack.mount(upper=upper)
    stack.touch_open(f"{m}/fifo", O_RDWR | O_NONBLOCK)
    fd = kernel.open(f"{m}/null", O_WRONLY)
    assert kernel.write(fd, b"gone") == 4
    kernel.close(fd)
    assert stack.in_upper() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda k, path: k.chmod(path, 0o644),
        lambda k, path: k.chown(path, -1, -1),
        lambda k, path: k.utime(path, ns=(1, 5_000)),
        lambda k, path: k.setxattr(path, "user.x", b"1"),
    ],
)
def test_metadata_changes_copy_the_data_up(kernel, stack, change):
    path = stack.write(f"{stack.lowers[0]}/f")
    kernel.utime(path, ns=(1, 5_000))
    m = stack.mount()
    change(kernel, f"{m}/f")
    assert stack.read(f"{stack.upper}/f") == b"data"
    assert kernel.stat(f"{m}/f").st_mtime_ns == 5_000


def test_removexattr_of_an_absent_name_copies_nothing(kernel, stack):
    stack.write(f"{stack.lowers[0]}/f")
    m = stack.mount()
    assert refused(kernel.removexattr, f"{m}/f", "user.x") == "ENODATA"
    assert stack.in_upper() == []
    assert refused(kernel.setxattr, f"{m}/f", "user.x", b"1", XATTR_REPLACE) == "ENODATA"
    assert stack.in_upper() == ["/f"]


def test_failed_calls_copy_nothing_up(kernel, stack):
    kernel.mkdir(f"{stack.lowers[0]}/d")
    kernel.mkdir(f"{stack.lowers[0]}/d/e")
    m = stack.mount()
    assert refused(kernel.mkdir, f"{m}/d/e") == "EEXIST"
    assert refused(kernel.rmdir, f"{m}/d") == "ENOTEMPTY"
    assert refused(kernel.rename, f"{m}/d/e", f"{m}/x") == "EXDEV"
    assert stack.in_upper() == []


def test_a_whiteout_cannot_be_made_through_the_overlay(kernel, stack):
    m = stack.mount()
    stack.write(f"{m}/f")
    assert refused(kernel.mknod, f"{m}/w", S_IFCHR, 0) == "EPERM"
    assert refused(kernel.mknod, f"{m}/f", S_IFCHR, 0) == "EEXIST"


def test_rename_of_a_lower_directory(kernel, stack):
    for path in ("d", "d/e", "full", "full/x"):
        kernel.mkdir(f"{stack.lowers[0]}/{path}")
    stack.write(f"{stack.lowers[0]}/f")
    m = stack.mount()
    assert refused(kernel.rename, f"{m}/d", f"{m}/new") == "EXDEV"
    assert refused(kernel.rename, f"{m}/d", f"{m}/full") == "EXDEV"
    assert refused(kernel.rename, f"{m}/d", f"{m}/d/e/x") == "EINVAL"
    assert refused(kernel.rename, f"{m}/d/e", f"{m}/d") == "ENOTEMPTY"
    assert refused(kernel.rename, f"{m}/d", f"{m}/f") == "ENOTDIR"


def test_rename_between_two_lower_hard_links_is_not_a_no_op(kernel, stack):
    stack.write(f"{stack.lowers[0]}/f")
    kernel.link(f"{stack.lowers[0]}/f", f"{stack.lowers[0]}/g")
    m = stack.mount()
    kernel.rename(f"{m}/f", f"{m}/g")
    assert kernel.listdir(m) == ["g"]
    assert stack.is_whiteout("/f")
    assert kernel.stat(f"{m}/g").st_nlink == 1


def test_a_hard_link_copied_up_is_parted_from_the_other_name(kernel, stack):
    stack.write(f"{stack.lowers[0]}/f")
    kernel.link(f"{stack.lowers[0]}/f", f"{stack.lowers[0]}/g")
    m = stack.mount()
    before = kernel.stat(f"{m}/f").st_ino
    assert before == kernel.stat(f"{m}/g").st_ino
    kernel.chmod(f"{m}/f", 0o600)
    after = kernel.stat(f"{m}/f")
    assert (after.st_ino != before, after.st_nlink) == (True, 1)
    assert (kernel.stat(f"{m}/g").st_ino, kernel.stat(f"{m}/g").st_nlink) == (before, 2)
    assert "trusted.overlay.origin" not in kernel.listxattr(f"{stack.upper}/f")


def test_link_count_of_directories(kernel, stack):
    for path in ("d", "d/one", "d/two", "both"):
        kernel.mkdir(f"{stack.lowers[0]}/{path}")
    kernel.mkdir(f"{stack.lowers[1]}/both")
    m = stack.mount()
    assert kernel.stat(f"{m}/d").st_nlink == 4
    assert kernel.stat(f"{m}/both").st_nlink == 1
    kernel.chmod(f"{m}/d", 0o700)
    assert kernel.stat(f"{m}/d").st_nlink == 1


def test_a_lower_directory_that_is_not_merged_shows_its_whiteouts(kernel, stack):
    kernel.mkdir(f"{stack.lowers[0]}/d")
    kernel.mknod(f"{stack.lowers[0]}/d/gone", S_IFCHR, 0)
    m = stack.mount()
    assert kernel.listdir(f"{m}/d") == ["gone"]
    assert refused(kernel.lstat, f"{m}/d/gone") == "ENOENT"
    kernel.chmod(f"{m}/d", 0o700)
    assert kernel.listdir(f"{m}/d") == []
    kernel.rmdir(f"{m}/d")
    assert stack.is_whiteout("/d")


def test_unlink_over_an_upper_file_and_a_lower_whiteout(kernel, stack):
    kernel.mknod(f"{stack.lowers[0]}/f", S_IFCHR, 0)
    stack.write(f"{stack.lowers[1]}/f")
    m = stack.mount()
    stack.write(f"{m}/f", b"new")
    kernel.unlink(f"{m}/f")
    assert stack.in_upper() == []


def test_mkdir_and_opaque(kernel, stack):
    kernel.mkdir(f"{stack.lowers[0]}/d")
    stack.write(f"{stack.lowers[0]}/d/f")
    m = stack.mount()
    kernel.unlink(f"{m}/d/f")
    kernel.rmdir(f"{m}/d")
    assert stack.is_whiteout("/d")
    kernel.mkdir(f"{m}/d")
    kernel.mkdir(f"{m}/plain")
    assert stack.is_opaque("/d")
    assert not stack.is_opaque("/plain")
    assert kernel.listdir(f"{m}/d") == []


def test_a_pure_directory_renamed_into_a_merged_parent_becomes_opaque(kernel, stack):
    for lower in stack.lowers:
        kernel.mkdir(f"{lower}/d")
    m = stack.mount()
    kernel.mkdir(f"{m}/new")
    kernel.rename(f"{m}/new", f"{m}/d/new")
    assert stack.is_opaque("/d/new")


@pytest.mark.parametrize(("value", "names"), [(b"y", []), (b"n", ["f"]), (b"yes", ["f"])])
def test_only_y_is_opaque(kernel, stack, value, names):
    for lower in stack.lowers:
        kernel.mkdir(f"{lower}/d")
    stack.write(f"{stack.lowers[1]}/d/f")
    kernel.setxattr(f"{stack.lowers[0]}/d", "trusted.overlay.opaque", value)
    m = stack.mount()
    assert kernel.listdir(f"{m}/d") == names


def test_whiteouts_are_hard_links_of_one(kernel, stack):
    for name in "ab":
        stack.write(f"{stack.lowers[0]}/{name}")
    m = stack.mount()
    kernel.unlink(f"{m}/a")
    kernel.unlink(f"{m}/b")
    a, b = (kernel.lstat(f"{stack.upper}/{name}") for name in "ab")
    assert (a.st_ino, a.st_nlink) == (b.st_ino, b.st_nlink)
    assert a.st_nlink >= 2


def test_own_xattrs_are_hidden_and_escaped(kernel, stack):
    kernel.mkdir(f"{stack.lowers[0]}/d")
    kernel.setxattr(f"{stack.lowers[0]}/d", "trusted.overlay.opaque", b"y")
    kernel.setxattr(f"{stack.lowers[0]}/d", "user.mine", b"1")
    m = stack.mount()
    assert kernel.listxattr(f"{m}/d") == ["user.mine"]
    assert refused(kernel.getxattr, f"{m}/d", "trusted.overlay.opaque") == "ENODATA"
    kernel.setxattr(f"{m}/d", "trusted.overlay.x", b"2")
    assert kernel.getxattr(f"{m}/d", "trusted.overlay.x") == b"2"
    assert kernel.getxattr(f"{stack.upper}/d", "trusted.overlay.overlay.x") == b"2"


def test_numbers_are_kept_over_a_copy_up(kernel, stack):
    kernel.mkdir(f"{stack.lowers[0]}/d")
    stack.write(f"{stack.lowers[0]}/f")
    m = stack.mount()
    before = [kernel.stat(f"{m}/{name}") for name in "df"]
    assert [stat.st_ino for stat in before] == [kernel.stat(f"{stack.lowers[0]}/{name}").st_ino for name in "df"]
    assert {stat.st_dev for stat in before} == {kernel.stat(m).st_dev}
    assert kernel.stat(m).st_dev != kernel.stat(stack.upper).st_dev
    for name in "df":
        kernel.chmod(f"{m}/{name}", 0o700)
    after = [kernel.stat(f"{m}/{name}") for name in "df"]
    assert [(s.st_dev, s.st_ino) for s in after] == [(s.st_dev, s.st_ino) for s in before]


def test_numbers_of_layers_on_two_file_systems(kernel, stack):
    kernel.mount("tmpfs", stack.lowers[1], "tmpfs")
    kernel.mkdir(f"{stack.lowers[0]}/d")
    stack.write(f"{stack.lowers[0]}/f")
    stack.write(f"{stack.lowers[1]}/g")
    m = stack.mount()
    stack.write(f"{m}/new")
    overlay = kernel.stat(m).st_dev
    f, g, new, d = (kernel.stat(f"{m}/{name}") for name in ("f", "g", "new", "d"))
    layers = {kernel.stat(stack.upper).st_dev, kernel.stat(stack.lowers[1]).st_dev}
    assert d.st_dev == overlay
    assert f.st_dev == new.st_dev != g.st_dev
    assert not {f.st_dev, g.st_dev} & {overlay, *layers}
    kernel.chmod(f"{m}/g", 0o600)
    after = kernel.stat(f"{m}/g")
    assert (after.st_dev, after.st_ino) == (g.st_dev, g.st_ino)
    kernel.umount2(m)
    kernel.umount2(stack.lowers[1])


REDIRECT_ON = OFF.replace("redirect_dir=off", "redirect_dir=on")


def test_redirect_dir_on_notes_where_a_directory_was(kernel, stack):
    for path in ("d", "d/sub", "to"):
        kernel.mkdir(f"{stack.lowers[0]}/{path}")
    stack.write(f"{stack.lowers[0]}/d/sub/f")
    m = stack.mount(REDIRECT_ON)
    kernel.rename(f"{m}/d/sub", f"{m}/d/same")
    kernel.rename(f"{m}/d", f"{m}/to/d")
    redirect = "trusted.overlay.redirect"
    assert kernel.getxattr(f"{stack.upper}/to/d", redirect) == b"/d"
    assert kernel.getxattr(f"{stack.upper}/to/d/same", redirect) == b"sub"
    assert stack.read(f"{m}/to/d/same/f") == b"data"
    kernel.umount2(m)
    stack.mount()  # off still follows
    assert stack.read(f"{m}/to/d/same/f") == b"data"


def test_redirect_dir_nofollow(kernel, stack):
    kernel.mkdir(f"{stack.lowers[0]}/d")
    m = stack.mount(REDIRECT_ON)
    kernel.rename(f"{m}/d", f"{m}/e")
    kernel.mkdir(f"{m}/new")
    assert stack.is_opaque("/new")
    kernel.umount2(m)
    stack.mount(OFF.replace("redirect_dir=off", "redirect_dir=nofollow"))
    assert refused(kernel.lstat, f"{m}/e") == "EPERM"


def test_a_metacopy_file_is_refused(kernel, stack):
    stack.write(f"{stack.upper}/f", b"")
    kernel.setxattr(f"{stack.upper}/f", "trusted.overlay.metacopy", b"")
    m = stack.mount()
    assert refused(kernel.open, f"{m}/f", O_RDONLY) == "EPERM"


def test_a_read_only_overlay(kernel, stack):
    kernel.mkdir(f"{stack.lowers[0]}/d")
    stack.write(f"{stack.lowers[0]}/d/f")
    m = stack.mount(upper=False)
    for call in (
        lambda: kernel.unlink(f"{m}/absent"),
        lambda: kernel.rmdir(f"{m}/d"),
        lambda: kernel.mknod(f"{m}/w", S_IFCHR, 0),
        lambda: kernel.chmod(f"{m}/d", 0o700),
        lambda: kernel.open(f"{m}/d/f", O_WRONLY),
        lambda: kernel.open(f"{m}/new", O_CREAT | O_WRONLY),
        lambda: kernel.mount("none", m, "", MS_REMOUNT),
    ):
        assert refused(call) == "EROFS"
    assert refused(kernel.mkdir, f"{m}/d") == "EEXIST"
    assert refused(kernel.open, f"{m}/d", O_CREAT) == "EISDIR"
    stack.touch_open(f"{m}/d/f", O_CREAT)


def test_a_remount_makes_it_read_only(kernel, stack):
    m = stack.mount()
    kernel.mount("none", m, "", MS_REMOUNT | MS_RDONLY)
    assert refused(kernel.mkdir, f"{m}/d") == "EROFS"
    kernel.mount("none", m, "", MS_REMOUNT)
    kernel.mkdir(f"{m}/d")


def test_refusals_of_mount(kernel, stack):
    l0 = stack.lowers[0]
    kernel.mkdir(f"{l0}/in")
    stack.write(f"{stack.base}/file")
    assert refused(stack.mount, lowers=[l0, l0]) == "ELOOP"
    assert refused(stack.mount, lowers=[l0, f"{l0}/in"]) == "ELOOP"
    assert refused(stack.mount, lowers=[stack.upper]) == "ELOOP"
    assert refused(stack.mount, lowers=[f"{stack.base}/absent"]) == "ENOENT"
    assert refused(stack.mount, lowers=[f"{stack.base}/file"]) == "EINVAL"
    assert refused(stack.mount, OFF + ",unknown=1") == "EINVAL"
    assert refused(stack.mount, lowers=[l0], upper=False) == "EINVAL"
    for data in (
        f"lowerdir={l0},upperdir={stack.upper}",
        f"lowerdir={l0},upperdir={stack.upper},workdir={stack.upper}",
        f"lowerdir={l0},upperdir={stack.upper}/..,workdir={stack.base}/w",
        f"upperdir={stack.upper},workdir={stack.base}/w",
    ):
        assert refused(kernel.mount, "overlay", stack.merged, "overlay", 0, data) == "EINVAL"
    assert refused(kernel.mount, "x", stack.merged, "nosuchfs") == "ENODEV"


def test_nesting(kernel, stack):
    l0, l1 = stack.lowers
    kernel.mkdir(f"{l0}/deep")
    m = stack.mount()
    dirs = [f"{stack.base}/{name}" for name in ("m2", "m3", "u2", "w2")]
    for path in dirs:
        kernel.mkdir(path)
    upper_on_overlay = f"lowerdir={l1},upperdir={m}/deep,workdir={m}"
    assert refused(kernel.mount, "overlay", dirs[0], "overlay", 0, upper_on_overlay) == "EINVAL"
    kernel.mount("overlay", dirs[0], "overlay", 0, f"lowerdir={m},upperdir={dirs[2]},workdir={dirs[3]}" + OFF)
    assert kernel.listdir(dirs[0]) == ["deep"]
    kernel.mkdir(f"{dirs[0]}/deep/er")
    assert kernel.listdir(f"{dirs[0]}/deep") == ["er"]
    three = f"lowerdir={dirs[0]}:{stack.base}/file"
    kernel.mkdir(f"{stack.base}/file")
    assert refused(kernel.mount, "overlay", dirs[1], "overlay", 0, three) == "EINVAL"
    kernel.umount2(dirs[0])


def test_volatile(kernel, stack):
    m = stack.mount(OFF + ",volatile")
    stack.write(f"{m}/f")
    kernel.umount2(m)
    assert refused(stack.mount) == "EINVAL"
    mark = f"{stack.base}/w/work/incompat/volatile/dirty"
    kernel.unlink(mark)
    kernel.rmdir(mark.removesuffix("/dirty"))
    kernel.rmdir(mark.removesuffix("/volatile/dirty"))
    stack.mount()
    assert stack.read(f"{m}/f") == b"data"


@pytest.mark.slow
def test_five_hundred_layers(kernel, stack):
    layers = [f"{stack.base}/{number}" for number in range(501)]
    for path in layers:
        kernel.mkdir(path)
    for path in (layers[0], layers[250], layers[499]):
        stack.write(f"{path}/from{path.rsplit('/', 1)[1]}")
    m = stack.mount(lowers=layers[:500])
    assert sorted(kernel.listdir(m)) == ["from0", "from250", "from499"]
    kernel.umount2(m)
    assert refused(stack.mount, lowers=layers) == "EINVAL"


def test_a_removed_file_that_is_open(kernel, stack):
    stack.write(f"{stack.lowers[0]}/f")
    m = stack.mount()
    fd = kernel.open(f"{m}/f", O_RDONLY)
    kernel.unlink(f"{m}/f")
    assert refused(kernel.fchmod, fd, 0o600) == "EEXIST"
    assert kernel.read(fd, 10) == b"data"
    assert kernel.fstat(fd).st_nlink == 1
    kernel.close(fd)
