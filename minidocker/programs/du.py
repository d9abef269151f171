"""du: how much of the disk trees take, in KiB; hard links count once."""

from minidocker.linux import S_IFDIR, S_IFMT
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the sizes of directories; -s only of what is named, -a of files too."""
    try:
        options = parse(argv, "askxc")
    except Usage as usage:
        return await refuse(k, "du", usage, "[-aksc] [FILE]...")
    usage_of = Summing(k, options)
    total = 0
    for path in options.operands or ["."]:
        total += await usage_of.visit(path, top=True)
    if "c" in options:
        await usage_of.output.line(f"{total // 2}\ttotal")
    await usage_of.output.flush()
    return usage_of.status


class Summing:
    """One run of du."""

    def __init__(self, k: System, options: Options) -> None:
        """Start with nothing counted."""
        self.k = k
        self.options = options
        self.output = stdio.Output(k)
        self.seen: set[tuple[int, int]] = set()
        self.status = 0

    async def visit(self, path: str, *, top: bool = False) -> int:
        """Return the blocks (of 512 bytes) of a path and all below, and print what is to be printed."""
        try:
            status = await self.k.lstat(path)
            directory = status.st_mode & S_IFMT == S_IFDIR
            names = sorted(await self.k.listdir(path)) if directory else []
        except OSError as error:
            await stdio.complain(self.k, f"du: {path}: {stdio.reason(error)}")
            self.status = 1
            return 0
        if not directory and status.st_nlink > 1:
            if (status.st_dev, status.st_ino) in self.seen:
                return 0
            self.seen.add((status.st_dev, status.st_ino))
        blocks = status.st_blocks
        for name in names:
            blocks += await self.visit(f"{path.rstrip('/')}/{name}")
        if top or ("s" not in self.options and (directory or "a" in self.options)):
            await self.output.line(f"{(blocks + 1) // 2}\t{path}")
        return blocks
