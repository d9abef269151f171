"""The user namespace that a simulated host's tasks are in: which user and group ids there are (user_namespaces(7)).

There is one: the first, of all ids, or, rootless, one whose root is an ordinary user outside. Inodes keep their owners
as its tasks number them. An owner without a number there is UNMAPPED: stat(2) shows the overflow id, and none of root's
capabilities reaches such a file (Linux's privileged_wrt_inode_uidgid).
"""

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minidocker.sim.profile import IdRange, Profile

#: The id that no user or group has, here or on Linux (INVALID_UID).
UNMAPPED: Final = 0xFFFFFFFF
#: What is shown in its place (/proc/sys/kernel/overflowuid).
OVERFLOW_ID: Final = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class UserNamespace:
    """Which ids there are. ``is_first``: nobody is outside, so capabilities count everywhere."""

    is_first: bool
    uid_map: "tuple[IdRange, ...]"
    gid_map: "tuple[IdRange, ...]"
    setgroups: bool
    """May setgroups(2) be called? Not where a user without newgidmap wrote the map (/proc/PID/setgroups: deny)."""

    def uid(self, number: int) -> int:
        """Return a user id, or EINVAL if it is not mapped."""
        return _mapped(self.uid_map, number)

    def gid(self, number: int) -> int:
        """Return a group id, or EINVAL if it is not mapped."""
        return _mapped(self.gid_map, number)

    @property
    def outer_root(self) -> tuple[int, int]:
        """What the host's own root, uid and gid 0 outside, is in here: to it belongs the host's tree."""
        return _inside(self.uid_map, 0), _inside(self.gid_map, 0)


#: Where a host boots, and where root runs the lab.
FIRST: Final = UserNamespace(is_first=True, uid_map=((0, 0, UNMAPPED),), gid_map=((0, 0, UNMAPPED),), setgroups=True)


def of(profile: "Profile") -> UserNamespace:
    """Return the namespace that a profile asks for."""
    if not profile.rootless:
        return FIRST
    return UserNamespace(is_first=False, uid_map=profile.uid_map, gid_map=profile.gid_map, setgroups=profile.setgroups)


def shown(number: int) -> int:
    """Return an owner as stat(2) shows it (from_kuid_munged)."""
    return OVERFLOW_ID if number == UNMAPPED else number


def _mapped(ranges: "Sequence[IdRange]", number: int) -> int:
    if not any(inside <= number < inside + count for inside, _, count in ranges):
        fail(errno.EINVAL)
    return number


def _inside(ranges: "Sequence[IdRange]", number: int) -> int:
    return next(
        (inside + number - outside for inside, outside, count in ranges if outside <= number < outside + count),
        UNMAPPED,
    )
