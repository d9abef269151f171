"""Builds image archives in memory, right ones and wrong ones: what ``docker save`` and OCI tools would write."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def zipped(data: bytes) -> bytes:
    """Return gzipped data, the same at any time: the digests name test cases."""
    return gzip.compress(data, mtime=0)


def sha256(data: bytes) -> str:
    """Return the digest of bytes, with its algorithm."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def entry(name: str, data: bytes | str | None = None, **fields: Any) -> tuple[tarfile.TarInfo, bytes | None]:
    """Return a tar entry: bytes make a file, None a directory, text a symlink; ``type=`` and other fields override."""
    info = tarfile.TarInfo(name)
    info.mtime = 1_700_000_000
    info.mode = 0o644 if isinstance(data, bytes) else 0o755
    if data is None:
        info.type = tarfile.DIRTYPE
    elif isinstance(data, str):
        info.type, info.linkname = tarfile.SYMTYPE, data
    for field, value in fields.items():
        setattr(info, field, value)
    if isinstance(data, bytes):
        info.size = len(data)
        return info, data
    return info, None


def hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes | None]:
    """Return a tar entry that is one more name of another entry."""
    return entry(name, "", type=tarfile.LNKTYPE, linkname=target)


def tar(entries: Iterable[tuple[tarfile.TarInfo, bytes | None]], **options: Any) -> bytes:
    """Return a tar archive of entries."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", **{"format": tarfile.PAX_FORMAT, **options}) as archive:
        for info, data in entries:
            archive.addfile(info, None if data is None else io.BytesIO(data))
    return stream.getvalue()


def tar_of_files(files: Mapping[str, bytes]) -> bytes:
    """Return a tar archive of plain files, as an image archive is."""
    return tar(entry(name, data) for name, data in files.items())


def config(layers: Iterable[bytes], **fields: Any) -> bytes:
    """Return an image's config JSON for uncompressed layers."""
    value: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
        "created": "2026-11-23T20:48:01Z",
        "history": [{"created_by": f"layer {number}"} for number, _ in enumerate(layers)],
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
    }
    return json.dumps(value | fields).encode()


def docker_files(
    layers: list[bytes],
    tags: list[str] | None = None,
    image_config: bytes | None = None,
    pack: Callable[[bytes], bytes] = bytes,
) -> dict[str, bytes]:
    """Return the members of what ``docker save`` of Docker 25 and later writes."""
    image_config = config(layers) if image_config is None else image_config
    blobs = [pack(layer) for layer in layers]
    files = {f"blobs/sha256/{sha256(blob)[7:]}": blob for blob in [image_config, *blobs]}
    manifest = [
        {
            "Config": f"blobs/sha256/{sha256(image_config)[7:]}",
            "RepoTags": ["tiny:1"] if tags is None else tags,
            "Layers": [f"blobs/sha256/{sha256(blob)[7:]}" for blob in blobs],
        }
    ]
    return files | {"manifest.json": json.dumps(manifest).encode(), "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}


def legacy_files(
    layers: list[bytes], tags: list[str] | None = None, image_config: bytes | None = None
) -> dict[str, bytes]:
    """Return the members of what ``docker save`` before Docker 25 wrote."""
    image_config = config(layers) if image_config is None else image_config
    tags = ["tiny:1"] if tags is None else tags
    files: dict[str, bytes] = {}
    names = []
    for number, layer in enumerate(layers):
        folder = hashlib.sha256(f"{number}".encode() + layer).hexdigest()
        files |= {f"{folder}/VERSION": b"1.0", f"{folder}/json": json.dumps({"id": folder}).encode()}
        files[f"{folder}/layer.tar"] = layer
        names.append(f"{folder}/layer.tar")
    name = f"{sha256(image_config)[7:]}.json"
    manifest = [{"Config": name, "RepoTags": tags, "Layers": names}]
    return files | {name: image_config, "manifest.json": json.dumps(manifest).encode()}


def oci_files(
    layers: list[bytes],
    name: str | None = "tiny:1",
    pack: Callable[[bytes], bytes] = zipped,
    image_config: bytes | None = None,
    media_type: str = "application/vnd.oci.image.layer.v1.tar+gzip",
) -> dict[str, bytes]:
    """Return the members of an OCI image layout."""
    image_config = config(layers) if image_config is None else image_config
    blobs = [pack(layer) for layer in layers]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor(image_config, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor(blob, media_type) for blob in blobs],
        }
    ).encode()
    notes = {} if name is None else {"annotations": {"org.opencontainers.image.ref.name": name}}
    index = {
        "schemaVersion": 2,
        "manifests": [descriptor(manifest, "application/vnd.oci.image.manifest.v1+json") | notes],
    }
    files = {f"blobs/sha256/{sha256(blob)[7:]}": blob for blob in [image_config, manifest, *blobs]}
    return files | {"index.json": json.dumps(index).encode(), "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}


def descriptor(blob: bytes, media_type: str) -> dict[str, Any]:
    """Return how an OCI document names a blob."""
    return {"mediaType": media_type, "digest": sha256(blob), "size": len(blob)}


def as_legacy(files: Mapping[str, bytes]) -> bytes:
    """Return what Docker before 25 would have saved of the same images: a layer's second use is a symlink."""
    used: dict[str, str] = {}
    entries, items = [], []
    for item in json.loads(files["manifest.json"]):
        config_name = item["Config"].removeprefix("blobs/sha256/") + ".json"
        entries.append(entry(config_name, files[item["Config"]]))
        layers = []
        for number, blob in enumerate(item["Layers"]):
            folder = hashlib.sha256(f"{config_name} {number}".encode()).hexdigest()
            entries += [entry(folder), entry(f"{folder}/VERSION", b"1.0"), entry(f"{folder}/json", b"{}")]
            there = used.setdefault(blob, f"{folder}/layer.tar")
            layers.append(f"{folder}/layer.tar")
            entries.append(entry(layers[-1], files[blob] if there == layers[-1] else f"../{there}"))
        items.append({"Config": config_name, "RepoTags": item["RepoTags"], "Layers": layers})
    entries.append(entry("manifest.json", json.dumps(items).encode()))
    return tar(entries, format=tarfile.USTAR_FORMAT)


def files_of(archive: bytes) -> dict[str, bytes]:
    """Return the files of a tar archive, gzipped or not, by name."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = ((member.name, opened.extractfile(member)) for member in opened if member.isreg())
        return {name: file.read() for name, file in found if file is not None}
