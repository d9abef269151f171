"""The image store: loading, sharing, finding, naming, removing; on the simulated and on this machine's kernel."""

import functools
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import archive_builder as build
import pytest
import rights
from archive_builder import entry
from snapshot import content, snapshot

from minidocker import overlay2
from minidocker.base_image import base_image, image_archive, layer_tar
from minidocker.errors import Conflict, EngineError, InvalidArchive, InvalidReference, NoSuchImage, ServerError
from minidocker.image_store import ImageStore, cut
from minidocker.kernel import Kernel
from minidocker.linux import S_IFDIR, S_IFREG
from minidocker.sim import SimKernel

SAVED = (Path(__file__).parent / "data" / "docker-26.tar.gz").read_bytes()


@functools.cache
def real_kernel() -> Kernel:
    from minidocker.real import RealKernel

    return RealKernel()


@pytest.fixture(scope="module", autouse=True)
def _end_real_kernel() -> Iterator[None]:
    yield
    if real_kernel.cache_info().currsize:
        real_kernel().close_kernel()


REAL = pytest.param("real", marks=pytest.mark.real)


@pytest.fixture(params=["sim", REAL])
def store(request: pytest.FixtureRequest) -> Iterator[ImageStore]:
    if request.param == "real":
        rights.require("root")
    made = ImageStore(SimKernel() if request.param == "sim" else real_kernel())
    yield made
    for summary in made.summaries():
        made.remove(str(summary.image.id), force=True)
    assert left(made) == []


def left(store: ImageStore) -> list[str]:
    """Return the layers' directories."""
    try:
        return sorted(store._kernel.listdir(overlay2.ROOT))
    except FileNotFoundError:
        return []


def image(name: str, *layers: bytes, **config: Any) -> bytes:
    files = build.docker_files(list(layers), tags=[name], image_config=build.config(layers, **config))
    return build.tar_of_files(files)


LOW = build.tar([entry("a", b"low"), entry("d"), entry("d/old", b"1")])
TOP = build.tar([entry(".wh.a", b""), entry("d/.wh..wh..opq", b""), entry("b", b"top")])


def test_loading_what_real_docker_saved(store: ImageStore) -> None:
    assert store.load(SAVED) == ["Loaded image: pair:base", "Loaded image: pair:top"]
    assert [(line.repository, line.tag, line.size) for line in store.summaries()] == [
        ("pair", "base", 32),
        ("pair", "top", 67),
    ]
    top = store.find("pair:top")
    first, second, third = store.lowers(top)
    tree = snapshot(store._kernel, second)
    assert (tree["/etc/motd"]["mode"], tree["/etc/motd"]["rdev"], tree["/d"]["xattrs"]) == (
        "0o20000", 0, {"trusted.overlay.opaque": b"y"},
    )  # fmt: skip
    assert snapshot(store._kernel, first) == snapshot(store._kernel, third)
    assert snapshot(store._kernel, third)["/etc/kept"]["inode"] == "/etc/keep"


@pytest.mark.needs("docker-archive")
def test_the_images_of_real_docker(store: ImageStore) -> None:
    with rights.ARCHIVE.open("rb") as archive:
        store.load(archive)
    sizes = {line.repository: line.size for line in store.summaries()}
    assert sizes == {"busybox": 1982357, "demo": 1982388, "seed": 1982415, "cow-tour": 2047924}  # what Docker says
    assert len(left(store)) == 11
    demo, busybox = store.find("demo:1"), store.find("busybox")
    assert store.lowers(demo)[-1] == store.lowers(busybox)[0]
    layers = store.trace_layers(store.find("cow-tour:1"))
    assert list(layers.values())[-1]["entries"]["/big"] == {"kind": "whiteout"}
    assert [layer["created_by"] for layer in layers.values()][-1] == "/bin/sh -c rm /big"


def test_layers_are_shared_by_chain_not_by_content(store: ImageStore) -> None:
    store.load(image("one:1", LOW))
    before = left(store)
    store.load(image("two:1", LOW, TOP))
    assert len(left(store)) == len(before) + 1
    store.load(image("three:1", TOP, LOW))
    assert len(left(store)) == len(before) + 3
    assert store.lowers(store.find("two:1"))[1] == store.lowers(store.find("one:1"))[0]


