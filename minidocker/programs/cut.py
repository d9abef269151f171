"""cut: print parts of each line: -c characters, -b bytes, -f fields (-d their delimiter)."""

import re

from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Cut the lines of files."""
    try:
        options = parse(argv, "b:c:f:d:sn")
        ranges = _ranges(options)
    except Usage as usage:
        return await refuse(k, "cut", usage, "[-bcf LIST] [-d SEP] [-s] [FILE]...")
    output, status = stdio.Output(k), 0
    for path in options.operands or ["-"]:
        try:
            text = stdio.to_text(await stdio.read_file(k, path))
        except OSError as error:
            await stdio.complain(k, f"cut: {path}: {stdio.reason(error)}")
            status = 1
            continue
        for line in text.removesuffix("\n").split("\n") if text else []:
            part = cut(line, ranges, options)
            if part is not None:
                await output.line(part)
    await output.flush()
    return status


def _ranges(options: Options) -> list[tuple[int, int]]:
    """Return the ranges of a list such as ``1,3-5,7-``: from 0, end exclusive, in order."""
    lists = [options.get(letter) for letter in "bcf" if letter in options]
    if len(lists) != 1:
        raise Usage("expected a list of bytes, characters, or fields")
    ranges = []
    for text in lists[0].split(","):
        match = re.fullmatch(r"(\d*)(-?)(\d*)", text)
        if not match or not (match[1] or match[3]) or match[1] == "0":
            raise Usage(f"invalid range {text}")
        start = int(match[1] or 1) - 1
        ranges.append((start, int(match[3]) if match[3] else 1 << 30 if match[2] else start + 1))
    return sorted(ranges)


def cut(line: str, ranges: list[tuple[int, int]], options: Options) -> str | None:
    """Return a line's parts; None if the line is not to be printed at all."""
    if "f" not in options:
        return "".join(line[index] for index in _chosen(len(line), ranges))
    delimiter = options.get("d", "\t")
    if delimiter not in line:
        return None if "s" in options else line
    fields = line.split(delimiter)
    return delimiter.join(fields[index] for index in _chosen(len(fields), ranges))


def _chosen(length: int, ranges: list[tuple[int, int]]) -> list[int]:
    return sorted({index for start, end in ranges for index in range(start, min(end, length))})
