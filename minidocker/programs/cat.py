"""cat: print files, or the standard input. ``-n`` numbers the lines."""

from minidocker.linux import O_RDONLY
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print files one after the other."""
    try:
        options = parse(argv, "nbu")
    except Usage as usage:
        return await refuse(k, "cat", usage, "[-nb] [FILE]...")
    status, counter = 0, Numbering(options)
    for path in options.operands or ["-"]:
        status |= await _print(k, path, counter)
    return status


class Numbering:
    """Numbers lines on through all files: ``-n`` each, ``-b`` those that are not empty."""

    def __init__(self, options: Options) -> None:
        """Start before line 1."""
        self.every = "n" in options
        self.filled = "b" in options
        self.number = 0
        self.rest = True

    def apply(self, data: bytes) -> bytes:
        """Return a block of data with its numbers."""
        if not (self.every or self.filled):
            return data
        result = b""
        for line in data.splitlines(keepends=True):
            if self.rest and (not self.filled or line != b"\n"):
                self.number += 1
                result += b"%6d\t" % self.number
            result += line
            self.rest = line.endswith(b"\n")
        return result


async def _print(k: System, path: str, numbering: Numbering) -> int:
    if path == "-":
        return await _copy(k, stdio.STDIN, numbering)
    try:
        fd = await k.open(path, O_RDONLY)
    except OSError as error:
        await stdio.complain(k, f"cat: can't open '{path}': {stdio.reason(error)}")
        return 1
    status = await _copy(k, fd, numbering)
    await k.close(fd)
    return status


async def _copy(k: System, fd: int, numbering: Numbering) -> int:
    verb = "read"
    try:
        while data := await k.read(fd, stdio.BLOCK):
            verb = "write"
            await stdio.write_all(k, stdio.STDOUT, numbering.apply(data))
            verb = "read"
    except OSError as error:
        await stdio.complain(k, f"cat: {verb} error: {stdio.reason(error)}")
        return 1
    return 0
