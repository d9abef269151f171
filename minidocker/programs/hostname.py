"""hostname: print the host's name, or its address, or set the name."""

from minidocker.programs import addresses, stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print or set the name that this UTS namespace has."""
    try:
        options = parse(argv, "siF:", most=1)
    except Usage as usage:
        return await refuse(k, "hostname", usage, "[-si] [-F FILE | HOSTNAME]")
    try:
        if "F" in options:
            text = stdio.to_text(await stdio.read_file(k, options.get("F")))
            await k.sethostname(next((line for line in text.split("\n") if line and not line.startswith("#")), ""))
            return 0
        if options.operands:
            await k.sethostname(options.operands[0])
            return 0
    except OSError as error:
        verb = f"can't open '{options.get('F')}'" if error.filename else "sethostname"
        await stdio.complain(k, f"hostname: {verb}: {stdio.reason(error)}")
        return 1
    name = await k.gethostname()
    if "i" in options:
        return await _print_address(k, name)
    name = name.split(".")[0] if "s" in options else name
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(name + "\n"))
    return 0


async def _print_address(k: System, name: str) -> int:
    address = await addresses.look_up(k, name)
    if address is None:
        await stdio.complain(k, f"hostname: {name}: Unknown host")
        return 1
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(address + "\n"))
    return 0
