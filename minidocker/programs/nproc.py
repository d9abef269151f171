"""nproc: print how many processors there are for this task, as its cpuset says (sched_getaffinity(2))."""

from minidocker.programs import stdio
from minidocker.programs.options import Usage, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the number; ``--ignore=N`` takes so many off, but never the last."""
    ignored = 0
    for word in argv[1:]:
        name, _, value = word.partition("=")
        if name == "--ignore" and value.isdecimal():
            ignored = int(value)
        elif name != "--all":
            return await refuse(k, "nproc", Usage(), "[--all] [--ignore=N]")
    processors = len(await k.sched_getaffinity(0))
    await stdio.write_all(k, stdio.STDOUT, f"{max(1, processors - ignored)}\n".encode())
    return 0