def test_directories_are_named_by_chain_ids(store: ImageStore) -> None:
    store.load(image("two:1", LOW, TOP))
    two = store.find("two:1")
    assert store.lowers(two) == [f"{overlay2.ROOT}/{chain.hex}/diff" for chain in reversed(two.chain_ids)]
    assert (
        store.layer_ids(two)
        == [str(chain) for chain in reversed(two.chain_ids)]
        == list(reversed(store.trace_layers(two)))
    )
    assert left(store) == sorted(chain.hex for chain in two.chain_ids)


def test_a_name_moves(store: ImageStore) -> None:
    store.load(image("app:1", LOW))
    old = store.find("app:1")
    assert store.load(image("app:1", TOP)) == [
        f"The image app:1 already exists, renaming the old one with ID {old.id} to empty string",
        "Loaded image: app:1",
    ]
    assert store.find("app:1").id != old.id
    assert [line.repository for line in store.summaries() if line.image.id == old.id] == [None]
    assert store.prune() == [f"deleted: {old.id}", f"deleted: {old.chain_ids[0]}"]
    assert store.load(image("app:1", TOP)) == ["Loaded image: app:1"]


def test_an_image_without_a_name(store: ImageStore) -> None:
    archive = build.tar_of_files(build.docker_files([LOW], tags=[]))
    (line,) = store.load(archive)
    assert line == f"Loaded image ID: {store.summaries()[0].image.id}"
    assert store.prune({str(store.summaries()[0].image.id): "c" * 64}) == []


def test_finding(store: ImageStore) -> None:
    store.load(image("lab/app:1", LOW))
    store.load(image("app:latest", TOP))
    found = store.find("lab/app:1")
    names = ["docker.io/lab/app:1", found.id.hex, str(found.id), found.id.short, f"sha256:{found.id.short}"]
    assert {store.find(name).id for name in names} == {found.id}
    assert store.find("app").id == store.find("docker.io/library/app:latest").id != found.id


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("nope", "No such image: nope:latest", "There is: app:1."),
        ("app", "No such image: app:latest", "There is: app:1."),
        ("team/app:2", "No such image: team/app:2", "There is: app:1."),
        ("sha256:" + "0" * 64, "No such image: sha256:" + "0" * 64, "There is: app:1."),
        ("0" * 64, "No such image: " + "0" * 64, "There is: app:1."),
    ],
)
def test_not_finding(store: ImageStore, name: str, message: str, hint: str) -> None:
    store.load(image("app:1", LOW))
    with pytest.raises(NoSuchImage) as caught:
        store.find(name)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_finding_nothing_in_an_empty_store() -> None:
    store = ImageStore(SimKernel())
    with pytest.raises(NoSuchImage) as caught:
        store.find("busybox")
    assert caught.value.hint == "No image has been loaded yet."
    with pytest.raises(InvalidReference, match="must be lowercase"):
        store.find("BusyBox")


def test_removing_as_docker_does(store: ImageStore) -> None:
    store.load(image("one:1", LOW))
    store.load(image("two:1", LOW, TOP))
    one, two = store.find("one:1"), store.find("two:1")
    assert store.remove("one:1") == ["Untagged: one:1", f"Deleted: {one.id}"]  # its layer is two's as well
    assert store.remove("two:1") == [
        "Untagged: two:1", f"Deleted: {two.id}", f"Deleted: {two.chain_ids[1]}", f"Deleted: {two.chain_ids[0]}",
    ]  # fmt: skip
    assert left(store) == []
    with pytest.raises(NoSuchImage):
        store.remove("one:1")


def test_removing_one_of_two_names(store: ImageStore) -> None:
    store.load(image("one:1", LOW))
    store.tag("one:1", "other")
    one = store.find("one:1")
    assert store.tags(one) == ["one:1", "other:latest"]
    with pytest.raises(Conflict, match="image is referenced in multiple repositories"):
        store.remove(one.id.short)
    assert store.remove("other") == ["Untagged: other:latest"]
    assert store.remove(one.id.short)[0] == "Untagged: one:1"


