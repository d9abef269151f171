"""hexdump -C: bytes in hexadecimal and as characters, sixteen a line."""

from minidocker.programs import stdio
from minidocker.programs.options import Usage, demand, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print files one after the other as one."""
    try:
        options = parse(argv, "Cn:")
        limit = int(options.get("n")) if "n" in options else None
        demand("C" in options, "only the canonical form (-C) is known here")
    except (Usage, ValueError) as usage:
        return await refuse(k, "hexdump", Usage(str(usage)), "-C [-n BYTES] [FILE]...")
    data = b""
    for path in options.operands or ["-"]:
        try:
            data += await stdio.read_file(k, path)
        except OSError as error:
            await stdio.complain(k, f"hexdump: {path}: {stdio.reason(error)}")
            return 1
    output = stdio.Output(k)
    await output.write(dump(data[:limit]))
    await output.flush()
    return 0


def dump(data: bytes) -> str:
    """Return the dump; lines that repeat the one before become one ``*``."""
    lines, before, starred = [], b"", False
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        if row == before and len(row) == 16:
            lines += ["*\n"] * (not starred)
            starred = True
            continue
        before, starred = row, False
        half = [" ".join(f"{byte:02x}" for byte in part) for part in (row[:8], row[8:])]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start:08x}  {half[0]:<23}  {half[1]:<23}  |{shown}|\n")
    return "".join(lines) + (f"{len(data):08x}\n" if data else "")
