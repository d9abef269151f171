"""Starting another program: what env, xargs and find -exec have in common with the shell (execvp(3))."""

import errno

from minidocker.linux import S_IFMT, S_IFREG, exit_status
from minidocker.programs import stdio
from minidocker.system import System

DEFAULT_PATH = "/sbin:/usr/sbin:/bin:/usr/bin"


async def become(k: System, words: list[str], environ: dict[str, str], message: str) -> int:
    """Become a program; if that fails, complain and return 127 (not found) or 126. ``{}`` in message is its name."""
    try:
        await k.execve(await find(k, words[0], environ), words, environ)
    except OSError as error:
        await stdio.complain(k, f"{message.format(words[0])}: {stdio.reason(error)}")
        return 127 if error.errno == errno.ENOENT else 126
    return 0


async def find(k: System, name: str, environ: dict[str, str]) -> str:
    """Return the path of a program: the first file of that name in PATH's directories, or OSError."""
    if "/" in name:
        return name
    for directory in environ.get("PATH", DEFAULT_PATH).split(":"):
        path = f"{directory}/{name}" if directory else name
        try:
            if (await k.stat(path)).st_mode & S_IFMT == S_IFREG:
                return path
        except OSError:
            continue
    raise FileNotFoundError(errno.ENOENT, "", name)


async def run(k: System, words: list[str], environ: dict[str, str], message: str) -> int:
    """Run a program in a clone, wait for it, and return its exit code: 126 if there can be no more tasks."""
    try:
        pid = await k.clone(become, words, environ, message)
    except OSError as error:
        await stdio.complain(k, f"{message.partition(':')[0]}: fork: {stdio.reason(error)}")
        return 126
    _, status = await k.wait4(pid)
    return exit_status(status)


async def end_like(k: System, status: int) -> int:
    """Return a child's exit code, or end by the signal that ended it."""
    signum = status & 0x7F
    if signum:
        await k.kill(await k.getpid(), signum)
        await k.sleep(0)  # it comes on the way back from a call
    return exit_status(status)
