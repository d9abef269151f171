"""Entry: what lies at one name of one layer's directory, overlayfs's marks included, as JSON's values.

``docs/trace.md`` documents the keys. Read through the port, so that both kernels are asked the same.
"""

import hashlib
import posixpath
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from minidocker.kernel import Files, Stat
from minidocker.linux import (
    O_NOFOLLOW,
    O_RDONLY,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    S_IFSOCK,
)

Entry: TypeAlias = dict[str, Any]

_KINDS: Final = {
    S_IFREG: "file", S_IFDIR: "dir", S_IFLNK: "symlink", S_IFCHR: "char", S_IFBLK: "block", S_IFIFO: "fifo",
    S_IFSOCK: "socket",
}  # fmt: skip

#: Overlayfs's marks: with CAP_SYS_ADMIN, and in a user namespace (mount option userxattr).
_PREFIXES: Final = ("trusted.overlay.", "user.overlay.")


def kind_of(stat: Stat) -> str:
    """Return an entry's kind as ``docs/trace.md`` lists them: ``file``, ``dir``, …, or ``whiteout``."""
    kind = _KINDS[stat.st_mode & S_IFMT]
    return "whiteout" if kind == "char" and stat.st_rdev == 0 else kind


def entry_of(files: Files, path: str, stat: Stat) -> Entry:
    """Return what lies at a path as ``docs/trace.md`` describes an entry, without the digest of its data."""
    kind = kind_of(stat)
    entry: Entry = {"kind": kind, "mode": stat.st_mode & 0o7777, "uid": stat.st_uid, "gid": stat.st_gid}
    if kind == "file":
        entry["size"] = stat.st_size
        if stat.st_nlink != 1:
            entry["nlink"] = stat.st_nlink
    elif kind == "symlink":
        entry["target"] = files.readlink(path)
    elif kind in ("char", "block"):
        entry["rdev"] = [stat.st_rdev >> 8, stat.st_rdev & 0xFF]
    elif kind == "whiteout":
        entry = {"kind": kind}
    return entry | marks_of(files, path)


def marks_of(files: Files, path: str) -> Entry:
    """Return overlayfs's marks on an entry: ``opaque``, ``origin``, ``redirect``."""
    marks: Entry = {}
    for name in files.listxattr(path, follow_symlinks=False):
        mark = next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), "")
        if mark == "origin":
            marks["origin"] = True
        elif mark == "opaque" and files.getxattr(path, name, follow_symlinks=False) == b"y":
            marks["opaque"] = True
        elif mark == "redirect":
            marks["redirect"] = files.getxattr(path, name, follow_symlinks=False).decode()
    return marks


def data_sum(files: Files, path: str) -> str:
    """Return the first 16 digits of the SHA-256 of a file's data."""
    digest = hashlib.sha256()
    fd = files.open(path, O_RDONLY | O_NOFOLLOW)
    try:
        while data := files.read(fd, 1 << 20):
            digest.update(data)
    finally:
        files.close(fd)
    return digest.hexdigest()[:16]


def walk(files: Files, root: str) -> Iterator[tuple[str, Stat]]:
    """Yield each path below root, as seen from root, with what lstat tells; parents first, names sorted."""
    pending = ["/"]
    while pending:
        path = pending.pop()
        stat = files.lstat(root + path if path != "/" else root)
        yield path, stat
        if stat.st_mode & S_IFMT == S_IFDIR:
            names = sorted(files.listdir(root + path), reverse=True)
            pending += [posixpath.join(path, name) for name in names]
