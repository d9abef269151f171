"""Image archives: what ``docker save`` writes, in both of its forms, and OCI image layouts.

* Docker up to 24: ``manifest.json``, a config ``<digest>.json`` for each image, and for each layer a directory with
  ``VERSION``, ``json`` and ``layer.tar`` (which may be a symlink to another's).
* Docker from 25 on: ``manifest.json`` too, but configs and layers are ``blobs/sha256/<digest>``.
* OCI image layout (image-spec, image-layout.md): ``oci-layout``, ``index.json`` and blobs; as a tar, or as the files
  of a directory.

The archive and its layers may be compressed with gzip. Nothing is believed: each blob must have the digest that it is
named by, and each uncompressed layer the diffID that the config names.
"""

import gzip
import io
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from minidocker.digest import Digest
from minidocker.errors import EngineError, InvalidArchive, InvalidReference
from minidocker.image import GO_ARCHITECTURES, Image, archive_digest, json_object, json_value
from minidocker.reference import Reference
from minidocker.scope import clean
from minidocker.tar import compression, members, unexpected_end

__all__ = ["ArchivedImage", "read_archive"]

_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CONTAINERD_NAME: Final = "io.containerd.image.name"
_OCI_NAME: Final = "org.opencontainers.image.ref.name"
_HEX: Final = re.compile(r"[0-9a-f]{64}")

#: Symlinks and hard links between an archive's members that are followed before it is called a loop.
_MAX_LINKS: Final = 8


class Source(Protocol):
    """Where an archive's files are read from, by name."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes; InvalidArchive if it is not there."""

    def __contains__(self, name: str) -> bool:
        """Tell whether a file is there."""


