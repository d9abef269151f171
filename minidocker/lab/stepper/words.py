"""Words: how the picture names what it shows: sizes, modes, marks, cut names. ``js/words.js`` says the same."""

from collections.abc import Mapping
from typing import Any, Final

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_SHELL: Final = ("/bin/sh -c #(nop) ", "/bin/sh -c ")


def size_text(size: int) -> str:
    """Return a size as Docker prints it: decimal units, three digits at most."""
    unit, power = 1, 0
    while size >= 1000 * unit and power < len(_UNITS) - 1:
        unit, power = unit * 1000, power + 1
    hundredths = (size * 100 + unit // 2) // unit
    whole, part = divmod(hundredths, 100)
    if whole >= 100 or part == 0:
        return f"{(hundredths + 50) // 100} {_UNITS[power]}"
    digits = f"{part:02}" if whole < 10 else f"{part // 10}"
    digits = digits.rstrip("0")
    return f"{whole}.{digits} {_UNITS[power]}" if digits else f"{whole} {_UNITS[power]}"


def cut(text: str, length: int) -> str:
    """Return the text in at most ``length`` characters, its end left out."""
    return text if len(text) <= length else text[: length - 1] + "…"


def cut_start(text: str, length: int) -> str:
    """Return the text in at most ``length`` characters, its start left out."""
    return text if len(text) <= length else "…" + text[len(text) - length + 1 :]


def mode_text(entry: Mapping[str, Any]) -> str:
    """Return permissions as chmod takes them, and the owner if it is not root."""
    owner = (entry.get("uid", 0), entry.get("gid", 0))
    mode = f"{entry.get('mode', 0) & 0o7777:04o}"
    return mode if owner == (0, 0) else f"{mode} {owner[0]}:{owner[1]}"


def made_by(created_by: str) -> str:
    """Return the instruction that made a layer, without the shell that ran it."""
    for prefix in _SHELL:
        created_by = created_by.removeprefix(prefix)
    return created_by.replace("# buildkit", "").strip()


def cell_words(entry: Mapping[str, Any], *, upper: bool, copied: bool = False) -> tuple[str, str, str]:
    """Return the shape of an entry's cell, the word on it, and the note below the word.

    ``copied``: the entry is known to have been copied up, though Linux left no mark of that on it.
    """
    kind = entry["kind"]
    copied = copied or bool(entry.get("origin"))
    if kind == "dir":
        return _directory_words(entry, upper=upper, copied=copied)
    if kind == "file":
        return _file_words(entry, upper=upper, copied=copied)
    if kind == "whiteout":
        return "whiteout", "whiteout", "hides below"
    if kind == "symlink":
        return "symlink", "symlink", "→ " + str(entry.get("target", ""))
    if "rdev" in entry:
        return "device", kind, "device {}:{}".format(*entry["rdev"])
    return "device", kind, mode_text(entry)


def _file_words(entry: Mapping[str, Any], *, upper: bool, copied: bool) -> tuple[str, str, str]:
    size, mode = size_text(entry.get("size", 0)), mode_text(entry)
    if not upper:
        return "file", size, mode
    return ("copied", "copied up", f"{size} {mode}") if copied else ("new", "new", f"{size} {mode}")


def _directory_words(entry: Mapping[str, Any], *, upper: bool, copied: bool) -> tuple[str, str, str]:
    mode = f"dir {mode_text(entry)}"
    if entry.get("opaque"):
        return "opaque", "opaque", mode
    if entry.get("redirect"):
        return "redirect", "moved", "was " + str(entry["redirect"])
    if not upper:
        return "dir", "dir", mode_text(entry)
    return ("copied-dir", "copied up", mode) if copied else ("new-dir", "new dir", mode)
