"""umount: detach what is mounted; -l at once, however busy."""

from minidocker.linux import MNT_DETACH, MNT_FORCE
from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Unmount."""
    try:
        options = parse(argv, "lfn", least=1)
    except Usage as usage:
        return await refuse(k, "umount", usage, "[-fl] DIRECTORY...")
    flags = (MNT_DETACH if "l" in options else 0) | (MNT_FORCE if "f" in options else 0)
    status = 0
    for path in options.operands:
        try:
            await k.umount2(path, flags)
        except OSError as error:
            await stdio.complain(k, f"umount: can't unmount {path}: {stdio.reason(error)}")
            status = 1
    return status
