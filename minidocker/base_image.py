"""The built-in base image ``lab:latest``: the lab's programs and the few files around them, in one layer.

It is built in memory as ``docker save`` would write it, and loaded as any other archive. The same files give the same
bytes, so its digests are the same on every machine.
"""

import io
import json
import tarfile
from collections.abc import Iterable
from functools import cache
from typing import Final, TypeAlias

from minidocker.digest import Digest
from minidocker.linux import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG

NAME: Final = "lab:latest"

#: Every time in the image: 2019-06-08 13:20:00 UTC, the year of the document that the lab teaches.
TIME: Final = 1_560_000_000
_CREATED: Final = "2019-06-08T13:20:00Z"
#: One directory, because that is all it has: a search through six would drown what a trace is about.
_PATH: Final = "PATH=/bin"

#: Path, mode with the type's bits, uid, gid, and a file's data or a symlink's target.
BaseEntry: TypeAlias = tuple[str, int, int, int, bytes | str]

_TYPES: Final = {
    S_IFREG: tarfile.REGTYPE, S_IFDIR: tarfile.DIRTYPE, S_IFLNK: tarfile.SYMTYPE, S_IFIFO: tarfile.FIFOTYPE,
    S_IFCHR: tarfile.CHRTYPE, S_IFBLK: tarfile.BLKTYPE,
}  # fmt: skip


@cache
def base_image() -> bytes:
    """Return the archive of the built-in base image."""
    from minidocker.programs.base_tree import base_entries  # noqa: PLC0415  the programs are needed only when it is built

    return image_archive(NAME, layer_tar(base_entries()), comment="the lab's programs")


def layer_tar(entries: Iterable[BaseEntry]) -> bytes:
    """Return a layer's tar of entries, sorted by path."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, mode, uid, gid, content in sorted(entries, key=lambda entry: entry[0]):
            info = tarfile.TarInfo(path.strip("/"))
            info.type, info.mode, info.uid, info.gid, info.mtime = _TYPES[mode & S_IFMT], mode & 0o7777, uid, gid, TIME
            data = content.encode() if isinstance(content, str) else bytes(content or b"")
            if info.issym():
                info.linkname = data.decode()
            else:
                info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def image_archive(name: str, *layers: bytes, comment: str = "") -> bytes:
    """Return an image of layers, each an uncompressed tar, as ``docker save`` writes it: its command is ``sh``."""
    config = _json({
        "architecture": "amd64",
        "os": "linux",
        "created": _CREATED,
        "config": {"Cmd": ["sh"], "Env": [_PATH]},
        "history": [{"created": _CREATED, "created_by": comment or f"layer {n}"} for n, _ in enumerate(layers, 1)],
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(layer)) for layer in layers]},
    })  # fmt: skip
    blobs = [_blob(data) for data in layers]
    manifest = [{"Config": _blob(config), "RepoTags": [name], "Layers": blobs}]
    files = dict(zip(blobs, layers, strict=True)) | {_blob(config): config, "manifest.json": _json(manifest)}
    return layer_tar((path, S_IFREG | 0o644, 0, 0, data) for path, data in files.items())


def _blob(data: bytes) -> str:
    return f"blobs/sha256/{Digest.of(data).hex}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
