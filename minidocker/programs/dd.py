"""dd: copy blocks of bytes: ``if=FILE of=FILE bs=N count=N skip=N seek=N conv=notrunc,sync,fsync``."""

import re
from dataclasses import dataclass, field

from minidocker.linux import MAP_POPULATE, O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY, SEEK_CUR
from minidocker.programs import stdio
from minidocker.programs.options import Usage, refuse
from minidocker.system import System

_UNITS = {"": 1, "c": 1, "w": 2, "b": 512, "k": 1024, "K": 1024, "kB": 1000, "M": 1 << 20, "MB": 10**6, "G": 1 << 30}
#: What an offset can be (off_t).
MOST = (1 << 63) - 1
SYNOPSIS = "[if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [seek=N] [conv=notrunc,sync,fsync] [status=none]"
#: From so many bytes on malloc(3) maps memory of its own (mallopt(3), M_MMAP_THRESHOLD).
MMAP_THRESHOLD = 128 << 10
KNOWN = ("if", "of", "bs", "ibs", "obs", "count", "skip", "seek", "conv", "status", "oflag", "iflag")


class WrongArgument(Exception):
    """The argument is none of dd's."""


@dataclass(slots=True)
class Records:
    """How many blocks were full, and how many were not."""

    full: int = 0
    partial: int = 0

    def add(self, size: int, block: int) -> None:
        """Count one."""
        self.full += size == block
        self.partial += size < block

    def __str__(self) -> str:
        """Return them as dd prints them."""
        return f"{self.full}+{self.partial}"


@dataclass(slots=True)
class Job:
    """What is to be copied, and what has been."""

    values: dict[str, str]
    read: Records = field(default_factory=Records)
    written: Records = field(default_factory=Records)

    def number(self, name: str, default: int) -> int:
        """Return an argument's number, with units: 4k, 1M."""
        text = self.values.get(name, str(default))
        match = re.fullmatch(r"(\d+)([a-zA-Z]*)", text)
        number = int(match[1]) * _UNITS.get(match[2], MOST + 1) if match else -1
        if not 0 <= number <= MOST:
            raise WrongArgument(f"invalid number '{text}'")
        return number

    def has(self, name: str, word: str) -> bool:
        """Tell whether a list such as conv= has a word."""
        return word in self.values.get(name, "").split(",")


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Copy, and tell how many blocks there were."""
    job = Job({})
    try:
        for word in argv[1:]:
            name, equals, value = word.partition("=")
            if not equals or name not in KNOWN:
                return await refuse(k, "dd", Usage(), SYNOPSIS)
            job.values[name] = value
        status = await _run(k, job)
    except WrongArgument as wrong:
        await stdio.complain(k, f"dd: {wrong}")
        return 1
    if status >= 0 and job.values.get("status") != "none":
        await stdio.complain(k, f"{job.read} records in\n{job.written} records out")
    return abs(status)


async def _run(k: System, job: Job) -> int:
    """Copy; -1 if it could not even begin."""
    block = job.number("bs", job.number("ibs", 512))
    seek = job.number("seek", 0) * block
    try:
        if "if" in job.values:
            await _open_as(k, job.values["if"], O_RDONLY, stdio.STDIN)
        if "of" in job.values:
            keep = seek or job.has("conv", "notrunc")
            flags = O_WRONLY | O_CREAT | (0 if keep else O_TRUNC) | (O_APPEND if job.has("oflag", "append") else 0)
            await _open_as(k, job.values["of"], flags, stdio.STDOUT)
            if seek and not job.has("conv", "notrunc"):
                await k.ftruncate(stdio.STDOUT, seek)
    except OSError as error:
        await stdio.complain(k, f"dd: can't open '{error.filename}': {stdio.reason(error)}")
        return -1
    await _skip(k, job.number("skip", 0), block)
    if seek:
        await k.lseek(stdio.STDOUT, seek, SEEK_CUR)
    if block >= MMAP_THRESHOLD:
        await k.mmap(
            block, MAP_POPULATE
        )  # the buffer: here, where its first read fills it, is who has too little memory
    return await _copy(k, job, block)


async def _open_as(k: System, path: str, flags: int, target: int) -> None:
    try:
        fd = await k.open(path, flags, 0o666)
    except OSError as error:
        error.filename = path
        raise
    if fd != target:
        await k.dup2(fd, target)
        await k.close(fd)


async def _skip(k: System, count: int, block: int) -> None:
    if not count:
        return
    try:
        await k.lseek(stdio.STDIN, count * block, SEEK_CUR)
    except OSError:
        for _ in range(count):
            if not await k.read(stdio.STDIN, block):
                return


async def _copy(k: System, job: Job, block: int) -> int:
    limit = job.number("count", -1) if "count" in job.values else -1
    while limit != 0:
        try:
            data = await k.read(stdio.STDIN, block)
        except OSError as error:
            await stdio.complain(k, f"dd: {job.values.get('if', 'standard input')}: {stdio.reason(error)}")
            return 1
        if not data:
            break
        job.read.add(len(data), block)
        if job.has("conv", "sync"):
            data = data.ljust(block, b"\0")
        try:
            await stdio.write_all(k, stdio.STDOUT, data)
        except OSError as error:
            await stdio.complain(
                k, f"dd: error writing '{job.values.get('of', 'standard output')}': {stdio.reason(error)}"
            )
            return 1
        job.written.add(len(data), block)
        limit -= 1
    if job.has("conv", "fsync"):
        await k.fsync(stdio.STDOUT)
    return 0
