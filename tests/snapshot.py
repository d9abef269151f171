"""A whole tree as a value, read through the port: what two trees are compared by."""

import posixpath
from typing import Any

from minidocker.kernel import Files, Stat
from minidocker.linux import O_RDONLY, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG


def snapshot(files: Files, root: str, *, times: bool = True) -> dict[str, dict[str, Any]]:
    """Return each path below root with all that unpacking sets; hard links by which path names the inode first."""
    tree: dict[str, dict[str, Any]] = {}
    inodes: dict[tuple[int, int], str] = {}
    pending = [""]
    while pending:
        path = pending.pop()
        stat = files.lstat(root + path)
        kind = stat.st_mode & S_IFMT
        inode = inodes.setdefault((stat.st_dev, stat.st_ino), path)
        tree[path or "/"] = _entry(files, root + path, stat, times=times and path != "", again=inode != path)
        if kind == S_IFDIR:
            pending += [posixpath.join(path or "/", name) for name in sorted(files.listdir(root + path), reverse=True)]
        else:
            tree[path]["inode"] = inode
    return tree


def _entry(files: Files, path: str, stat: Stat, *, times: bool, again: bool) -> dict[str, Any]:
    kind = stat.st_mode & S_IFMT
    entry: dict[str, Any] = {"mode": oct(stat.st_mode), "owner": (stat.st_uid, stat.st_gid), "rdev": stat.st_rdev}
    if times:
        entry["mtime_ns"] = stat.st_mtime_ns
    if kind == S_IFREG and not again:
        entry["data"] = content(files, path)
    if kind == S_IFLNK:
        entry["target"] = files.readlink(path)
    if kind != S_IFDIR:
        entry["nlink"] = stat.st_nlink
    names = files.listxattr(path, follow_symlinks=False)
    entry["xattrs"] = {name: files.getxattr(path, name, follow_symlinks=False) for name in names}
    return entry


def content(files: Files, path: str) -> bytes:
    """Return a file's data."""
    fd = files.open(path, O_RDONLY)
    try:
        return b"".join(iter(lambda: files.read(fd, 1 << 16), b""))
    finally:
        files.close(fd)
