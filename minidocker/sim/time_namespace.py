"""Time namespaces: how far the clocks that count from the start of the machine are ahead (time_namespaces(7)).

The time of day is everybody's. Only CLOCK_MONOTONIC and CLOCK_BOOTTIME can be set apart, so that a container that was
moved to another machine sees them go on. Whoever makes the namespace is not in it: its children are, and it itself
after execve (timens_on_fork). Before anybody is, the offsets can be set; after that never (EACCES).
"""

import errno
from typing import TYPE_CHECKING, ClassVar, Final

from minidocker import clock_offsets
from minidocker.linux import fail
from minidocker.sim.namespace import Namespace

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

_SECOND_NS: Final = 1_000_000_000

#: The most seconds that ktime_t can count (KTIME_SEC_MAX), and the most that may be written at once (a page).
_MOST_S: Final = ((1 << 63) - 1) // _SECOND_NS
_PAGE: Final = 4096


class TimeNamespace(Namespace):
    """Offsets of the clocks, in nanoseconds, by their names."""

    __slots__ = ("frozen", "offsets")
    kind: ClassVar = "time"

    def __init__(self, number: int, owner: "UserNamespace", parent: "TimeNamespace | None" = None) -> None:
        """Begin with the offsets of another, which can be changed; the first one's are 0, and stay so."""
        super().__init__(number, owner)
        self.offsets: dict[str, int] = dict(parent.offsets) if parent else {"monotonic": 0, "boottime": 0}
        self.frozen = parent is None

    def show(self) -> str:
        """Return ``/proc/PID/timens_offsets``: clock, seconds, nanoseconds."""
        rows = [(clock, *divmod(offset, _SECOND_NS)) for clock, offset in self.offsets.items()]
        return "".join(f"{clock:<10} {seconds:>10} {ns:>9}\n" for clock, seconds, ns in rows)


def write_offsets(task: "Task", subject: "Task", opener: "Credentials", data: bytes) -> int:
    """Set offsets in the namespace that the subject's children will be in; return how many bytes were taken.

    EINVAL for what cannot be read (:mod:`minidocker.clock_offsets`), EPERM without CAP_SYS_TIME in the namespace's
    owner, ERANGE for a clock that would be before 0 or beyond 146 years, EACCES once somebody is in the namespace.
    """
    if len(data) >= _PAGE:
        fail(errno.EINVAL)
    try:
        wanted, taken = clock_offsets.parse(data)
    except ValueError:
        fail(errno.EINVAL)
    if not subject.alive:
        fail(errno.ESRCH)
    space = subject.ns.time_for_children
    if not opener.capable(space.owner, "CAP_SYS_TIME"):
        fail(errno.EPERM)
    now_ns = task.kernel.clock.now_ns() - task.kernel.booted_ns
    for _, seconds, ns in wanted:
        if abs(seconds) > _MOST_S or not 0 <= (now_ns + seconds * _SECOND_NS + ns) // _SECOND_NS <= _MOST_S // 2:
            fail(errno.ERANGE)
    if space.frozen:
        fail(errno.EACCES)
    space.offsets.update({clock: seconds * _SECOND_NS + ns for clock, seconds, ns in wanted})
    return taken
