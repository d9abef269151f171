"""cp: copy files; -r whole trees, -p with owner, mode and times, -a both and symlinks as such."""

from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.programs.tree_copy import Copier, into
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Copy what is named first to what is named last."""
    try:
        options = parse(argv, "arRdPLHpflT")
        if len(options.operands) < 2:
            raise Usage
    except Usage as usage:
        return await refuse(k, "cp", usage, "[-arPLHpflT] SOURCE... DEST")
    recursive = any(letter in options for letter in "arR")
    copier = Copier(
        k=k, program="cp", recursive=recursive, preserve="p" in options or "a" in options, force="f" in options,
        link="l" in options, follow="L" in options or not (recursive or "d" in options or "P" in options),
    )  # fmt: skip
    *sources, target = options.operands
    status = 0
    for source in sources:
        path, inside = (target, False) if "T" in options else await into(k, source, target)
        if len(sources) > 1 and not inside:
            await stdio.complain(k, f"cp: target '{target}' is not a directory")
            return 1
        status |= await copier.copy(source, path, follow=True if "H" in options else None)
    return status
