"""Starting children: where no more tasks are allowed, the shell says so and gives up (fork(2), EAGAIN)."""

from collections.abc import Callable
from typing import Any

from minidocker.programs import stdio
from minidocker.programs.sh.failure import ShellFailure
from minidocker.system import System


async def fork(k: System, main: Callable[..., Any], *args: Any) -> int:
    """Start a child of the shell and return its pid; ShellFailure if there cannot be one."""
    try:
        return await k.clone(main, *args)
    except OSError as error:
        raise ShellFailure(f"can't fork: {stdio.reason(error)}") from None
