"""System calls that Python's os lacks, by the kernel's own names: each wrapper calls, checks and raises OSError.

Where glibc has no function the call goes by its number (asm/unistd.h). ``PyDLL`` keeps Python's global lock over a
call: the callers have one thread, and a child made by a raw clone(2) must not find the lock given away.
"""

import ctypes
import os
from typing import Final

from minidocker.linux import CLONE_INTO_CGROUP, CLONE_NEWTIME

__all__ = [
    "brk", "check", "clone", "fsconfig", "fsmount", "fsopen", "getdomainname", "libc", "mount", "move_mount",
    "pivot_root", "prctl", "setdomainname", "sethostname", "setns", "signalfd", "umount2", "unshare",
]  # fmt: skip

libc: Final = ctypes.PyDLL(None, use_errno=True)
_char_p: Final = ctypes.c_char_p

libc.mount.argtypes = (_char_p, _char_p, _char_p, ctypes.c_ulong, _char_p)
libc.umount2.argtypes = (_char_p, ctypes.c_int)
libc.unshare.argtypes = (ctypes.c_int,)
libc.setns.argtypes = (ctypes.c_int, ctypes.c_int)
libc.sethostname.argtypes = (_char_p, ctypes.c_size_t)
libc.setdomainname.argtypes = (_char_p, ctypes.c_size_t)
libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
libc.signalfd.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
libc.sbrk.argtypes = (ctypes.c_long,)
libc.sbrk.restype = ctypes.c_ulong
libc.syscall.restype = ctypes.c_long

#: Numbers that differ by machine: (clone, pivot_root). All calls added since 2019 have one number everywhere.
_NUMBERS: Final = {"x86_64": (56, 155), "aarch64": (220, 41), "riscv64": (220, 41), "ppc64le": (120, 203)}
_CLONE, _PIVOT_ROOT = _NUMBERS.get(os.uname().machine, (-1, -1))
_MOVE_MOUNT: Final = 429
_CLONE3: Final = 435
_FSOPEN: Final = 430
_FSCONFIG: Final = 431
_FSMOUNT: Final = 432

CLONE_PARENT: Final = 0x8000
PR_SET_DUMPABLE: Final = 4
FSOPEN_CLOEXEC: Final = 1
FSMOUNT_CLOEXEC: Final = 1
FSCONFIG_SET_FLAG: Final = 0
FSCONFIG_SET_STRING: Final = 1
FSCONFIG_CMD_CREATE: Final = 6
MOVE_MOUNT_F_EMPTY_PATH: Final = 4
AT_FDCWD: Final = -100
SFD_CLOEXEC: Final = 0o2000000
_SIGCHLD: Final = 17


class _CloneArgs(ctypes.Structure):
    """``struct clone_args`` (linux/sched.h)."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls", "set_tid",
            "set_tid_size", "cgroup",
        )
    )  # fmt: skip


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """Attach a file system, or change what is attached (mount(2))."""
    words = [os.fsencode(word) or None for word in (source, target, fstype, data)]
    check(libc.mount(words[0] or b"none", words[1] or b"", words[2], flags, words[3]), target)


def umount2(target: str, flags: int = 0) -> None:
    """Detach the topmost mount at target (umount2(2))."""
    check(libc.umount2(os.fsencode(target), flags), target)


def pivot_root(new_root: str, put_old: str) -> None:
    """Make new_root the root of the mount namespace, and put the old one at put_old (pivot_root(2))."""
    check(libc.syscall(_PIVOT_ROOT, _char_p(os.fsencode(new_root)), _char_p(os.fsencode(put_old))), new_root, put_old)


def unshare(flags: int) -> None:
    """Move the caller into new namespaces (unshare(2))."""
    check(libc.unshare(flags))


def setns(fd: int, nstype: int = 0) -> None:
    """Join the namespace of an open /proc/PID/ns file, or those of a pidfd (setns(2))."""
    check(libc.setns(fd, nstype))


def sethostname(name: str) -> None:
    """Set the host name of the caller's UTS namespace (sethostname(2))."""
    encoded = os.fsencode(name)
    check(libc.sethostname(encoded, len(encoded)))


