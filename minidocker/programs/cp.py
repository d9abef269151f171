"""cp: copy files; -r whole trees, -p with owner, mode and times, -a both and symlinks as such."""

from minidocker.programs.options import Usage, parse, refuse
from minidocker.programs.tree_copy import Copier, inside_of, is_directory
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Copy what is named first to what is named last."""
    try:
        options = parse(argv, "arRdPLHpflT", least=2)
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
        inside = "T" not in options and (len(sources) > 1 or await is_directory(k, target))
        path = inside_of(target, source) if inside else target
        status |= await copier.copy(source, path, follow=True if "H" in options else None)
    return status
