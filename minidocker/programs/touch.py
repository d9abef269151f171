"""touch: set a file's times to now, or to another time; make it if it is missing."""

import errno
import re
from datetime import UTC, datetime

from minidocker.linux import O_CREAT, O_NOCTTY, O_WRONLY
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Touch files."""
    try:
        options = parse(argv, "cafmhd:t:r:", ("no-create", "date=", "reference="), least=1)
        times = await _times(k, options)
    except Usage as usage:
        return await refuse(k, "touch", usage, "[-ch] [-d DATE] [-t DATE] [-r FILE] FILE...")
    except OSError as error:
        await stdio.complain(k, f"touch: {options.get('r')}: {stdio.reason(error)}")
        return 1
    status = 0
    for path in options.operands:
        status |= await _touch(k, path, times, options)
    return status


async def _times(k: System, options: Options) -> tuple[int, int] | None:
    """Return the times to set, in nanoseconds; None means now."""
    if "r" in options:
        reference = await k.stat(options.get("r"))
        return reference.st_atime_ns, reference.st_mtime_ns
    if "d" in options or "t" in options:
        time_ns = parse_date(options.get("d") or options.get("t"))
        return time_ns, time_ns
    return None


def parse_date(text: str) -> int:
    """Return nanoseconds since 1970 of ``@SECONDS``, ``YYYY-MM-DD[ hh:mm[:ss]]`` or ``CCYYMMDDhhmm[.ss]``, in UTC."""
    if re.fullmatch(r"@-?\d+", text):
        return int(text[1:]) * 1_000_000_000
    for pattern in (
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d",
        "%Y%m%d%H%M.%S",
        "%Y%m%d%H%M",
        "%y%m%d%H%M",
    ):
        try:
            when = datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int(when.timestamp()) * 1_000_000_000
    raise Usage(f"invalid date '{text}'")


async def _touch(k: System, path: str, times: tuple[int, int] | None, options: Options) -> int:
    """Try the times first, as it may be there; else make the file, which sets them to now."""
    follow = "h" not in options
    try:
        try:
            await k.utime(path, ns=times, follow_symlinks=follow)
        except OSError as error:
            if error.errno != errno.ENOENT or "c" in options or not follow:
                raise
            await k.close(await k.open(path, O_WRONLY | O_CREAT | O_NOCTTY, 0o666))
            if times is not None:
                await k.utime(path, ns=times)
    except OSError as error:
        if error.errno == errno.ENOENT and "c" in options:
            return 0
        await stdio.complain(k, f"touch: {path}: {stdio.reason(error)}")
        return 1
    return 0