@dataclass(frozen=True, kw_only=True)
class ArchivedImage:
    """An image in an archive: what it is, how it is called there, and where its layers' bytes are."""

    image: Image
    tags: tuple[Reference, ...]
    blobs: tuple[str, ...]
    source: Source

    def layers(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and uncompressed tar of each layer, verified, lowest first; only one is in memory at a time."""
        for number, diff_id in enumerate(self.image.diff_ids):
            yield number, self._layer(number, diff_id)

    def _layer(self, number: int, diff_id: Digest) -> bytes:
        name = self.blobs[number]
        blob = verified(self.source, name, "filesystem layer")
        data = plain(blob, f"layer {name}")
        if data is blob and posixpath.basename(name) == diff_id.hex:
            return data  # uncompressed, so the blob's digest was the layer's
        found = Digest.of(data)
        if found != diff_id:
            raise InvalidArchive(
                f'invalid diffID for layer {number}: expected "{diff_id}", got "{found}"',
                hint="The layer's content is not what the image's config says it is.",
                layer=number,
                expected=str(diff_id),
                found=str(found),
            )
        return data


def read_archive(archive: BinaryIO | bytes | Mapping[str, bytes], machine: str = "amd64") -> list[ArchivedImage]:
    """Return the images of an archive: a tar (a file or bytes, perhaps gzipped), or a directory's files by name.

    ``machine`` chooses from images for several: Go's name of an architecture or uname's. Raises InvalidArchive.
    """
    source = _source(archive)
    if "manifest.json" in source:
        return list(_docker_images(source))
    if "index.json" in source:
        return list(_oci_images(source, GO_ARCHITECTURES.get(machine, machine)))
    raise InvalidArchive(
        "open manifest.json: no such file or directory",
        hint="This is no image: it has neither a manifest.json (docker save) nor an index.json (OCI image layout). "
        "docker export writes a container's files without an image; docker import takes those.",
    )


# where the bytes are


class _TarSource:
    """The members of a tar archive, found by name; links between them are followed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._members = {clean(member.name): member for member in members(stream)}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        member = self._find(name)
        self._stream.seek(member.offset_data)
        data = self._stream.read(member.size)
        if len(data) < member.size:
            raise unexpected_end()
        return data

    def _find(self, name: str) -> tarfile.TarInfo:
        path = posixpath.normpath(name)
        for _ in range(_MAX_LINKS):
            member = self._members.get(path)
            if member is None:
                raise _missing(name)
            if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                return member
            if member.type == tarfile.SYMTYPE:
                path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
            elif member.type == tarfile.LNKTYPE:
                path = posixpath.normpath(member.linkname)
            else:
                raise InvalidArchive(f"invalid archive: {name} is not a file", path=name)
        raise InvalidArchive(f"open {name}: too many levels of symbolic links", path=name)


class _FilesSource:
    """The files of a directory, by their names below it."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def read(self, name: str) -> bytes:
        if name not in self._files:
            raise _missing(name)
        return self._files[name]


def _source(archive: BinaryIO | bytes | Mapping[str, bytes]) -> Source:
    if isinstance(archive, Mapping):
        return _FilesSource(archive)
    stream = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    head = stream.read(6)
    stream.seek(0)
    if compression(head):
        stream = io.BytesIO(plain(stream.read(), "archive"))
    elif not head:
        raise unexpected_end()
    return _TarSource(stream)


def _missing(name: str) -> EngineError:
    return InvalidArchive(
        f"open {name}: no such file or directory", hint="The archive names a file that is not in it.", path=name
    )


def plain(data: bytes, what: str) -> bytes:
    """Return data uncompressed, gzipped or not as it was; InvalidArchive if it is damaged or compressed otherwise."""
    kind = compression(data[:6])
    if kind is None:
        return data
    if kind != "gzip":
        message = f"{what}: {kind} compression is not supported"
        raise InvalidArchive(message, hint="The lab reads plain and gzipped archives.", compression=kind)
    try:
        return gzip.decompress(data)
    except EOFError as error:
        raise unexpected_end() from error
    except zlib.error as error:
        raise InvalidArchive("flate: corrupt input", hint=f"The gzipped {what} is damaged.", what=what) from error
    except gzip.BadGzipFile as error:
        kind = "checksum" if "CRC" in str(error) or "length" in str(error) else "header"
        raise InvalidArchive(f"gzip: invalid {kind}", hint=f"The gzipped {what} is damaged.", what=what) from error


def verified(source: Source, name: str, what: str) -> bytes:
    """Return a file of the archive; one named by a digest (``blobs/sha256/<hex>``, ``<hex>.json``) must have it."""
    data = source.read(name)
    stem = posixpath.basename(name).removeprefix("sha256:").partition(".")[0]
    if _HEX.fullmatch(stem):
        Digest(stem).verify(data, what)
    return data


# docker save


def _docker_images(source: Source) -> Iterator[ArchivedImage]:
    items = json_value(source.read("manifest.json"))
    if not isinstance(items, list):
        raise InvalidArchive("json: cannot unmarshal object into Go value of type []tarexport.manifestItem")
    for item in items:
        yield _docker_image(source, item)


def _docker_image(source: Source, item: Any) -> ArchivedImage:
    config, layers, tags = _manifest_item(item)
    image = Image.from_document(verified(source, config, "image config"))
    return _archived(source, image, layers, [_tag(tag) for tag in tags])


def _manifest_item(item: Any) -> tuple[str, list[str], list[str]]:
    if not isinstance(item, dict) or not isinstance(item.get("Config"), str):
        raise InvalidArchive("json: cannot unmarshal an entry of manifest.json into tarexport.manifestItem")
    layers, tags = item.get("Layers") or [], item.get("RepoTags") or []
    for names in (layers, tags):
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidArchive("json: cannot unmarshal Layers or RepoTags of manifest.json into []string")
    return item["Config"], layers, tags


def _tag(text: str) -> Reference:
    reference = _reference(text)
    if reference.tag is None or reference.digest is not None:
        raise InvalidArchive(f'invalid tag "{text}"', hint="An image in an archive is named name:tag.", tag=text)
    return reference


def _reference(text: str) -> Reference:
    try:
        return Reference.parse(text)
    except InvalidReference as error:
        raise InvalidArchive(error.message, hint=error.hint, reference=text) from error


def _archived(source: Source, image: Image, blobs: Sequence[str], tags: Sequence[Reference]) -> ArchivedImage:
    """Return the image if it can be one of ours: for Linux, with as many layers as its config says."""
    if image.os not in ("linux", ""):
        raise InvalidArchive(f"cannot load {image.os} image on linux", os=image.os)
    if len(blobs) != len(image.diff_ids):
        message = f"invalid manifest, layers length mismatch: expected {len(blobs)}, got {len(image.diff_ids)}"
        raise InvalidArchive(message, expected=len(blobs), found=len(image.diff_ids))
    for name in blobs:
        if name not in source:
            raise _missing(name)
    return ArchivedImage(image=image, tags=tuple(tags), blobs=tuple(blobs), source=source)


# OCI image layout


def _oci_images(source: Source, machine: str) -> Iterator[ArchivedImage]:
    index = json_object(source.read("index.json"))
    groups: dict[str | None, list[Mapping[str, Any]]] = {}
    for descriptor in _descriptors(index, "manifests"):
        groups.setdefault(_oci_name(descriptor), []).append(descriptor)
    for name, descriptors in groups.items():
        tags = [] if name is None else [_reference(name).with_default_tag()]
        yield _oci_image(source, _choose(source, descriptors, machine), tags)


def _choose(source: Source, descriptors: Sequence[Mapping[str, Any]], machine: str) -> Mapping[str, Any]:
    """Return the one manifest for this machine, looking into indexes; the first if none says for what it is."""
    candidates = [found for descriptor in descriptors for found in _manifests(source, descriptor)]
    fits = [candidate for candidate in candidates if _architecture(candidate) in (machine, None)]
    fits.sort(key=lambda candidate: _architecture(candidate) is None)
    if not fits:
        raise InvalidArchive(
            f"no matching manifest for linux/{machine} in the manifest list entries",
            hint="The image is for other machines: "
            + ", ".join(sorted({_architecture(candidate) or "unknown" for candidate in candidates})),
            machine=machine,
        )
    return fits[0]


def _manifests(source: Source, descriptor: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    media_type = descriptor.get("mediaType")
    if media_type in _INDEXES:
        if depth == _MAX_LINKS:
            raise InvalidArchive("invalid index: nested too deeply")
        for inner in _descriptors(json_object(_blob(source, descriptor, "manifest")), "manifests"):
            yield from _manifests(source, inner, depth + 1)
    elif media_type not in _MANIFESTS:
        raise InvalidArchive(f"unsupported manifest media type {media_type}", media_type=media_type)
    elif _architecture(descriptor) != "unknown":  # attestations call themselves unknown/unknown
        yield descriptor


def _architecture(descriptor: Mapping[str, Any]) -> str | None:
    platform = descriptor.get("platform")
    architecture = platform.get("architecture") if isinstance(platform, dict) else None
    return architecture if isinstance(architecture, str) else None


def _oci_image(source: Source, descriptor: Mapping[str, Any], tags: Sequence[Reference]) -> ArchivedImage:
    manifest = json_object(_blob(source, descriptor, "manifest"))
    config = manifest.get("config")
    if not isinstance(config, dict):
        raise InvalidArchive("invalid manifest: no config")
    image = Image.from_document(_blob(source, config, "image config"))
    layers = _descriptors(manifest, "layers")
    for layer in layers:
        if str(layer.get("mediaType")).endswith("+zstd"):
            plain(b"\x28\xb5\x2f\xfd", f"layer {layer.get('digest')}")
    return _archived(source, image, [_blob_name(layer) for layer in layers], tags)


def _descriptors(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = document.get(key)
    if not isinstance(found, list) or not all(isinstance(descriptor, dict) for descriptor in found):
        raise InvalidArchive(f"invalid document: {key} is not a list of descriptors", field=key)
    return found


def _blob_name(descriptor: Mapping[str, Any]) -> str:
    return f"blobs/sha256/{archive_digest(str(descriptor.get('digest'))).hex}"


def _blob(source: Source, descriptor: Mapping[str, Any], what: str) -> bytes:
    return verified(source, _blob_name(descriptor), what)


def _oci_name(descriptor: Mapping[str, Any]) -> str | None:
    """Return the name that an index gives a manifest; a tag alone (``latest``) names no repository, and is none."""
    notes = descriptor.get("annotations")
    notes = notes if isinstance(notes, dict) else {}
    name = notes.get(_CONTAINERD_NAME) or notes.get(_OCI_NAME)
    return name if isinstance(name, str) and (":" in name or "/" in name) else None
