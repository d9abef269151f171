"""Redirections: descriptors are moved by open, dup2 and close, and put back by dup2 (XCU 2.7)."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY
from minidocker.programs import stdio
from minidocker.programs.sh import expand
from minidocker.programs.sh.failure import RedirectionFailure
from minidocker.programs.sh.fork import fork
from minidocker.programs.sh.syntax import Redirect
from minidocker.system import System

if TYPE_CHECKING:
    from minidocker.programs.sh.run import Shell

FLAGS: Final = {
    "<": O_RDONLY,
    "<>": O_RDWR | O_CREAT,
    ">": O_WRONLY | O_CREAT | O_TRUNC,
    ">|": O_WRONLY | O_CREAT | O_TRUNC,
    ">>": O_WRONLY | O_CREAT | O_APPEND,
}


async def redirect(shell: "Shell", redirects: tuple[Redirect, ...], saved: list[tuple[int, int]] | None = None) -> None:
    """Do redirections. If ``saved`` is given, it gets what :func:`restore` needs: (descriptor, its copy or -1)."""
    for item in redirects:
        if item.operator in ("<&", ">&"):
            await _duplicate(shell, item, saved)
        else:
            source = await _open(shell, item)
            if source != item.fd:
                await _save(shell, item.fd, saved)
                await shell.k.dup2(source, item.fd)
                await shell.k.close(source)
            elif saved is not None:
                _remember(shell, item.fd, -1, saved)


async def restore(shell: "Shell", saved: list[tuple[int, int]]) -> None:
    """Undo redirections, the last one first."""
    for fd, first_copy in reversed(saved):
        copy = shell.saved.pop((fd, first_copy), first_copy)
        if copy < 0:
            await _close(shell.k, fd)
        else:
            await shell.k.dup2(copy, fd)
            await shell.k.close(copy)
    saved.clear()


async def _open(shell: "Shell", item: Redirect) -> int:
    if item.operator.startswith("<<"):
        return await _here_document(shell, item)
    path = await expand.text(shell, item.word)
    flags = FLAGS[item.operator]
    try:
        return await shell.k.open(path, flags, 0o666)
    except OSError as error:
        verb = "create" if flags & O_CREAT else "open"
        missing = "nonexistent directory" if flags & O_CREAT else "no such file"
        text = missing if error.errno == errno.ENOENT else stdio.reason(error)
        raise RedirectionFailure(f"can't {verb} {path}: {text}", 1) from None


async def _here_document(shell: "Shell", item: Redirect) -> int:
    """Return the reading end of a pipe that holds the text; a task writes one that is larger than a pipe."""
    data = stdio.to_bytes(await expand.text(shell, item.word))
    reading, writing = await shell.k.pipe2()
    if len(data) <= stdio.BLOCK:
        await stdio.write_all(shell.k, writing, data)
    else:
        await fork(shell.k, _write_document, reading, writing, data)
    await shell.k.close(writing)
    return reading


async def _write_document(k: System, reading: int, writing: int, data: bytes) -> int:
    await k.close(reading)
    await stdio.write_all(k, writing, data)
    return 0


async def _duplicate(shell: "Shell", item: Redirect, saved: list[tuple[int, int]] | None) -> None:
    source = await expand.text(shell, item.word)
    if source == "-":
        await _save(shell, item.fd, saved)
        await _close(shell.k, item.fd)
        return
    if not source.isdigit():
        raise RedirectionFailure(f"syntax error: bad fd number '{source}'", 2)
    if int(source) == item.fd:
        return
    if int(source) in shell.saved.values():
        raise RedirectionFailure(f"{source}: Bad file descriptor", 1)
    await _save(shell, item.fd, saved)
    try:
        await shell.k.dup2(int(source), item.fd)
    except OSError as error:
        raise RedirectionFailure(f"{source}: {stdio.reason(error)}", 1) from None


async def _save(shell: "Shell", fd: int, saved: list[tuple[int, int]] | None) -> None:
    """Keep a copy of a descriptor that is about to be replaced, and get an older copy out of its way."""
    for key, copy in shell.saved.items():
        if copy == fd:
            shell.saved[key] = await shell.k.dup(copy)
    if saved is None:
        return
    try:
        copy = await shell.k.dup(fd)
    except OSError:
        copy = -1
    _remember(shell, fd, copy, saved)


def _remember(shell: "Shell", fd: int, copy: int, saved: list[tuple[int, int]]) -> None:
    saved.append((fd, copy))
    if copy >= 0:
        shell.saved[fd, copy] = copy


async def _close(k: System, fd: int) -> None:
    try:
        await k.close(fd)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
