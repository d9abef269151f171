"""mount: attach a file system, or list what is attached (/proc/mounts)."""

import errno
from typing import Final

from minidocker.linux import (
    MS_BIND,
    MS_MOVE,
    MS_NOATIME,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    MS_SHARED,
    MS_SILENT,
    MS_SLAVE,
    MS_STRICTATIME,
    MS_UNBINDABLE,
)
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System

#: Options that are flags of mount(2); all others go to the file system as text.
FLAGS: Final = {
    "ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC, "remount": MS_REMOUNT,
    "noatime": MS_NOATIME, "bind": MS_BIND, "rbind": MS_BIND | MS_REC, "move": MS_MOVE, "private": MS_PRIVATE,
    "rprivate": MS_PRIVATE | MS_REC, "slave": MS_SLAVE, "rslave": MS_SLAVE | MS_REC, "shared": MS_SHARED,
    "rshared": MS_SHARED | MS_REC, "unbindable": MS_UNBINDABLE, "relatime": MS_RELATIME, "strictatime": MS_STRICTATIME,
}  # fmt: skip
CLEARED: Final = {
    "rw": MS_RDONLY,
    "suid": MS_NOSUID,
    "dev": MS_NODEV,
    "exec": MS_NOEXEC,
    "atime": MS_NOATIME,
    "defaults": 0,
}
LONG: Final = ("bind", "rbind", "move", "make-private", "make-rprivate", "make-slave", "make-rslave", "make-shared",
               "make-rshared", "make-unbindable")  # fmt: skip


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Mount, or list mounts if nothing is named."""
    try:
        options = parse(argv, "t:o:rwn", LONG)
        if not options.operands:
            return await _list(k, options.get("t"))
        source, target = _operands(options)
    except Usage as usage:
        return await refuse(k, "mount", usage, "[-t FSTYPE] [-o OPT] [--bind] SOURCE DIRECTORY")
    flags, data = read_options(options)
    try:
        await k.mount(source, target, options.get("t"), flags, data)
    except OSError as error:
        why = (
            "permission denied (are you root?)"
            if error.errno == errno.EPERM
            else f"mounting {source} on {target} failed: {stdio.reason(error)}"
        )
        await stdio.complain(k, f"mount: {why}")
        return 1 if error.errno == errno.EPERM else 255
    return 0


def _operands(options: Options) -> tuple[str, str]:
    flags, _ = read_options(options)
    if len(options.operands) == 1 and flags & (MS_REMOUNT | MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE):
        return "none", options.operands[0]
    if len(options.operands) != 2:
        raise Usage
    return options.operands[0], options.operands[1]


def read_options(options: Options) -> tuple[int, str]:
    """Return mount(2)'s flags and the text for the file system."""
    words = [word for value in options.all("o") for word in value.split(",") if word]
    words += [name.removeprefix("make-") for name in LONG if name in options]
    words += ["ro"] * ("r" in options)
    flags, data = MS_SILENT, []
    for word in words:
        if word in FLAGS:
            flags |= FLAGS[word]
        elif word in CLEARED:
            flags &= ~CLEARED[word]
        else:
            data.append(word)
    return flags, ",".join(data)


async def _list(k: System, fstype: str) -> int:
    try:
        table = stdio.to_text(await stdio.read_file(k, "/proc/mounts"))
    except OSError as error:
        await stdio.complain(k, f"mount: can't open '/proc/mounts': {stdio.reason(error)}")
        return 1
    output = stdio.Output(k)
    for line in table.splitlines():
        source, target, kind, options = line.split()[:4]
        if not fstype or kind == fstype:
            await output.line(f"{source} on {target} type {kind} ({options})")
    await output.flush()
    return 0
