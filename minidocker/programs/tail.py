"""tail: the last lines of files, ten unless -n says otherwise; -c counts bytes, -f goes on as the file grows."""

from minidocker.linux import O_RDONLY
from minidocker.programs import stdio
from minidocker.programs.counting import Count, old_style, read_count
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the end of each file, titled if there are several."""
    try:
        options = parse(old_style(argv), "n:c:qvfs:")
        count = read_count("tail", options.get("c") or options.get("n") or "10")
    except Usage as usage:
        return await refuse(k, "tail", usage, "[-n LINES | -c BYTES] [-fqv] [FILE]...")
    titled = "q" not in options and (len(options.operands) > 1 or "v" in options)
    fds, status = await _open(k, options.operands or ["-"])
    if not fds:
        await stdio.complain(k, "tail: no files")
        return 1
    output = stdio.Output(k)
    for number, (path, fd) in enumerate(fds):
        if titled:
            await output.write("\n" * (number > 0) + f"==> {'standard input' if path == '-' else path} <==\n")
        await output.write(ending(await stdio.read_all(k, fd), count, in_bytes="c" in options))
    await output.flush()
    if "f" in options:
        await _follow(k, [fd for _, fd in fds])
    return status


async def _open(k: System, paths: list[str]) -> tuple[list[tuple[str, int]], int]:
    fds, status = [], 0
    for path in paths:
        try:
            fds.append((path, stdio.STDIN if path == "-" else await k.open(path, O_RDONLY)))
        except OSError as error:
            await stdio.complain(k, f"tail: can't open '{path}': {stdio.reason(error)}")
            status = 1
    return fds, status


def ending(data: bytes, count: Count, *, in_bytes: bool) -> bytes:
    """Return the last part of data; with a plus, all from that line or byte on, counted from 1."""
    if in_bytes:
        start = max(count.number - 1, 0) if count.from_start else max(len(data) - count.number, 0)
        return data[start:]
    lines = data.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    start = max(count.number - 1, 0) if count.from_start else max(len(lines) - count.number, 0)
    return b"".join(lines[start:])


async def _follow(k: System, fds: list[int]) -> None:
    """Print what is appended, looking once a second, until a signal ends it."""
    while True:
        await k.sleep(1)
        for fd in fds:
            while data := await k.read(fd, stdio.BLOCK):
                await stdio.write_all(k, stdio.STDOUT, data)
