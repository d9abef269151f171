"""head: the first lines of files, ten unless -n says otherwise; -c counts bytes."""

from minidocker.linux import O_RDONLY
from minidocker.programs import stdio
from minidocker.programs.counting import Count, old_style, read_count
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the beginning of each file, titled if there are several."""
    try:
        options = parse(old_style(argv), "n:c:qv")
        count = read_count("head", options.get("c") or options.get("n") or "10")
    except Usage as usage:
        return await refuse(k, "head", usage, "[-n LINES | -c BYTES] [-qv] [FILE]...")
    titled = "q" not in options and (len(options.operands) > 1 or "v" in options)
    status, printed = 0, False
    for path in options.operands or ["-"]:
        try:
            fd = stdio.STDIN if path == "-" else await k.open(path, O_RDONLY)
        except OSError as error:
            await stdio.complain(k, f"head: {path}: {stdio.reason(error)}")
            status = 1
            continue
        output = stdio.Output(k)
        if titled:
            await output.write("\n" * printed + f"==> {'standard input' if path == '-' else path} <==\n")
        printed = True
        await _print(k, fd, output, count, in_bytes="c" in options)
        await output.flush()
        if path != "-":
            await k.close(fd)
    return status


async def _print(k: System, fd: int, output: stdio.Output, count: Count, *, in_bytes: bool) -> None:
    if count.from_end:
        data = await stdio.read_all(k, fd)
        parts = [data[i : i + 1] for i in range(len(data))] if in_bytes else data.splitlines(keepends=True)
        await output.write(b"".join(parts[: max(0, len(parts) - count.number)]))
        return
    left = count.number
    while left > 0:
        data = await k.read(fd, stdio.BLOCK)
        if not data:
            return
        taken = data[:left] if in_bytes else b"\n".join(data.split(b"\n", left)[:left])
        if not in_bytes and len(taken) < len(data):
            taken += b"\n"
        left -= len(taken) if in_bytes else taken.count(b"\n")
        await output.write(taken)
