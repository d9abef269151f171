"""ln: give a file another name, or with -s make a symlink that says its path."""

import errno

from minidocker.linux import S_IFDIR, S_IFMT
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.programs.tree_copy import inside_of
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Link what is named first under what is named last."""
    try:
        options = parse(argv, "sfnT", least=1)
    except Usage as usage:
        return await refuse(k, "ln", usage, "[-sfnT] TARGET... LINK|DIR")
    *targets, last = options.operands
    if not targets:
        targets, last = [last], "."
    inside = "T" not in options and await _is_directory(k, last, follow="n" not in options)
    if len(targets) > 1 and not inside:
        return await refuse(k, "ln", Usage(), "[-sfnT] TARGET... LINK|DIR")
    status = 0
    for target in targets:
        path = inside_of(last, target) if inside else last
        status |= await _link(k, target, path, options)
    return status


async def _is_directory(k: System, path: str, *, follow: bool) -> bool:
    try:
        status = await (k.stat(path) if follow else k.lstat(path))
    except OSError:
        return False
    return status.st_mode & S_IFMT == S_IFDIR


async def _link(k: System, target: str, path: str, options: Options) -> int:
    if "s" not in options:
        try:
            await k.stat(target)
        except OSError as error:
            await stdio.complain(k, f"ln: {target}: {stdio.reason(error)}")
            return 1
    try:
        if "f" in options:
            await _make_room(k, path)
        await (k.symlink(target, path) if "s" in options else k.link(target, path))
    except OSError as error:
        await stdio.complain(k, f"ln: {path}: {stdio.reason(error)}")
        return 1
    return 0


async def _make_room(k: System, path: str) -> None:
    try:
        await k.unlink(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
