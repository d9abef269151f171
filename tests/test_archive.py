"""Image archives: both forms of ``docker save``, OCI layouts, and every way in which one can be wrong."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import archive_builder as build
import pytest
import rights
from archive_builder import entry
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.archive import ArchivedImage, read_archive
from minidocker.errors import EngineError, InvalidArchive

SAVED = (Path(__file__).parent / "data" / "docker-26.tar.gz").read_bytes()
"""Two images that Docker 26.1.5 saved: pair:base of one layer, pair:top of three (the third again the first)."""

LOW = build.tar([entry("a", b"low")])
TOP = build.tar([entry("b", b"top"), entry(".wh.a", b"")])


def only(archive: Any, machine: str = "amd64") -> ArchivedImage:
    (image,) = read_archive(archive, machine)
    return image


def layers(image: ArchivedImage) -> list[bytes]:
    return [data for _, data in image.layers()]


def tags(image: ArchivedImage) -> list[str]:
    return [tag.familiar for tag in image.tags]


# right ones


@pytest.mark.parametrize("form", ["saved", "plain", "legacy", "directory", "file", "stream"])
def test_real_dockers_archive_in_each_form(form: str, tmp_path: Path) -> None:
    plain = gzip.decompress(SAVED)
    (tmp_path / "saved.tar").write_bytes(plain)
    with (tmp_path / "saved.tar").open("rb") as file:
        forms: dict[str, Any] = {
            "saved": SAVED, "plain": plain, "legacy": build.as_legacy(build.files_of(SAVED)),
            "directory": {name: data for name, data in build.files_of(SAVED).items() if name != "index.json"},
            "file": file, "stream": Unseekable(plain),
        }  # fmt: skip
        base, top = read_archive(forms[form])
        assert (tags(base), tags(top)) == (["pair:base"], ["pair:top"])
        assert str(base.image.id) == "sha256:a657dd948d5bc8fc1692539ffb4711aa1637b330ec533f09df24747a834ca4d9"
        assert str(top.image.id) == "sha256:f1373f0e40061d4f8442f6176b2849ee64fd44ffcc6ce4f60e0430fc681d711a"
        assert top.image.config.working_dir == "/etc"
        one, two, three = layers(top)
        assert layers(base) == [one] == [three]
        assert [build.sha256(data) for data in (one, two, three)] == [str(digest) for digest in top.image.diff_ids]


def test_its_oci_side_names_the_same_images() -> None:
    files = build.files_of(SAVED)
    del files["manifest.json"]
    assert [(tags(image), image.image.id) for image in read_archive(files)] == [
        (tags(image), image.image.id) for image in read_archive(SAVED)
    ]


class Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.mark.needs("docker-archive")
def test_the_images_of_real_docker() -> None:
    with rights.ARCHIVE.open("rb") as archive:
        images = read_archive(archive)
    assert [(tags(image), image.image.id.short, len(layers(image))) for image in images] == [
        (["busybox:latest"], "23ec36979926", 1),
        (["demo:1"], "7129724d92d7", 3),
        (["seed:corrected"], "c89e5dea84d0", 4),
        (["cow-tour:1"], "763a88c71b4e", 6),
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("whole", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", [build.docker_files, build.oci_files])
def test_compressed_or_not(form: Any, pack: Any, whole: Any) -> None:
    files = form([LOW, TOP], pack=pack)
    image = only(whole(build.tar_of_files(files)))
    assert layers(image) == layers(only(files)) == [LOW, TOP]
    assert tags(image) == ["tiny:1"]


def test_an_archive_packed_by_tar_in_a_directory() -> None:
    files = {f"./{name}": data for name, data in build.docker_files([LOW]).items()}
    assert layers(only(build.tar_of_files(files))) == [LOW]


def test_an_image_without_a_name_and_one_without_layers() -> None:
    assert tags(only(build.tar_of_files(build.docker_files([LOW], tags=[])))) == []
    assert layers(only(build.docker_files([]))) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiny:1", ["tiny:1"]),
        ("team/app", ["team/app:latest"]),
        ("localhost:5000/a:b", ["localhost:5000/a:b"]),
        ("latest", []),  # a tag, of nothing
        (None, []),
    ],
)
def test_names_in_an_oci_layout(name: str | None, expected: list[str]) -> None:
    assert tags(only(build.oci_files([LOW], name=name))) == expected


def several_machines(name: str | None = "many:1") -> dict[str, bytes]:
    """An OCI layout with one name for amd64, arm64 and an attestation, in an index within the index."""
    files: dict[str, bytes] = {}
    manifests = []
    for machine in ("arm64", "amd64", "unknown"):
        one = build.oci_files([build.tar([entry(machine, b"")])], image_config=None)
        files |= one
        descriptor = json.loads(one["index.json"])["manifests"][0]
        manifests.append({**descriptor, "platform": {"os": "linux", "architecture": machine}, "annotations": {}})
    inner = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    outer = build.descriptor(inner, "application/vnd.oci.image.index.v1+json")
    outer["annotations"] = {} if name is None else {"org.opencontainers.image.ref.name": name}
    files[f"blobs/sha256/{build.sha256(inner)[7:]}"] = inner
    return files | {"index.json": json.dumps({"schemaVersion": 2, "manifests": [outer]}).encode()}


@pytest.mark.parametrize(("machine", "holds"), [("amd64", "amd64"), ("x86_64", "amd64"), ("aarch64", "arm64")])
def test_the_image_for_this_machine(machine: str, holds: str) -> None:
    image = only(several_machines(), machine)
    assert (tags(image), layers(image)) == (["many:1"], [build.tar([entry(holds, b"")])])


def test_no_image_for_this_machine() -> None:
    with pytest.raises(
        InvalidArchive, match="no matching manifest for linux/riscv64 in the manifest list entries"
    ) as caught:
        read_archive(several_machines(), "riscv64")
    assert "amd64, arm64" in caught.value.hint


# wrong ones


def read_wholly(archive: Any) -> list[list[bytes]]:
    return [layers(image) for image in read_archive(archive)]


def complaint(archive: Any) -> str:
    with pytest.raises(InvalidArchive) as caught:
        read_wholly(archive)
    return caught.value.message


GOOD = build.docker_files([LOW])
CONFIG = next(name for name, data in GOOD.items() if data.startswith(b'{"arch'))
LAYER = next(name for name in GOOD if name.startswith("blobs") and name != CONFIG)
OCI = build.oci_files([LOW])


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"", "unexpected EOF"),
        (b"not-a-tar\n", "unexpected EOF"),
        (b"\x7fELF" * 1000, "archive/tar: invalid tar header"),
        (SAVED[:-20], "unexpected EOF"),
        (SAVED[:300], "unexpected EOF"),
        (SAVED[:40] + b"\xff" * 40 + SAVED[80:], "flate: corrupt input"),
        (SAVED[:-8] + b"\0\0\0\0" + SAVED[-4:], "gzip: invalid checksum"),
        (b"\x1f\x8b\x00\x00" + SAVED[4:], "gzip: invalid header"),
        (gzip.decompress(SAVED)[:5000], "unexpected EOF"),
        (build.tar([]), "open manifest.json: no such file or directory"),
        (build.tar([entry("bin/sh", b"")]), "open manifest.json: no such file or directory"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 100, "archive: zstd compression is not supported"),
        (b"BZh9" + b"x" * 100, "archive: bzip2 compression is not supported"),
        (b"\xfd7zXZ\x00" + b"x" * 100, "archive: xz compression is not supported"),
        (build.tar([entry("../manifest.json", b"[]")]), '"../manifest.json" is outside of "/"'),
        (build.tar([entry("/manifest.json", b"[]")]), '"/manifest.json" is outside of "/"'),
        (build.tar([entry("manifest.json", "manifest.json")]), "open manifest.json: too many levels of symbolic links"),
        (build.tar([entry("manifest.json")]), "invalid archive: manifest.json is not a file"),
        (build.tar([entry("manifest.json", "/etc/passwd")]), "open manifest.json: no such file or directory"),
    ],
)
def test_damaged_archives(archive: bytes, message: str) -> None:
    assert complaint(archive) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"manifest.json": b"{"}, "unexpected end of JSON input"),
        ({"manifest.json": b"{}"}, "json: cannot unmarshal object into Go value of type []tarexport.manifestItem"),
        ({"manifest.json": b"[1]"}, "json: cannot unmarshal an entry of manifest.json into tarexport.manifestItem"),
        (
            {"manifest.json": b'[{"Config": "c", "Layers": 1}]'},
            "json: cannot unmarshal Layers or RepoTags of manifest.json into []string",
        ),
        ({CONFIG: None}, f"open {CONFIG}: no such file or directory"),
        ({LAYER: None}, f"open {LAYER}: no such file or directory"),
        ({CONFIG: GOOD[CONFIG] + b" "}, f"image config verification failed for digest sha256:{CONFIG[-64:]}"),
        ({LAYER: TOP}, f"filesystem layer verification failed for digest sha256:{LAYER[-64:]}"),
        ({LAYER: LOW[:600]}, f"filesystem layer verification failed for digest sha256:{LAYER[-64:]}"),
    ],
)  # fmt: skip
def test_wrong_docker_archives(change: dict[str, bytes | None], message: str) -> None:
    files = {name: data for name, data in (GOOD | change).items() if data is not None}
    assert complaint(build.tar_of_files(files)) == message


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            build.docker_files([LOW], tags=["UPPER:1"]),
            "invalid reference format: repository name (library/UPPER) must be lowercase",
        ),
        (build.docker_files([LOW], tags=["a b"]), "invalid reference format"),
        (build.docker_files([LOW], tags=["foo"]), 'invalid tag "foo"'),
        (build.docker_files([LOW], tags=["foo@sha256:" + "a" * 64]), f'invalid tag "foo@sha256:{"a" * 64}"'),
        (
            build.docker_files([LOW], image_config=build.config([LOW, TOP])),
            "invalid manifest, layers length mismatch: expected 1, got 2",
        ),
        (
            build.docker_files([LOW], image_config=build.config([LOW], os="windows")),
            "cannot load windows image on linux",
        ),
        (
            build.docker_files([LOW], image_config=build.config([TOP])),
            f'invalid diffID for layer 0: expected "{build.sha256(TOP)}", got "{build.sha256(LOW)}"',
        ),
        (
            build.legacy_files([LOW], image_config=build.config([TOP])),
            f'invalid diffID for layer 0: expected "{build.sha256(TOP)}", got "{build.sha256(LOW)}"',
        ),
        (
            build.docker_files([LOW], pack=gzip.compress, image_config=build.config([TOP])),
            f'invalid diffID for layer 0: expected "{build.sha256(TOP)}", got "{build.sha256(LOW)}"',
        ),
    ],
)  # fmt: skip
def test_what_is_not_as_it_says(files: dict[str, bytes], message: str) -> None:
    assert complaint(build.tar_of_files(files)) == message


def test_a_zstd_layer_is_refused_by_name() -> None:
    packed = build.docker_files([LOW], pack=lambda data: b"\x28\xb5\x2f\xfd" + data)
    assert complaint(packed).endswith(": zstd compression is not supported")
    named = build.oci_files([LOW], media_type="application/vnd.oci.image.layer.v1.tar+zstd")
    assert complaint(named).endswith(": zstd compression is not supported")


def oci(**index: Any) -> dict[str, bytes]:
    return OCI | {"index.json": json.dumps(json.loads(OCI["index.json"]) | index).encode()}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (oci(manifests=1), "invalid document: manifests is not a list of descriptors"),
        (oci(manifests=["x"]), "invalid document: manifests is not a list of descriptors"),
        (oci(manifests=[{"mediaType": "text/plain"}]), "unsupported manifest media type text/plain"),
        (
            oci(manifests=[{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:1"}]),
            "invalid checksum digest length",
        ),
        (
            oci(manifests=[build.descriptor(b"gone", "application/vnd.oci.image.manifest.v1+json")]),
            f"open blobs/sha256/{build.sha256(b'gone')[7:]}: no such file or directory",
        ),
    ],
)
def test_wrong_oci_layouts(files: dict[str, bytes], message: str) -> None:
    assert complaint(files) == message


@pytest.mark.parametrize("name", [name for name in OCI if name.startswith("blobs")])
def test_every_blob_of_an_oci_layout_is_verified(name: str) -> None:
    assert complaint(OCI | {name: OCI[name] + b" "}).endswith(f"verification failed for digest sha256:{name[-64:]}")


@pytest.mark.parametrize("files", [GOOD, OCI, build.files_of(SAVED)], ids=["docker", "oci", "saved"])
def test_every_changed_byte_of_a_blob_is_found(files: dict[str, bytes]) -> None:
    used = {name for name in files if name.startswith("blobs")} & blobs_in_use(files)
    for name in used:
        for position in range(0, len(files[name]), max(1, len(files[name]) // 7)):
            data = bytearray(files[name])
            data[position] ^= 1
            assert "verification failed" in complaint(files | {name: bytes(data)})


def blobs_in_use(files: dict[str, bytes]) -> set[str]:
    """Return the blobs that the archive's documents name (real Docker also saves older configs, which nothing uses)."""
    if "manifest.json" in files:
        items = json.loads(files["manifest.json"])
        return {name for item in items for name in (item["Config"], *item["Layers"])}
    return set(files)


PLAIN = gzip.decompress(SAVED)


DAMAGE = st.lists(st.tuples(st.integers(0, 39_000), st.integers(0, 255)), min_size=1, max_size=5)


@pytest.mark.slow
@given(damage=DAMAGE, packed=st.booleans(), cut=st.integers(0, 80_000))
@settings(max_examples=300, deadline=None)
def test_any_damage_is_refused_or_harmless(damage: list[tuple[int, int]], cut: int, *, packed: bool) -> None:
    data = bytearray(SAVED if packed else PLAIN)
    for position, value in damage:
        data[position % len(data)] = value
    try:
        found = read_wholly(bytes(data[:cut]))
    except EngineError:
        return
    else:
        right = read_wholly(SAVED)
        assert all(layer in right[1] for image in found for layer in image)
