"""mknod: make a fifo or a device."""

from minidocker.linux import S_IFBLK, S_IFCHR, S_IFIFO
from minidocker.programs import stdio
from minidocker.programs.file_mode import UnknownMode, change_mode
from minidocker.programs.options import Usage, demand, parse, refuse
from minidocker.system import System

KINDS = {"b": S_IFBLK, "c": S_IFCHR, "u": S_IFCHR, "p": S_IFIFO}


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Make a node: ``mknod NAME p``, or ``mknod NAME c MAJOR MINOR``."""
    try:
        options = parse(argv, "m:")
        words = options.operands
        demand(len(words) in (2, 4) and words[1] in KINDS and (words[1] == "p") == (len(words) == 2))
        mode = change_mode(options.get("m", "666"), 0o666, mask=0)
        device = int(words[2]) << 8 | int(words[3]) if len(words) == 4 else 0
    except (Usage, ValueError):
        return await refuse(k, "mknod", Usage(), "[-m MODE] NAME TYPE [MAJOR MINOR]")
    except UnknownMode as unknown:
        await stdio.complain(k, f"mknod: invalid mode '{unknown}'")
        return 1
    return await make(k, "mknod", words[0], KINDS[words[1]] | mode, device, exact="m" in options)


async def make(k: System, program: str, path: str, mode: int, device: int, *, exact: bool) -> int:
    """Make a node, with the mode as it was given if ``exact``, else less the umask."""
    try:
        await k.mknod(path, mode, device)
        if exact:
            await k.chmod(path, mode & 0o7777)
    except OSError as error:
        await stdio.complain(k, f"{program}: {path}: {stdio.reason(error)}")
        return 1
    return 0
