"""Images made in memory of layers as a learner writes them: tar archives with the whiteouts that images have."""

import io
import json
import posixpath
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.base_image import TIME, base_image
from minidocker.lab import layers as language


def layer_archive(layers: Sequence[language.Layer]) -> list[bytes]:
    """Return the base image's layers, and these on top, each as a tar: the lowest first."""
    return [*base_layers(), *(layer_tar(layer) for layer in layers)]


def base_layers() -> list[bytes]:
    """Return the tars of the built-in base image's layers, lowest first."""
    with tarfile.open(fileobj=io.BytesIO(base_image())) as archive:
        manifest = json.loads(_member(archive, "manifest.json"))
        return [_member(archive, name) for name in manifest[0]["Layers"]]


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def layer_tar(layer: language.Layer) -> bytes:
    """Return a layer as an image has it: a tar in which ``.wh.NAME`` is a whiteout and ``.wh..wh..opq`` opaque."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, value in language.rows(layer):
            if path != "/":
                for info, data in _infos(path, value):
                    info.mtime = TIME
                    archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def _infos(path: str, value: Any) -> list[tuple[tarfile.TarInfo, bytes]]:
    name = path.strip("/")
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    info = tarfile.TarInfo(name)
    info.uid, info.gid = given.get("uid", 0), given.get("gid", 0)
    info.mode = given.get("mode", 0o755 if path.endswith("/") else 0o644)
    if value is None:
        return [(tarfile.TarInfo(posixpath.join(posixpath.dirname(name), f".wh.{posixpath.basename(name)}")), b"")]
    if path.endswith("/"):
        info.type = tarfile.DIRTYPE
        mark = [(tarfile.TarInfo(f"{name}/.wh..wh..opq"), b"")] if given.get("opaque") else []
        return [(info, b""), *mark]
    if "symlink" in given:
        info.type, info.linkname = tarfile.SYMTYPE, given["symlink"]
    elif "link" in given:
        info.type, info.linkname = tarfile.LNKTYPE, given["link"].strip("/")
    elif given.get("fifo"):
        info.type = tarfile.FIFOTYPE
    else:
        return [_file(info, given.get("data", bytes(given.get("size", 0))) if given else value)]
    return [(info, b"")]


def _file(info: tarfile.TarInfo, content: str | bytes) -> tuple[tarfile.TarInfo, bytes]:
    data = content.encode() if isinstance(content, str) else content
    info.size = len(data)
    return info, data
