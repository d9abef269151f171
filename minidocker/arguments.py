"""What can be said in a system call at all: numbers that fit C's types, texts without a NUL, which would end them.

Python's numbers and texts have no such limits, and Linux cannot even be asked what it thinks of 2 to the 80th. So both
kernels refuse it first, alike: EINVAL. And both name alike the paths that an error is about.
"""

import errno
from collections.abc import Mapping, Sequence
from typing import Any, Final

from minidocker.linux import strerror

_INT: Final = (-(1 << 31), (1 << 31) - 1)
_LONG: Final = (-(1 << 63), (1 << 63) - 1)
#: User and group ids; -1 is 4294967295.
_ID: Final = (-1, (1 << 32) - 1)
#: The encoded numbers of devices.
_DEVICE: Final = (0, (1 << 32) - 1)
#: Sets of capabilities.
_MASK: Final = (0, (1 << 64) - 1)
#: Nanoseconds whose seconds fit into time_t.
_TIME: Final = (-(1 << 63) * 1_000_000_000, (1 << 63) * 1_000_000_000 - 1)

#: The calls whose numbers are not all of C's type int.
_RANGES: Final[dict[str, tuple[int, int]]] = (
    dict.fromkeys(("lseek", "read", "truncate", "ftruncate"), _LONG)
    | dict.fromkeys(("chown", "lchown", "fchown", "setuid", "setgid", "seteuid", "setegid", "setgroups"), _ID)
    | dict.fromkeys(("mmap", "munmap", "process_vm_readv", "process_vm_writev", "shmget", "shmdt", "msgrcv"), _LONG)
    | {"mknod": _DEVICE, "utime": _TIME, "capset": _MASK, "prctl": _LONG}
)
#: What passes by unseen: a clone's arguments are its program's, in Python, and access never raises;
#: a policy is looked at by who takes it.
_UNCHECKED: Final = frozenset(("access", "clone", "seccomp"))

#: The calls that are about two paths.
_TWO_PATHS: Final = ("rename", "link", "symlink", "pivot_root")
#: Those that begin with a text that is no path.
_NO_PATHS: Final = ("sethostname",)


def check(name: str, args: Sequence[Any]) -> None:
    """Refuse a call whose arguments Linux cannot be given (EINVAL)."""
    if name in _UNCHECKED:
        return
    least, most = _RANGES.get(name, _INT)
    for value in args:
        if not _fits(value, least, most):
            raise OSError(errno.EINVAL, strerror(errno.EINVAL))


def _fits(value: Any, least: int, most: int) -> bool:
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, int):
        return least <= value <= most
    if isinstance(value, Mapping):
        return all(_fits(text, least, most) for pair in value.items() for text in pair)
    return not isinstance(value, list | tuple) or all(_fits(item, least, most) for item in value)


def name_paths(error: OSError, name: str, args: Sequence[Any]) -> None:
    """Say in an error which path it is about, as os mostly does; of mount(2) it is the target."""
    paths = args[1:2] if name == "mount" else args[:2] if name in _TWO_PATHS else args[:1]
    if name not in _NO_PATHS and error.filename is None and paths and all(isinstance(path, str) for path in paths):
        error.filename = paths[0]
        if len(paths) > 1:
            error.filename2 = paths[1]
