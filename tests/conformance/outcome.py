"""Run one coroutine as a task of a kernel, to its end, and say how it ended and what it wrote. For both kernels."""

from dataclasses import dataclass

from minidocker.kernel import Kernel
from minidocker.linux import O_CLOEXEC, exit_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended: its wait4 status, and what came out of descriptors 1 and 2."""

    status: int
    output: str

    @property
    def code(self) -> int:
        """The exit code, or 128 and the signal."""
        return exit_status(self.status)


def start(kernel: Kernel, main, *args, flags: int = 0) -> tuple[int, int]:
    """Start a task with an empty standard input, and return its pid and a descriptor of what it writes."""
    reading, writing = kernel.pipe2(O_CLOEXEC)
    nothing = kernel.open("/dev/null", 0) if _has_null(kernel) else reading
    pid = kernel.clone(main, *args, flags=flags, fds={0: nothing, 1: writing, 2: writing})
    kernel.close(writing)
    if nothing != reading:
        kernel.close(nothing)
    kernel.watch(reading)
    return pid, reading


def _has_null(kernel: Kernel) -> bool:
    return "null" in kernel.listdir("/dev")


def finish(kernel: Kernel, pid: int, reading: int, timeout_s: float = 10.0) -> Outcome:
    """Let it run to its end and read all that it wrote."""
    output, status = bytearray(), None
    open_end = True
    while status is None or open_end:
        events = kernel.poll(timeout_s)
        assert events, f"nothing happens any more: {bytes(output)!r}, {getattr(kernel, 'crashes', '')}"
        for event in events:
            if event.kind == "readable" and event.fd == reading and open_end:
                data = kernel.read(reading, 65536)
                output += data
                if not data:
                    kernel.close(reading)
                    open_end = False
            elif event.kind == "exited" and event.pid == pid:
                status = kernel.wait4(pid)[1]
            elif event.kind == "exited":
                kernel.wait4(event.pid)
    return Outcome(status=status, output=output.decode())


def run(kernel: Kernel, main, *args, flags: int = 0, timeout_s: float = 10.0) -> Outcome:
    """Start a task and let it run to its end."""
    return finish(kernel, *start(kernel, main, *args, flags=flags), timeout_s=timeout_s)
