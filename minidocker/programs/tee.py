"""tee: copy the standard input to the output and to files."""

from minidocker.linux import O_APPEND, O_CREAT, O_TRUNC, O_WRONLY
from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Copy; -a appends to the files."""
    try:
        options = parse(argv, "ai")
    except Usage as usage:
        return await refuse(k, "tee", usage, "[-ai] [FILE]...")
    fds, status = [stdio.STDOUT], 0
    for path in options.operands:
        try:
            fds.append(await k.open(path, O_WRONLY | O_CREAT | (O_APPEND if "a" in options else O_TRUNC), 0o666))
        except OSError as error:
            await stdio.complain(k, f"tee: {path}: {stdio.reason(error)}")
            status = 1
    while data := await k.read(stdio.STDIN, stdio.BLOCK):
        for fd in fds:
            await stdio.write_all(k, fd, data)
    return status
