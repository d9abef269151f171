"""What an executable file is: a program of the lab, a script, or what the kernel itself must run (execve(2))."""

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename
from stat import S_ISREG
from typing import Final

from minidocker import programs
from minidocker.linux import fail
from minidocker.system import Program

#: How much of a file the kernel looks at (BINPRM_BUF_SIZE), and how many scripts may run one another (fs/exec.c).
HEADER: Final = 256
MAX_SCRIPTS: Final = 5
#: The longest argument (MAX_ARG_STRLEN), and a quarter of the usual stack for all of them.
MAX_ARGUMENT: Final = 131_072
MAX_ARGUMENTS: Final = 2 << 20

ELF: Final = b"\x7fELF"
#: Shells by other names.
ALIASES: Final = {"dash": "sh", "bash": "sh", "ash": "sh", "[": "test"}


@dataclass(frozen=True, slots=True)
class LabProgram:
    """A program of the lab, and the arguments that it gets."""

    main: Program
    argv: list[str]


def examine(path: str, argv: Sequence[str], env: Mapping[str, str], *, elf_too: bool = False) -> LabProgram | None:
    """Return the lab's program that an execve of path runs, or None if the kernel must judge.

    ``elf_too``: an ELF file also runs the lab's program of its name; ENOSYS, which Linux doesn't have here, if there is
    none. Else the errors are execve(2)'s.
    """
    try:
        found = _identify(path, list(argv) or [""], elf_too)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise
        fail(error.errno or errno.ENOEXEC, path)
    if found is not None:
        _check_size(found.argv, env)
    return found


def _identify(path: str, argv: list[str], elf_too: bool) -> LabProgram | None:
    for _ in range(MAX_SCRIPTS + 1):
        header = _header(path)
        name = programs.program_name(header)
        if name is not None:
            return LabProgram(programs.load(name) or fail(errno.ENOENT), argv)
        if header.startswith(ELF) and elf_too and _runs_here(header):
            return _by_name(path, argv)
        if not header.startswith(b"#!"):
            return None
        interpreter = _interpreter(header)
        argv = [*interpreter, path, *argv[1:]]
        path = interpreter[0]
    return fail(errno.ELOOP)


def _header(path: str) -> bytes:
    """Return a file's first bytes; nothing if it may not be read, which execve(2) does not ask for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        return b""
    try:
        if not S_ISREG(os.fstat(fd).st_mode) or not os.access(path, os.X_OK, effective_ids=True):
            fail(errno.EACCES)
        return os.read(fd, HEADER)
    finally:
        os.close(fd)


def _interpreter(header: bytes) -> list[str]:
    """Read ``#!interpreter [argument]``: the argument is the rest of the line, as one (execve(2))."""
    line = header[2:].split(b"\n", 1)[0].strip(b" \t")
    return os.fsdecode(line).split(None, 1) or fail(errno.ENOEXEC)


def _runs_here(header: bytes) -> bool:
    """Is an ELF file for this machine? Its e_machine (byte 18) is compared with that of the interpreter we are."""
    return header[18:20] == _OWN_HEADER[18:20]


def _by_name(path: str, argv: list[str]) -> LabProgram:
    """Return the lab's program for an ELF file: by the name it was called, else by the file's own.

    A multi-call binary (busybox) is what argv[0] says, and if that is its own name, what argv[1] says.
    """
    called, own = basename(path), basename(os.path.realpath(path))
    names = [called, own]
    if "busybox" in names:
        applet = basename(argv[0]).removeprefix("-")
        if applet == "busybox" and len(argv) > 1:
            applet, argv = argv[1], argv[1:]
        names = [applet]
    names = [ALIASES.get(name, name) for name in names]
    for name in names:
        if main := programs.load(name):
            return LabProgram(main, argv)
    message = f"{os.strerror(errno.ENOSYS)}: the lab has no program named {names[0]!r}"
    raise OSError(errno.ENOSYS, message)


def _check_size(argv: list[str], env: Mapping[str, str]) -> None:
    sizes = [len(os.fsencode(text)) for text in [*argv, *(f"{key}={value}" for key, value in env.items())]]
    if max(sizes) >= MAX_ARGUMENT or sum(sizes) + 9 * len(sizes) > MAX_ARGUMENTS:
        fail(errno.E2BIG)


def _read_own_header() -> bytes:
    with open("/proc/self/exe", "rb") as file:
        return file.read(20)


#: Read before any task leaves this root.
_OWN_HEADER: Final = _read_own_header()
