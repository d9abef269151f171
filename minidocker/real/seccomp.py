"""seccomp(2) by libseccomp, if this machine has it: a policy becomes a BPF program, which the kernel runs at each call.

The library is loaded by its name and asked for nothing but the program (seccomp_export_bpf(3)); programs are kept,
so that a child finds those that the helper has made.
"""

import ctypes
import errno
import marshal
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from minidocker.linux import SECCOMP_GET_ACTION_AVAIL, SECCOMP_SET_MODE_FILTER, fail
from minidocker.real import syscalls

_ACTIONS: Final = {
    "SCMP_ACT_KILL": 0x00000000, "SCMP_ACT_KILL_THREAD": 0x00000000, "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000, "SCMP_ACT_ERRNO": 0x00050000, "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}  # fmt: skip
_OPERATORS: Final = {
    "SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5, "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}  # fmt: skip
#: What programs of this machine's other, narrower kinds say that they are: x86 and x32, ARM (linux/audit.h).
_TOO: Final = {"x86_64": (0x40000003, 0x4000003E), "aarch64": (0x40000028,)}
_OPTIMIZE: Final = 8  # SCMP_FLTATR_CTL_OPTIMIZE
_BINARY_TREE: Final = 2
_UNKNOWN: Final = -1  # __NR_SCMP_ERROR
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_INSTRUCTION_BYTES: Final = 8


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp (seccomp_rule_add(3))."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _load() -> Any:
    """Return libseccomp, or None if it is not here."""
    try:
        library = ctypes.PyDLL("libseccomp.so.2")
    except OSError:
        return None
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_release.restype = None
    library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Comparison),
    )  # fmt: skip
    library.seccomp_arch_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    return library


_library: Final = _load()
_programs: dict[bytes, bytes] = {}


def available() -> bool:
    """Is libseccomp here?"""
    return _library is not None


def seccomp(operation: int, flags: int, policy: Mapping[str, Any]) -> int:
    """Filter this process's calls from now on; ENOSYS if there is no libseccomp."""
    if not available():
        fail(errno.ENOSYS)
    if operation == SECCOMP_GET_ACTION_AVAIL:
        program(policy)
        return 0
    if operation != SECCOMP_SET_MODE_FILTER or flags:
        fail(errno.EINVAL)
    code = program(policy)
    buffer = ctypes.create_string_buffer(code, len(code))
    described = _Program(len(code) // _INSTRUCTION_BYTES, ctypes.addressof(buffer))
    return syscalls.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(described))


def program(policy: Mapping[str, Any]) -> bytes:
    """Return the BPF program of a policy; EINVAL for an action or operator that does not exist."""
    key = marshal.dumps(dict(policy))
    if key not in _programs:
        _programs[key] = _compile(policy)
    return _programs[key]


def _compile(policy: Mapping[str, Any]) -> bytes:
    context = _library.seccomp_init(_action(policy["defaultAction"], policy.get("defaultErrnoRet")))
    if not context:
        fail(errno.EINVAL)
    try:
        _library.seccomp_attr_set(context, _OPTIMIZE, _BINARY_TREE)  # an older library knows no better than a list
        for arch in _TOO.get(os.uname().machine, ()):
            _library.seccomp_arch_add(context, arch)
        for rule in policy["syscalls"]:
            _add(context, rule)
        return _exported(lambda fd: _library.seccomp_export_bpf(context, fd))
    finally:
        _library.seccomp_release(context)


def _add(context: int, rule: Mapping[str, Any]) -> None:
    """Add a rule for each of its calls that this machine has; what says what the default says anyway is no rule."""
    action = _action(rule["action"], rule.get("errnoRet"))
    comparisons = _comparisons(rule.get("args") or ())
    for name in rule["names"]:
        number = _library.seccomp_syscall_resolve_name(name.encode())
        if number == _UNKNOWN:
            continue
        status = _library.seccomp_rule_add_array(context, action, number, len(comparisons), comparisons)
        if status not in (0, -errno.EEXIST, -errno.EACCES, -errno.EDOM):
            fail(-status)


def _comparisons(conditions: Sequence[Mapping[str, Any]]) -> Any:
    rows = [_Comparison(row["index"], _operator(row["op"]), row["value"], row.get("valueTwo", 0)) for row in conditions]
    return (_Comparison * len(rows))(*rows)


def _action(name: str, number: int | None) -> int:
    if name not in _ACTIONS:
        fail(errno.EINVAL)
    return _ACTIONS[name] | ((errno.EPERM if number is None else number) if name == "SCMP_ACT_ERRNO" else 0)


def _operator(name: str) -> int:
    return _OPERATORS[name] if name in _OPERATORS else fail(errno.EINVAL)


def _exported(export: Callable[[int], int]) -> bytes:
    """Return what is written to a descriptor, by way of a file in memory."""
    fd = os.memfd_create("bpf", os.MFD_CLOEXEC)
    try:
        if status := export(fd):
            fail(-status)
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)
