"""User namespaces: numbers for users and groups, and the right in which everything else is made (user_namespaces(7)).

The kernel keeps one kind of number, that of the first user namespace (Linux's kuid_t and kgid_t): owners of inodes,
ids of tasks. What a task says or is shown passes through the maps of its own user namespace. A number that a map does
not have is UNMAPPED on the way in (EINVAL), and the overflow id on the way out: nobody.
"""

import errno
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from minidocker.linux import fail
from minidocker.sim.namespace import FIRST_NUMBERS, Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minidocker.sim.credentials import Credentials

#: The first number inside, the kernel's first number, and how many (uid_map, its middle column translated).
Extent: TypeAlias = tuple[int, int, int]

#: The id that no user or group has, here or on Linux (INVALID_UID).
UNMAPPED: Final = 0xFFFFFFFF
#: What is shown in its place (/proc/sys/kernel/overflowuid).
OVERFLOW_ID: Final = 65534
#: How many user namespaces may lie around one.
MAX_LEVEL: Final = 33
_ALL: Final[tuple[Extent, ...]] = ((0, 0, UNMAPPED),)


class UserNamespace(Namespace):
    """One user namespace. ``uid_map`` and ``gid_map`` are empty until they are written, once (``id_map.py``)."""

    __slots__ = ("gid_map", "group", "level", "parent", "parent_could_setfcap", "setgroups", "uid_map", "user")

    kind: ClassVar = "user"

    def __init__(self, number: int, parent: "UserNamespace | None", creds: "Credentials | None" = None) -> None:
        """Lie in the parent, and belong to the user with whose credentials it is made."""
        super().__init__(number, parent or self)
        self.parent = parent
        self.level: int = parent.level + 1 if parent else 0
        self.uid_map: tuple[Extent, ...] = () if parent else _ALL
        self.gid_map: tuple[Extent, ...] = () if parent else _ALL
        self.user = creds.euid if creds else 0
        """Whose it is: to that user, in the parent, it grants all capabilities."""
        self.group = creds.egid if creds else 0
        self.setgroups: bool = parent.setgroups if parent else True
        """May setgroups(2) be called in it? ``/proc/PID/setgroups``."""
        self.parent_could_setfcap = bool(creds and parent and creds.capable(parent, "CAP_SETFCAP"))

    @property
    def is_first(self) -> bool:
        """Is it the one that the kernel boots with?"""
        return self.parent is None

    def around(self) -> "Iterator[UserNamespace]":
        """Yield this namespace, the one that it lies in, and so on to the first."""
        namespace: UserNamespace | None = self
        while namespace:
            yield namespace
            namespace = namespace.parent

    def kuid(self, uid: int) -> int:
        """Return the kernel's number of a user, or UNMAPPED (make_kuid)."""
        return _down(self.uid_map, uid)

    def kgid(self, gid: int) -> int:
        """Return the kernel's number of a group, or UNMAPPED (make_kgid)."""
        return _down(self.gid_map, gid)

    def valid_kuid(self, uid: int) -> int:
        """Return the kernel's number of a user, or EINVAL if it is not mapped."""
        kuid = _down(self.uid_map, uid)
        return kuid if kuid != UNMAPPED else fail(errno.EINVAL)

    def valid_kgid(self, gid: int) -> int:
        """Return the kernel's number of a group, or EINVAL if it is not mapped."""
        kgid = _down(self.gid_map, gid)
        return kgid if kgid != UNMAPPED else fail(errno.EINVAL)

    def has_uid(self, kuid: int) -> bool:
        """Has a user a number in here (kuid_has_mapping)?"""
        return _up(self.uid_map, kuid) != UNMAPPED

    def has_gid(self, kgid: int) -> bool:
        """Has a group a number in here (kgid_has_mapping)?"""
        return _up(self.gid_map, kgid) != UNMAPPED

    def uid(self, kuid: int) -> int:
        """Return a user's number in here, UNMAPPED if it has none (from_kuid)."""
        return _up(self.uid_map, kuid)

    def gid(self, kgid: int) -> int:
        """Return a group's number in here, UNMAPPED if it has none (from_kgid)."""
        return _up(self.gid_map, kgid)

    def shown_uid(self, kuid: int) -> int:
        """Return a user as one in here sees it: 65534 if it has no number (from_kuid_munged)."""
        return _shown(_up(self.uid_map, kuid))

    def shown_gid(self, kgid: int) -> int:
        """Return a group as one in here sees it: 65534 if it has no number (from_kgid_munged)."""
        return _shown(_up(self.gid_map, kgid))


def _down(extents: "tuple[Extent, ...]", number: int) -> int:
    for inside, outside, length in extents:
        if inside <= number < inside + length:
            return number - inside + outside
    return UNMAPPED


def _up(extents: "tuple[Extent, ...]", number: int) -> int:
    for inside, outside, length in extents:
        if outside <= number < outside + length:
            return number - outside + inside
    return UNMAPPED


def _shown(number: int) -> int:
    return OVERFLOW_ID if number == UNMAPPED else number


#: The user namespace that every kernel boots with: all ids, each its own number.
FIRST: Final = UserNamespace(FIRST_NUMBERS["user"], None)
