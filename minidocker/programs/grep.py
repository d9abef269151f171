"""grep: print the lines that match a pattern; the status is 0 if there was one, 1 if none, 2 for trouble."""

import re
from dataclasses import dataclass

from minidocker.linux import S_IFDIR, S_IFMT
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, demand, parse, refuse
from minidocker.programs.regex import compile_posix
from minidocker.system import System

SYNOPSIS = "[-HhnlLoqvsrixEFc] [-m N] PATTERN/-e PATTERN... [FILE]..."


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print matching lines of files, or of the standard input."""
    name = argv[0].rsplit("/", 1)[-1]
    try:
        options = parse(argv, "HhnlLoqvsrRixwEFce:m:", ("color", "color="))
        if name == "egrep":
            options.add("E", "")
        elif name == "fgrep":
            options.add("F", "")
        patterns = options.all("e") or options.operands[:1]
        demand(patterns)
        matcher = re.compile("|".join(f"(?:{one.pattern})" for one in _compile(options, patterns)), _flags(options))
    except Usage as usage:
        return await refuse(k, name, usage, SYNOPSIS, 2)
    except re.error as error:
        await stdio.complain(k, f"grep: bad regex '{patterns[0]}': {error.msg}")
        return 2
    paths = options.operands if options.all("e") else options.operands[1:]
    search = Search(k=k, options=options, matcher=matcher, output=stdio.Output(k), titled=_titled(options, paths))
    for path in paths or (["."] if search.recursive else ["-"]):
        await search.path(path)
    await search.output.flush()
    if search.found and "q" in options:
        return 0
    return 2 if search.trouble else int(not search.found)


def _flags(options: Options) -> int:
    return re.IGNORECASE if "i" in options else 0


def _compile(options: Options, patterns: list[str]) -> list[re.Pattern[str]]:
    compiled = []
    for pattern in "\n".join(patterns).split("\n"):
        one = re.compile(re.escape(pattern)) if "F" in options else compile_posix(pattern, extended="E" in options)
        text = one.pattern
        if "x" in options:
            text = f"^(?:{text})$"
        elif "w" in options:
            text = rf"(?<!\w)(?:{text})(?!\w)"
        compiled.append(re.compile(text))
    return compiled


def _titled(options: Options, paths: list[str]) -> bool:
    if "h" in options:
        return False
    return "H" in options or len(paths) > 1 or "r" in options or "R" in options


@dataclass(slots=True, kw_only=True)
class Search:
    """One run of grep over its files."""

    k: System
    options: Options
    matcher: re.Pattern[str]
    output: stdio.Output
    titled: bool
    found: bool = False
    trouble: bool = False

    @property
    def recursive(self) -> bool:
        """Are directories searched?"""
        return "r" in self.options or "R" in self.options

    async def path(self, path: str) -> None:
        """Search a file, or with -r all files in a directory."""
        if self.found and "q" in self.options:
            return
        try:
            if self.recursive and path != "-" and (await self.k.stat(path)).st_mode & S_IFMT == S_IFDIR:
                for name in sorted(await self.k.listdir(path)):
                    await self.path(f"{path.rstrip('/')}/{name}")
                return
            data = await stdio.read_file(self.k, path)
        except OSError as error:
            if "s" not in self.options:
                await stdio.complain(self.k, f"grep: {path}: {stdio.reason(error)}")
            self.trouble = True
            return
        await self.lines("(standard input)" if path == "-" else path, stdio.to_text(data))

    async def lines(self, path: str, text: str) -> None:
        """Search a text's lines."""
        count, limit = 0, int(self.options.get("m") or -1)
        quiet = any(letter in self.options for letter in "qlLc")
        for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
            if (self.matcher.search(line) is None) == ("v" not in self.options) or count == limit:
                continue
            count += 1
            if not quiet:
                await self.print(path, number, line)
            elif "c" not in self.options:
                break
        self.found = self.found or bool(count)
        title = f"{path}:" if self.titled else ""
        if "c" in self.options and "q" not in self.options:
            await self.output.line(f"{title}{count}")
        elif ("l" in self.options and count) or ("L" in self.options and not count):
            await self.output.line(path)

    async def print(self, path: str, number: int, line: str) -> None:
        """Print a matching line, or with -o its matching parts."""
        title = f"{path}:" if self.titled else ""
        title += f"{number}:" if "n" in self.options else ""
        if "o" not in self.options:
            await self.output.line(title + line)
        elif "v" not in self.options:
            for match in self.matcher.finditer(line):
                if match[0]:
                    await self.output.line(title + match[0])
