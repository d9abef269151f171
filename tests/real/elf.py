"""Tiny programs for this machine's kernel: a list of system calls, made one after the other (x86-64).

The program ends with 0, or with the errno of the first call that fails: its exit code is all that a test needs.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

#: Numbers of system calls (asm/unistd_64.h).
CALLS = {
    "read": 0, "write": 1, "open": 2, "ioctl": 16, "getpid": 39, "ptrace": 101, "mknod": 133, "pivot_root": 155,
    "chroot": 161, "mount": 165, "umount2": 166, "init_module": 175, "unshare": 272, "keyctl": 250, "add_key": 248,
    "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "pidfd_getfd": 438, "bpf": 321, "open_by_handle_at": 304, "pidfd_open": 434, "clone": 56,
    "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "kexec_load": 246, "reboot": 169,
    "open_tree": 428, "fsopen": 430, "settimeofday": 164, "personality": 135, "chdir": 80, "fchdir": 81,
    "swapon": 167, "syslog": 103, "execve": 59,
}  # fmt: skip

_BASE = 0x400000
_HEADERS = 64 + 56
_RESULTS = _BASE + 0x3000
#: mov REG, imm64 and mov REG, [disp32] for rdi, rsi, rdx, r10, r8, r9.
_MOVES = (b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba", b"\x49\xb8", b"\x49\xb9")
_LOADS = (b"\x48\x8b\x3c\x25", b"\x48\x8b\x34\x25", b"\x48\x8b\x14\x25", b"\x4c\x8b\x14\x25", b"\x4c\x8b\x04\x25",
          b"\x4c\x8b\x0c\x25")  # fmt: skip
_EXIT = b"\xb8\xe7\x00\x00\x00\x0f\x05"  # mov eax, exit_group; syscall


@dataclass(frozen=True)
class Result:
    """What an earlier call of the list has returned."""

    index: int


def program(*calls: Sequence[object]) -> bytes:
    """Return an ELF file that makes the calls, ``("open", b"/etc", 0)``: arguments are numbers, bytes, Results."""
    data_at = _BASE + 0x2000
    code, data, jumps = bytearray(), bytearray(), []
    for index, (name, *args) in enumerate(calls):
        for move, load, arg in zip(_MOVES, _LOADS, args, strict=False):
            if isinstance(arg, Result):
                code += load + struct.pack("<i", _RESULTS + 8 * arg.index)
                continue
            value = arg
            if isinstance(arg, bytes):
                value = data_at + len(data)
                data += arg + b"\0"
            code += move + struct.pack("<Q", value & 0xFFFFFFFFFFFFFFFF)
        code += b"\xb8" + struct.pack("<i", CALLS[name]) + b"\x0f\x05"
        code += b"\x48\x89\x04\x25" + struct.pack("<i", _RESULTS + 8 * index)
        code += b"\x48\x3d\x01\xf0\xff\xff\x0f\x83\0\0\0\0"  # cmp rax, -4095; jae fail
        jumps.append(len(code))
    code += b"\x31\xff" + _EXIT  # xor edi, edi
    for jump in jumps:
        code[jump - 4 : jump] = struct.pack("<i", len(code) - jump)
    code += b"\xf7\xd8\x89\xc7" + _EXIT  # neg eax; mov edi, eax
    body = bytes(code).ljust(0x2000 - _HEADERS, b"\0") + bytes(data).ljust(0x2000, b"\0")
    entry = _BASE + _HEADERS
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = _HEADERS + len(body)
    return header + struct.pack("<IIQQQQQQ", 1, 7, 0, _BASE, _BASE, size, size, 0x1000) + body
