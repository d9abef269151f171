"""Start: a task is cloned, held at a gate until the daemon has arranged what only it can, let go, and heard of.

The order is runc's: ``runc create`` leaves the container's init waiting just before execve (at exec.fifo), the daemon's
hooks (the network) run from the host's side, and ``runc start`` lets it go on. What init does to itself needs none of
that, so both are at work at once. Only ids come first: without them, in a user namespace, nothing can be done.
"""

import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from minidocker import namespaces, runtime
from minidocker.errors import EngineError
from minidocker.kernel import Files, Kernel
from minidocker.linux import CLONE_NEWPID, O_CLOEXEC, O_DIRECTORY, O_RDONLY
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
    joined: Mapping[str, int],
    cgroup: str = "",
    waits: bool = True,
) -> int | None:
    """Clone a task that runs ``main(system, spec)``, with its pipes, and a gate; return the daemon's end of that.

    ``joined`` says of which namespaces it is to get descriptors: kind → pid of a task that is in it (see
    :func:`joins`). ``cgroup`` is the directory of the v2 control group in which it is born, if there is one. Where
    the daemon has nothing to do for it, so that it need not wait, the gate is opened at once, and None returned.
    """
    pid, gate, ends = engine.kernel.together(begin, main, spec, flags, list(joined.items()), cgroup, waits)
    engine.streams.take_over(process, dict(zip(ends, _STREAMS, strict=True)))
    engine.started(process, pid)
    return gate


def joins(joined: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return what a new task has to do with the namespaces that it is given: (descriptor, CLONE_NEW*), in order.

    A PID namespace is not among them: it is born in that.
    """
    kinds = [kind for kind in joined if kind != "pid"]
    return [(runtime.NAMESPACE_FD + place, namespaces.KINDS[kind]) for place, kind in enumerate(kinds)]


def begin(
    kernel: Kernel,
    main: Callable[..., Coroutine[Any, Any, int]],
    spec: Mapping[str, Any],
    flags: int,
    joined: Sequence[tuple[str, int]],
    cgroup: str,
    waits: bool,
) -> tuple[int, int | None, list[int]]:
    """Clone it with its pipes, and watch those: (pid, the gate, the daemon's ends of stdout, stderr, error)."""
    kept: list[int] = []
    with ExitStack() as given:
        spaces = {kind: _opened(kernel, given, f"/proc/{pid}/ns/{kind}") for kind, pid in joined}
        cradle = _opened(kernel, given, cgroup, O_DIRECTORY) if cgroup else None
        fds = {0: _opened(kernel, given, "/dev/null")}
        try:
            for place in (1, 2, runtime.ERROR_FD):
                reading, fds[place] = kernel.pipe2(O_CLOEXEC)
                given.callback(kernel.close, fds[place])
                kept.append(reading)
            fds[runtime.GATE_FD], gate = kernel.pipe2(O_CLOEXEC)
            given.callback(kernel.close, fds[runtime.GATE_FD])
            kept.append(gate)
            others = [fd for kind, fd in spaces.items() if kind != "pid"]
            fds |= {runtime.NAMESPACE_FD + place: fd for place, fd in enumerate(others)}
            with _born_in(kernel, spaces.get("pid")):
                pid = kernel.clone(main, spec, flags=flags, fds=fds, cgroup=cradle)
        except BaseException:
            for fd in kept:
                kernel.close(fd)
            raise
    for fd in kept[:-1]:
        kernel.watch(fd)
    if waits:
        return pid, gate, kept[:-1]
    open_gate(kernel, gate)
    return pid, None, kept[:-1]


def _opened(kernel: Files, given: ExitStack, path: str, flags: int = 0) -> int:
    """Open what a new task is given; the daemon lets go of it when that has it."""
    fd = kernel.open(path, O_RDONLY | O_CLOEXEC | flags)
    given.callback(kernel.close, fd)
    return fd


@contextmanager
def _born_in(kernel: Kernel, pid_namespace: int | None) -> Iterator[None]:
    """Have the daemon's children be born in another PID namespace, until the block ends (setns(2), CLONE_NEWPID)."""
    if pid_namespace is None:
        yield
        return
    with ExitStack() as way_back:
        own = _opened(kernel, way_back, "/proc/self/ns/pid")
        kernel.setns(pid_namespace, CLONE_NEWPID)
        try:
            yield
        finally:
            kernel.setns(own, CLONE_NEWPID)


def release(engine: "Engine", process: Process, gate: int | None, attach: Callable[[], None]) -> None:
    """Do what is to be done from outside, open the gate (if it is not open), and return once the program runs.

    Refused, with what init told, if it could not; the task has ended then. If ``attach`` fails, the gate closes
    unopened, at which the task ends by itself. If it fails since a signal has ended the task (that of the OOM killer,
    say), then that is what has happened to the container.
    """
    if gate is not None:
        _arrange(engine, process, gate, attach)
    _await_start(engine, process)


def _arrange(engine: "Engine", process: Process, gate: int, attach: Callable[[], None]) -> None:
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
