"""rmdir: remove empty directories; -p those above too."""

from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Remove empty directories."""
    try:
        options = parse(argv, "p", ("ignore-fail-on-non-empty",), least=1)
    except Usage as usage:
        return await refuse(k, "rmdir", usage, "[-p] DIRECTORY...")
    status = 0
    for operand in options.operands:
        path = operand
        while path.strip("/"):
            try:
                await k.rmdir(path)
            except OSError as error:
                await stdio.complain(k, f"rmdir: '{path}': {stdio.reason(error)}")
                status = 1
                break
            path = path.rstrip("/").rpartition("/")[0] if "p" in options else ""
    return status