def test_removing_what_a_container_uses(store: ImageStore) -> None:
    store.load(image("busybox:latest", LOW))
    used = {str(store.find("busybox").id): "500961dae8896dcd122ed150afdd797ac6c0c5749cd22ed21dc0253bdebebbd3"}
    with pytest.raises(Conflict) as caught:
        store.remove("busybox", used_by=used)
    assert caught.value.message == (
        'conflict: unable to remove repository reference "busybox" (must force) - container 500961dae889 is using its '
        f"referenced image {store.find('busybox').id.short}"
    )
    assert store.remove("busybox", used_by=used, force=True) == ["Untagged: busybox:latest"]
    assert len(left(store)) == 1


def test_inspecting(store: ImageStore) -> None:
    store.load(image("two:1", LOW, TOP))
    two = store.find("two:1")
    told = store.inspect(two)
    assert (told["Id"], told["RepoTags"], told["Architecture"]) == (str(two.id), ["two:1"], "amd64")
    assert told["RootFS"] == {"Type": "layers", "Layers": [build.sha256(LOW), build.sha256(TOP)]}
    assert told["Size"] == len("low") + len("1") + len("top")
    top, low = store.lowers(two)
    assert (told["GraphDriver"]["Data"]["UpperDir"], told["GraphDriver"]["Data"]["LowerDir"]) == (top, low)


@pytest.mark.needs("root")
@pytest.mark.real
def test_both_kernels_hold_the_same() -> None:
    trees = []
    for kernel in (SimKernel(), real_kernel()):
        store = ImageStore(kernel)
        store.load(SAVED)
        trees.append([snapshot(kernel, path, times=False) for path in store.lowers(store.find("pair:top"))])
        for name in ("pair:base", "pair:top"):
            store.remove(name)
    assert trees[0] == trees[1]


# all or nothing


BAD = build.tar([entry("ok", b"x"), entry("l", "/etc"), entry("l/passwd", b"")])


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (image("bad:1", LOW, BAD), "open /l/passwd: no such file or directory"),
        (image("bad:1", LOW, TOP, TOP, BAD), "open /l/passwd: no such file or directory"),
        (image("bad:1", LOW, build.tar([entry("../x", b"")])), '"../x" is outside of "/"'),
        (image("bad:1", LOW, TOP)[:-9000], "unexpected EOF"),
        (
            build.tar_of_files(build.docker_files([LOW, TOP], image_config=build.config([LOW, BAD]))),
            "invalid diffID for layer 1",
        ),
    ],
)  # fmt: skip
def test_a_bad_archive_leaves_nothing(store: ImageStore, archive: bytes, message: str) -> None:
    store.load(image("one:1", LOW))
    before = left(store)
    with pytest.raises(InvalidArchive) as caught:
        store.load(archive)
    assert caught.value.message.startswith(message)
    assert (left(store), [line.repository for line in store.summaries()]) == (before, ["one"])
    assert store.load(image("good:1", LOW, TOP)) == ["Loaded image: good:1"]


@pytest.mark.needs("root")
@pytest.mark.real
def test_a_full_disk() -> None:
    from minidocker.real import RealKernel

    kernel = RealKernel(size_bytes=1 << 20)
    try:
        store = ImageStore(kernel)
        store.load(image("small:1", LOW))
        before = left(store)
        with pytest.raises(ServerError) as caught:
            store.load(image("large:1", LOW, build.tar([entry("small", b"1"), entry("big", b"x" * (2 << 20))])))
        assert caught.value.message == "write /big: no space left on device"
        assert (left(store), caught.value.exit_code) == (before, 125)
        assert store.load(image("other:1", LOW, TOP)) == ["Loaded image: other:1"]
    finally:
        kernel.close_kernel()


@pytest.mark.needs("user-namespaces")
@pytest.mark.real
def test_rootless() -> None:
    from minidocker.real import RealKernel

    kernel = RealKernel(rootless=True)
    try:
        store = ImageStore(kernel)
        layer = build.tar([entry("f", b"x", uid=5, gid=6), entry("d/.wh..wh..opq", b""), entry(".wh.gone", b"")])
        store.load(image("app:1", layer))
        (path,) = store.lowers(store.find("app:1"))
        tree = snapshot(kernel, path)
        assert tree["/d"]["xattrs"] == {"user.overlay.opaque": b"y"}
        assert (tree["/gone"]["mode"], tree["/gone"]["rdev"]) == ("0o20000", 0)
        mapped = tree["/f"]["owner"] == (5, 6)
        assert mapped or tree["/f"]["xattrs"] == {"user.minidocker.owner": b"5:6"}
    finally:
        kernel.close_kernel()


