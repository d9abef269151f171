"""System calls as strace(1) prints them: ``open("/keep", O_RDONLY)``, ``-1 EXDEV (Invalid cross-device link)``.

Only what is the same on both kernels is printed: of a stat no inode number and no time, of a directory no size and no
link count; a listing is sorted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from minidocker import linux
from minidocker.kernel import Stat

_SHOWN: Final = 32
"""How many bytes of data are shown; strace's default."""

_OPEN: Final = [
    (name, getattr(linux, name))
    for name in (
        "O_CREAT", "O_EXCL", "O_NOCTTY", "O_TRUNC", "O_APPEND", "O_NONBLOCK", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC",
        "O_PATH",
    )
]  # fmt: skip
_ACCESS: Final = {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR", 3: "O_ACCMODE"}
_MOUNT: Final = [(name, value) for name, value in vars(linux).items() if name.startswith("MS_")]
_UMOUNT: Final = [("MNT_FORCE", 1), ("MNT_DETACH", 2), ("MNT_EXPIRE", 4), ("UMOUNT_NOFOLLOW", 8)]
_WAIT: Final = [("WNOHANG", linux.WNOHANG), ("WUNTRACED", linux.WUNTRACED)]
_CLONE: Final = [(name, value) for name, value in vars(linux).items() if name.startswith("CLONE_")]
_KINDS: Final = {
    linux.S_IFREG: "S_IFREG", linux.S_IFDIR: "S_IFDIR", linux.S_IFLNK: "S_IFLNK", linux.S_IFCHR: "S_IFCHR",
    linux.S_IFBLK: "S_IFBLK", linux.S_IFIFO: "S_IFIFO", linux.S_IFSOCK: "S_IFSOCK",
}  # fmt: skip
_SIGNALS: Final = {number: f"SIG{name}" for name, number in linux.SIGNALS.items()}

#: Calls whose result is a number that differs between kernels.
LOCAL: Final = frozenset({"clone", "wait4", "getpid", "getppid", "time_ns"})


def text(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any = None) -> str:
    """Return the call as strace prints it; ``result`` fills in what the kernel wrote into the arguments."""
    words = _words(name, list(args), kwargs)
    if name == "read":
        words.insert(1, quote(result) if isinstance(result, bytes) else "…")
    elif name in ("stat", "lstat", "fstat"):
        words.append(_stat(result) if isinstance(result, Stat) else "…")
    return f"{name}({', '.join(words)})"


def result(name: str, value: Any, error: OSError | None = None) -> str:
    """Return the result as strace prints it: a number, what was found, or ``-1 ENOENT (No such file or directory)``."""
    if error is not None:
        return f"-1 {linux.errno_name(error.errno)} ({linux.strerror(error.errno)})"
    if name == "read" and isinstance(value, bytes):
        return str(len(value))
    if name == "wait4" and isinstance(value, tuple):
        return f"{value[0]}, {_status(value[1])}" if value[0] else "0"
    if isinstance(value, bytes | str):
        return quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(quote(item) if isinstance(item, str) else str(item) for item in sorted(value)) + "]"
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else "0"


def quote(value: str | bytes, shown: int = _SHOWN) -> str:
    """Return a string as C writes it, cut after so many bytes."""
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    shown = len(data) if isinstance(value, str) else shown
    body = data[:shown].decode("utf-8", "backslashreplace")
    escaped = (
        body.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    escaped = "".join(c if c.isprintable() else f"\\{ord(c):o}" for c in escaped)
    return f'"{escaped}"' + ("..." if len(data) > shown else "")


def flags(value: int, names: Sequence[tuple[str, int]]) -> str:
    """Return a flag word as its names joined by ``|``, with what has no name in hexadecimal."""
    found = [name for name, bit in names if value & bit == bit]
    rest = value & ~sum({bit for name, bit in names if name in found})
    return "|".join(found + ([hex(rest)] if rest or not found else [])) if value else "0"


def _words(name: str, args: list[Any], kwargs: Mapping[str, Any]) -> list[str]:
    if name == "open":
        return _open_words(*args)
    if name == "clone":
        bits = kwargs.get("flags", 0) | linux.SIGCHLD
        return [_function(args[0]), flags(bits, [*_CLONE, ("SIGCHLD", linux.SIGCHLD)])]
    if name == "execve":
        return [_word(arg) for arg in args[:2]]
    shapes = _SHAPES.get(name)
    if shapes is None:
        return [_word(arg) for arg in args]
    return [shape(arg) for shape, arg in zip(shapes, args, strict=False)]


def _function(main: Any) -> str:
    """Return the name of what a clone starts: a function, or ``module:name`` where it is another process's."""
    return getattr(main, "__name__", str(main)).rsplit(":", 1)[-1].lstrip("_")


def _open_words(path: str, bits: int, mode: int = 0) -> list[str]:
    more = flags(bits & ~linux.O_ACCMODE, _OPEN) if bits & ~linux.O_ACCMODE else ""
    access = _ACCESS[bits & linux.O_ACCMODE]
    return [quote(path), f"{access}|{more}" if more else access, *([_octal(mode)] if bits & linux.O_CREAT else [])]


def _word(arg: Any) -> str:
    if isinstance(arg, str | bytes):
        return quote(arg)
    if isinstance(arg, list):
        return "[" + ", ".join(_word(item) for item in arg) + "]"
    return str(arg)


def _times(times: Sequence[int]) -> str:
    return "[" + ", ".join(f"{ns // 10**9}.{ns % 10**9:09d}" for ns in times) + "]"


def _octal(mode: int) -> str:
    return f"0{mode:o}" if mode else "0"


def _mode(mode: int) -> str:
    kind = _KINDS.get(mode & linux.S_IFMT)
    return f"{kind}|{_octal(mode & 0o7777)}" if kind else _octal(mode)


def _handler(handler: Any) -> str:
    return (
        {linux.SIG_DFL: "SIG_DFL", linux.SIG_IGN: "SIG_IGN"}.get(handler, "handler")
        if isinstance(handler, int)
        else "handler"
    )


def _status(status: int) -> str:
    if signal := status & 0x7F:
        return f"[{{WIFSIGNALED(s) && WTERMSIG(s) == {_SIGNALS.get(signal, signal)}}}]"
    return f"[{{WIFEXITED(s) && WEXITSTATUS(s) == {status >> 8}}}]"


def _stat(stat: Stat) -> str:
    kind = stat.st_mode & linux.S_IFMT
    words = [f"st_mode={_mode(stat.st_mode)}", f"st_uid={stat.st_uid}", f"st_gid={stat.st_gid}"]
    if kind != linux.S_IFDIR:
        words.append(f"st_nlink={stat.st_nlink}")
        words.append(f"st_size={stat.st_size}")
    if kind in (linux.S_IFCHR, linux.S_IFBLK):
        words[-1] = f"st_rdev=makedev({stat.st_rdev >> 8:#x}, {stat.st_rdev & 0xFF:#x})"
    return "{" + ", ".join(words) + "}"


def _signal(number: int) -> str:
    return _SIGNALS.get(number, str(number))


#: How the arguments of a call are written, where a number means more than itself.
_SHAPES: Final[dict[str, tuple[Callable[[Any], str], ...]]] = {
    "mkdir": (quote, _octal),
    "chmod": (quote, _octal),
    "fchmod": (str, _octal),
    "umask": (_octal,),
    "mknod": (quote, _mode, lambda device: f"makedev({device >> 8:#x}, {device & 0xFF:#x})"),
    "mount": (quote, quote, quote, lambda bits: flags(bits, _MOUNT), quote),
    "umount2": (quote, lambda bits: flags(bits, _UMOUNT)),
    "unshare": (lambda bits: flags(bits, _CLONE),),
    "pipe2": (lambda bits: flags(bits, _OPEN),),
    "kill": (str, _signal),
    "signal": (_signal, _handler),
    "wait4": (str, lambda options: flags(options, _WAIT)),
    "utime": (quote, lambda times: "NULL" if times is None else _times(times)),
}
