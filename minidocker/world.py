"""World: named hosts, each a kernel and an engine; every command on a host gives its output and its trace."""

import hashlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minidocker.client.docker import Docker, ReadFile, Result
from minidocker.engine import Engine
from minidocker.kernel import Kernel
from minidocker.recorder import Recorder
from minidocker.remap import Remap
from minidocker.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one docker command led to. ``hint`` says, for learners, what was probably meant; mostly it is empty."""

    stdout: str
    stderr: str
    exit_code: int
    trace: Trace
    hint: str = ""


class RecordingError(Exception):
    """What the kernel told could not be recorded: the command ran, but nothing can be said of its steps."""


class Ids:
    """Identifiers that look random and are not: the same seed gives the same, so that two kernels make equal traces."""

    def __init__(self, seed: int = 0) -> None:
        """Begin the sequence of a seed."""
        self._seed = seed
        self._count = 0

    def __call__(self) -> str:
        """Return the next 64 hexadecimal digits."""
        self._count += 1
        return hashlib.sha256(f"minidocker {self._seed} {self._count}".encode()).hexdigest()


class Host:
    """One machine of the world: a kernel, an engine over it, docker's client, and the recorder of what they do."""

    def __init__(
        self,
        kernel: Kernel,
        *,
        description: Mapping[str, Any],
        seed: int = 0,
        clock_ns: Callable[[], int] = lambda: 0,
        read_file: ReadFile | None = None,
        userns_remap: Remap | None = None,
        idle: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Take a kernel, what traces should say of it, and who reads the files that ``docker load -i`` names.

        ``idle`` lets time pass while no program runs, where the kernel's clock does not jump.
        """
        self._idle = idle
        self.kernel = kernel
        self.description = dict(description)
        self.recorder = Recorder(description)
        self.engine = Engine(
            kernel,
            ids=Ids(seed),
            clock_ns=clock_ns,
            monitor=self.recorder,
            machine=str(description.get("machine", "x86_64")),
            rootless=bool(description.get("rootless")),
            userns_remap=userns_remap,
        )
        self.client = Docker(self.engine, read_file) if read_file else Docker(self.engine)

    def docker(self, line: str | Sequence[str]) -> Outcome:
        """Run one docker command and return what it printed, its exit code, and its trace (or RecordingError)."""
        text = line if isinstance(line, str) else shlex.join(line)
        text = text if text.startswith("docker ") else f"docker {text}".rstrip()
        why = "The client sends the command to the daemon, and waits for what it says."
        return self.recorded(text, why, lambda: self.client(line))

    def recorded(self, text: str, why: str, do: Callable[[], Result]) -> Outcome:
        """Do something on this host and return what came of it with its trace, headed by ``text`` and ``why``."""
        self.recorder.command(text, why)
        result = Result()
        self.kernel.listener_error = None
        self.kernel.listener = self.recorder
        try:
            result = do()
        finally:
            self.kernel.listener = None
            stdout, stderr = (data.decode("utf-8", "replace") for data in (result.stdout, result.stderr))
            trace = self.recorder.cut(text, stdout, stderr, result.exit_code)
        if self.kernel.listener_error is not None:
            message = f"the trace of {text!r} is not whole"
            raise RecordingError(message) from self.kernel.listener_error
        return Outcome(stdout=stdout, stderr=stderr, exit_code=result.exit_code, trace=trace, hint=result.hint)

    def advance(self, seconds: float) -> None:
        """Let so much time pass by the host's clock; its programs run meanwhile."""
        until_ns = self.engine.now_ns() + int(seconds * 1e9)
        while (left_ns := until_ns - self.engine.now_ns()) > 0:
            if not self.engine.pump(left_ns / 1e9):
                self._idle(max(0, until_ns - self.engine.now_ns()) / 1e9)

    def close(self) -> None:
        """End the host's kernel and all that runs on it."""
        self.kernel.close_kernel()


@dataclass(slots=True)
class World:
    """Named hosts. Most traces have one."""

    hosts: dict[str, Host] = field(default_factory=dict)

    def add(self, name: str, host: Host) -> Host:
        """Give the world a host."""
        self.hosts[name] = host
        return host

    def close(self) -> None:
        """End every host."""
        for host in self.hosts.values():
            host.close()

    def __enter__(self) -> "World":
        """Return the world; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every host."""
        self.close()
