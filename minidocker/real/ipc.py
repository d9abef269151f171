"""System V message queues and shared memory of this machine (sysvipc(7))."""

import ctypes
from typing import Final

from minidocker.real.syscalls import check, libc

_pointer: Final = ctypes.c_void_p
_LONG: Final = ctypes.sizeof(ctypes.c_long)

libc.msgget.argtypes = (ctypes.c_int, ctypes.c_int)
libc.msgsnd.argtypes = (ctypes.c_int, _pointer, ctypes.c_size_t, ctypes.c_int)
libc.msgrcv.argtypes = (ctypes.c_int, _pointer, ctypes.c_size_t, ctypes.c_long, ctypes.c_int)
libc.msgrcv.restype = ctypes.c_ssize_t
libc.msgctl.argtypes = (ctypes.c_int, ctypes.c_int, _pointer)
libc.shmget.argtypes = (ctypes.c_int, ctypes.c_size_t, ctypes.c_int)
libc.shmat.argtypes = (ctypes.c_int, _pointer, ctypes.c_int)
libc.shmat.restype = ctypes.c_ssize_t
libc.shmdt.argtypes = (_pointer,)
libc.shmctl.argtypes = (ctypes.c_int, ctypes.c_int, _pointer)


def msgget(key: int, flags: int = 0o600) -> int:
    """Return the message queue of a key (msgget(2))."""
    return check(libc.msgget(key, flags))


def msgsnd(msqid: int, mtype: int, data: bytes, flags: int = 0) -> None:
    """Append a message to a queue (msgsnd(2))."""
    message = ctypes.create_string_buffer(mtype.to_bytes(_LONG, "little", signed=True) + data)
    check(libc.msgsnd(msqid, message, len(data), flags))


def msgrcv(msqid: int, size: int, mtype: int = 0, flags: int = 0) -> tuple[int, bytes]:
    """Take a message, its type and its bytes, off a queue (msgrcv(2))."""
    message = ctypes.create_string_buffer(_LONG + max(0, size))
    length = check(libc.msgrcv(msqid, message, size & (1 << 64) - 1, mtype, flags))
    kind = int.from_bytes(message.raw[:_LONG], "little", signed=True)
    return kind, message.raw[_LONG : _LONG + length]


def msgctl(msqid: int, command: int) -> None:
    """Remove a queue (msgctl(2))."""
    check(libc.msgctl(msqid, command, None))


def shmget(key: int, size: int, flags: int = 0o600) -> int:
    """Return the shared memory segment of a key (shmget(2))."""
    return check(libc.shmget(key, size & (1 << 64) - 1, flags))


def shmat(shmid: int, flags: int = 0) -> int:
    """Attach a segment and return the address (shmat(2))."""
    return check(libc.shmat(shmid, None, flags))


def shmdt(address: int) -> None:
    """Detach a segment (shmdt(2))."""
    check(libc.shmdt(address))


def shmctl(shmid: int, command: int) -> None:
    """Remove a segment once nobody has it attached (shmctl(2))."""
    check(libc.shmctl(shmid, command, None))
