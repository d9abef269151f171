"""Memory of this process, and of others (mmap(2), process_vm_readv(2))."""

import ctypes
from typing import Final

from minidocker.linux import MAP_ANONYMOUS, MAP_PRIVATE
from minidocker.real.syscalls import check, libc

_PROT_READ_WRITE: Final = 3
_pointer: Final = ctypes.c_void_p

libc.mmap.argtypes = (_pointer, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
libc.mmap.restype = ctypes.c_ssize_t
libc.munmap.argtypes = (_pointer, ctypes.c_size_t)


class _Vector(ctypes.Structure):
    _fields_ = (("base", _pointer), ("length", ctypes.c_size_t))


for _call in (libc.process_vm_readv, libc.process_vm_writev):
    _call.argtypes = (
        ctypes.c_int, ctypes.POINTER(_Vector), ctypes.c_ulong, ctypes.POINTER(_Vector), ctypes.c_ulong, ctypes.c_ulong,
    )  # fmt: skip
    _call.restype = ctypes.c_ssize_t


def mmap(length: int, flags: int = 0) -> int:
    """Map private anonymous memory and return the address (mmap(2))."""
    return check(libc.mmap(None, length, _PROT_READ_WRITE, flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))


def munmap(address: int, length: int) -> None:
    """Give mapped memory back (munmap(2))."""
    check(libc.munmap(address, length))


def process_vm_readv(pid: int, address: int, length: int) -> bytes:
    """Read a task's memory (process_vm_readv(2)): what could be read, up to the end of what is mapped."""
    buffer = ctypes.create_string_buffer(length)
    mine, theirs = _Vector(ctypes.addressof(buffer), length), _Vector(address, length)
    done = check(libc.process_vm_readv(pid, mine, 1, theirs, 1, 0))
    return buffer.raw[:done]


def process_vm_writev(pid: int, address: int, data: bytes) -> int:
    """Write a task's memory (process_vm_writev(2))."""
    buffer = ctypes.create_string_buffer(data, len(data))
    mine, theirs = _Vector(ctypes.addressof(buffer), len(data)), _Vector(address, len(data))
    return check(libc.process_vm_writev(pid, mine, 1, theirs, 1, 0))
