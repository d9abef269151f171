"""echo: print the arguments. ``-n`` without a newline, ``-e`` with escapes."""

import re

from minidocker.programs import escapes, stdio
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the arguments, separated by spaces."""
    return await run(k, argv[1:])


async def run(k: System, words: list[str]) -> int:
    """Do what the program does; the shell's own echo too."""
    newline, interpreted, words = True, False, list(words)
    while words and re.fullmatch(r"-[neE]+", words[0]):
        for letter in words.pop(0)[1:]:
            newline = newline and letter != "n"
            interpreted = letter == "e" if letter != "n" else interpreted
    data = stdio.to_bytes(" ".join(words))
    if interpreted:
        data, ended = escapes.interpret(data)
        newline = newline and not ended
    await stdio.write_all(k, stdio.STDOUT, data + b"\n" if newline else data)
    return 0
