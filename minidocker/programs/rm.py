"""rm: remove names; -r whole trees, children first."""

import errno

from minidocker.linux import S_IFDIR, S_IFMT
from minidocker.programs import stdio
from minidocker.programs.options import Usage, demand, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Remove what is named."""
    try:
        options = parse(argv, "rRf")
        demand(options.operands or "f" in options)
    except Usage as usage:
        return await refuse(k, "rm", usage, "[-rf] FILE...")
    recursive = "r" in options or "R" in options
    status = 0
    for path in options.operands:
        if path.rstrip("/").rsplit("/", 1)[-1] in (".", "..") or not path.strip("/"):
            await stdio.complain(k, "rm: can't remove '.' or '..'" if path.strip("/") else f"rm: can't remove '{path}'")
            status = 1
        else:
            status |= await remove(k, path, recursive=recursive, force="f" in options)
    return status


async def remove(k: System, path: str, *, recursive: bool, force: bool, program: str = "rm") -> int:
    """Remove one name, or with ``recursive`` a tree, and return 1 if anything of it is still there."""
    try:
        kind = (await k.lstat(path)).st_mode & S_IFMT
        if kind != S_IFDIR:
            await k.unlink(path)
            return 0
        if not recursive:
            await stdio.complain(k, f"{program}: '{path}' is a directory")
            return 1
        status = 0
        for name in sorted(await k.listdir(path)):
            status |= await remove(k, f"{path.rstrip('/')}/{name}", recursive=True, force=force, program=program)
        await k.rmdir(path)
    except OSError as error:
        if force and error.errno == errno.ENOENT:
            return 0
        await stdio.complain(k, f"{program}: can't remove '{path}': {stdio.reason(error)}")
        return 1
    return status
