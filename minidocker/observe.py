"""Looking at an upper directory before and after a call: what changed in it, and what overlayfs must have done inside.

The same code looks on both kernels, through the port. Overlayfs tells nobody when it copies a file up, so on the real
kernel :func:`conclude` derives that from what newly lies in the upper directory; the simulated kernel tells by itself,
and the two must agree.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from minidocker import lowers
from minidocker.entry import Entry, data_sum, entry_of, walk
from minidocker.kernel import Files, Inner, Stat
from minidocker.linux import O_CREAT, O_RDWR, O_TRUNC, O_WRONLY, S_IFMT, S_IFREG

#: The calls that can change an upper directory; after any other there is no need to look.
MUTATING: Final = frozenset({
    "open", "write", "truncate", "ftruncate", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "chmod",
    "fchmod", "chown", "lchown", "fchown", "mknod", "setxattr", "lsetxattr", "removexattr", "lremovexattr",
    "utime", "execve",
})  # fmt: skip


#: The flags of open without one of which nothing can change.
_CHANGING: Final = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC

#: The data of files up to so many bytes is summed; a larger one's after every write would take too long.
SUMMED_MAX: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class _Seen:
    entry: Entry
    stat: Stat


class UpperWatch:
    """One upper directory under observation."""

    def __init__(self, files: Files, lower_roots: Sequence[str], upper: str, *, tick_ns: int = 0) -> None:
        """Look for the first time. ``files`` must not be traced itself; lower_roots: topmost first.

        ``tick_ns`` is how long the kernel's time stamps stand still: two changes within it may leave the same ctime.
        """
        self._files = files
        self._tick_ns = tick_ns
        self._lowers = list(lower_roots)
        self._upper = upper
        self._seen = self._look({})

    @property
    def entries(self) -> dict[str, Entry]:
        """What lies in the upper directory now, the root left out."""
        return {path: seen.entry for path, seen in self._seen.items() if path != "/"}

    def after(self, name: str, args: Sequence[Any]) -> tuple[dict[str, Entry | None], tuple[Inner, ...]]:
        """Look again after a call; return the changed entries (None: gone) and what overlayfs must have done."""
        if name not in MUTATING or (name == "open" and not _changes(args)):
            return {}, ()
        before = self._seen
        now = self._seen = self._look(before)
        changed: dict[str, Entry | None] = {
            path: now[path].entry if path in now else None
            for path in sorted(before.keys() | now.keys())
            if path != "/" and (path not in now or path not in before or now[path].entry != before[path].entry)
        }
        return changed, tuple(self._conclude(name, args, before, changed)) if changed else ()

    def _look(self, old: Mapping[str, _Seen]) -> dict[str, _Seen]:
        """Look at everything, from within the directory: short paths are found sooner."""
        sure_ns = max((seen.stat.st_ctime_ns for seen in old.values()), default=0) - self._tick_ns
        cwd = self._files.getcwd()
        self._files.chdir(self._upper)
        try:
            return {path: self._seen_at(path, stat, old.get(path), sure_ns) for path, stat in walk(self._files, ".")}
        finally:
            self._files.chdir(cwd)

    def _seen_at(self, path: str, stat: Stat, old: _Seen | None, sure_ns: int) -> _Seen:
        """Return what is at a path; what was seen last time if its ctime says surely that nothing has changed."""
        if old is not None and old.stat == stat and (stat.st_ctime_ns < sure_ns or not self._tick_ns):
            return old
        entry = entry_of(self._files, f".{path}", stat)
        if stat.st_mode & S_IFMT == S_IFREG and stat.st_size <= SUMMED_MAX:
            entry["sum"] = data_sum(self._files, f".{path}")
        return _Seen(entry, stat)

    def _conclude(
        self, name: str, args: Sequence[Any], before: Mapping[str, _Seen], changed: Mapping[str, Entry | None]
    ) -> Iterator[Inner]:
        known = {seen.stat.st_ino for seen in before.values()}
        whiteouts = [p for p, e in changed.items() if e and e["kind"] == "whiteout" and not _was(before, p, "whiteout")]
        for path, entry in changed.items():
            if entry is None or entry["kind"] == "whiteout" or self._seen[path].stat.st_ino in known:
                continue
            source = whiteouts[0] if name == "rename" and whiteouts and entry["kind"] != "dir" else path
            lower = lowers.find(self._files, self._lowers, source)
            if lower is not None and source not in before:
                yield Inner(name="copy_up", path=source, size=_copied(name, args, lower), observed=True)
        for path in whiteouts:
            yield Inner(name="whiteout", path=path, observed=True)
        opaque = {seen.stat.st_ino for seen in before.values() if seen.entry.get("opaque")}
        for path, entry in changed.items():
            if entry and entry.get("opaque") and self._seen[path].stat.st_ino not in opaque:
                yield Inner(name="opaque", path=path, observed=True)


def _changes(args: Sequence[Any]) -> bool:
    """Do the arguments of an open allow it to change anything? Those of one that cannot succeed may be of any kind."""
    return len(args) > 1 and isinstance(args[1], int) and bool(args[1] & _CHANGING)


def _was(before: Mapping[str, _Seen], path: str, kind: str) -> bool:
    return path in before and before[path].entry["kind"] == kind


def _copied(name: str, args: Sequence[Any], lower: Stat) -> int:
    """Return how many bytes a copy-up copied: all, but none when the file was opened only to be emptied."""
    if lower.st_mode & S_IFMT != S_IFREG or (name == "open" and args[1] & O_TRUNC):
        return 0
    return lower.st_size
