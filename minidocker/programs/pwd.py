"""pwd: print the working directory."""

from minidocker.programs import stdio
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print where the kernel says we are."""
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(await k.getcwd() + "\n"))
    return 0
