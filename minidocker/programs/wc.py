"""wc: count lines, words and bytes."""

from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System

ORDER = "lwmcL"


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Count each file, and all together if there are several."""
    try:
        options = parse(argv, ORDER)
    except Usage as usage:
        return await refuse(k, "wc", usage, "[-cmlwL] [FILE]...")
    shown = [letter for letter in ORDER if letter in options] or ["l", "w", "c"]
    output, status, totals = stdio.Output(k), 0, dict.fromkeys(ORDER, 0)
    for path in options.operands or ["-"]:
        try:
            counts = count(await stdio.read_file(k, path))
        except OSError as error:
            await stdio.complain(k, f"wc: {path}: {stdio.reason(error)}")
            status = 1
            continue
        for letter in ORDER:
            totals[letter] = max(totals[letter], counts[letter]) if letter == "L" else totals[letter] + counts[letter]
        await output.line(_line(counts, shown, path if options.operands else "", several=len(options.operands) > 1))
    if len(options.operands) > 1:
        await output.line(_line(totals, shown, "total", several=True))
    await output.flush()
    return status


def count(data: bytes) -> dict[str, int]:
    """Return the counts by their option's letter."""
    text = stdio.to_text(data)
    return {
        "l": data.count(b"\n"), "w": len(data.split()), "m": len(text), "c": len(data),
        "L": max((len(line.expandtabs(8)) for line in text.split("\n")), default=0),
    }  # fmt: skip


def _line(counts: dict[str, int], shown: list[str], name: str, *, several: bool) -> str:
    if len(shown) == 1 and not several:
        numbers = str(counts[shown[0]])
    else:
        numbers = " ".join(f"{counts[letter]:9}" for letter in shown)
    return f"{numbers} {name}".rstrip() if name else numbers
