"""which: where a program is found."""

from minidocker.linux import X_OK
from minidocker.programs import launch, stdio
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the path of each program that PATH leads to."""
    output, status = stdio.Output(k), 0
    for name in argv[1:]:
        try:
            path = await launch.find(k, name, environ)
        except OSError:
            path = ""
        if path and await k.access(path, X_OK):
            await output.line(path)
        else:
            status = 1
    await output.flush()
    return status
