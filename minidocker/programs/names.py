"""Names of users and groups, from /etc/passwd and /etc/group (passwd(5), group(5))."""

from minidocker.programs import stdio
from minidocker.system import System

USERS = "/etc/passwd"
GROUPS = "/etc/group"


async def read_table(k: System, path: str) -> dict[str, list[str]]:
    """Return name → fields of a file such as /etc/passwd; empty if it cannot be read."""
    try:
        text = stdio.to_text(await stdio.read_file(k, path))
    except OSError:
        return {}
    rows = [line.split(":") for line in text.splitlines() if line.count(":") >= 2]
    return {row[0]: row for row in rows}


async def read_names(k: System, path: str) -> dict[int, str]:
    """Return number → name; the first line of a number counts."""
    names: dict[int, str] = {}
    for name, row in (await read_table(k, path)).items():
        if row[2].isdigit():
            names.setdefault(int(row[2]), name)
    return names


async def number_of(k: System, path: str, text: str) -> int | None:
    """Return the number of a user or group that is given by name or number; None if there is no such name."""
    row = None if text.isdigit() else (await read_table(k, path)).get(text)
    if row is not None and row[2].isdigit():
        return int(row[2])
    return int(text) if text.isdigit() else None
