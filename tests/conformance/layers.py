"""Making layers and reading trees through the port, in one go: importable functions for ``kernel.job``."""

import contextlib
from collections.abc import Callable
from typing import Any

from minidocker.linux import (
    O_CREAT,
    O_EXCL,
    O_RDONLY,
    O_WRONLY,
    S_IFCHR,
    S_IFDIR,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    errno_name,
)

Entry = tuple[Any, ...]

STAT_FIELDS = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size", "st_rdev")


def plant_stack(kernel: Any, base: str, lowers: list[list[Entry]], upper: list[Entry], apart: int) -> None:
    """Make l0, l1 …, u, w and m in base, whose missing parents are made; layer ``apart`` is a tmpfs of its own."""
    path = ""
    for name in base.strip("/").split("/"):
        path += f"/{name}"
        with contextlib.suppress(FileExistsError):
            kernel.mkdir(path)
    for number, entries in enumerate(lowers):
        kernel.mkdir(f"{base}/l{number}")
        if number == apart:
            kernel.mount("tmpfs", f"{base}/l{number}", "tmpfs", 0, "mode=755")
        plant(kernel, f"{base}/l{number}", entries)
    for name in ("u", "w", "m"):
        kernel.mkdir(f"{base}/{name}")
    plant(kernel, f"{base}/u", upper)


def plant(kernel: Any, base: str, entries: list[Entry]) -> None:
    """Make the entries of a layer in a directory. One that does not fit (its place is taken) is left out."""
    for kind, path, *rest in entries:
        with contextlib.suppress(OSError):
            _PLANTERS[kind](kernel, f"{base}/{path}", base, *rest)


def _plant_file(kernel: Any, path: str, base: str, mode: int, uid: int, gid: int, data: bytes) -> None:
    fd = kernel.open(path, O_CREAT | O_EXCL | O_WRONLY, 0o600)
    kernel.write(fd, data)
    kernel.close(fd)
    kernel.chown(path, uid, gid)
    kernel.chmod(path, mode)


def _plant_dir(kernel: Any, path: str, base: str, mode: int, uid: int, gid: int) -> None:
    kernel.mkdir(path)
    kernel.chown(path, uid, gid)
    kernel.chmod(path, mode)


def _plant_node(kernel: Any, path: str, base: str, mode: int, device: int, uid: int, gid: int) -> None:
    kernel.mknod(path, mode, device)
    kernel.chown(path, uid, gid)
    kernel.chmod(path, mode & 0o7777)


def _plant_symlink(kernel: Any, path: str, base: str, target: str, uid: int, gid: int) -> None:
    kernel.symlink(target, path)
    kernel.chown(path, uid, gid, follow_symlinks=False)


_PLANTERS: dict[str, Callable[..., None]] = {
    "file": _plant_file,
    "dir": _plant_dir,
    "node": _plant_node,
    "symlink": _plant_symlink,
    "whiteout": lambda kernel, path, base: kernel.mknod(path, S_IFCHR, 0),
    "link": lambda kernel, path, base, source: kernel.link(f"{base}/{source}", path, follow_symlinks=False),
    "xattr": lambda kernel, path, base, name, value: kernel.setxattr(path, name, value, follow_symlinks=False),
}


def tree(kernel: Any, base: str, top: str) -> list[list[Any]]:
    """Return ``[path, what stat tells, xattrs, contents]`` of all below a directory, or ``[path, errno]``."""
    found = []
    pending = [top]
    while pending:
        path = pending.pop()
        full = f"{base}/{path}"
        try:
            stat = kernel.lstat(full)
        except OSError as error:
            found.append([path, errno_name(error.errno)])
            continue
        contents = _contents(kernel, full, stat.st_mode & S_IFMT)
        found.append([path, [getattr(stat, name) for name in STAT_FIELDS], _xattrs(kernel, full), contents])
        if isinstance(contents, list):
            pending += [f"{path}/{name}" for name in contents]
    return found


def _contents(kernel: Any, path: str, kind: int) -> Any:
    """Return a directory's names, a link's text, a file's data, or the errno of the refusal."""
    try:
        if kind == S_IFDIR:
            return sorted(kernel.listdir(path))
        if kind == S_IFLNK:
            return kernel.readlink(path)
        return _read(kernel, path) if kind == S_IFREG else None
    except OSError as error:
        return errno_name(error.errno)


def _read(kernel: Any, path: str) -> bytes:
    fd = kernel.open(path, O_RDONLY)
    try:
        return bytes(kernel.read(fd, 1 << 16))
    finally:
        kernel.close(fd)


def _xattrs(kernel: Any, path: str) -> list[Any]:
    """Return names and values; those with random values as names only."""
    hidden = tuple(f"{space}.overlay.{mark}" for space in ("trusted", "user") for mark in ("origin", "uuid"))
    names = sorted(kernel.listxattr(path, follow_symlinks=False))
    return [[name, b"" if name in hidden else kernel.getxattr(path, name, follow_symlinks=False)] for name in names]
