"""Whole trees of files, through the port."""

import posixpath
from collections.abc import Sequence

from minidocker.kernel import Files
from minidocker.linux import S_IFDIR, S_IFMT


def remove_tree(files: Files, path: str) -> None:
    """Remove a directory and all that is below it (unlink(2), rmdir(2)); symlinks are removed, never followed."""
    for name in files.listdir(path):
        child = posixpath.join(path, name)
        if files.lstat(child).st_mode & S_IFMT == S_IFDIR:
            remove_tree(files, child)
        else:
            files.unlink(child)
    files.rmdir(path)


def make_each(files: Files, directories: Sequence[tuple[str, int]]) -> None:
    """Make directories, each with its mode."""
    for path, mode in directories:
        files.mkdir(path, mode)


def make_directories(files: Files, path: str, mode: int = 0o755) -> None:
    """Make a directory and those above it that are missing (mkdir(2)); what is there stays as it is."""
    for above in _ancestors(path):
        try:
            files.mkdir(above, mode)
        except FileExistsError:
            continue


def _ancestors(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]
