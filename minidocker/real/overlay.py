"""Mounting an overlay whose options do not fit into mount(2)'s one page: by fsopen(2), one layer at a time.

Sources: Documentation/filesystems/overlayfs.rst ("Multiple lower layers"), fs/overlayfs/params.c.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from minidocker.linux import (
    MS_NOATIME,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_RELATIME,
    MS_SILENT,
    MS_STRICTATIME,
)
from minidocker.real import syscalls

PAGE: Final = 4096

#: mount(2)'s flags as fsmount(2)'s attributes (linux/mount.h, MOUNT_ATTR_*).
_ATTRIBUTES: Final = {
    MS_RDONLY: 1, MS_NOSUID: 2, MS_NODEV: 4, MS_NOEXEC: 8, MS_NOATIME: 0x10, MS_STRICTATIME: 0x20, MS_RELATIME: 0,
    MS_SILENT: 0,
}  # fmt: skip


def needs_fsconfig(data: str) -> bool:
    """Tell whether the options are too long for mount(2)."""
    return len(data) >= PAGE


def mount(target: str, flags: int, data: str) -> None:
    """Mount an overlay at target. The OSError carries what the kernel said of it as a note."""
    fd = syscalls.fsopen("overlay")
    try:
        for key, value in options(data):
            command = syscalls.FSCONFIG_SET_STRING if value else syscalls.FSCONFIG_SET_FLAG
            syscalls.fsconfig(fd, command, key, value)
        syscalls.fsconfig(fd, syscalls.FSCONFIG_CMD_CREATE)
        mounted = syscalls.fsmount(fd, attributes=_attributes(flags))
        try:
            syscalls.move_mount(mounted, target)
        finally:
            os.close(mounted)
    except OSError as error:
        failed = OSError(error.errno, error.strerror, target)
        for line in messages(fd):
            failed.add_note(line)
        raise failed from None
    finally:
        os.close(fd)


def options(data: str) -> Iterator[tuple[str, str]]:
    """Yield each option of mount(2)'s string as fsconfig takes it: every lower layer becomes a ``lowerdir+``."""
    for option in re.split(r"(?<!\\),", data):
        key, _, value = option.partition("=")
        if key == "lowerdir":
            yield from (("lowerdir+", _unescaped(layer)) for layer in re.split(r"(?<!\\):", value))
        elif key:
            yield key, _unescaped(value)


def messages(fd: int) -> Iterator[str]:
    """Yield what the kernel wrote to a file system's descriptor: ``e overlay: …`` for errors, ``w`` for warnings."""
    with suppress(OSError):
        while text := os.read(fd, PAGE):
            yield text.decode(errors="replace").rstrip("\n")


def _unescaped(path: str) -> str:
    return re.sub(r"\\(.)", r"\1", path)


def _attributes(flags: int) -> int:
    return sum(attribute for flag, attribute in _ATTRIBUTES.items() if flags & flag)
