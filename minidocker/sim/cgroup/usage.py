"""How much processor time the tasks of a group have had: cpu.stat, cpuacct.usage.

The scheduler notes it at the end of each turn. A call's cost is time in the kernel (*system*), a turn of a program's
own loop is time of the *user*; Linux tells them apart by where the processor was.
"""


class Usage:
    """Nanoseconds by processor, of the user and of the system."""

    __slots__ = ("system_ns", "user_ns")

    def __init__(self, cpus: int) -> None:
        """Start at nothing."""
        self.user_ns = [0] * cpus
        self.system_ns = [0] * cpus

    def add(self, cpu: int, user_ns: int, system_ns: int) -> None:
        """Count one turn."""
        self.user_ns[cpu] += user_ns
        self.system_ns[cpu] += system_ns

    def clear(self) -> None:
        """Start anew: ``0`` was written to cpuacct.usage."""
        self.user_ns = [0] * len(self.user_ns)
        self.system_ns = [0] * len(self.system_ns)

    @property
    def user(self) -> int:
        """The user's time."""
        return sum(self.user_ns)

    @property
    def system(self) -> int:
        """The system's time."""
        return sum(self.system_ns)

    @property
    def total(self) -> int:
        """Both."""
        return self.user + self.system

    def by_cpu(self) -> list[int]:
        """Return both, by processor."""
        return [user + system for user, system in zip(self.user_ns, self.system_ns, strict=True)]
