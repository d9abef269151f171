"""yes: print y, or something else, until the pipe breaks."""

from minidocker.programs import stdio
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print a line forever, in blocks; SIGPIPE ends it."""
    line = stdio.to_bytes(" ".join(argv[1:]) or "y") + b"\n"
    block = line * max(1, 4096 // len(line))
    while True:
        await stdio.write_all(k, stdio.STDOUT, block)
