"""sleep: do nothing for a time."""

import re
from typing import Final

from minidocker.programs import stdio
from minidocker.programs.options import Usage, refuse
from minidocker.system import System

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
#: What time_t holds.
MOST_S: Final = (1 << 63) - 1


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Sleep for the sum of the times that are given: 5, 0.5, 1m, 2h, infinity."""
    if len(argv) < 2:
        return await refuse(k, "sleep", Usage(), "[N]...")
    seconds = 0.0
    for word in argv[1:]:
        match = re.fullmatch(r"(\d+\.?\d*|\.\d+)([smhd]?)", word)
        if word in ("inf", "infinity"):
            while True:
                await k.sleep(86400)
        if match is None or float(match[1]) > MOST_S:
            await stdio.complain(k, f"sleep: invalid number '{word}'")
            return 1
        seconds += float(match[1]) * _UNITS[match[2]]
    await k.sleep(seconds)
    return 0
