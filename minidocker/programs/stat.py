"""stat: all that the kernel tells of a file, or with -c what a format asks for."""

import re
from collections.abc import Callable
from typing import Final

from minidocker.kernel import Stat
from minidocker.linux import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK
from minidocker.programs import calendar, names, stdio
from minidocker.programs.file_mode import PERMISSIONS, mode_text
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System

_KINDS: Final = {
    S_IFREG: "regular file", S_IFDIR: "directory", S_IFLNK: "symbolic link", S_IFCHR: "character special file",
    S_IFBLK: "block special file", S_IFIFO: "fifo", S_IFSOCK: "socket",
}  # fmt: skip
_FULL: Final = (
    "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\nDevice: %Dh/%dd\tInode: %-10i  Links: %-5h{device}\n"
    "Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z"
)
_DIRECTIVE: Final = re.compile(r"%(-?0?[0-9]*)(?:\.[0-9]+)?([a-zA-Z%])")


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Tell about files."""
    try:
        options = parse(argv, "Lc:t", least=1)
    except Usage as usage:
        return await refuse(k, "stat", usage, "[-L] [-c FMT] FILE...")
    output, failed = stdio.Output(k), 0
    report = Report(k)
    for path in options.operands:
        try:
            status = await (k.stat(path) if "L" in options else k.lstat(path))
            await output.line(await report.text(options.get("c") or full_format(status), path, status))
        except OSError as error:
            await stdio.complain(k, f"stat: can't stat '{path}': {stdio.reason(error)}")
            failed = 1
    await output.flush()
    return failed


def full_format(status: Stat) -> str:
    """Return the format that is used when none is given; a device's numbers only for devices."""
    special = status.st_mode & S_IFMT in (S_IFCHR, S_IFBLK)
    return _FULL.replace("{device}", " Device type: %t,%T" if special else "")


def kind(status: Stat) -> str:
    """Return a file's type in words."""
    words = _KINDS.get(status.st_mode & S_IFMT, "weird file")
    return "regular empty file" if words == "regular file" and status.st_size == 0 else words


class Report:
    """Fills formats; names of users are read when a format first asks for them."""

    def __init__(self, k: System) -> None:
        """Start without names."""
        self.k = k
        self.tables: dict[str, dict[int, str]] = {}

    async def text(self, format_: str, path: str, status: Stat) -> str:
        """Return a format with its directives replaced."""
        values = await self.values(format_, path, status)

        def replace(match: re.Match[str]) -> str:
            width, letter = match[1], match[2]
            if letter == "%":
                return "%"
            value = values[letter]() if letter in values else letter
            fill = "0" if width.startswith("0") else " "
            size = int(width.strip("-") or 0)
            return value.ljust(size) if width.startswith("-") else value.rjust(size, fill)

        return _DIRECTIVE.sub(replace, format_)

    async def values(self, format_: str, path: str, status: Stat) -> dict[str, Callable[[], str]]:
        """Return what each letter stands for."""
        named = path
        if "%N" in format_ and status.st_mode & S_IFMT == S_IFLNK:
            target = await self.k.readlink(path)
            named = f"'{path}' -> '{target}'"
        owner = await self.name(names.USERS, status.st_uid) if re.search("%[0-9-]*U", format_) else ""
        group = await self.name(names.GROUPS, status.st_gid) if re.search("%[0-9-]*G", format_) else ""
        return {
            "n": lambda: path, "N": lambda: named, "s": lambda: str(status.st_size), "b": lambda: str(status.st_blocks),
            "B": lambda: "512", "o": lambda: "4096", "F": lambda: kind(status), "D": lambda: f"{status.st_dev:x}",
            "d": lambda: str(status.st_dev), "i": lambda: str(status.st_ino), "h": lambda: str(status.st_nlink),
            "a": lambda: f"{status.st_mode & PERMISSIONS:o}", "A": lambda: mode_text(status.st_mode),
            "f": lambda: f"{status.st_mode:x}", "u": lambda: str(status.st_uid), "g": lambda: str(status.st_gid),
            "U": lambda: owner, "G": lambda: group, "t": lambda: f"{status.st_rdev >> 8:x}",
            "T": lambda: f"{status.st_rdev & 0xFF:x}", "x": lambda: calendar.full(status.st_atime_ns),
            "y": lambda: calendar.full(status.st_mtime_ns), "z": lambda: calendar.full(status.st_ctime_ns),
            "X": lambda: str(status.st_atime_ns // 10**9), "Y": lambda: str(status.st_mtime_ns // 10**9),
            "Z": lambda: str(status.st_ctime_ns // 10**9),
        }  # fmt: skip

    async def name(self, table: str, number: int) -> str:
        """Return a user's or group's name."""
        if table not in self.tables:
            self.tables[table] = await names.read_names(self.k, table)
        return self.tables[table].get(number, "UNKNOWN")
