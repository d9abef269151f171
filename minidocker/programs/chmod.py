"""chmod: change permission bits, given as octal digits or as ``u+x,go=``."""

from minidocker.linux import S_IFDIR, S_IFLNK, S_IFMT
from minidocker.programs import stdio
from minidocker.programs.file_mode import UnknownMode, change_mode
from minidocker.programs.options import Usage, demand, parse, refuse
from minidocker.system import System

SYNOPSIS = "[-Rf] MODE[,MODE]... FILE..."


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Change modes; a mode may begin with a minus, so options are what stands before it."""
    modes = [word for word in argv[1:] if _is_mode(word)][:1]
    words = [word for word in argv if word not in modes]
    try:
        options = parse(words, "Rfvc")
        mode, *paths = [*modes, *options.operands] or [""]
        demand(paths)
        mask = await _umask(k, mode)
        change_mode(mode, 0, mask=mask)
    except Usage as usage:
        return await refuse(k, "chmod", usage, SYNOPSIS)
    except UnknownMode:
        await stdio.complain(k, f"chmod: invalid mode '{mode}'")
        return 1
    status = 0
    for path in paths:
        status |= await _change(k, path, mode, mask, recursive="R" in options)
    return status


def _is_mode(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and all(letter in "rwxXst" for letter in word[1:])


async def _umask(k: System, text: str) -> int:
    """Return the umask if the mode depends on it: if a clause such as ``+w`` names nobody."""
    if all(clause[:1] in tuple("ugoa01234567") for clause in text.split(",")):
        return 0
    mask = await k.umask(0)
    await k.umask(mask)
    return mask


async def _change(k: System, path: str, text: str, mask: int, *, recursive: bool, operand: bool = True) -> int:
    try:
        status = await (k.stat(path) if operand else k.lstat(path))
        if not operand and status.st_mode & S_IFMT == S_IFLNK:
            return 0
        directory = status.st_mode & S_IFMT == S_IFDIR
        await k.chmod(path, change_mode(text, status.st_mode, mask=mask, directory=directory))
        if not (recursive and directory):
            return 0
        names = sorted(await k.listdir(path))
    except OSError as error:
        await stdio.complain(k, f"chmod: {path}: {stdio.reason(error)}")
        return 1
    failed = 0
    for name in names:
        failed |= await _change(k, f"{path.rstrip('/')}/{name}", text, mask, recursive=True, operand=False)
    return failed
