"""uniq: print lines that repeat the one before only once; -c with how often, -d and -u only those that do or don't."""

from itertools import groupby

from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the groups of equal lines."""
    try:
        options = parse(argv, "cdui")
    except Usage as usage:
        return await refuse(k, "uniq", usage, "[-cdui] [INPUT]")
    path = options.operands[0] if options.operands else "-"
    try:
        text = stdio.to_text(await stdio.read_file(k, path))
    except OSError as error:
        await stdio.complain(k, f"uniq: can't open '{path}': {stdio.reason(error)}")
        return 1
    output = stdio.Output(k)
    for _, group in groupby(text.removesuffix("\n").split("\n") if text else [], str.lower if "i" in options else None):
        lines = list(group)
        if ("d" in options and len(lines) == 1) or ("u" in options and len(lines) > 1):
            continue
        await output.line((f"{len(lines):7} " if "c" in options else "") + lines[0])
    await output.flush()
    return 0
