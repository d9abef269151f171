"""Which user and group ids a rootless lab has: its own as root, and those of /etc/subuid if newuidmap(1) gives them.

Source: user_namespaces(7), "User and group ID mappings: uid_map and gid_map".
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

#: The first id inside, the first outside, and how many.
Range = tuple[int, int, int]

_SETTERS: Final = {"uid_map": ("newuidmap", "/etc/subuid"), "gid_map": ("newgidmap", "/etc/subgid")}


def write(pid: int, uid: int, gid: int) -> dict[str, list[Range]]:
    """Map ids into the user namespace of a process; return the ranges for ``uid_map`` and ``gid_map``."""
    wanted = {"uid_map": _ranges("uid_map", uid), "gid_map": _ranges("gid_map", gid)}
    if all(len(ranges) > 1 for ranges in wanted.values()) and all(_ask(pid, kind, wanted[kind]) for kind in wanted):
        return wanted
    alone = {"uid_map": [(0, uid, 1)], "gid_map": [(0, gid, 1)]}
    Path(f"/proc/{pid}/setgroups").write_text("deny", encoding="ascii")
    for kind, ranges in alone.items():
        Path(f"/proc/{pid}/{kind}").write_text(_text(ranges), encoding="ascii")
    return alone


def subordinate(kind: str, uid: int) -> tuple[int, int] | None:
    """Return the first (start, count) that /etc/subuid or /etc/subgid gives a user, by name or by number."""
    try:
        lines = Path(_SETTERS[kind][1]).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        owner, _, rest = line.partition(":")
        start, _, count = rest.partition(":")
        if owner in _names(uid) and start.isdigit() and count.isdigit() and int(count) > 0:
            return int(start), int(count)
    return None


def _names(uid: int) -> set[str]:
    import pwd  # noqa: PLC0415  asks the host's user database, which can be slow

    try:
        return {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        return {str(uid)}


def _ranges(kind: str, own: int) -> list[Range]:
    given = subordinate(kind, os.getuid()) if shutil.which(_SETTERS[kind][0]) else None
    return [(0, own, 1), *([(1, *given)] if given else [])]


def _ask(pid: int, kind: str, ranges: list[Range]) -> bool:
    """Have the set-uid program write the map; False if it refuses."""
    words = [str(number) for entry in ranges for number in entry]
    done = subprocess.run([_SETTERS[kind][0], str(pid), *words], capture_output=True, check=False)
    return done.returncode == 0


def _text(ranges: list[Range]) -> str:
    return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in ranges)
