"""readlink: print what a symlink says; -f where it leads in the end."""

from minidocker.linux import S_IFLNK, S_IFMT
from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System

#: How many symlinks one path may lead through (path_resolution(7)).
MOST_LINKS = 40


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print a symlink's text, or nothing and the status 1."""
    try:
        options = parse(argv, "fnv", least=1, most=1)
    except Usage as usage:
        return await refuse(k, "readlink", usage, "[-fnv] FILE")
    path = options.operands[0]
    try:
        text = await resolve(k, path) if "f" in options else await k.readlink(path)
    except OSError as error:
        if "v" in options:
            await stdio.complain(k, f"readlink: {path}: {stdio.reason(error)}")
        return 1
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(text + "\n" * ("n" not in options)))
    return 0


async def resolve(k: System, path: str) -> str:
    """Return an absolute path without symlinks; its last name need not exist."""
    todo = [name for name in path.split("/") if name][::-1]
    here = "/" if path.startswith("/") else await k.getcwd()
    links = 0
    while todo:
        name = todo.pop()
        if name == ".":
            continue
        if name == "..":
            here = here.rpartition("/")[0] or "/"
            continue
        following = f"{here.rstrip('/')}/{name}"
        try:
            kind = (await k.lstat(following)).st_mode & S_IFMT
        except FileNotFoundError:
            if todo:
                raise
            return following
        if kind == S_IFLNK:
            links += 1
            target = await k.readlink(following)
            if links > MOST_LINKS:
                await k.stat(path)
            here = "/" if target.startswith("/") else here
            todo += [part for part in target.split("/") if part][::-1]
        else:
            here = following
    return here
