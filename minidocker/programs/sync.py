"""sync: have files written to their disks."""

from minidocker.linux import O_NONBLOCK, O_RDONLY
from minidocker.programs import stdio
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Write out the named files. Without names there is nothing to do: what was written is in the kernel already."""
    status = 0
    for path in argv[1:]:
        try:
            fd = await k.open(path, O_RDONLY | O_NONBLOCK)
            await k.fsync(fd)
            await k.close(fd)
        except OSError as error:
            await stdio.complain(k, f"sync: {path}: {stdio.reason(error)}")
            status = 1
    return status
