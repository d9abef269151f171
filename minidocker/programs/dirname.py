"""dirname: a path without its last name."""

from minidocker.programs import stdio
from minidocker.programs.options import Usage, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the directory part."""
    if len(argv) != 2:
        return await refuse(k, "dirname", Usage(), "FILENAME")
    path = argv[1].rstrip("/")
    directory = path.rpartition("/")[0].rstrip("/")
    if not directory:
        directory = "/" if argv[1].startswith("/") else "."
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(directory + "\n"))
    return 0
