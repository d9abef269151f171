"""The byte that says whether calls are reported: written by the helper alone, read by all tasks before each call."""

import ctypes
import fcntl
import os
from mmap import MADV_DONTFORK, MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE
from typing import Final, TypeAlias

from minidocker.real.syscalls import check, libc

Page: TypeAlias = "ctypes.Array[ctypes.c_ubyte]"

#: fcntl(2), F_SEAL_FUTURE_WRITE: what is mapped stays writable, nothing becomes so.
_F_SEAL_FUTURE_WRITE: Final = 0x10
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | _F_SEAL_FUTURE_WRITE

libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
libc.mmap.restype = ctypes.c_ssize_t
libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def shared_page() -> tuple[Page, Page]:
    """Return a page that this process alone can write, and the same page for its children, who can only read it.

    The first is not inherited (madvise(2), MADV_DONTFORK). And since the file is then sealed against new writers, not
    even a program that traces a task by ptrace(2) can make the second writable. (Python's mmap would keep descriptors.)
    """
    fd = os.memfd_create("tracing", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, PAGESIZE)
        ours = _map(fd, PROT_READ | PROT_WRITE)
        check(libc.madvise(ctypes.addressof(ours), PAGESIZE, MADV_DONTFORK))
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        return ours, _map(fd, PROT_READ)
    finally:
        os.close(fd)


def _map(fd: int, protection: int) -> Page:
    """Return a page of a file, mapped as long as this process lives (mmap(2))."""
    address = check(libc.mmap(None, PAGESIZE, protection, MAP_SHARED, fd, 0))
    return (ctypes.c_ubyte * PAGESIZE).from_address(address)
