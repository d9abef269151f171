"""Writing uid_map, gid_map and setgroups (user_namespaces(7), "Defining user and group ID mappings").

Each map is written once, in one write, through ``/proc/PID/uid_map`` of a task in the namespace. Who may write what is
the heart of rootless containers: an ordinary user maps itself, nobody else; more takes the privileges of the user
namespace around.
"""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from minidocker.linux import fail
from minidocker.sim.user_namespace import UNMAPPED

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import Extent, UserNamespace

Kind = Literal["uid", "gid"]

#: How many lines a map may have (UID_GID_MAP_MAX_EXTENTS).
MOST: Final = 340
#: How much may be written at once: less than a page.
PAGE: Final = 4096


def write_map(task: "Task", space: "UserNamespace", kind: Kind, opener: "Credentials", data: bytes) -> None:
    """Set a namespace's map of users or groups.

    EPERM if it is set already, without CAP_SYS_ADMIN in the namespace, from a user namespace that is neither it nor its
    parent, and for ids that one may not map; EINVAL for what is no map. ``opener`` opened the file: its credentials
    count beside the writer's.
    """
    if len(data) >= PAGE:
        fail(errno.EINVAL)
    parent = space.parent
    if parent is None or opener.user not in (space, parent):
        fail(errno.EPERM)
    if getattr(space, f"{kind}_map") or not opener.capable(space, "CAP_SYS_ADMIN"):
        fail(errno.EPERM)
    said = parse(data.decode("ascii", "replace"))
    if not _may_map(task, space, kind, opener, said):
        fail(errno.EPERM)
    extents = tuple((inside, _down(parent, kind, outside, length), length) for inside, outside, length in said)
    if any(outside == UNMAPPED for _, outside, _ in extents):
        fail(errno.EPERM)
    setattr(space, f"{kind}_map", extents)


def parse(text: str) -> "list[Extent]":
    """Read lines of three numbers: the first inside, the first in the parent, how many. EINVAL, as map_write() has it.

    Ranges may not be empty, overlap on either side, or reach beyond the highest number.
    """
    lines = text.removesuffix("\n").split("\n")
    extents = [_parse_line(line) for line in lines]
    if len(extents) > MOST:
        fail(errno.EINVAL)
    for number, (inside, outside, length) in enumerate(extents):
        for other, other_outside, other_length in extents[:number]:
            if inside < other + other_length and other < inside + length:
                fail(errno.EINVAL)
            if outside < other_outside + other_length and other_outside < outside + length:
                fail(errno.EINVAL)
    return extents


def _parse_line(line: str) -> "Extent":
    words = line.split()
    if len(words) != 3 or not all(word.isascii() and word.isdecimal() for word in words):
        fail(errno.EINVAL)
    inside, outside, length = (int(word) & 0xFFFFFFFF for word in words)
    if not length or max(inside, outside) >= UNMAPPED or max(inside, outside) + length > 0xFFFFFFFF:
        fail(errno.EINVAL)
    return inside, outside, length


def _down(parent: "UserNamespace", kind: Kind, outside: int, length: int) -> int:
    """Return the kernel's number for the first of a range of the parent's; UNMAPPED unless it has the whole range."""
    for inside, kernel, size in parent.uid_map if kind == "uid" else parent.gid_map:
        if inside <= outside and outside + length <= inside + size:
            return kernel + outside - inside
    return UNMAPPED


def _may_map(task: "Task", space: "UserNamespace", kind: Kind, opener: "Credentials", said: "list[Extent]") -> bool:
    """Tell whether one may map such ids (new_idmap_permitted).

    Whoever made the namespace may map its own user, and its own group once setgroups is denied. Anything else takes
    CAP_SETUID or CAP_SETGID in the parent, of the writer and of who opened the file.
    """
    parent = space.parent
    assert parent is not None
    if kind == "uid" and not _may_map_root(space, parent, opener, said):
        return False
    if len(said) == 1 and said[0][2] == 1 and space.user == opener.euid:
        outside = said[0][1]
        if kind == "uid" and parent.kuid(outside) == opener.euid:
            return True
        if kind == "gid" and not space.setgroups and parent.kgid(outside) == opener.egid:
            return True
    name = "CAP_SETUID" if kind == "uid" else "CAP_SETGID"
    return task.creds.capable(parent, name) and opener.capable(parent, name)


def _may_map_root(space: "UserNamespace", parent: "UserNamespace", opener: "Credentials", said: "list[Extent]") -> bool:
    """Mapping the parent's root takes CAP_SETFCAP there: who has root's id could leave file capabilities behind."""
    if not any(outside == 0 for _, outside, _ in said):
        return True
    return space.parent_could_setfcap if opener.user is space else opener.capable(parent, "CAP_SETFCAP")


def write_setgroups(space: "UserNamespace", data: bytes) -> None:
    """Set whether setgroups(2) may be called: ``deny`` before gid_map is written (EPERM after), and for good."""
    word = data.decode("ascii", "replace")
    said = next((known for known in ("allow", "deny") if word.startswith(known)), None)
    if len(data) >= 8 or said is None or word[len(said) :].strip():
        fail(errno.EINVAL)
    if said == "allow":
        if not space.setgroups:
            fail(errno.EPERM)
    elif space.gid_map:
        fail(errno.EPERM)
    else:
        space.setgroups = False


def show(space: "UserNamespace", reader: "UserNamespace", kind: Kind) -> str:
    """Return a map as a reader sees it: the middle column in the numbers of its own namespace, or of the parent."""
    around = reader.parent if reader is space and reader.parent else reader
    seen: Callable[[int], int] = around.uid if kind == "uid" else around.gid
    extents = space.uid_map if kind == "uid" else space.gid_map
    return "".join(f"{inside:>10} {seen(outside):>10} {length:>10}\n" for inside, outside, length in extents)
