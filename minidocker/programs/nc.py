"""nc: a TCP connection between two standard inputs and outputs. The words are busybox's.

What comes in is written by a clone of nc's own, while nc itself reads and sends: there is no poll(2) here. When the
input ends, so does that direction of the connection (SHUT_WR); when the other side has ended, the clone does, and nc
with it, even in the middle of reading (SIGCHLD).
"""

from contextlib import suppress
from typing import Final

from minidocker.linux import (
    AF_INET,
    SHUT_WR,
    SIGALRM,
    SIGCHLD,
    SIGKILL,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
)
from minidocker.programs import addresses, launch, stdio
from minidocker.programs.options import Options, Usage, demand, parse, refuse
from minidocker.system import System

_ANY: Final = addresses.to_address(0)
_SYNOPSIS: Final = "[-wN] [-l] [-p PORT] [-e PROG] [IPADDR PORT]"


class _Failed(Exception):
    """What to say before it ends with 1."""


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Connect to a port, or wait for a connection."""
    try:
        words, program = _until_program(argv)
        options = parse(words, "lp:w:", most=2)
        demand(bool(options.operands) != ("l" in options))
        if "l" in options:
            return await _listen(k, options, program, environ)
        fd = await _connect(k, options)
        return await _talk(k, fd, program, environ)
    except Usage as usage:
        return await refuse(k, "nc", usage, _SYNOPSIS)
    except _Failed as failed:
        await stdio.complain(k, f"nc: {failed}")
        return 1


def _until_program(argv: list[str]) -> tuple[list[str], list[str]]:
    """Return the words before ``-e``, and those after it, which are the program and its arguments."""
    for index, word in enumerate(argv[1:], 1):
        if word.startswith("-e"):
            program = ([word[2:]] if word[2:] else []) + argv[index + 1 :]
            if not program:
                raise Usage("option requires an argument -- 'e'")
            return argv[:index], program
    return argv, []


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 0xFFFF:
        raise _Failed(f"bad port '{text}'")
    return int(text)


async def _connect(k: System, options: Options) -> int:
    """Return a connected socket."""
    host, port = options.operands[0], _port(options.operands[1] if options.operands[1:] else "0")
    own = _port(options.get("p", "0"))
    wait_s = options.get("w", "0")
    if not wait_s.isdecimal():
        raise _Failed(f"invalid number '{wait_s}'")
    address = await addresses.look_up(k, host)
    if address is None:
        raise _Failed(f"bad address '{host}'")
    fd = await _socket(k, own)
    alarm = await _alarm(k, int(wait_s)) if int(wait_s) else 0
    try:
        await k.connect(fd, (address, port))
    except InterruptedError:
        raise _Failed("timed out") from None
    except OSError as error:
        raise _Failed(f"can't connect to remote host ({address}): {stdio.reason(error)}") from error
    finally:
        await _end(k, alarm)
    return fd


async def _socket(k: System, port: int) -> int:
    fd = await k.socket(AF_INET, SOCK_STREAM)
    if port:
        await k.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            await k.bind(fd, (_ANY, port))
        except OSError as error:
            raise _Failed(f"bind: {stdio.reason(error)}") from error
    return fd


async def _alarm(k: System, seconds: int) -> int:
    """Have SIGALRM come after a time, from a child that sleeps: there is no alarm(2) here. Return its pid."""
    await k.signal(SIGALRM, lambda _signal: None)
    return await k.clone(_ring, await k.getpid(), seconds)


async def _ring(k: System, pid: int, seconds: int) -> int:
    await k.sleep(seconds)
    await k.kill(pid, SIGALRM)
    return 0


async def _end(k: System, pid: int) -> None:
    """End a child and wait for it."""
    if pid:
        with suppress(OSError):
            await k.kill(pid, SIGKILL)
        await k.wait4(pid)


async def _listen(k: System, options: Options, program: list[str], environ: dict[str, str]) -> int:
    """Wait for a connection and serve it; with ``-ll`` and a program, one after the other for ever."""
    wait_s = options.get("w", "0")
    if not wait_s.isdecimal():
        raise _Failed(f"invalid number '{wait_s}'")
    listening = await _socket(k, _port(options.get("p", "0")))
    await k.listen(listening, 1)
    alarm = await _alarm(k, int(wait_s)) if int(wait_s) else 0
    try:
        while True:
            fd, _ = await k.accept4(listening)
            if not (program and len(options.all("l")) > 1):
                break
            await k.wait4(await k.clone(_serve, fd, program, environ))
            await k.close(fd)
    except InterruptedError:
        raise _Failed("timed out") from None
    finally:
        await _end(k, alarm)
    await k.close(listening)
    return await _talk(k, fd, program, environ)


async def _talk(k: System, fd: int, program: list[str], environ: dict[str, str]) -> int:
    if program:
        return await _serve(k, fd, program, environ)
    ended: list[int] = []
    await k.signal(SIGCHLD, ended.append)
    receiver = await k.clone(_receive, fd)
    with suppress(InterruptedError):
        await _send(k, fd, ended)
    await k.wait4(receiver)
    return 0


async def _send(k: System, fd: int, ended: list[int]) -> None:
    """Send the standard input until that ends or nothing comes back any more; in the first case say that it was all."""
    while not ended and (data := await k.read(stdio.STDIN, stdio.BLOCK)):
        await stdio.write_all(k, fd, data)
    with suppress(OSError):  # the other side may be gone
        await k.shutdown(fd, SHUT_WR)


async def _receive(k: System, fd: int) -> int:
    """Write what comes to the standard output until the other side has said all."""
    with suppress(ConnectionResetError):
        while data := await k.read(fd, stdio.BLOCK):
            await stdio.write_all(k, stdio.STDOUT, data)
    return 0


async def _serve(k: System, fd: int, program: list[str], environ: dict[str, str]) -> int:
    """Become a program that talks to the other side."""
    for standard in (stdio.STDIN, stdio.STDOUT, stdio.STDERR):
        await k.dup2(fd, standard)
    await k.close(fd)
    return await launch.become(k, program, environ, "nc: can't execute '{}'")
