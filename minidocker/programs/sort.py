"""sort: print lines in order; -n as numbers, -r backwards, -u each once, -k by fields."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minidocker.linux import O_CREAT, O_TRUNC, O_WRONLY
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System


@dataclass(frozen=True, slots=True)
class Key:
    """One ``-k FIELD[.CHAR][,FIELD[.CHAR]]`` with its own letters, counted from 1; 0 is the end."""

    start: int
    start_char: int
    end: int
    end_char: int
    letters: str


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Sort the lines of all files together."""
    try:
        options = parse(argv, "nrufbsk:t:o:")
        keys = [read_key(text, options) for text in options.all("k")] or [Key(1, 0, 0, 0, _letters(options))]
    except Usage as usage:
        return await refuse(k, "sort", usage, "[-nrufbs] [-o FILE] [-k FIELD[,FIELD]] [-t CHAR] [FILE]...", 2)
    lines: list[str] = []
    for path in options.operands or ["-"]:
        try:
            text = stdio.to_text(await stdio.read_file(k, path))
        except OSError as error:
            await stdio.complain(k, f"sort: {path}: {stdio.reason(error)}")
            return 2
        lines += text.removesuffix("\n").split("\n") if text else []
    await _print(k, order(lines, keys, options), options.get("o"))
    return 0


def _letters(options: Options) -> str:
    return "".join(letter for letter in "nrfb" if letter in options)


def read_key(text: str, options: Options) -> Key:
    """Return the key that an argument of -k describes."""
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?([nrfb]*)(?:,(\d+)(?:\.(\d+))?([nrfb]*))?", text)
    if not match or match[1] == "0":
        raise Usage(f"bad field specification '{text}'")
    letters = (match[3] or "") + (match[6] or "")
    return Key(int(match[1]), int(match[2] or 0), int(match[4] or 0), int(match[5] or 0), letters or _letters(options))


def order(lines: list[str], keys: list[Key], options: Options) -> list[str]:
    """Return the lines sorted: by each key, and where all are equal by the whole line, unless -s."""
    if "s" not in options:
        lines = sorted(lines, key=stdio.to_bytes, reverse="r" in options)
    for key in reversed(keys):
        lines = sorted(lines, key=_value(key, options.get("t")), reverse="r" in key.letters)
    if "u" not in options:
        return lines
    unique: list[str] = []
    values = [_value(key, options.get("t")) for key in keys]
    for line in lines:
        if not unique or any(value(line) != value(unique[-1]) for value in values):
            unique.append(line)
    return unique


def _value(key: Key, separator: str) -> Callable[[str], Any]:
    def value(line: str) -> float | bytes:
        text = part(line, key, separator)
        if "n" in key.letters:
            match = re.match(r"\s*(-?\d*\.?\d*)", text)
            digits = match[1] if match else ""
            return float(digits) if re.search(r"\d", digits) else 0.0
        text = text.lstrip() if "b" in key.letters else text
        return stdio.to_bytes(text.upper() if "f" in key.letters else text)

    return value


def part(line: str, key: Key, separator: str) -> str:
    """Return the part of a line that a key names; fields begin with the blanks before them, unless -t separates."""
    if (key.start, key.start_char, key.end) == (1, 0, 0):
        return line
    if separator:
        spans, position = [], 0
        for field in line.split(separator):
            spans.append((position, position + len(field)))
            position += len(field) + 1
    else:
        spans = [match.span() for match in re.finditer(r"[ \t]*[^ \t]*", line) if match[0]]
    if key.start > len(spans):
        return ""
    start = spans[key.start - 1][0] + max(key.start_char - 1, 0)
    if key.end == 0 or key.end > len(spans):
        return line[start:]
    field_start, field_end = spans[key.end - 1]
    return line[start : field_start + key.end_char if key.end_char else field_end]


async def _print(k: System, lines: list[str], path: str) -> None:
    fd = await k.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666) if path else stdio.STDOUT
    output = stdio.Output(k, fd)
    for line in lines:
        await output.line(line)
    await output.flush()
    if path:
        await k.close(fd)
