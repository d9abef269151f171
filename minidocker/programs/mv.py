"""mv: rename; where that crosses file systems (EXDEV), copy and then remove."""

import errno

from minidocker.linux import S_IFDIR, S_IFMT
from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.programs.rm import remove
from minidocker.programs.tree_copy import Copier, inside_of
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Move what is named first to what is named last."""
    try:
        options = parse(argv, "fnT", least=2)
    except Usage as usage:
        return await refuse(k, "mv", usage, "[-fnT] SOURCE... DEST")
    *sources, target = options.operands
    kind = await _kind(k, target)
    inside = "T" not in options and (kind == S_IFDIR or len(sources) > 1)
    status = 0
    for source in sources:
        path, there = target, kind
        if inside:
            path = inside_of(target, source)
            there = await _kind(k, path)
        if there is None or "n" not in options:
            status |= await _move(k, source, path, there)
    return status


async def _kind(k: System, path: str) -> int | None:
    """Return a file's type, None if there is none."""
    try:
        return (await k.stat(path)).st_mode & S_IFMT
    except OSError:
        return None


async def _move(k: System, source: str, target: str, there: int | None) -> int:
    """Rename. Between mounts the kernel says EXDEV before it looks whether there is anything to rename."""
    try:
        try:
            await k.rename(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            directory = (await k.lstat(source)).st_mode & S_IFMT == S_IFDIR
            return await _carry(k, source, target, directory=directory, there=there)
    except OSError as error:
        await stdio.complain(k, f"mv: can't rename '{source}': {stdio.reason(error)}")
        return 1
    return 0


async def _carry(k: System, source: str, target: str, *, directory: bool, there: int | None) -> int:
    """Copy to another file system and remove the original."""
    if there is not None:
        if directory != (there == S_IFDIR):
            kinds = ("non-directory", "directory") if directory else ("directory", "non-directory")
            await stdio.complain(k, f"mv: can't overwrite {kinds[0]} with {kinds[1]}")
            return 1
        try:
            await k.unlink(target)
        except OSError as error:
            await stdio.complain(k, f"mv: can't remove '{target}': {stdio.reason(error)}")
            return 1
    if await Copier(k=k, program="mv", recursive=True, preserve=True, follow=False).copy(source, target):
        return 1
    return await remove(k, source, recursive=True, force=True, program="mv")
