"""mkdir: make directories; -p those above too, -m with a mode."""

import errno

from minidocker.linux import S_IFDIR, S_IFMT
from minidocker.programs import stdio
from minidocker.programs.file_mode import UnknownMode, change_mode
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Make directories."""
    try:
        options = parse(argv, "pm:v", least=1)
        mode = change_mode(options.get("m"), 0o777, mask=0) if "m" in options else None
    except Usage as usage:
        return await refuse(k, "mkdir", usage, "[-m MODE] [-p] DIRECTORY...")
    except UnknownMode as unknown:
        await stdio.complain(k, f"mkdir: invalid mode '{unknown}'")
        return 1
    status = 0
    for path in options.operands:
        try:
            await _make(k, path, mode, parents="p" in options)
        except OSError as error:
            await stdio.complain(k, f"mkdir: can't create directory '{error.filename or path}': {stdio.reason(error)}")
            status = 1
    return status


async def _make(k: System, path: str, mode: int | None, *, parents: bool) -> None:
    """Make one directory. A mode that was asked for is set whatever the umask says."""
    if parents:
        await _make_parents(k, path)
    try:
        await k.mkdir(path, 0o777 if mode is None else mode)
    except OSError as error:
        if not (parents and error.errno == errno.EEXIST and await _is_directory(k, path)):
            raise
        return
    if mode is not None:
        await k.chmod(path, mode)


async def _make_parents(k: System, path: str) -> None:
    """Make the directories above, from the top, as far as they are missing."""
    parts = path.rstrip("/").split("/")
    for count in range(1, len(parts)):
        parent = "/".join(parts[:count])
        if parent and parent not in (".", ".."):
            try:
                await k.mkdir(parent + "/")
            except OSError as error:
                if error.errno != errno.EEXIST:
                    error.filename = parent + "/"
                    raise


async def _is_directory(k: System, path: str) -> bool:
    return (await k.stat(path)).st_mode & S_IFMT == S_IFDIR
