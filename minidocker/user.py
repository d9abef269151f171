"""The user of a container's program: who it is by the container's own /etc/passwd, and how the task becomes it."""

import errno
from contextlib import suppress
from dataclasses import dataclass

from minidocker.linux import O_RDONLY
from minidocker.refusal import Refused
from minidocker.system import System


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who a program is to be."""

    uid: int
    gid: int
    home: str


async def find_user(k: System, user: str) -> User:
    """Return who ``name``, ``uid`` or ``name:group`` is in this root; Refused if nobody is."""
    name, _, group = user.partition(":")
    passwd = await _table(k, "/etc/passwd")
    row = next((row for row in passwd if (name or "0") in (row[0], row[2])), None) if passwd else None
    if row is None and not (name or "0").isdigit():
        raise Refused(f"unable to find user {name}: no matching entries in passwd file")
    uid, gid = (int(row[2]), int(row[3])) if row else (int(name or 0), 0)
    return User(uid=uid, gid=await _gid(k, group) if group else gid, home=row[5] if row else "/")


async def set_ids(k: System, user: User) -> None:
    """Change group and user, in this order. Where a user namespace denies setgroups(2), the groups stay, as in runc."""
    with suppress(PermissionError):
        await k.setgroups([user.gid])
    for kind, number, change in (("gid", user.gid, k.setgid), ("uid", user.uid, k.setuid)):
        try:
            await change(number)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise Refused(f"cannot set {kind} to unmapped user in user namespace") from error


async def _table(k: System, path: str) -> list[list[str]]:
    """Return the rows of a file like /etc/passwd, or none if there is no such file."""
    try:
        fd = await k.open(path, O_RDONLY)
    except FileNotFoundError:
        return []
    data = b""
    while chunk := await k.read(fd, 65536):
        data += chunk
    await k.close(fd)
    return [row for line in data.decode().splitlines() if len(row := line.split(":")) >= 4]


async def _gid(k: System, group: str) -> int:
    if group.isdigit():
        return int(group)
    row = next((row for row in await _table(k, "/etc/group") if row[0] == group), None)
    if row is None:
        raise Refused(f"unable to find group {group}: no matching entries in group file")
    return int(row[2])
