"""busybox: all programs in one; it runs the one that its first argument, or its own name, says."""

from minidocker import programs
from minidocker.programs import stdio
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Run ``busybox NAME ARGUMENT …``, or list the names."""
    names = sorted(programs.MODULES)
    if len(argv) < 2 or argv[1] == "--list":
        text = "\n".join(names) + "\n"
        if len(argv) < 2:
            text = (
                "Usage: busybox [FUNCTION [ARGUMENTS]...]\n   or: busybox --list\n\nCurrently defined functions:\n"
                + text
            )
        await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(text))
        return 0
    program = programs.load(argv[1])
    if program is None:
        await stdio.complain(k, f"{argv[1]}: applet not found")
        return 127
    return await program(k, argv[1:], environ)
