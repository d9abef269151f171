"""What ps shows of a task: a lab program runs inside a copy of the helper, and would be shown as python3.

The kernel takes the arguments that ``/proc/PID/cmdline`` shows from the process's memory. Where they lie there may be
said anew (prctl(2), PR_SET_MM_MAP). A kernel without CONFIG_CHECKPOINT_RESTORE refuses: then only the name is set.
"""

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from minidocker.real import syscalls

_PR_SET_NAME: Final = 15
_PR_SET_MM: Final = 35
_PR_SET_MM_MAP: Final = 14

_FIELDS: Final = (
    "start_code", "end_code", "start_data", "end_data", "start_brk", "brk", "start_stack", "arg_start", "arg_end",
    "env_start", "env_end",
)  # fmt: skip

#: Where proc_pid_stat(5) tells each, counted from the field after the name.
_PLACES: Final = {
    "start_code": 23, "end_code": 24, "start_stack": 25, "start_data": 42, "end_data": 43, "start_brk": 44,
    "arg_start": 45, "arg_end": 46, "env_start": 47, "env_end": 48,
}  # fmt: skip


#: Room for the arguments of most programs. A buffer of another length is of a type of its own, which costs a new task
#: 0.2 ms to make.
_USUAL: Final = 1024


class _Map(ctypes.Structure):
    """struct prctl_mm_map (linux/prctl.h)."""

    _fields_ = (
        *[(name, ctypes.c_uint64) for name in _FIELDS],
        ("auxv", ctypes.c_void_p),
        ("auxv_size", ctypes.c_uint32),
        ("exe_fd", ctypes.c_uint32),
    )


class Title:
    """A process's title, and that of its clones: they have its memory."""

    def __init__(self) -> None:
        """Ask where things lie; in a container there may be no /proc to ask."""
        self._map = _Map(exe_fd=0xFFFFFFFF)
        self._name = ctypes.create_string_buffer(16)  # TASK_COMM_LEN
        self._text = ctypes.create_string_buffer(_USUAL)
        with open("/proc/self/stat", "rb") as file:
            values = file.read().rpartition(b") ")[2].split()
        for name, place in _PLACES.items():
            setattr(self._map, name, int(values[place]))

    def set(self, name: str, argv: Sequence[str]) -> None:
        """Have ps show this name and these arguments."""
        self._name.value = os.fsencode(name)[:15]
        syscalls.prctl(_PR_SET_NAME, ctypes.addressof(self._name))
        text = b"".join(os.fsencode(argument) + b"\0" for argument in argv)
        if len(text) > len(self._text):
            self._text = ctypes.create_string_buffer(len(text))
        ctypes.memmove(self._text, text, len(text))  # the kernel reads it there: it must stay
        self._map.arg_start = ctypes.addressof(self._text)
        self._map.arg_end = self._map.arg_start + len(text)
        self._map.brk = syscalls.brk()
        with suppress(OSError):
            syscalls.prctl(_PR_SET_MM, _PR_SET_MM_MAP, ctypes.addressof(self._map), ctypes.sizeof(self._map))
