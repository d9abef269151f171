"""sha256sum: the SHA-256 of files, by which layers and images have their names."""

import hashlib

from minidocker.programs import stdio
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print each file's digest."""
    output, status = stdio.Output(k), 0
    for path in argv[1:] or ["-"]:
        try:
            digest = hashlib.sha256(await stdio.read_file(k, path)).hexdigest()
        except OSError as error:
            await stdio.complain(k, f"sha256sum: can't open '{path}': {stdio.reason(error)}")
            status = 1
        else:
            await output.line(f"{digest}  {path}")
    await output.flush()
    return status
