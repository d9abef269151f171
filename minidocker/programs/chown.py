"""chown: change the owner and group of files; -h of symlinks themselves, -R of whole trees."""

from minidocker.linux import S_IFDIR, S_IFLNK, S_IFMT
from minidocker.programs import names, stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System

SYNOPSIS = "[-Rh] USER[:[GROUP]] FILE..."


class UnknownName(Exception):
    """No such user or group."""


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Change owners."""
    try:
        options = parse(argv, "RhfvcLHP", least=2)
        owner, *paths = options.operands
        uid, gid = await parse_owner(k, owner)
    except Usage as usage:
        return await refuse(k, "chown", usage, SYNOPSIS)
    except UnknownName as unknown:
        await stdio.complain(k, f"chown: {unknown}")
        return 1
    status = 0
    for path in paths:
        status |= await change(k, path, uid, gid, program="chown", follow="h" not in options, recursive="R" in options)
    return status


async def parse_owner(k: System, text: str) -> tuple[int, int]:
    """Return the numbers of ``USER``, ``USER:GROUP``, ``USER:`` (its own group) or ``:GROUP``; -1 is as it is."""
    user, colon, group = text.partition(":") if ":" in text else text.partition(".") if "." in text else (text, "", "")
    uid = gid = -1
    if user:
        uid = await _number(k, names.USERS, user, "user")
    if group:
        gid = await _number(k, names.GROUPS, group, "group")
    elif colon and user:
        rows = await names.read_table(k, names.USERS)
        gid = next((int(row[3]) for row in rows.values() if row[2] == str(uid)), -1)
    return uid, gid


async def _number(k: System, table: str, text: str, kind: str) -> int:
    number = await names.number_of(k, table, text)
    if number is None:
        raise UnknownName(f"unknown {kind} {text}")
    return number


async def change(k: System, path: str, uid: int, gid: int, *, program: str, follow: bool, recursive: bool) -> int:
    """Change the owner of a file, and with ``recursive`` of all below; return 1 if anything failed."""
    try:
        kind = (await k.lstat(path)).st_mode & S_IFMT
        if recursive and kind == S_IFLNK:
            follow = False
        await (k.chown(path, uid, gid) if follow else k.lchown(path, uid, gid))
        inside = sorted(await k.listdir(path)) if recursive and kind == S_IFDIR else []
    except OSError as error:
        await stdio.complain(k, f"{program}: {path}: {stdio.reason(error)}")
        return 1
    failed = 0
    for name in inside:
        below = f"{path.rstrip('/')}/{name}"
        failed |= await change(k, below, uid, gid, program=program, follow=follow, recursive=True)
    return failed
