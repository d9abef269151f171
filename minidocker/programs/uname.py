"""uname: what system this is, from /proc/sys/kernel and the host's name."""

from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System

ORDER = "snrvm"


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the kernel's name, or what the options ask for."""
    try:
        options = parse(argv, "asnrvmo")
    except Usage as usage:
        return await refuse(k, "uname", usage, "[-amnrsvo]")
    letters = (
        ORDER
        if "a" in options
        else "".join(letter for letter in ORDER if letter in options) or "s" * ("o" not in options)
    )
    parts = [await _part(k, letter) for letter in letters]
    if "a" in options or "o" in options:
        parts.append("GNU/Linux")
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(" ".join(parts) + "\n"))
    return 0


async def _part(k: System, letter: str) -> str:
    if letter == "s":
        return "Linux"
    if letter == "n":
        return await k.gethostname()
    if letter == "m":
        return "x86_64"
    try:
        path = "/proc/sys/kernel/" + ("osrelease" if letter == "r" else "version")
        return stdio.to_text(await stdio.read_file(k, path)).strip()
    except OSError:
        return "unknown"
