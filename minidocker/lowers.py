"""What the read-only layers of a stack serve at a path, found by looking into their directories."""

import errno
from collections.abc import Sequence
from typing import Final

from minidocker.entry import kind_of, marks_of
from minidocker.kernel import Files, Stat
from minidocker.linux import S_IFDIR, S_IFMT

_NOTHING: Final = (errno.ENOENT, errno.ENOTDIR)


def find(files: Files, roots: Sequence[str], path: str) -> Stat | None:
    """Return the stat of what the layers below these roots (topmost first) serve at a path, or None."""
    for root in roots:
        stat, more = _find_in(files, root, path)
        if stat is not None or not more:
            return stat
    return None


def names(files: Files, roots: Sequence[str], path: str) -> list[str]:
    """Return the sorted names that the layers serve in a directory; none if they serve no directory there."""
    found: set[str] = set()
    for root in roots:
        try:
            found.update(files.listdir(root + path))
        except OSError as error:
            if error.errno not in _NOTHING:
                raise
    return sorted(name for name in found if find(files, roots, f"{path.rstrip('/')}/{name}") is not None)


def _find_in(files: Files, root: str, path: str) -> tuple[Stat | None, bool]:
    """Look into one layer: (what serves the path, whether the layers below it may)."""
    walked, below = root, True
    for name in path.strip("/").split("/"):
        walked += "/" + name
        try:
            stat = files.lstat(walked)
        except OSError as error:
            if error.errno not in _NOTHING:
                raise
            return None, below
        if kind_of(stat) == "whiteout":
            return None, False
        if walked == root + path:
            return stat, False
        if stat.st_mode & S_IFMT != S_IFDIR:
            return None, False
        below = below and "opaque" not in marks_of(files, walked)
    return None, below
