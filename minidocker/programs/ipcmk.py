"""ipcmk: make a message queue or a shared memory segment, in util-linux's words (ipcmk(1)); semaphores are not had."""

from typing import Final

from minidocker.linux import IPC_CREAT, O_RDONLY
from minidocker.programs import stdio
from minidocker.programs.options import Usage, demand, parse
from minidocker.system import System

LONG: Final = ("queue", "shmem=", "mode=")
_UNITS: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Make what is named, with a random key, and say its number."""
    try:
        options = parse(argv, "QM:p:", LONG)
        queue, size = "Q" in options or "queue" in options, options.get("M") or options.get("shmem")
        demand(queue or size, "bad usage")
    except Usage as usage:
        await stdio.complain(k, f"ipcmk: {usage}\nTry 'ipcmk --help' for more information.")
        return 1
    mode, length = options.get("p") or options.get("mode") or "644", _bytes(size)
    if not mode.isdigit() or set(mode) & set("89"):
        await stdio.complain(k, f"ipcmk: failed to parse mode: '{mode}'")
        return 1
    if size and length is None:
        await stdio.complain(k, f"ipcmk: failed to parse size: '{size}': Invalid argument")
        return 1
    flags = IPC_CREAT | int(mode, 8)
    try:
        if length is not None:
            what = "create share memory failed"
            await _say(k, f"Shared memory id: {await k.shmget(await _key(k), length, flags)}")
        if queue:
            what = "create message queue failed"
            await _say(k, f"Message queue id: {await k.msgget(await _key(k), flags)}")
    except OSError as error:
        await stdio.complain(k, f"ipcmk: {what}: {stdio.reason(error)}")
        return 1
    return 0


def _bytes(text: str) -> int | None:
    """Read a size such as 100, 4K or 1MiB."""
    digits = text.rstrip("KMGiB")
    unit = text[len(digits) :]
    if not digits.isdigit() or unit.removesuffix("iB") not in ("", *_UNITS):
        return None
    return int(digits) * _UNITS.get(unit[:1], 1)


async def _key(k: System) -> int:
    fd = await k.open("/dev/urandom", O_RDONLY)
    key = int.from_bytes(await k.read(fd, 4), "little") & 0x7FFFFFFF
    await k.close(fd)
    return key


async def _say(k: System, text: str) -> None:
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(text + "\n"))
