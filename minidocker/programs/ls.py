"""ls: list directories, sorted, one name a line."""

from dataclasses import dataclass

from minidocker.kernel import Stat
from minidocker.linux import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK
from minidocker.programs import calendar, names, stdio
from minidocker.programs.file_mode import mode_text
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System

SYNOPSIS = "[-1AaCdFHiLlnpRrStsh] [FILE]..."
_MARKS = {S_IFDIR: "/", S_IFLNK: "@", S_IFIFO: "|", S_IFSOCK: "="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line to be: a name, how to reach it, and what lstat told of it, if it was asked."""

    name: str
    path: str
    status: Stat | None = None

    @property
    def kind(self) -> int:
        """The type's bits of the mode."""
        return self.status.st_mode & S_IFMT if self.status else 0


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """List files and directories."""
    try:
        options = parse(argv, "1AaCdFHiLlnpRrStsh", ("color", "color=", "full-time"))
    except Usage as usage:
        return await refuse(k, "ls", usage, SYNOPSIS)
    listing = Listing(k, options)
    await listing.operands(options.operands or ["."])
    await listing.output.flush()
    return listing.status


class Listing:
    """One run of ls: what it prints, and whether all went well."""

    def __init__(self, k: System, options: Options) -> None:
        """Take the options; names of users and the time are read when first needed."""
        self.k = k
        self.options = options
        self.output = stdio.Output(k)
        self.status = 0
        self.long = "l" in options or "n" in options or "full-time" in options
        self.users: dict[int, str] | None = None
        self.groups: dict[int, str] = {}
        self.now_ns = 0
        self.printed = False

    @property
    def needs_stat(self) -> bool:
        """Is there anything to be said of an entry that only lstat tells?"""
        return self.long or any(letter in self.options for letter in "iFpRStsh")

    async def operands(self, paths: list[str]) -> None:
        """List what was named: files first, then the contents of directories."""
        entries = [entry for path in paths if (entry := await self.entry(path, path)) is not None]
        if "d" in self.options:
            await self.print(entries)
            return
        directories = [entry for entry in entries if entry.kind == S_IFDIR]
        files = [entry for entry in entries if entry.kind != S_IFDIR]
        if files:
            await self.print(files)
        for entry in self.sorted(directories):
            await self.directory(entry.path, titled=len(paths) > 1 or "R" in self.options)

    async def entry(self, name: str, path: str) -> Entry | None:
        """Ask about a file named on the command line; a symlink to a directory counts as that unless -l shows links."""
        try:
            follow = (
                "L" in self.options
                or "H" in self.options
                or not (self.long or "d" in self.options or "F" in self.options)
            )
            status = await self._stat(path, follow=follow)
        except OSError as error:
            await self.complain(path, error)
            return None
        return Entry(name=name, path=path, status=status)

    async def _stat(self, path: str, *, follow: bool) -> Stat:
        return await (self.k.stat(path) if follow else self.k.lstat(path))

    async def complain(self, path: str, error: OSError) -> None:
        """Tell what could not be listed."""
        await stdio.complain(self.k, f"ls: {path}: {stdio.reason(error)}")
        self.status = 1

    def sorted(self, entries: list[Entry]) -> list[Entry]:
        """Return entries by name, or by size or time if asked."""
        entries = sorted(entries, key=lambda entry: stdio.to_bytes(entry.name))
        if "S" in self.options:
            entries.sort(key=lambda entry: -entry.status.st_size if entry.status else 0)
        if "t" in self.options:
            entries.sort(key=lambda entry: -entry.status.st_mtime_ns if entry.status else 0)
        return entries[::-1] if "r" in self.options else entries

    async def directory(self, path: str, *, titled: bool) -> None:
        """List a directory's contents, and with -R those of the ones inside."""
        try:
            found = await self.k.listdir(path)
        except OSError as error:
            await stdio.complain(self.k, f"ls: can't open '{path}': {stdio.reason(error)}")
            self.status = 1
            return
        if titled:
            await self.output.write("\n" * self.printed + f"{path}:\n")
        entries = await self.inside(path, found)
        if self.long or "s" in self.options:
            blocks = sum(entry.status.st_blocks for entry in entries if entry.status) // 2
            await self.output.line(f"total {blocks}")
        await self.print(entries)
        self.printed = True
        if "R" in self.options:
            for entry in self.sorted(entries):
                if entry.kind == S_IFDIR and entry.name not in (".", ".."):
                    await self.directory(entry.path, titled=True)

    async def inside(self, path: str, found: list[str]) -> list[Entry]:
        """Return a directory's entries that are to be shown."""
        shown = [name for name in found if not name.startswith(".") or "a" in self.options or "A" in self.options]
        if "a" in self.options:
            shown += [".", ".."]
        prefix = path if path.endswith("/") else path + "/"
        entries = []
        for name in sorted(shown):
            try:
                status = await self._stat(prefix + name, follow="L" in self.options) if self.needs_stat else None
            except OSError as error:
                await self.complain(prefix + name, error)
                continue
            entries.append(Entry(name=name, path=prefix + name, status=status))
        return entries

    async def print(self, entries: list[Entry]) -> None:
        """Print entries, a line each."""
        if self.long and self.users is None:
            await self.read_names()
        for entry in self.sorted(entries):
            await self.output.line(await self.line(entry))
        self.printed = self.printed or bool(entries)

    async def read_names(self) -> None:
        """Find out what the long form needs: the time, and who the numbers are."""
        self.now_ns = await self.k.time_ns()
        self.users = {}
        if "n" not in self.options:
            self.users = await names.read_names(self.k, names.USERS)
            self.groups = await names.read_names(self.k, names.GROUPS)

    async def line(self, entry: Entry) -> str:
        """Return one entry's line."""
        text = entry.name + self.mark(entry)
        if entry.status is not None:
            if self.long:
                text = f"{self.columns(entry.status)} {text}"
                if entry.kind == S_IFLNK:
                    text += " -> " + await self.target(entry.path)
            if "s" in self.options:
                text = f"{entry.status.st_blocks // 2:6} {text}"
            if "i" in self.options:
                text = f"{entry.status.st_ino:7} {text}"
        return text

    async def target(self, path: str) -> str:
        """Return what a symlink says."""
        try:
            return await self.k.readlink(path)
        except OSError as error:
            await self.complain(path, error)
            return ""

    def mark(self, entry: Entry) -> str:
        """Return the character that -F and -p put behind a name."""
        if "F" not in self.options and "p" not in self.options:
            return ""
        mark = _MARKS.get(entry.kind, "")
        if "F" not in self.options:
            return mark if mark == "/" else ""
        executable = entry.status is not None and entry.status.st_mode & 0o111 and not mark
        return "*" if executable and entry.kind not in (S_IFCHR, S_IFBLK) else mark

    def columns(self, status: Stat) -> str:
        """Return the long form's columns before the name."""
        owner = (self.users or {}).get(status.st_uid, str(status.st_uid))
        group = self.groups.get(status.st_gid, str(status.st_gid))
        who = f"{owner[:8]:<8} {group[:8]:<8}"
        if status.st_mode & S_IFMT in (S_IFCHR, S_IFBLK):
            size = f"{status.st_rdev >> 8:4}, {status.st_rdev & 0xFF:3}"
        elif "h" in self.options:
            size = f"{human(status.st_size):>7}"
        else:
            size = f"{status.st_size:9}"
        when = (
            calendar.text(status.st_mtime_ns, "%Y-%m-%d %H:%M:%S +0000")
            if "full-time" in self.options
            else calendar.short(status.st_mtime_ns, self.now_ns)
        )
        return f"{mode_text(status.st_mode)} {status.st_nlink:4} {who} {size} {when}"


def human(size: int) -> str:
    """Return a size as 1.5K, 12.0M …"""
    if size < 1024:
        return str(size)
    value, units = float(size), "KMGTPE"
    for unit in units:
        value /= 1024
        if value < 1024:
            return f"{value:.1f}{unit}"
    return f"{value:.1f}E"
