"""The runtime: what happens between ``clone`` and ``execve``, so that a task becomes a container (runc's part).

:func:`init` is the whole recipe, in the order in which runc does it: the mounts become private, the merged tree gets
its /proc and /dev, the root is pivoted, the host's tree let go, the name set, the user changed, and the program run.
Whoever leaves out a line finds out what it was for.
"""

import errno
import json
import posixpath
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from minidocker import linux
from minidocker.linux import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MNT_DETACH,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    O_RDONLY,
    S_IFCHR,
    S_IFDIR,
    S_IFMT,
)
from minidocker.system import System

#: The namespaces that a container gets.
NAMESPACES: Final = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS

#: The descriptor on which init tells why it could not start; execve closes it, and that is the good news.
ERROR_FD: Final = 3

#: The descriptor on which init waits for the daemon to let it begin (:mod:`minidocker.start`).
GATE_FD: Final = 4

#: The devices of a container: name, major, minor (https://github.com/opencontainers/runtime-spec, default devices).
DEVICES: Final = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What init needs to know. All of it is JSON's values: it crosses into the new task."""

    root: str
    hostname: str
    argv: Sequence[str]
    env: Sequence[str]
    cwd: str = "/"
    user: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the values as a dictionary."""
        return asdict(self)


class _Refused(Exception):
    """The container cannot start. Exit codes 126 and 127 are the program's fault (runc says so), 125 the request's."""

    def __init__(self, reason: str, exit_code: int = 125) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exit_code = exit_code


async def init(k: System, spec: Mapping[str, Any]) -> int:
    """Make the new task a container and run its program. Exit code 1, with words on ERROR_FD, if that fails.

    It begins when a byte comes through the gate; if the gate closes without one, the daemon has given up.
    """
    if not await k.read(GATE_FD, 1):
        return 1
    try:
        await prepare_root(k, spec["root"])
        await enter_root(k, spec["root"])
        await k.sethostname(spec["hostname"])
        env = await become_user(k, spec["user"], dict(pair.partition("=")[::2] for pair in spec["env"]))
        await enter_workdir(k, spec["cwd"])
        path = await look_path(k, spec["argv"][0], env.get("PATH", ""))
        return await execute(k, path, spec["argv"], env)
    except _Refused as refused:
        await _tell(k, refused)
    except OSError as error:
        await _tell(k, _Refused(f"{error.filename or 'container'}: {linux.strerror(error.errno).lower()}"))
    return 1


async def prepare_root(k: System, root: str) -> None:
    """Make the mounts private, and give the merged tree its /proc and /dev."""
    await k.mount("", "/", "", MS_REC | MS_PRIVATE)
    await k.mount(root, root, "", MS_BIND | MS_REC)
    await k.mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    await k.mount("tmpfs", f"{root}/dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k")
    mask = await k.umask(0)
    for name, major, minor in DEVICES:
        await make_device(k, f"{root}/dev/{name}", major, minor)
    await k.umask(mask)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        await k.symlink(target, f"{root}/dev/{name}")


async def make_device(k: System, path: str, major: int, minor: int) -> None:
    """Make a device node; in a user namespace, where nobody may, bind the host's there."""
    try:
        await k.mknod(path, S_IFCHR | 0o666, major << 8 | minor)
    except PermissionError:
        await k.close(await k.open(path, linux.O_WRONLY | linux.O_CREAT, 0o666))
        await k.mount(f"/dev/{posixpath.basename(path)}", path, "", MS_BIND)


async def enter_root(k: System, root: str) -> None:
    """Make the merged tree the root and let go of the host's: pivot_root(2) says why the two dots."""
    await k.chdir(root)
    await k.pivot_root(".", ".")
    await k.umount2(".", MNT_DETACH)
    await k.chdir("/")


async def become_user(k: System, user: str, env: dict[str, str]) -> dict[str, str]:
    """Take on the user (``name``, ``uid``, ``name:group``), and return the environment with its HOME."""
    name, _, group = user.partition(":")
    passwd = await _table(k, "/etc/passwd")
    row = next((row for row in passwd if (name or "0") in (row[0], row[2])), None) if passwd else None
    if row is None and not (name or "0").isdigit():
        raise _Refused(f"unable to find user {name}: no matching entries in passwd file")
    uid, gid = (int(row[2]), int(row[3])) if row else (int(name or 0), 0)
    if group:
        gid = await _gid(k, group)
    if user:
        await _set_ids(k, uid, gid)
    return env if "HOME" in env else {**env, "HOME": row[5] if row else "/"}


async def _set_ids(k: System, uid: int, gid: int) -> None:
    """Change group and user, in this order. Where a user namespace denies setgroups(2), the groups stay, as in runc."""
    with suppress(PermissionError):
        await k.setgroups([gid])
    for kind, number, change in (("gid", gid, k.setgid), ("uid", uid, k.setuid)):
        try:
            await change(number)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise _Refused(f"cannot set {kind} to unmapped user in user namespace") from error


async def enter_workdir(k: System, cwd: str) -> None:
    """Change to the working directory, which is made if no layer has it."""
    if cwd == "/":
        return
    try:
        await k.chdir(cwd)
    except FileNotFoundError:
        await _make_directories(k, cwd)
        await k.chdir(cwd)
    except NotADirectoryError:
        raise _Refused(f"Cannot mkdir: {cwd} is not a directory") from None


async def execute(k: System, path: str, argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Become the program. If the kernel refuses, say so on standard error, as runc does, and return 126 or 127."""
    try:
        await k.execve(path, argv, env)
    except OSError as error:
        words = error.strerror if error.errno == errno.ENOSYS else linux.strerror(error.errno).lower()
        await k.write(2, f"exec {path}: {words}\n".encode())
        return 127 if error.errno == errno.ENOENT else 126
    return 0


async def look_path(k: System, name: str, path: str) -> str:
    """Return the file that a program's name means: itself if it has a slash, else the first executable in PATH."""
    if "/" in name:
        await _executable(k, name, name)
        return name
    for directory in path.split(":"):
        candidate = posixpath.join(directory or ".", name)
        try:
            await _executable(k, name, candidate)
        except _Refused:
            continue
        return candidate
    raise _Refused(f'exec: "{name}": executable file not found in $PATH', 127)


async def _executable(k: System, name: str, path: str) -> None:
    try:
        stat = await k.stat(path)
    except OSError as error:
        words = linux.strerror(error.errno).lower()
        raise _Refused(f'exec: "{name}": stat {path}: {words}', 127) from error
    if stat.st_mode & S_IFMT == S_IFDIR:
        raise _Refused(f'exec: "{name}": permission denied', 126)
    if not stat.st_mode & 0o111:
        raise _Refused(f'exec: "{name}": permission denied', 126)


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
        raise _Refused(f"unable to find group {group}: no matching entries in group file")
    return int(row[2])


async def _make_directories(k: System, path: str) -> None:
    made = ""
    for name in path.strip("/").split("/"):
        made += "/" + name
        try:
            await k.mkdir(made, 0o755)
        except FileExistsError:
            continue


async def _tell(k: System, refused: _Refused) -> None:
    await k.write(ERROR_FD, json.dumps({"reason": refused.reason, "exit_code": refused.exit_code}).encode())
