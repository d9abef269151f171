"""Process: a program that the daemon has started, a container's own or one of ``docker exec``, and what it has said."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A piece of output: which stream, the bytes, when (nanoseconds since 1970)."""

    stream: str
    data: bytes
    time_ns: int


@dataclass(slots=True, kw_only=True, eq=False)
class Process:
    """One program of the daemon's. ``pid`` is the host's number of its task, or 0 if it does not run."""

    pid: int = 0
    exit_code: int = 0
    log: list[LogLine] = field(default_factory=list)
    open_streams: dict[int, str] = field(default_factory=dict)
    """The host's ends of its pipes: descriptor → ``stdout``, ``stderr`` or ``error``."""

    def output(self, stream: str) -> bytes:
        """Return all that it wrote to ``stdout`` or ``stderr``."""
        return b"".join(line.data for line in self.log if line.stream == stream)

    @property
    def is_starting(self) -> bool:
        """Is its init still on the way to execve? Then the pipe on which it would tell of a failure is open."""
        return "error" in self.open_streams.values()
