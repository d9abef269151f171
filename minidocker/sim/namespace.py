"""What all namespaces have in common: a number, an owner, and a life as long as somebody refers to them.

Those who refer are the tasks that are in it, descriptors of its ``/proc/PID/ns`` file, mounts of that file, and
namespaces inside (namespaces(7), "Namespace lifetime"). Its owner is the user namespace in which it was made: there a
capability counts for what it isolates (user_namespaces(7)).
"""

from itertools import count
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minidocker.sim.user_namespace import UserNamespace

#: The inode numbers of the namespaces that a Linux boots with (linux/nsfs.h), by their names in ``/proc/PID/ns``.
FIRST_NUMBERS: Final = {
    "time": 4026531834, "cgroup": 4026531835, "pid": 4026531836, "user": 4026531837, "uts": 4026531838,
    "ipc": 4026531839, "net": 4026531833, "mnt": 4026531841,
}  # fmt: skip
#: The number of the first namespace that is made later.
FIRST_MADE: Final = 4026532192


def numbers() -> "Iterator[int]":
    """Return the numbers for namespaces that a kernel makes."""
    return count(FIRST_MADE)


class Namespace:
    """A namespace. ``id`` is its number: equal numbers in ``/proc/PID/ns`` are the same namespace."""

    __slots__ = ("id", "owner", "references")

    kind: ClassVar[str]
    """Its name in ``/proc/PID/ns``."""

    def __init__(self, number: int, owner: "UserNamespace") -> None:
        """Start with nobody in it. The owner is the user namespace in whose right it was made."""
        self.id = number
        self.owner = owner
        self.references = 0

    @property
    def name(self) -> str:
        """What a link to it says: ``uts:[4026531838]``."""
        return f"{self.kind}:[{self.id}]"

    def get(self) -> None:
        """Count one more who refers to it."""
        self.references += 1

    def put(self) -> None:
        """Count one less; with the last one it ends."""
        self.references -= 1
        if not self.references:
            self.end()

    def end(self) -> None:
        """Let go of what it isolated: nobody can ever come in again."""