# the trace's table


def test_a_table_of_layers() -> None:
    store = ImageStore(SimKernel())
    store.load(image("two:1", LOW, TOP))
    low, top = store.trace_layers(store.find("two:1")).values()
    assert (low["name"], low["digest"], low["created_by"], low["bytes"]) == (
        "two:1 · 1",
        build.sha256(LOW),
        "layer 0",
        4,
    )
    assert low["entries"]["/a"] == {"kind": "file", "mode": 0o644, "uid": 0, "gid": 0, "size": 3}
    assert top["entries"]["/a"] == {"kind": "whiteout"}
    assert top["entries"]["/d"]["opaque"] is True


def test_cutting_a_large_table() -> None:
    names = {f"/d{number}/e/f{number}": {} for number in range(50)}
    entries = (
        {"/": {}, "/top": {}}
        | {f"/d{number}": {} for number in range(50)}
        | {f"/d{number}/e": {} for number in range(50)}
        | names
    )
    layer = {"name": "x", "entries": entries, "complete": True}
    short = cut(layer, lambda path: path == "/d7/e/f7", limit=100)
    assert set(entries) - set(short["entries"]) == (set(names) | {f"/d{n}/e" for n in range(50)}) - {
        "/d7/e",
        "/d7/e/f7",
    }
    assert (short["complete"], short["name"]) == (False, "x")
    assert cut(layer, lambda path: False, limit=1000) == layer


# the base image


def test_the_base_image_is_an_image(store: ImageStore) -> None:
    pytest.importorskip("minidocker.programs.base_tree", reason="needs the base image's programs")
    assert store.load(base_image()) == ["Loaded image: lab:latest"]
    lab = store.find("lab")
    assert (lab.config.cmd, lab.config.env[0][:5], len(lab.diff_ids)) == (("sh",), "PATH=", 1)
    (path,) = store.lowers(lab)
    assert content(store._kernel, f"{path}/bin/sh").startswith(b"#!minidocker ")
    assert store._kernel.stat(f"{path}/bin/sh").st_mode & 0o777 == 0o755
    base_image.cache_clear()
    assert store.load(io.BytesIO(gzip.compress(base_image()))) == ["Loaded image: lab:latest"]
    assert store.find("lab").id == lab.id


def test_a_built_archive_is_the_same_for_the_same_files() -> None:
    layer = layer_tar([("/bin/sh", S_IFREG | 0o755, 0, 0, b"x"), ("/bin", S_IFDIR | 0o755, 0, 0, b"")])
    assert layer == layer_tar([("/bin", S_IFDIR | 0o755, 0, 0, b""), ("/bin/sh", S_IFREG | 0o755, 0, 0, b"x")])
    store = ImageStore(SimKernel())
    assert store.load(image_archive("lab:latest", layer)) == ["Loaded image: lab:latest"]
    assert str(store.find("lab").id) == "sha256:" + build.sha256(store.find("lab").document)[7:]


# speed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sim", REAL])
def test_ten_thousand_files(kind: str) -> None:
    """A layer of 10,000 files comes whole; how long it takes is bench's to say."""
    if kind == "real":
        rights.require("root")
    store = ImageStore(SimKernel() if kind == "sim" else real_kernel())
    layer = build.tar(
        item for d in range(100) for item in [entry(f"d{d}"), *[entry(f"d{d}/f{n}", b"x" * 200) for n in range(100)]]
    )
    store.load(image("many:1", layer))
    (path,) = store.lowers(store.find("many:1"))
    assert (len(store._kernel.listdir(path)), len(store._kernel.listdir(f"{path}/d99"))) == (100, 100)
    assert store.summaries()[0].size == 10_000 * 200
    assert len(store.remove("many:1")) == 3


def test_every_error_of_a_job_is_one_of_ours() -> None:
    with pytest.raises(EngineError):
        ImageStore(SimKernel()).load(b"")
