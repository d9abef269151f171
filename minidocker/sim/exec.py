"""execve: which program a file is, and how a task becomes it (execve(2)).

The simulated kernel runs the lab's programs only: a file that says ``#!minidocker NAME`` is the program of that name,
and an ELF file the one that has the name of the file (``/bin/ls`` is ls; busybox is what its first argument says).
"""

import errno
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from minidocker.linux import MS_NOEXEC, S_IFREG, fail, strerror
from minidocker.programs import load, program_name
from minidocker.sim.exec_credentials import commit_exec
from minidocker.sim.path import lookup
from minidocker.sim.permission import MAY_EXEC, require
from minidocker.sim.regular import InodeFile
from minidocker.sim.tasks import SYSTEM, close

if TYPE_CHECKING:
    from minidocker.sim.path import Location
    from minidocker.sim.task import Task
    from minidocker.system import Program

#: How much of a file the kernel looks at (BINPRM_BUF_SIZE), and how many scripts may run one another.
HEADER: Final = 256
MAX_SCRIPTS: Final = 5
#: The longest argument (MAX_ARG_STRLEN), and a quarter of the usual stack for all of them.
MAX_ARGUMENT: Final = 131_072
MAX_ARGUMENTS: Final = 2 << 20

ELF: Final = b"\x7fELF"
#: e_machine in elf(5), by uname's machine; an x86_64 kernel runs i386's too.
MACHINES: Final = {
    "x86_64": (62, 3),
    "aarch64": (183,),
    "i686": (3,),
    "riscv64": (243,),
    "s390x": (22,),
    "ppc64le": (21,),
}
BIG_ENDIAN: Final = frozenset({"s390x"})
#: Shells by other names.
ALIASES: Final = {"dash": "sh", "bash": "sh", "ash": "sh", "[": "test"}


def sys_execve(task: "Task", path: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Become another program (execve(2)): returns only by raising OSError.

    ENOENT, ENOTDIR, ELOOP, EACCES (not a regular file, not executable, noexec), ENOEXEC (no format that is known,
    another machine's), E2BIG; ENOSYS, which Linux doesn't have here, if the lab has no program of that name.
    """
    if task is task.kernel.host:
        fail(errno.EPERM)  # the host's side is no program
    program, arguments, location = _find(task, path, list(argv) or [""], env)
    commit_exec(task, location)
    old = task.coroutine
    task.coroutine = program(SYSTEM, arguments, dict(env))
    if old is not None:
        close(old)
    task.ns.begin_time()
    task.files.close_on_exec()
    task.signals.reset()
    task.name = path.rstrip("/").rpartition("/")[2][:15]
    task.argv, task.environ = arguments, dict(env)
    task.exe = location


def _check_size(argv: list[str], env: Mapping[str, str]) -> None:
    sizes = [len(text.encode("utf-8", "surrogateescape")) for text in [*argv, *(f"{k}={v}" for k, v in env.items())]]
    if max(sizes) >= MAX_ARGUMENT or sum(sizes) + 9 * len(sizes) > MAX_ARGUMENTS:
        fail(errno.E2BIG)


def _find(task: "Task", path: str, argv: list[str], env: Mapping[str, str]) -> "tuple[Program, list[str], Location]":
    """Return the program that a file is, following scripts to their interpreters, and its arguments."""
    try:
        executable(task, path)
        _check_size(argv, env)
        return _identify(task, path, argv)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise
        return fail(error.errno or errno.ENOEXEC, path)


def _identify(task: "Task", path: str, argv: list[str]) -> "tuple[Program, list[str], Location]":
    for _ in range(MAX_SCRIPTS + 1):
        location = executable(task, path)
        header = location.inode.read_at(0, HEADER)
        name = program_name(header)
        if name is not None:
            return load(name) or fail(errno.ENOENT), argv, location
        if header.startswith(b"#!"):
            interpreter, *argument = _interpreter(header)
            argv = [interpreter, *argument, path, *argv[1:]]
            path = interpreter
        elif header.startswith(ELF):
            _require_not_written(task, location)
            _check_machine(task, header)
            name, argv = _elf_name(path, location, argv)
            return _program(name), argv, location
        else:
            _require_not_written(task, location)
            fail(errno.ENOEXEC)
    return fail(errno.ELOOP)


def executable(task: "Task", path: str) -> "Location":
    """Return the place of a file that the task may execute; EACCES for what is no regular file, or noexec."""
    location = lookup(task, path)
    inode = location.inode
    if inode.kind != S_IFREG or location.mount.flags & MS_NOEXEC:
        fail(errno.EACCES)
    require(task.creds, inode, MAY_EXEC)
    return location


def _require_not_written(task: "Task", location: "Location") -> None:
    """Raise ETXTBSY if somebody has the file open for writing. (The lab's own programs are not held to this.)"""
    files = (file for other in task.kernel.tasks() for file in other.files.files.values())
    for file in files:
        if isinstance(file, InodeFile) and file.inode is location.inode and file.may_write:
            fail(errno.ETXTBSY)


def _interpreter(header: bytes) -> list[str]:
    """Read ``#!interpreter [argument]``: the argument is the rest of the line, as one (execve(2))."""
    line = header[2:].split(b"\n", 1)[0].strip(b" \t").decode("utf-8", "surrogateescape")
    return line.split(None, 1) or fail(errno.ENOEXEC)


def _check_machine(task: "Task", header: bytes) -> None:
    """Refuse an ELF file for another machine: ENOEXEC. e_machine stands at byte 18, in the machine's own order."""
    machine = task.kernel.profile.machine
    order: Literal["big", "little"] = "big" if machine in BIG_ENDIAN else "little"
    if int.from_bytes(header[18:20], order) not in MACHINES.get(machine, ()):
        fail(errno.ENOEXEC)


def _elf_name(path: str, location: "Location", argv: list[str]) -> tuple[str, list[str]]:
    """Return which program an ELF file is: by the name it was called, else by the file's own; and its arguments.

    A multi-call binary (busybox) is what argv[0] says, and if that is its own name, what argv[1] says.
    """
    called, own = path.rpartition("/")[2], location.dentry.name
    if "busybox" not in (called, own):
        names = [ALIASES.get(name, name) for name in (called, own)]
        return next((name for name in names if load(name)), names[0]), argv
    applet = argv[0].rpartition("/")[2].removeprefix("-")
    if applet == "busybox" and len(argv) > 1:
        applet, argv = argv[1], argv[1:]
    return ALIASES.get(applet, applet), argv


def _program(name: str) -> "Program":
    program = load(name)
    if program is None:
        message = f"{strerror(errno.ENOSYS)}: the lab has no program named {name!r}"
        raise OSError(errno.ENOSYS, message)
    return program
