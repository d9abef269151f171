"""What an executable file is: a program of the lab, a script, or something that the kernel itself must run (execve(2))."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import basename
from stat import S_ISREG
from typing import Final

from minidocker import programs
from minidocker.linux import fail
from minidocker.system import Program

#: How much of a file the kernel looks at, and how many scripts may name a script (linux/binfmts.h, fs/exec.c).
BINPRM_BUF_SIZE: Final = 256
MOST_INTERPRETERS: Final = 5
ELF: Final = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class LabProgram:
    """A program of the lab, and the arguments that it gets."""

    main: Program
    argv: list[str]


def examine(path: str, argv: Sequence[str], *, elf_too: bool = False) -> LabProgram | None:
    """Return the lab's program that an execve of path runs, or None if the kernel must judge.

    ``elf_too``: an ELF file also runs the lab's program of its name.
    """
    return _examine(path, list(argv), elf_too, path, 0)


def _examine(path: str, argv: list[str], elf_too: bool, first: str, depth: int) -> LabProgram | None:
    header = _header(path)
    name = programs.program_name(header)
    if name is not None:
        return LabProgram(_load(name, first), argv)
    if header.startswith(b"#!"):
        if depth == MOST_INTERPRETERS:
            fail(errno.ELOOP, first)
        interpreter = _interpreter(header, first)
        return _examine(interpreter[0], [*interpreter, path, *argv[1:]], elf_too, first, depth + 1)
    if elf_too and header.startswith(ELF):
        return LabProgram(_load(_applet(path, argv), first), argv)
    return None


def _header(path: str) -> bytes:
    """Return a file's first bytes; nothing if it may not be read, which execve(2) does not ask for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        return b""
    try:
        if not S_ISREG(os.fstat(fd).st_mode) or not os.access(path, os.X_OK, effective_ids=True):
            fail(errno.EACCES, path)
        return os.read(fd, BINPRM_BUF_SIZE)
    finally:
        os.close(fd)


def _interpreter(header: bytes, path: str) -> list[str]:
    """Return a script's interpreter and its one argument, if there is one."""
    words = os.fsdecode(header[2:].split(b"\n", 1)[0].strip(b" \t")).split(None, 1)
    if not words:
        fail(errno.ENOEXEC, path)
    return words


def _load(name: str, path: str) -> Program:
    """Return a program's main; ENOENT where the lab has none of that name, as for a script without its interpreter."""
    main = programs.load(name)
    if main is None:
        fail(errno.ENOENT, path)
    return main


def _applet(path: str, argv: Sequence[str]) -> str:
    """Return which program a binary of many is asked to be: busybox looks at its own name, and else at its argument."""
    name = basename(path)
    return argv[1] if name == "busybox" and len(argv) > 1 else name
