"""Layers as a learner writes them: a dictionary from paths to what lies there; and a directory told in the same words.

| the value                         | is                                                              |
|-----------------------------------|-----------------------------------------------------------------|
| ``"/a": "text"`` (or bytes)       | a file with this content                                        |
| ``"/a": {"size": 1000}``          | a file of so many bytes, all of them zeros                      |
| ``"/a": None``                    | a whiteout: hides what lower layers have at this name           |
| ``"/d/": {}``                     | a directory (parents are made where they are not mentioned)     |
| ``"/d/": {"opaque": True}``       | a directory that hides what lower layers have in it             |
| ``"/l": {"symlink": "/a"}``       | a symbolic link                                                 |
| ``"/b": {"link": "/a"}``          | one more name of the file /a of this layer                      |
| ``"/p": {"fifo": True}``          | a named pipe                                                    |

``mode``, ``uid`` and ``gid`` may stand in any dictionary; a file's content is then ``{"data": "text", "mode": 0o600}``.
"""

import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from minidocker.entry import Entry, data_sum, entry_of, walk
from minidocker.kernel import Files
from minidocker.linux import O_CREAT, O_EXCL, O_RDONLY, O_WRONLY, S_IFCHR, S_IFIFO

Value: TypeAlias = str | bytes | Mapping[str, Any] | None
Layer: TypeAlias = Mapping[str, Value]

#: A file of at most so many bytes is told with its content, a larger one by its size.
TOLD_BYTES: Final = 400

_KEYS: Final = frozenset({"data", "size", "opaque", "symlink", "link", "fifo", "mode", "uid", "gid"})


def check(layer: Layer) -> None:
    """ValueError, in plain words, if a layer says what no directory can have."""
    for path, value in layer.items():
        if not path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{path!r}: a path in a layer begins with / and has no ..")
        unknown = set(value) - _KEYS if isinstance(value, Mapping) else set()
        if unknown:
            raise ValueError(
                f"{path}: {', '.join(sorted(unknown))} means nothing here; there is {', '.join(sorted(_KEYS))}"
            )
        if path.endswith("/") and not isinstance(value, Mapping):
            raise ValueError(f"{path}: a directory's value is a dictionary, often {{}}")


def rows(layer: Layer) -> list[tuple[str, Any]]:
    """Return what to make, in the order in which it can be made: parents first, second names of files last."""
    named: dict[str, Value] = {"/": {}}
    for path, value in layer.items():
        parts = path.rstrip("/").split("/")
        for end in range(2, len(parts)):
            named.setdefault("/".join(parts[:end]) + "/", {})
        named[path] = dict(value) if isinstance(value, Mapping) else value
    last = {path for path, value in named.items() if isinstance(value, Mapping) and "link" in value}
    return sorted(named.items(), key=lambda row: (row[0] in last, row[0].count("/"), row[0]))


def build_job(files: Files, root: str, layer_rows: Sequence[tuple[str, Any]], mark: str) -> dict[str, Entry]:
    """Make a layer's directory and return its entries as a trace has them. ``mark`` is the name of the opaque xattr."""
    mask = files.umask(0)
    try:
        for path, value in layer_rows:
            target = (root + path).rstrip("/")
            _make(files, root, target, value, is_directory=path.endswith("/"))
            given: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
            if given.get("opaque"):
                files.setxattr(target, mark, b"y")
            _attributes(files, target, given)
    finally:
        files.umask(mask)
    return entries_job(files, root)


def _make(files: Files, root: str, target: str, value: Any, *, is_directory: bool) -> None:
    if is_directory:
        if target != root:
            files.mkdir(target, 0o755)
    elif value is None:
        files.mknod(target, S_IFCHR, 0)
    elif not isinstance(value, Mapping):
        _file(files, target, value)
    elif "symlink" in value:
        files.symlink(value["symlink"], target)
    elif "link" in value:
        files.link(root + value["link"], target)
    elif value.get("fifo"):
        files.mknod(target, S_IFIFO | 0o644)
    else:
        _file(files, target, value.get("data", bytes(value.get("size", 0))))


def _file(files: Files, target: str, data: str | bytes) -> None:
    rest = memoryview(data.encode() if isinstance(data, str) else data)
    fd = files.open(target, O_WRONLY | O_CREAT | O_EXCL, 0o644)
    while rest:
        rest = rest[files.write(fd, bytes(rest[: 1 << 20])) :]
    files.close(fd)


def _attributes(files: Files, target: str, given: Mapping[str, Any]) -> None:
    if "uid" in given or "gid" in given:
        files.lchown(target, given.get("uid", 0), given.get("gid", 0))
    if "mode" in given:
        files.chmod(target, given["mode"])


def entries_job(files: Files, root: str) -> dict[str, Entry]:
    """Return what lies below a directory, as entries of a trace."""
    found = {}
    for path, stat in walk(files, root):
        entry = found[path] = entry_of(files, posixpath.normpath(root + path), stat)
        if entry["kind"] == "file":
            entry["sum"] = data_sum(files, root + path)
    return found


def read_job(files: Files, root: str) -> dict[str, Any]:
    """Return what lies below a directory, told as a learner would write it; names of one file are told as files."""
    told: dict[str, Any] = {}
    pending = [""]
    while pending:
        at = pending.pop()
        for name in sorted(files.listdir(root + at)):
            path = f"{at}/{name}"
            try:
                entry = entry_of(files, root + path, files.lstat(root + path))
            except FileNotFoundError:
                continue  # of a directory in one lower layer only, overlayfs lists the whiteouts, and then denies them
            is_directory = entry["kind"] == "dir"
            told[path + "/" * is_directory] = _told(files, root + path, entry)
            pending += [path] * is_directory
    return dict(sorted(told.items()))


def _told(files: Files, path: str, entry: Entry) -> Any:
    kind = entry["kind"]
    if kind == "whiteout":
        return None
    usual = {"mode": 0o755 if kind == "dir" else 0o644, "uid": 0, "gid": 0}
    more = {key: entry[key] for key in usual if entry[key] != usual[key] and (kind, key) != ("symlink", "mode")}
    if kind == "dir":
        return ({"opaque": True} if entry.get("opaque") else {}) | more
    if kind == "symlink":
        return {"symlink": entry["target"]} | more
    if kind != "file":
        return {kind: entry.get("rdev", True)} | more
    content = _content(files, path, entry["size"])
    if isinstance(content, dict):
        return content | more
    return {"data": content} | more if more else content


def _content(files: Files, path: str, size: int) -> Any:
    if size > TOLD_BYTES:
        return {"size": size, "sum": data_sum(files, path)}
    fd = files.open(path, O_RDONLY)
    try:
        data = files.read(fd, TOLD_BYTES)
    finally:
        files.close(fd)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def lines(layer: Layer) -> list[str]:
    """Return a layer as people read it: a line a name."""
    return [f"{path}  {_in_words(value)}".rstrip() for path, value in layer.items()]


def _in_words(value: Value) -> str:
    if value is None:
        return "(whiteout)"
    if not isinstance(value, Mapping):
        return repr(value)
    words = {"opaque": "opaque", "fifo": "fifo"}
    said = [words.get(key) or _attribute(key, held) for key, held in value.items() if key != "sum"]
    return f"({', '.join(said)})" if said else ""


def _attribute(key: str, value: Any) -> str:
    told = {"mode": lambda: f"mode {value:04o}", "symlink": lambda: f"→ {value}", "size": lambda: f"{value:,} bytes"}
    return told.get(key, lambda: f"{key} {value!r}")()


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's JSON; bytes are told by their hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, default=bytes.hex)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
