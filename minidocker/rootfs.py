"""The root of a container: its mounts, its devices, and how it becomes the root (runc's rootfs_linux.go).

All of it happens in the container's own mount namespace, before the root is pivoted: the host's /dev and the layers are
still in reach, and nothing of the container's runs yet.
"""

import posixpath
from collections.abc import Sequence
from typing import Any, Final

from minidocker import linux
from minidocker.linux import (
    MNT_DETACH,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_STRICTATIME,
    S_IFCHR,
    S_IFDIR,
    S_IFMT,
)
from minidocker.refusal import Refused
from minidocker.system import System

#: The devices of a container: name, major, minor (https://github.com/opencontainers/runtime-spec, default devices).
DEVICES: Final = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
LINKS: Final = (
    ("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
)  # fmt: skip

_SAFE: Final = MS_NOSUID | MS_NODEV | MS_NOEXEC


async def prepare_root(k: System, root: str, mounts: Sequence[Sequence[Any]], *, any_device: bool = False) -> None:
    """Make the mounts private, and give the merged tree its file systems and its /dev."""
    await k.mount("", "/", "", MS_REC | MS_PRIVATE)
    await k.mount(root, root, "", MS_BIND | MS_REC)
    seen: set[str] = set()
    for source, target, fstype, flags, data in mounts:
        await mount_within(k, root, source, target, fstype, flags, data, seen)
    mask = await k.umask(0)
    for name, major, minor in DEVICES:
        await make_device(k, f"{root}/dev/{name}", major, minor)
    await k.umask(mask)
    for name, said in LINKS:
        await k.symlink(said, f"{root}/dev/{name}")
    if not any_device:
        await confine_devices(k, f"{root}/dev")


async def mount_within(
    k: System, root: str, source: str, target: str, fstype: str, flags: int, data: str, seen: set[str]
) -> None:
    """Mount at a path of the container's, which is made if it is missing, and nowhere else.

    An image may have a symbolic link where /proc belongs. Followed from here, before the root is pivoted, it would lead
    into the host's tree: CVE-2021-30465 was that. So every part of the path must be an ordinary directory, and the last
    one an ordinary file where a file is bound. ``seen`` has the directories that were found to be so.
    """
    *above, last = target.strip("/").split("/")
    path = root
    for name in above:
        path = f"{path}/{name}"
        if path not in seen:
            await _ordinary(k, path, S_IFDIR, f"error mounting {source!r} to rootfs at {target!r}")
            seen.add(path)
    path = f"{path}/{last}"
    kind = (await k.stat(source)).st_mode & S_IFMT if flags & MS_BIND else S_IFDIR
    await _ordinary(k, path, kind, f"error mounting {source!r} to rootfs at {target!r}", fstype)
    await k.mount(source, path, fstype, flags, data)
    if flags & MS_BIND and flags & MS_RDONLY:  # a bind takes over the flags of what it binds: others come afterwards
        await k.mount(source, path, "", (flags & ~MS_REC) | MS_REMOUNT, "")


async def _ordinary(k: System, path: str, kind: int, what: str, fstype: str = "") -> None:
    """Make a directory or an empty file unless there is one; refuse what is neither, and what leads elsewhere."""
    try:
        found = (await k.lstat(path)).st_mode & S_IFMT
    except FileNotFoundError:
        if kind == S_IFDIR:
            await k.mkdir(path, 0o755)
        else:
            await k.close(await k.open(path, linux.O_WRONLY | linux.O_CREAT, 0o755))
        return
    if found != kind:
        noun = "directory" if kind == S_IFDIR else "file"
        raise Refused(f"{what}: filesystem {fstype or 'bind'!r} must be mounted on ordinary {noun}".replace("'", '"'))


async def make_device(k: System, path: str, major: int, minor: int) -> None:
    """Make a device node; in a user namespace, where nobody may, bind the host's there."""
    try:
        await k.mknod(path, S_IFCHR | 0o666, major << 8 | minor)
    except PermissionError:
        await k.close(await k.open(path, linux.O_WRONLY | linux.O_CREAT, 0o666))
        await k.mount(f"/dev/{posixpath.basename(path)}", path, "", MS_BIND)


async def confine_devices(k: System, dev: str) -> None:
    """Let only the nodes work that are here now: root in a container may make others (CAP_MKNOD), a disk's too.

    Each becomes a mount of its own, and /dev ``nodev``, as the root already is: a node that is made later cannot be
    opened (EACCES). Docker has the devices cgroup do this, which version 2 has only as a program of eBPF.
    """
    for name, _, _ in DEVICES:
        await k.mount(f"{dev}/{name}", f"{dev}/{name}", "", MS_BIND)
    await k.mount("", dev, "", MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_STRICTATIME)


async def enter_root(k: System, root: str) -> None:
    """Make the merged tree the root and let go of the host's: pivot_root(2) says why the two dots."""
    await k.chdir(root)
    await k.pivot_root(".", ".")
    await k.umount2(".", MNT_DETACH)
    await k.chdir("/")


async def make_read_only(k: System) -> None:
    """Let nobody write to the root through this mount; the mounts below stay as they are (docker run --read-only)."""
    await k.mount("", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY)


async def protect(k: System, path: str) -> None:
    """Make a part of /proc or /sys read-only: bound onto itself, then remounted with the flags that it has, and ro."""
    try:
        await k.mount(path, path, "", MS_BIND | MS_REC)
    except FileNotFoundError:
        return
    await k.mount(path, path, "", MS_REMOUNT | MS_BIND | MS_RDONLY | _SAFE)


async def mask(k: System, path: str) -> None:
    """Cover what shall not be seen: a file by /dev/null, a directory by an empty one that is read-only."""
    try:
        await k.mount("/dev/null", path, "", MS_BIND)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        await k.mount("tmpfs", path, "tmpfs", MS_RDONLY)
