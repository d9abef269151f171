"""seq: print numbers from FIRST to LAST, in steps."""

from decimal import Decimal, InvalidOperation

from minidocker.programs import stdio
from minidocker.programs.options import Usage, demand, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the numbers, a line each; -w as wide as the widest, -s with another separator."""
    words, wide, separator = argv[1:], False, "\n"
    while words and words[0][:2] in ("-w", "-s"):
        word = words.pop(0)
        if word == "-w":
            wide = True
        else:
            separator = word[2:] or (words.pop(0) if words else "\n")
    try:
        demand(1 <= len(words) <= 3)
        numbers = [Decimal(word) for word in words]
    except (Usage, InvalidOperation):
        return await refuse(k, "seq", Usage(), "[-w] [-s SEP] [FIRST [INC]] LAST")
    first = numbers[0] if len(numbers) > 1 else Decimal(1)
    step = numbers[1] if len(numbers) == 3 else Decimal(1)
    places = max(-int(first.as_tuple().exponent), -int(step.as_tuple().exponent), 0)
    output, value = stdio.Output(k), first
    width = max(len(f"{first:.{places}f}"), len(f"{numbers[-1]:.{places}f}")) if wide else 0
    printed = False
    while step != 0 and (value <= numbers[-1] if step > 0 else value >= numbers[-1]):
        await output.write((separator if printed else "") + f"{value:.{places}f}".zfill(width))
        printed = True
        value += step
    await output.write("\n" * printed)
    await output.flush()
    return 0