def setdomainname(name: str) -> None:
    """Set the NIS domain name of the caller's UTS namespace (setdomainname(2))."""
    encoded = os.fsencode(name)
    check(libc.setdomainname(encoded, len(encoded)))


def getdomainname() -> str:
    """Return the NIS domain name of the caller's UTS namespace (getdomainname(2))."""
    name = ctypes.create_string_buffer(65)
    check(libc.getdomainname(name, len(name)))
    return os.fsdecode(name.value)


def clone(flags: int, cgroup: int | None = None) -> int:
    """Make a child that goes on from here, as fork(2) does, in the namespaces that flags ask for (clone(2)).

    Return 0 in the child, the child's pid in the parent, who gets SIGCHLD when it ends. ``cgroup`` is a descriptor of
    a v2 control group's directory, in which the child begins (clone3's CLONE_INTO_CGROUP).
    """
    if cgroup is not None or flags & CLONE_NEWTIME:  # to clone(2) that flag is a part of the exit signal
        flags |= CLONE_INTO_CGROUP if cgroup is not None else 0
        wanted = _CloneArgs(flags=flags, exit_signal=_SIGCHLD, cgroup=cgroup or 0)
        return check(libc.syscall(_CLONE3, ctypes.byref(wanted), ctypes.c_size_t(ctypes.sizeof(wanted))))
    return check(libc.syscall(_CLONE, ctypes.c_ulong(flags | _SIGCHLD), *[ctypes.c_ulong(0)] * 4))


def prctl(option: int, *values: int) -> int:
    """Change how the kernel treats this process (prctl(2))."""
    return check(libc.prctl(option, *values, *[0] * (4 - len(values))))


def brk() -> int:
    """Return where the heap ends (sbrk(3))."""
    return int(libc.sbrk(0))


def signalfd(fd: int, signals: "frozenset[int] | set[int]", flags: int = SFD_CLOEXEC) -> int:
    """Return a descriptor that is readable while one of the blocked signals waits (signalfd(2)); fd -1: a new one."""
    mask = bytearray(128)
    for number in signals:
        mask[(number - 1) // 8] |= 1 << (number - 1) % 8
    return check(libc.signalfd(fd, (ctypes.c_char * 128).from_buffer(mask), flags))


def fsopen(fstype: str, flags: int = FSOPEN_CLOEXEC) -> int:
    """Begin to describe a file system, and return the descriptor that takes its options (fsopen(2))."""
    return check(libc.syscall(_FSOPEN, _char_p(fstype.encode()), ctypes.c_uint(flags)))


def fsconfig(fd: int, command: int, key: str = "", value: str = "") -> None:
    """Give one option, or create the file system (fsconfig(2))."""
    words = [_char_p(os.fsencode(word)) if word else _char_p(None) for word in (key, value)]
    check(libc.syscall(_FSCONFIG, fd, ctypes.c_uint(command), *words, 0))


def fsmount(fd: int, flags: int = FSMOUNT_CLOEXEC, attributes: int = 0) -> int:
    """Return a descriptor of a mount of the file system, attached nowhere yet (fsmount(2))."""
    return check(libc.syscall(_FSMOUNT, fd, ctypes.c_uint(flags), ctypes.c_uint(attributes)))


def move_mount(fd: int, target: str) -> None:
    """Attach the mount that a descriptor holds (move_mount(2))."""
    to = _char_p(os.fsencode(target))
    empty = ctypes.c_uint(MOVE_MOUNT_F_EMPTY_PATH)
    check(libc.syscall(_MOVE_MOUNT, fd, _char_p(b""), AT_FDCWD, to, empty), target)


def check(result: int, path: str | None = None, path2: str | None = None) -> int:
    """Return a call's result, or raise the OSError that errno tells."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path, None, path2)
    return result
