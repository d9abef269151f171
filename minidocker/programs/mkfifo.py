"""mkfifo: make named pipes."""

from minidocker.linux import S_IFIFO
from minidocker.programs import stdio
from minidocker.programs.file_mode import UnknownMode, change_mode
from minidocker.programs.mknod import make
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Make named pipes."""
    try:
        options = parse(argv, "m:", least=1)
        mode = change_mode(options.get("m", "666"), 0o666, mask=0)
    except Usage as usage:
        return await refuse(k, "mkfifo", usage, "[-m MODE] NAME...")
    except UnknownMode as unknown:
        await stdio.complain(k, f"mkfifo: invalid mode '{unknown}'")
        return 1
    status = 0
    for path in options.operands:
        status |= await make(k, "mkfifo", path, S_IFIFO | mode, 0, exact="m" in options)
    return status
