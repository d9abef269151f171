"""xargs: run a command with arguments from the standard input."""

import re

from minidocker.programs import launch, stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System

#: How many arguments one command gets at most, unless -n says fewer.
MOST = 5000
_INT_MAX = (1 << 31) - 1
#: What xargs's own status is when a command failed, could not be run, or was not found.
FAILED, NOT_EXECUTABLE, NOT_FOUND = 123, 126, 127


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Gather arguments and run the command as often as needed."""
    try:
        options = parse(argv, "+0rtn:I:L:")
        words = items(stdio.to_text(await stdio.read_all(k, stdio.STDIN)), options)
    except Usage as usage:
        return await refuse(k, "xargs", usage, "[-0rt] [-n N] [-I STR] [PROG ARGS]")
    for letter in "nL":
        number = options.get(letter, "1")
        if not number.isdigit() or not 1 <= int(number) <= _INT_MAX:
            outside = f"number {number} is not in 1..{_INT_MAX} range"
            await stdio.complain(k, f"xargs: {outside if number.isdigit() else f'invalid number {number!r}'}")
            return 1
    status = 0
    for command in commands(options.operands or ["echo"], words, options):
        if "t" in options:
            await stdio.complain(k, " ".join(command))
        code = await launch.run(k, command, environ, "xargs: {}")
        if code in (NOT_EXECUTABLE, NOT_FOUND):
            return code
        status = FAILED if code else status
    return status


def items(text: str, options: Options) -> list[str]:
    """Return the arguments: words with quotes and backslashes, lines for -I, or what zero bytes separate for -0."""
    if "0" in options:
        return text.removesuffix("\0").split("\0") if text else []
    if "I" in options:
        return [line.strip() for line in text.splitlines() if line.strip()]
    text = re.sub(r"\0[^\s]*", "", text)  # an argument ends at a NUL, whatever comes after it
    words = re.findall(r"""(?:\\.|'[^'\n]*'|"[^"\n]*"|[^\s'"\\])+|['"]""", text, re.DOTALL)
    if any(word in ("'", '"') for word in words):
        raise Usage("unmatched quote")
    return [
        re.sub(r"""\\(.)|'([^']*)'|"([^"]*)\"""", lambda m: m[1] or m[2] or m[3] or "", word, flags=re.DOTALL)
        for word in words
    ]


def commands(base: list[str], words: list[str], options: Options) -> list[list[str]]:
    """Return the commands to be run."""
    if "I" in options:
        return [[part.replace(options.get("I"), word) for part in base] for word in words]
    size = int(options.get("n") or options.get("L") or MOST)
    if not words:
        return [] if "r" in options else [base]
    return [base + words[start : start + size] for start in range(0, len(words), size)]
