"""Layers: what unpacking makes, what tar makes, what is refused in which words, and that nothing half-made is left."""

import errno
import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archive_builder as build
import pytest
import rights
from archive_builder import entry, hard_link
from host_files import HostFiles
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snapshot import content, snapshot

from minidocker.errors import EngineError, InvalidArchive, ServerError
from minidocker.kernel import Files
from minidocker.layer import OWNER_XATTR, unpack, unpack_job
from minidocker.linux import S_IFCHR, S_IFMT
from minidocker.scope import Scope
from minidocker.sim import SimKernel


@pytest.fixture(params=["simulated", "host"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Files]:
    """Files to unpack into, with a directory /w."""
    if request.param == "host":
        rights.require("root")
        made: Any = HostFiles(str(tmp_path))
    else:
        made = SimKernel()
    made.mkdir("/w", 0o755)
    yield made
    if request.param != "host":
        made.close_kernel()


def unpacked(files: Files, *entries: tuple[tarfile.TarInfo, bytes | None], **options: Any) -> dict[str, dict[str, Any]]:
    unpack(files, build.tar(entries), "/w/layer", **options)
    return snapshot(files, "/w/layer")


# what is made


def test_files_directories_links_and_fifos(files: Files) -> None:
    tree = unpacked(
        files,
        entry("d", None, mode=0o2750, uid=1, gid=2, mtime=5),
        entry("d/f", b"data", mode=0o4755, uid=3, gid=4, mtime=6),
        hard_link("d/g", "d/f"),
        entry("d/s", "f", uid=5, gid=6, mtime=7),
        entry("d/p", "", type=tarfile.FIFOTYPE, mode=0o640, mtime=8),
        entry("t", None, mode=0o1777),
    )
    assert tree["/d"]["mode"] == "0o42750"
    assert tree["/d"]["owner"] == (1, 2)
    assert tree["/d"]["mtime_ns"] == 5_000_000_000  # though files were made in it later
    assert tree["/d/f"] == {
        "mode": "0o104755", "owner": (3, 4), "rdev": 0, "mtime_ns": 6_000_000_000, "data": b"data", "nlink": 2,
        "xattrs": {}, "inode": "/d/f",
    }  # fmt: skip
    assert tree["/d/g"]["inode"] == "/d/f"
    assert (tree["/d/s"]["target"], tree["/d/s"]["owner"], tree["/d/s"]["mtime_ns"]) == ("f", (5, 6), 7_000_000_000)
    assert (tree["/d/p"]["mode"], tree["/t"]["mode"]) == ("0o10640", "0o41777")


def test_files_in_a_setgid_directory_keep_the_group_of_the_archive(files: Files) -> None:
    tree = unpacked(files, entry("d", None, mode=0o2755, gid=7), entry("d/f", b""), entry("d/e"))
    assert (tree["/d/f"]["owner"], tree["/d/e"]["owner"], tree["/d/e"]["mode"]) == ((0, 0), (0, 0), "0o40755")


def test_the_umask_takes_nothing_and_is_given_back(files: Files) -> None:
    files.umask(0o77)
    assert unpacked(files, entry("f", b"", mode=0o666), entry("d", None, mode=0o777))["/f"]["mode"] == "0o100666"
    assert files.umask(0) == 0o77


def test_a_read_only_directory_can_be_filled(files: Files) -> None:
    assert unpacked(files, entry("d", None, mode=0o555), entry("d/f", b"x"))["/d"]["mode"] == "0o40555"


def test_missing_parents_are_made(files: Files) -> None:
    tree = unpacked(files, entry("p/q/r", b"x", uid=5, gid=6))
    assert (tree["/p"]["mode"], tree["/p/q"]["owner"], tree["/p/q/r"]["owner"]) == ("0o40755", (0, 0), (5, 6))


def test_a_late_entry_for_a_directory_counts(files: Files) -> None:
    tree = unpacked(files, entry("d/f", b"x"), entry("d", None, mode=0o700, mtime=9))
    assert (tree["/d"]["mode"], tree["/d"]["mtime_ns"]) == ("0o40700", 9_000_000_000)


def test_the_roots_own_entry_is_left_out_as_docker_does(files: Files) -> None:
    tree = unpacked(files, entry("./", None, mode=0o700, uid=9), entry("./a", b"x"))
    assert (tree["/"]["mode"], tree["/"]["owner"], set(tree)) == ("0o40755", (0, 0), {"/", "/a"})


def test_times_to_the_nanosecond(files: Files) -> None:
    exact = {"mtime": "1700000000.123456789", "atime": "1700000001.5"}
    archive = build.tar([entry("f", b"", pax_headers=exact), entry("early", b"", pax_headers={"mtime": "-5.25"})])
    unpack(files, archive, "/w/layer")
    stat = files.stat("/w/layer/f")
    assert (stat.st_mtime_ns, stat.st_atime_ns) == (1_700_000_000_123_456_789, 1_700_000_001_500_000_000)
    assert files.stat("/w/layer/early").st_mtime_ns == 0  # Docker's: nothing is older than 1970


def test_extended_attributes(files: Files) -> None:
    raw = b"\x01\x00\xff".decode("utf-8", "surrogateescape")
    notes = {"user.note": "hi", "trusted.raw": raw, "trusted.overlay.opaque": "y", "user.overlay.opaque": "y"}
    headers = {f"SCHILY.xattr.{name}": value for name, value in notes.items()}
    archive = build.tar(
        [entry("d", None, pax_headers=headers), entry("f", b"", pax_headers=headers)], errors="surrogateescape"
    )
    unpack(files, archive, "/w/layer")
    tree = snapshot(files, "/w/layer")
    assert tree["/d"]["xattrs"] == tree["/f"]["xattrs"] == {"user.note": b"hi", "trusted.raw": b"\x01\x00\xff"}


def test_a_whiteout_is_a_device_0_0(files: Files) -> None:
    tree = unpacked(files, entry("d"), entry("d/.wh.gone", b"", uid=3, gid=4), entry(".wh..wh.odd", b""))
    assert (tree["/d/gone"]["mode"], tree["/d/gone"]["rdev"], tree["/d/gone"]["owner"]) == (oct(S_IFCHR), 0, (3, 4))
    assert set(tree) == {"/", "/d", "/d/gone", "/.wh.odd"}


@pytest.mark.parametrize(("rootless", "name"), [(False, "trusted.overlay.opaque"), (True, "user.overlay.opaque")])
def test_an_opaque_directory(files: Files, name: str, *, rootless: bool) -> None:
    tree = unpacked(files, entry("d/.wh..wh..opq", b""), entry("d", None, mode=0o700), rootless=rootless)
    assert tree["/d"]["xattrs"] == {name: b"y"}
    assert set(tree) == {"/", "/d"}


def test_an_opaque_root(files: Files) -> None:
    assert unpacked(files, entry(".wh..wh..opq", b""))["/"]["xattrs"] == {"trusted.overlay.opaque": b"y"}


def test_a_name_after_its_own_whiteout_replaces_it(files: Files) -> None:
    tree = unpacked(files, entry(".wh.a", b""), entry("a", b"new"))
    assert tree["/a"]["data"] == b"new"


def test_harmless_devices(files: Files) -> None:
    tree = unpacked(files, entry("null", "", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666))
    assert (tree["/null"]["mode"], tree["/null"]["rdev"]) == ("0o20666", 0x103)


def test_rootless_leaves_devices_out(files: Files) -> None:
    device = entry("null", "", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
    assert set(unpacked(files, device, entry("f", b""), rootless=True)) == {"/", "/f"}


def test_a_file_with_holes(files: Files) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = entry("sparse", b"")[0]
        info.size = 8
        info.pax_headers = {
            "GNU.sparse.map": "4096,4,8192,4", "GNU.sparse.size": "10000", "GNU.sparse.major": "0",
            "GNU.sparse.minor": "1", "GNU.sparse.numblocks": "2",
        }  # fmt: skip
        archive.addfile(info, io.BytesIO(b"abcdefgh"))
    unpack(files, stream.getvalue(), "/w/layer")
    data = content(files, "/w/layer/sparse")
    assert data == bytes(4096) + b"abcd" + bytes(4092) + b"efgh" + bytes(10000 - 8196)


def test_symlinks_are_followed_inside_the_layer(files: Files) -> None:
    tree = unpacked(
        files,
        entry("run/lock"),
        entry("var/run", "/run"),
        entry("up", "var/../run"),
        entry("var/run/a", b"1"),
        entry("up/lock/b", b"2"),
        entry("up/new/c", b"3"),
        entry("up/.wh.d", b""),
        entry("up/lock/.wh..wh..opq", b""),
        hard_link("up/e", "var/run/a"),
    )
    assert tree["/run/a"]["inode"] == tree["/run/e"]["inode"]
    assert tree["/run/lock"]["xattrs"] == {"trusted.overlay.opaque": b"y"}
    assert {"/run/lock/b", "/run/new/c", "/run/d"} < set(tree)


def test_a_second_name_for_a_place_replaces_what_is_there(files: Files) -> None:
    done = unpack(
        files,
        build.tar([entry("d/x/y", b"1"), entry("l", "d"), entry("l/x", b"22"), entry("d/z", b"3"), entry("l/z")]),
        "/w/layer",
    )
    tree = snapshot(files, "/w/layer")
    assert tree["/d/x"]["data"] == b"22"
    assert tree["/d/z"]["mode"] == "0o40755"
    assert set(tree) == {"/", "/d", "/d/x", "/l", "/d/z"} == set(done.entries)
    assert done.size == 2 + len("d")


# what is told of it


def test_entries_are_what_lies_there(files: Files) -> None:
    done = unpack(
        files,
        build.tar([
            entry("d"), entry("d/.wh..wh..opq", b""), entry("d/f", b"abc", uid=1), hard_link("g", "d/f"),
            entry("s", "d/f"),
            entry(".wh.gone", b""), entry("i/j", b""), entry("p", "", type=tarfile.FIFOTYPE),
            entry("null", "", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        ]),
        "/w/layer",
    )  # fmt: skip
    from minidocker.entry import entry_of

    lying = {
        path: entry_of(files, "/w/layer" + path.rstrip("/"), files.lstat("/w/layer" + path.rstrip("/")))
        for path in done.entries
    }
    assert done.entries == lying
    assert set(snapshot(files, "/w/layer")) == set(done.entries)
    assert done.size == len("abc") + len("d/f")  # as Docker counts: hard links once, symlinks by their targets


def test_a_job_tells_plain_values(files: Files) -> None:
    assert unpack_job(files, build.tar([entry("f", b"xy")]), "/w/a")["size"] == 2
    refused = unpack_job(files, build.tar([entry("../f", b"xy")]), "/w/b")
    assert (refused["error"], refused["message"]) == ("InvalidArchive", '"../f" is outside of "/"')


# against tar


@pytest.mark.needs("root")
def test_equals_what_tar_makes(tmp_path: Path) -> None:
    same_as_tar(tmp_path, build.tar(wild_entries()))


@pytest.mark.needs("root", "docker-archive")
@pytest.mark.slow
def test_real_docker_layers_equal_what_tar_makes(tmp_path: Path) -> None:
    from minidocker.archive import read_archive

    with rights.ARCHIVE.open("rb") as archive:
        images = read_archive(archive)
        layers = {image.image.diff_ids[number]: data for image in images for number, data in image.layers()}
    plain = [data for data in layers.values() if b".wh." not in data]
    assert len(plain) >= 8
    for number, data in enumerate(plain):
        (tmp_path / str(number)).mkdir()
        same_as_tar(tmp_path / str(number), data)


def same_as_tar(tmp_path: Path, archive: bytes) -> None:
    files = HostFiles(str(tmp_path))
    unpack(files, archive, "/ours")
    files.mkdir("/theirs", 0o755)
    command = ["tar", "-x", "-p", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", f"{tmp_path}/theirs"]
    subprocess.run(command, input=archive, check=True)
    ours, theirs = snapshot(files, "/ours"), snapshot(files, "/theirs")
    assert ours.pop("/")["mode"] == "0o40755"  # the root is the engine's: Docker, too, leaves it as it made it
    del theirs["/"]
    assert ours == theirs


def wild_entries() -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    yield entry("top", None, mode=0o2775, uid=10, gid=20)
    for number in range(40):
        owner: dict[str, Any] = {"uid": number * 7, "gid": 60_000 + number, "mtime": 1_000_000_000 + number}
        yield entry(f"top/d{number}", None, mode=0o700 + number, **owner)
        yield entry(f"top/d{number}/{'n' * (number * 6)}f", b"x" * (number * 100), mode=0o4000 + number * 9, **owner)
        yield entry(f"top/d{number}/sym", "../" * number + "t" * (number + 1), **owner)
        yield entry(f"top/d{number}/fifo", "", type=tarfile.FIFOTYPE, mode=0o600, **owner)
        yield hard_link(f"top/hard{number}", f"top/d{number}/{'n' * (number * 6)}f")
    yield entry("top/ünï", b"name", pax_headers={"SCHILY.xattr.user.a": "b", "mtime": "1600000000.987654321"})
    yield entry("big-ids", b"", uid=3_000_000, gid=4_000_000)
    yield entry("null", "", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)


# what is refused

BAD = {
    "dotdot": ([entry("../x", b"")], '"../x" is outside of "/"'),
    "dotdot in the middle": ([entry("a/../../x", b"")], '"a/../../x" is outside of "/"'),
    "dotdot alone": ([entry("..")], '".." is outside of "/"'),
    "absolute": ([entry("/x", b"")], '"/x" is outside of "/"'),
    "absolute directory": ([entry("/x/y")], '"/x/y" is outside of "/"'),
    "dotdot symlink": ([entry("../x", "y")], '"../x" is outside of "/"'),
    "dotdot hard link": ([entry("f", b""), hard_link("../x", "f")], '"../x" is outside of "/"'),
    "dotdot whiteout": ([entry("../.wh.x", b"")], '"../.wh.x" is outside of "/"'),
    "dotdot opaque": ([entry("../.wh..wh..opq", b"")], '"../.wh..wh..opq" is outside of "/"'),
    "through an absolute symlink": ([entry("l", "/w"), entry("l/x", b"")], "open /l/x: no such file or directory"),
    "through a relative symlink": ([entry("l", ".."), entry("l/x", b"")], 'invalid symlink "/l" -> ".."'),
    "through a deep symlink": (
        [entry("a/l", "../../../../w"), entry("a/l/x", b"")],
        'invalid symlink "/a/l" -> "../../../../w"',
    ),
    "through two symlinks": (
        [entry("k", "l"), entry("l", "../w"), entry("k/x", b"")],
        'invalid symlink "/l" -> "../w"',
    ),
    "directory through a symlink": ([entry("l", "/w"), entry("l/d")], "mkdir /l/d: no such file or directory"),
    "symlink through a symlink": ([entry("l", "/w"), entry("l/s", "t")], "symlink t /l/s: no such file or directory"),
    "whiteout through a symlink": (
        [entry("l", "/w"), entry("l/.wh.x", b"")],
        'failed to mknod("/l/x", S_IFCHR, 0): no such file or directory',
    ),
    "opaque through a symlink": (
        [entry("l", "/w"), entry("l/.wh..wh..opq", b"")],
        'setxattr("/l", trusted.overlay.opaque=y): no such file or directory',
    ),
    "symlinks in a circle": (
        [entry("a", "b"), entry("b", "a"), entry("a/x", b"")],
        "open /a/x: too many levels of symbolic links",
    ),
    "hard link dotdot": ([hard_link("h", "../../etc/passwd")], 'invalid hardlink "/h" -> "../../etc/passwd"'),
    "hard link absolute": ([hard_link("h", "/w/secret")], "link /w/secret /h: no such file or directory"),
    "hard link through a symlink": (
        [entry("l", "/w"), hard_link("h", "l/secret")],
        "link /l/secret /h: no such file or directory",
    ),
    "hard link to nothing": ([hard_link("h", "nope")], "link /nope /h: no such file or directory"),
    "hard link to itself": ([hard_link("h", "h")], "link /h /h: no such file or directory"),
    "hard link to a directory": ([entry("d"), hard_link("h", "d")], "link /d /h: operation not permitted"),
    "hard link below nothing": ([hard_link("h", "no/such")], "link /no/such /h: no such file or directory"),
    "disk": (
        [entry("sda", "", type=tarfile.BLKTYPE, devmajor=8)],
        'failed to mknod("/sda", block device 8:0): operation not permitted',
    ),
    "memory": (
        [entry("mem", "", type=tarfile.CHRTYPE, devmajor=1, devminor=1)],
        'failed to mknod("/mem", char device 1:1): operation not permitted',
    ),
    "whiteout of the parent": ([entry("d/.wh...", b"")], 'failed to mknod("/", S_IFCHR, 0): file exists'),
    "whiteout of itself": ([entry("d/.wh..", b"")], 'failed to mknod("/d", S_IFCHR, 0): file exists'),
    "whiteout of nothing": ([entry("d/.wh.", b"")], 'failed to mknod("/d", S_IFCHR, 0): file exists'),
    "whiteout of the root's parent": ([entry(".wh...", b"")], 'failed to mknod("/", S_IFCHR, 0): file exists'),
    "whiteout of a name of the same layer": (
        [entry("f", b""), entry(".wh.f", b"")],
        'failed to mknod("/f", S_IFCHR, 0): file exists',
    ),
    "file above": ([entry("a", b""), entry("a/b", b"")], "open /a/b: not a directory"),
    "a name twice": ([entry("a", b"1"), entry("./a", b"2")], "duplicates of file paths not supported"),
    "a directory twice": ([entry("a"), entry("a/")], "duplicates of file paths not supported"),
    "long name": ([entry("n" * 256, b"")], f"open /{'n' * 256}: file name too long"),
    "NUL in a name": ([entry("a", b"", pax_headers={"path": "a\0b"})], "archive/tar: invalid tar header"),
    "unknown type": ([entry("u", "", type=b"Z")], "unhandled tar header type 90"),
    "unknown attribute": (
        [entry("f", b"", pax_headers={"SCHILY.xattr.bogus.x": "y"})],
        "lsetxattr bogus.x /f: operation not supported",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_refused_in_dockers_words_and_nothing_is_left(files: Files, case: str) -> None:
    entries, message = BAD[case]
    before = outside(files)
    with pytest.raises(InvalidArchive) as caught:
        unpack(files, build.tar([entry("before", b"x"), *entries]), "/w/layer")
    assert caught.value.message == message
    assert files.listdir("/w") == []
    assert outside(files) == before


def test_a_hint_says_why_a_path_is_not_there(files: Files) -> None:
    with pytest.raises(InvalidArchive) as caught:
        unpack(files, build.tar([entry("l", "/etc"), entry("l/x", b"")]), "/w/layer")
    assert "inside of the layer only" in caught.value.hint
    assert caught.value.data == {"path": "/l/x", "errno": "ENOENT"}


def outside(files: Files) -> list[str]:
    here = "/" if isinstance(files, HostFiles) else files.getcwd()
    return [here, *sorted(files.listdir("/"))]


GOOD = build.tar([entry("a", b"x" * 700), entry("d/b", b"y" * 2000)])


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"", "unexpected EOF"),
        (b"not-a-tar\n", "unexpected EOF"),
        (b"x" * 4096, "archive/tar: invalid tar header"),
        (GOOD[:100], "unexpected EOF"),
        (GOOD[:1000], "unexpected EOF"),
        (GOOD[:1600], "unexpected EOF"),
        (GOOD[:1024] + b"z" * 512 + GOOD[1536:], None),
        (GOOD[:1536] + b"z" * 512 + GOOD[2048:], "archive/tar: invalid tar header"),
    ],
    ids=["empty", "text", "noise", "header cut", "data cut", "second header cut", "data changed", "header changed"],
)
def test_damaged_tar(files: Files, archive: bytes, message: str | None) -> None:
    if message is None:  # damage inside a file is for the digest to find
        unpack(files, archive, "/w/layer")
        return
    with pytest.raises(InvalidArchive) as caught:
        unpack(files, archive, "/w/layer")
    assert caught.value.message == message
    assert files.listdir("/w") == []


@pytest.mark.needs("root")
@pytest.mark.parametrize(
    ("call", "message"),
    [("write", "write /d/b: no space left on device"), ("mkdir", "mkdir /d: no space left on device"),
     ("symlink", "symlink t /s: no space left on device"), ("utime", "chtimes /a: no space left on device")],
)  # fmt: skip
def test_a_full_disk(tmp_path: Path, call: str, message: str) -> None:
    files = HostFiles(str(tmp_path))
    files.fail = full_disk(call, {"write": 2, "mkdir": 2}.get(call, 1))
    archive = build.tar([entry("a", b"1"), entry("d/b", b"2"), entry("s", "t")])
    with pytest.raises(ServerError) as caught:
        unpack(files, archive, "/layer")
    assert (caught.value.message, caught.value.data["errno"]) == (message, "ENOSPC")
    assert files.listdir("/") == []


def full_disk(call: str, nth: int) -> Callable[[str, tuple[Any, ...]], None]:
    seen: list[str] = []

    def fail(name: str, args: tuple[Any, ...]) -> None:
        seen.extend([name] if name == call else [])
        if name == call and len(seen) >= nth:
            raise OSError(errno.ENOSPC, "No space left on device")

    return fail


@pytest.mark.needs("root")
def test_short_writes_are_continued(tmp_path: Path) -> None:
    files = HostFiles(str(tmp_path))
    unpack(ShortWrites(str(tmp_path)), build.tar([entry("a", b"0123456789" * 5)]), "/layer")
    assert content(files, "/layer/a") == b"0123456789" * 5


class ShortWrites(HostFiles):
    def _write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data[:7])


@pytest.mark.needs("root")
def test_rootless_keeps_an_owner_that_cannot_be_mapped(tmp_path: Path) -> None:
    files = HostFiles(str(tmp_path))
    files.fail = unmapped
    unpack(files, build.tar([entry("f", b"", uid=5, gid=6), entry("s", "f", uid=5)]), "/layer", rootless=True)
    assert files.getxattr("/layer/f", OWNER_XATTR) == b"5:6"
    with pytest.raises(InvalidArchive, match="lchown /f: invalid argument"):
        unpack(files, build.tar([entry("f", b"", uid=5, gid=6)]), "/other")


def unmapped(name: str, args: tuple[Any, ...]) -> None:
    if name == "lchown":
        raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.needs("root")
def test_a_stat_is_never_asked(tmp_path: Path) -> None:
    """The names are known: four calls a file, whatever the number of directories above it."""
    files = HostFiles(str(tmp_path))
    unpack(files, build.tar([entry("a/b/c/d/e/f/g", b"x"), *[entry(f"a/b/c/{n}", b"y") for n in range(50)]]), "/layer")
    assert not {"stat", "lstat", "fstat", "listdir", "access"} & set(files.calls)
    assert len(files.calls) <= 51 * 4 + 6 + 12


# any bytes


SEED = build.tar([
    entry("d"), entry("d/f", b"abc"), hard_link("h", "d/f"), entry("s", "d"), entry("s/x", b"1"), entry(".wh.w", b""),
    entry("d/.wh..wh..opq", b""), entry("long" * 40, b"z", pax_headers={"SCHILY.xattr.user.k": "v"}),
], format=tarfile.PAX_FORMAT)  # fmt: skip


@pytest.mark.slow
@given(
    damage=st.lists(st.tuples(st.integers(0, len(SEED) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, len(SEED)),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes_never_escape_nor_leave_a_half(tmp_path: Path, damage: list[tuple[int, int]], cut: int) -> None:
    rights.require("root")
    data = bytearray(SEED)
    for position, value in damage:
        data[position] = value
    never_escapes(tmp_path, bytes(data[:cut] if cut % 4 == 0 else data))


NAMES = st.lists(
    st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..", ".wh..wh..opq", "é"]), min_size=1, max_size=4
).map("/".join)
MEMBERS = st.builds(
    lambda name, kind, target: {
        "file": lambda: entry(name, b"data"), "dir": lambda: entry(name), "symlink": lambda: entry(name, target),
        "hard": lambda: hard_link(name, target), "fifo": lambda: entry(name, "", type=tarfile.FIFOTYPE),
    }[kind](),
    NAMES, st.sampled_from(["file", "dir", "symlink", "hard", "fifo"]), NAMES,
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(MEMBERS, max_size=8))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_never_escape_nor_leave_a_half(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes | None]]
) -> None:
    rights.require("root")
    never_escapes(tmp_path, build.tar(members))


def never_escapes(tmp_path: Path, archive: bytes) -> None:
    files = HostFiles(str(tmp_path))
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "w").mkdir(exist_ok=True)
    files.fail = lambda name, args: reaches_no_symlink(files, name, args)
    try:
        done = unpack(files, archive, "/w/layer")
    except EngineError:
        assert files.listdir("/w") == []
    else:
        assert set(snapshot(files, "/w/layer")) == set(done.entries)
        subprocess.run(["rm", "-rf", f"{tmp_path}/w/layer"], check=True)
    assert sorted(files.listdir("/")) == ["secret", "w"]
    assert (tmp_path / "secret").stat().st_nlink == 1


def reaches_no_symlink(files: HostFiles, name: str, args: tuple[Any, ...]) -> None:
    """No path that the kernel gets climbs, or has a symlink above its last name: there is no way out."""
    paths = {"symlink": args[1:2], "link": args[:2], "rename": args[:2]}.get(name, args[:1])
    for path in (path for path in paths if isinstance(path, str)):
        above = Path(files._host(path)).parent
        assert ".." not in path.split("/")
        assert above.resolve() == above


@pytest.mark.slow
@given(st.lists(MEMBERS, max_size=8))
@settings(max_examples=100, deadline=None)
def test_what_is_told_is_what_lies_there_for_any_names(members: list[tuple[tarfile.TarInfo, bytes | None]]) -> None:
    kernel = SimKernel()
    kernel.mkdir("/w", 0o755)
    try:
        done = unpack(kernel, build.tar(members), "/w/layer")
    except EngineError:
        assert kernel.listdir("/w") == []
    else:
        assert set(snapshot(kernel, "/w/layer")) == set(done.entries)
        assert all(kernel.lstat("/w/layer" + path).st_mode & S_IFMT for path in done.entries)


# the scope by itself


def test_forgetting_a_directory_forgets_what_is_below() -> None:
    scope = Scope()
    scope.directories |= {"a", "a/b", "ab"}
    scope.others |= {"a/f", "af"}
    scope.symlinks["a/l"] = "x"
    scope.forget("a")
    assert (scope.directories, scope.others, scope.symlinks) == ({"", "ab"}, {"af"}, {})
