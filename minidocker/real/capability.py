"""Capabilities of this process (capabilities(7)), and what an execve by the lab does to them.

A program of the lab is not executed by the kernel: the task goes on in the same process. So the kernel's part is done
here, as far as a process may do it to itself: what execve takes away is given up.
"""

import ctypes
import os
from collections.abc import Callable
from typing import Final

from minidocker.kernel import Capabilities
from minidocker.linux import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_IS_SET,
    PR_CAPBSET_READ,
    PR_SET_KEEPCAPS,
)
from minidocker.real import syscalls

#: _LINUX_CAPABILITY_VERSION_3: sets of 64 bits, in two halves.
_VERSION: Final = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Half(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def capget(pid: int = 0) -> Capabilities:
    """Return the capability sets of a task, 0 the caller (capget(2))."""
    header, halves = _Header(_VERSION, pid), (_Half * 2)()
    syscalls.check(syscalls.libc.capget(ctypes.byref(header), halves))
    low, high = halves
    return Capabilities(
        effective=low.effective | high.effective << 32,
        permitted=low.permitted | high.permitted << 32,
        inheritable=low.inheritable | high.inheritable << 32,
    )


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set the caller's capability sets (capset(2))."""
    sets = (effective, permitted, inheritable)
    halves = (_Half * 2)(*[_Half(*(mask >> shift & 0xFFFFFFFF for mask in sets)) for shift in (0, 32)])
    syscalls.check(syscalls.libc.capset(ctypes.byref(_Header(_VERSION, 0)), halves))


def after_execve() -> None:
    """Have the ids and sets that a program begins with which has no file capabilities, as no program of the lab has.

    Root's are what is bounding or inheritable, others' what is ambient. What root gave up by capset(2) alone would come
    back to it by a real execve; here it does not: no process can do that to itself.
    """
    uid, euid, suid = os.getresuid()
    if suid != euid:
        os.setresuid(uid, euid, euid)
    now = capget()
    if euid == 0:
        permitted = now.permitted & (_bounding(now.permitted) | now.inheritable)
        wanted = (permitted, permitted)
    elif uid == 0:
        wanted = (_ambient(now.permitted), now.permitted & (_bounding(now.permitted) | now.inheritable))
    else:
        ambient = _ambient(now.permitted)
        wanted = (ambient, ambient)
    if wanted != (now.effective, now.permitted):
        capset(*wanted, now.inheritable)
    syscalls.prctl(PR_SET_KEEPCAPS, 0)


def _bounding(among: int) -> int:
    """Return which of some capabilities the bounding set has."""
    return _those(among, lambda number: syscalls.prctl(PR_CAPBSET_READ, number))


def _ambient(among: int) -> int:
    """Return which of some capabilities are ambient."""
    return _those(among, lambda number: syscalls.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number))


def _those(among: int, holds: Callable[[int], int]) -> int:
    return sum(1 << number for number in range(among.bit_length()) if among >> number & 1 and holds(number))
