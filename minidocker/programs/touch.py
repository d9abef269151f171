"""touch: set a file's times to now, or to another time; make it if it is missing."""

import errno
import re
from datetime import UTC, datetime
from typing import Final

from minidocker.linux import O_CREAT, O_NOCTTY, O_WRONLY
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System

DATES: Final = (
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?",
    r"(\d{4}|\d{2})(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?",
)


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
    """Return nanoseconds since 1970 of ``@SECONDS``, ``YYYY-MM-DD[ hh:mm[:ss]]`` or ``[CC]YYMMDDhhmm[.ss]``, in UTC.

    Years are 1 to 9999. (Not by strptime(): it imports a module when first called, and where a container's root is,
    there is none.)
    """
    match = next(filter(None, (re.fullmatch(pattern, text, re.ASCII) for pattern in DATES)), None)
    try:
        seconds = re.fullmatch(r"@(-?\d+)", text, re.ASCII)
        when = datetime.fromtimestamp(int(seconds[1]), UTC) if seconds else _moment(match)
    except (ValueError, OverflowError, OSError):
        raise Usage(f"invalid date '{text}'") from None
    return int(when.timestamp()) * 1_000_000_000


def _moment(match: re.Match[str] | None) -> datetime:
    """Return the moment that a date's numbers name; ValueError if there is none. Years of two digits begin at 1969."""
    if match is None:
        raise ValueError
    year, month, day, hour, minute, second = (int(number) for number in match.groups("0"))
    if len(match[1]) == 2:
        year += 1900 if year >= 69 else 2000
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


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
