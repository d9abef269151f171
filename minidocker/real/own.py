"""The lab's own descriptors, which no program may reach."""

import errno
import os
import resource
from typing import Final

#: A helper with so many descriptors can hold a thousand containers, at three pipes each; and what is the lab's own.
_MANY: Final = 4096
_ROOM: Final = 256
#: Better is room for a channel of each task of a thousand containers.
_GOOD_ROOM: Final = 4096
_LIMIT: Final = resource.RLIMIT_NOFILE


def _hard_limit() -> int:
    hard = resource.getrlimit(_LIMIT)[1]
    return _MANY + _GOOD_ROOM if hard == resource.RLIM_INFINITY else hard


#: The lab's own descriptors lie from here on, so that what a program opens gets 3, 4, 5 … as on the simulated kernel.
OWN_FDS: Final = max(200, min(_MANY, _hard_limit() - _ROOM))


def allow_descriptors() -> None:
    """Raise what this process may have at once to what it needs (setrlimit(2)): a user's usual limit is 1,024."""
    soft, hard = resource.getrlimit(_LIMIT)
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(_LIMIT, (max(soft, min(_MANY + _GOOD_ROOM, _hard_limit())), hard))


def checked(fd: int) -> int:
    """Return a descriptor; EBADF if it is one of the lab's own."""
    if fd >= OWN_FDS:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return fd
