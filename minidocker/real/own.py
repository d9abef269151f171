"""The lab's own descriptors, which no program may reach."""

import errno
import os
from typing import Final

#: The lab's own descriptors lie from here on, so that what a program opens gets 3, 4, 5 … as on the simulated kernel.
OWN_FDS: Final = 200


def checked(fd: int) -> int:
    """Return a descriptor; EBADF if it is one of the lab's own."""
    if fd >= OWN_FDS:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return fd
