"""Lifecycle: how docker ends and restarts a container: a signal that asks, some time, and one that does not ask."""

from typing import TYPE_CHECKING, Final

from minidocker.container import Container
from minidocker.linux import SIGKILL, SIGNALS, SIGTERM

if TYPE_CHECKING:
    from minidocker.engine import Engine

#: How long a container has, unless it is told otherwise (docker stop --timeout).
TIMEOUT_S: Final = 10


def signal_number(word: str) -> int:
    """Return the number of a signal: ``TERM``, ``SIGTERM`` or ``15``; 0 if there is none of that name."""
    name = word.upper().removeprefix("SIG")
    number = SIGNALS.get(name) or (int(name) if name.isascii() and name.isdigit() else 0)
    return number if number <= 64 else 0


def stop(engine: "Engine", container: Container, timeout_s: int | None = None, signal: int = 0) -> None:
    """Ask a container to end, and kill it if it has not when the time is up (docker stop).

    ``signal`` is what asks: the image's STOPSIGNAL, or SIGTERM, if none is given. A negative time waits for ever. A
    container that does not run is left alone.
    """
    if not container.is_running:
        return
    signal = signal or signal_number(container.stop_signal) or SIGTERM
    wait_s = TIMEOUT_S if timeout_s is None else timeout_s
    engine.monitor.operation(
        f"stop {container.name}",
        "A signal asks its first task to end; if it is still there when the time is up, SIGKILL ends it.",
        ref="docker container stop",
    )
    engine.kill(container, signal)
    if not _ended(engine, container, wait_s):
        engine.kill(container, SIGKILL)


def restart(engine: "Engine", container: Container, timeout_s: int | None = None, signal: int = 0) -> None:
    """Stop a container, if it runs, and start it again (docker restart)."""
    keep, container.auto_remove = container.auto_remove, False
    try:
        stop(engine, container, timeout_s, signal)
    finally:
        container.auto_remove = keep
    engine.start(container)


def _ended(engine: "Engine", container: Container, wait_s: float) -> bool:
    """Let programs run until the container has ended, or for so long; did it end?"""
    if wait_s < 0:
        engine.wait(container)
        return True
    end_ns = engine.now_ns() + int(wait_s * 1e9)
    while container.is_running and (left_ns := end_ns - engine.now_ns()) > 0 and engine.pump(left_ns / 1e9):
        pass
    return not container.is_running
