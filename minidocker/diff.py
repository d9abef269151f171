"""diff: what a writable layer changes, as ``docker diff`` tells it (moby, pkg/archive/changes_linux.go)."""

from collections.abc import Sequence

from minidocker import lowers
from minidocker.entry import kind_of, marks_of, walk
from minidocker.kernel import Files, Stat


def changes(files: Files, upper: str, lower_roots: Sequence[str]) -> list[tuple[str, str]]:
    """Return (``A`` added, ``C`` changed, ``D`` deleted; path) of all that lies in an upper directory, by path."""
    found: list[tuple[str, str]] = []
    for path, stat in walk(files, upper):
        if path == "/":
            continue
        below = lowers.find(files, lower_roots, path)
        found.append((_kind(stat, below), path))
        if below is not None and marks_of(files, upper + path).get("opaque"):
            kept = set(files.listdir(upper + path))
            names = [name for name in lowers.names(files, lower_roots, path) if name not in kept]
            found += [("D", f"{path}/{name}") for name in names]
    return sorted(found, key=lambda change: change[1])


def _kind(stat: Stat, below: Stat | None) -> str:
    if kind_of(stat) == "whiteout":
        return "D"
    return "A" if below is None else "C"
