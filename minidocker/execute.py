"""Execute: from a program's name to execve(2): the directory it starts in, the file its name means, refusals."""

import errno
import posixpath
from collections.abc import Mapping, Sequence

from minidocker import linux
from minidocker.linux import S_IFDIR, S_IFMT
from minidocker.refusal import Refused
from minidocker.system import System


async def enter_workdir(k: System, cwd: str, *, make: bool = True) -> None:
    """Change to the working directory; ``make`` it if no layer has it, as the daemon does before a container starts.

    In the end getcwd(2) must know it. A path like /proc/self/fd/7 can lead out of the root, through a descriptor that
    somebody forgot to close: that was CVE-2024-21626.
    """
    if cwd == "/":
        return
    try:
        await k.chdir(cwd)
    except OSError as error:
        if not make:
            words = linux.strerror(error.errno).lower()
            raise Refused(f'chdir to cwd ("{cwd}") set in config.json failed: {words}', 126) from error
        if error.errno == errno.ENOTDIR:
            raise Refused(f"Cannot mkdir: {cwd} is not a directory") from None
        if error.errno != errno.ENOENT:
            raise
        await _make_directories(k, cwd)
        await k.chdir(cwd)
    try:
        await k.getcwd()
    except FileNotFoundError:
        raise Refused("current working directory is outside of container mount namespace root") from None


async def execute(k: System, path: str, argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Become the program. If the kernel refuses, say so on standard error, as runc does, and return 126 or 127."""
    try:
        await k.execve(path, argv, env)
    except OSError as error:
        words = error.strerror if error.errno == errno.ENOSYS else linux.strerror(error.errno).lower()
        await k.write(2, f"exec {path}: {words}\n".encode())
        return 127 if error.errno == errno.ENOENT else 126
    return 0


async def look_path(k: System, name: str, path: str) -> str:
    """Return the file that a program's name means: itself if it has a slash, else the first executable in PATH."""
    if "/" in name:
        await _executable(k, name, name)
        return name
    for directory in path.split(":"):
        candidate = posixpath.join(directory or ".", name)
        try:
            await _executable(k, name, candidate)
        except Refused:
            continue
        return candidate
    raise Refused(f'exec: "{name}": executable file not found in $PATH', 127)


async def _executable(k: System, name: str, path: str) -> None:
    try:
        stat = await k.stat(path)
    except OSError as error:
        words = linux.strerror(error.errno).lower()
        raise Refused(f'exec: "{name}": stat {path}: {words}', 127) from error
    if stat.st_mode & S_IFMT == S_IFDIR:
        raise Refused(f'exec: "{name}": permission denied', 126)
    if not stat.st_mode & 0o111:
        raise Refused(f'exec: "{name}": permission denied', 126)


async def _make_directories(k: System, path: str) -> None:
    made = ""
    for name in path.strip("/").split("/"):
        made += "/" + name
        try:
            await k.mkdir(made, 0o755)
        except FileExistsError:
            continue
