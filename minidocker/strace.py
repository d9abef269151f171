"""System calls as strace(1) prints them: ``open("/keep", O_WRONLY|O_APPEND)`` and ``-1 EXDEV (Invalid cross-device link)``.

Only what is the same on both kernels is printed: of a stat no inode number and no time, of a directory no size and no
link count; a listing is sorted.
"""

from collections.abc import Mapping, Sequence
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
_CLONE: Final = [(name, value) for name, value in vars(linux).items() if name.startswith("CLONE_")]
_KINDS: Final = {
    linux.S_IFREG: "S_IFREG", linux.S_IFDIR: "S_IFDIR", linux.S_IFLNK: "S_IFLNK", linux.S_IFCHR: "S_IFCHR",
    linux.S_IFBLK: "S_IFBLK", linux.S_IFIFO: "S_IFIFO", linux.S_IFSOCK: "S_IFSOCK",
}  # fmt: skip
_SIGNALS: Final = {number: f"SIG{name}" for name, number in linux.SIGNALS.items()}

#: Calls whose result is a number that differs between kernels.
LOCAL: Final = frozenset({"clone", "wait4", "getpid", "getppid", "time_ns"})


def text(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any = None) -> str:
    """Return the call as strace prints it, without its result. ``result`` fills what the kernel wrote into the arguments."""
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
    escaped = body.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    escaped = "".join(c if c.isprintable() else f"\\{ord(c):o}" for c in escaped)
    return f'"{escaped}"' + ("..." if len(data) > shown else "")


def flags(value: int, names: Sequence[tuple[str, int]]) -> str:
    """Return a flag word as its names joined by ``|``, with what has no name in hexadecimal."""
    found = [name for name, bit in names if value & bit == bit]
    rest = value & ~sum({bit for name, bit in names if name in found})
    return "|".join(found + ([hex(rest)] if rest or not found else [])) if value else "0"


def _words(name: str, args: list[Any], kwargs: Mapping[str, Any]) -> list[str]:
    match name, args:
        case "open", [path, bits, mode]:
            access = "|".join([_ACCESS[bits & 3], *([flags(bits & ~3, _OPEN)] if bits & ~3 else [])])
            return [quote(path), access, *([_octal(mode)] if bits & linux.O_CREAT else [])]
        case "mkdir" | "chmod", [path, mode]:
            return [quote(path), _octal(mode)]
        case "mknod", [path, mode, device]:
            return [quote(path), _mode(mode), f"makedev({device >> 8:#x}, {device & 0xFF:#x})"]
        case "fchmod", [fd, mode]:
            return [str(fd), _octal(mode)]
        case "umask", [mask]:
            return [_octal(mask)]
        case "mount", [source, target, fstype, bits, data]:
            return [quote(source), quote(target), quote(fstype), flags(bits, _MOUNT), quote(data)]
        case "umount2", [target, bits]:
            return [quote(target), flags(bits, _UMOUNT)]
        case "unshare", [bits]:
            return [flags(bits, _CLONE)]
        case "clone", [main, *_]:
            bits = kwargs.get("flags", 0)
            return [getattr(main, "__name__", str(main)), flags(bits | linux.SIGCHLD, [*_CLONE, ("SIGCHLD", 17)])]
        case "execve", [path, argv, _]:
            return [quote(path), "[" + ", ".join(quote(word) for word in argv) + "]"]
        case "kill", [pid, signal]:
            return [str(pid), _SIGNALS.get(signal, str(signal))]
        case "signal", [signal, handler]:
            return [_SIGNALS.get(signal, str(signal)), _handler(handler)]
        case "pipe2", [bits]:
            return [flags(bits, _OPEN)]
        case "wait4", [pid, options]:
            return [str(pid), flags(options, [("WNOHANG", 1), ("WUNTRACED", 2)])]
        case "utime", [path, times, _]:
            return [quote(path), "NULL" if times is None else _times(times)]
    return [_word(arg) for arg in args]


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
    return {linux.SIG_DFL: "SIG_DFL", linux.SIG_IGN: "SIG_IGN"}.get(handler, "handler") if isinstance(handler, int) else "handler"


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
