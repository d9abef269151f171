"""date: print the time, in UTC; ``+FORMAT`` by strftime(3)'s letters, -d another time."""

from minidocker.programs import calendar, stdio
from minidocker.programs.options import Usage, demand, parse, refuse
from minidocker.programs.touch import parse_date
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print a time."""
    try:
        options = parse(argv, "ud:RI")
        time_ns = parse_date(options.get("d")) if "d" in options else await k.time_ns()
        formats = [word[1:] for word in options.operands if word.startswith("+")]
        demand(len(formats) == len(options.operands), f"invalid date '{' '.join(options.operands)}'")
    except Usage as usage:
        return await refuse(k, "date", usage, "[-uRI] [-d TIME] [+FMT]")
    default = "%a, %d %b %Y %T +0000" if "R" in options else "%F" if "I" in options else "%a %b %e %T UTC %Y"
    text = calendar.text(time_ns, formats[0] if formats else default)
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(text + "\n"))
    return 0
