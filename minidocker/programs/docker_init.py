"""docker-init: the init of ``docker run --init`` (tini). It passes signals on, and buries the orphans of its namespace.

As pid 1 a program gets no signal that it has no handler for, and children whose parents have ended are its to wait for:
most programs expect neither. So this one is pid 1, and the program its child (pid_namespaces(7)).
"""

import errno
from typing import Final

from minidocker.linux import SIGNALS, WNOHANG, exit_status
from minidocker.programs import launch
from minidocker.system import System

#: What is not passed on: what cannot be caught, what a fault of its own raises, and news of children.
_KEPT: Final = ("KILL", "STOP", "CHLD", "FPE", "ILL", "SEGV", "BUS", "ABRT", "TRAP", "SYS", "TTIN", "TTOU")


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Run what stands after ``--`` as a child until it ends, and end with its exit code."""
    words = argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]
    came: list[int] = []
    for name, number in SIGNALS.items():
        if name not in _KEPT:
            await k.signal(number, came.append)
    child = await k.clone(_become, words, environ)
    return await _tend(k, child, came)


async def _become(k: System, words: list[str], environ: dict[str, str]) -> int:
    """Be the program, to which signals mean what they mean to any other."""
    for name, number in SIGNALS.items():
        if name not in _KEPT:
            await k.signal(number, 0)
    return await launch.become(k, words, environ, "[FATAL tini] exec {} failed")


async def _tend(k: System, child: int, came: list[int]) -> int:
    """Wait for children and pass signals on until the program has ended; return its exit code."""
    while True:
        while came:
            await _pass_on(k, child, came.pop(0))
        try:
            pid, status = await k.wait4(-1)
        except InterruptedError:
            continue
        if pid == child:
            await _bury(k)
            return exit_status(status)


async def _pass_on(k: System, child: int, signal: int) -> None:
    try:
        await k.kill(child, signal)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


async def _bury(k: System) -> None:
    """Wait for whoever else has ended; who still lives ends with this namespace."""
    try:
        while (await k.wait4(-1, WNOHANG))[0]:
            pass
    except ChildProcessError:
        return
