"""Start: a task is cloned, held at a gate until the daemon has arranged what only it can, let go, and heard of.

The order is runc's: ``runc create`` leaves the container's init waiting just before execve (at exec.fifo), the daemon's
hooks (the network) run from the host's side, and ``runc start`` lets it go on. What init does to itself needs none of
that, so both are at work at once. Only ids come first: without them, in a user namespace, nothing can be done.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from minidocker import runtime
from minidocker.errors import EngineError
from minidocker.kernel import Files, Kernel
from minidocker.linux import O_CLOEXEC, O_DIRECTORY, O_RDONLY
from minidocker.process import Process
from minidocker.refusal import Refused

if TYPE_CHECKING:
    from minidocker.engine import Engine

#: The pipes through which the daemon hears of a task; the last one closes at execve, or tells why not.
_STREAMS: Final = ("stdout", "stderr", "error")

#: Exit codes above tell of a signal.
_SIGNAL: Final = 128

#: How long a task may take to notice that its gate is closed.
_PATIENCE_S: Final = 1.0

#: The exit code that says: not the program, the request was wrong.
REQUEST: Final = 125


def clone(
    engine: "Engine",
    process: Process,
    main: Callable[..., Coroutine[Any, Any, int]],
    spec: Mapping[str, Any],
    *,
    flags: int,
    fds: Mapping[int, int] | None = None,
    cgroup: str = "",
) -> int:
    """Clone a task that runs ``main(system, spec)``, with its pipes, and a gate; return the daemon's end of that.

    ``fds`` are more descriptors that it starts with: its number → the daemon's. ``cgroup`` is the directory of the v2
    control group in which it is born, if there is one.
    """
    pid, gate, ends = engine.kernel.together(begin, main, spec, flags, dict(fds or {}), cgroup)
    engine.streams.take_over(process, dict(zip(ends, _STREAMS, strict=True)))
    engine.started(process, pid)
    return gate


def begin(
    kernel: Kernel,
    main: Callable[..., Coroutine[Any, Any, int]],
    spec: Mapping[str, Any],
    flags: int,
    fds: Mapping[int, int],
    cgroup: str,
) -> tuple[int, int, list[int]]:
    """Clone it with its pipes, and watch those: (pid, the gate, the daemon's ends of stdout, stderr, error)."""
    kept: list[int] = []
    given: list[int] = []
    cradle = [kernel.open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC)] if cgroup else []
    try:
        given.append(kernel.open("/dev/null", O_RDONLY | O_CLOEXEC))
        for _ in _STREAMS:
            reading, writing = kernel.pipe2(O_CLOEXEC)
            kept.append(reading)
            given.append(writing)
        reading, gate = kernel.pipe2(O_CLOEXEC)
        kept.append(gate)
        given.append(reading)
        places = (0, 1, 2, runtime.ERROR_FD, runtime.GATE_FD)
        fds = {**dict(zip(places, given, strict=True)), **fds}
        pid = kernel.clone(main, spec, flags=flags, fds=fds, cgroup=cradle[0] if cradle else None)
    except BaseException:
        for fd in kept:
            kernel.close(fd)
        raise
    finally:
        for fd in (*given, *cradle):
            kernel.close(fd)
    for fd in kept[:-1]:
        kernel.watch(fd)
    return pid, gate, kept[:-1]


def release(engine: "Engine", process: Process, gate: int, attach: Callable[[], None]) -> None:
    """Do what is to be done from outside, open the gate, and return once the program runs.

    Refused, with what init told, if it could not; the task has ended then. If ``attach`` fails, the gate closes
    unopened, at which the task ends by itself. If it fails since a signal has ended the task (that of the OOM killer,
    say), then that is what has happened to the container.
    """
    try:
        attach()
    except (OSError, EngineError):
        engine.kernel.close(gate)
        while process.pid and engine.pump(_PATIENCE_S):
            pass
        if process.exit_code <= _SIGNAL:
            raise
    except BaseException:
        engine.kernel.close(gate)
        raise
    else:
        engine.kernel.together(open_gate, gate)
    _await_start(engine, process)


def open_gate(files: Files, gate: int) -> None:
    """Let a task go on, and let go of the gate."""
    try:
        with suppress(BrokenPipeError):  # it has died; wait4 will say how
            files.write(gate, b"!")
    finally:
        files.close(gate)


def _await_start(engine: "Engine", process: Process) -> None:
    """Poll until init told that it could not start, or closed its error pipe by execve."""
    while process.is_starting and engine.pump(None):
        pass
    words = process.output("error")
    if not words:
        return
    process.log = [line for line in process.log if line.stream != "error"]
    while process.pid and engine.pump(None):
        pass
    told = json.loads(words)
    raise Refused(told["reason"], told["exit_code"])
