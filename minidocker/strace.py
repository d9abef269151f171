"""System calls as strace(1) prints them: ``open("/keep", O_RDONLY)``, ``-1 EXDEV (Invalid cross-device link)``.

Only what is the same on both kernels is printed: of a stat no inode number and no time, of a directory no size and no
link count; a listing is sorted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from minidocker import linux
from minidocker.kernel import Stat
from minidocker.netlink import Address, Link, Neighbour, Route

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
_SECCOMP: Final = {
    linux.SECCOMP_SET_MODE_FILTER: "SECCOMP_SET_MODE_FILTER", linux.SECCOMP_GET_ACTION_AVAIL: "SECCOMP_GET_ACTION_AVAIL"
}  # fmt: skip
_WAIT: Final = [("WNOHANG", linux.WNOHANG), ("WUNTRACED", linux.WUNTRACED)]
_CLONE: Final = [(name, value) for name, value in vars(linux).items() if name.startswith("CLONE_")]
_KINDS: Final = {
    linux.S_IFREG: "S_IFREG", linux.S_IFDIR: "S_IFDIR", linux.S_IFLNK: "S_IFLNK", linux.S_IFCHR: "S_IFCHR",
    linux.S_IFBLK: "S_IFBLK", linux.S_IFIFO: "S_IFIFO", linux.S_IFSOCK: "S_IFSOCK",
}  # fmt: skip
_SIGNALS: Final = {number: f"SIG{name}" for name, number in linux.SIGNALS.items()}

#: Calls whose result is a number that differs between kernels.
LOCAL: Final = frozenset({"clone", "wait4", "getpid", "getppid", "time_ns"})

#: Where the characters begin that stand for a byte that is no UTF-8 (PEP 383).
_LONE: Final = "\udc80"

#: Capabilities are named one by one up to so many; more are shown as the mask that /proc/PID/status shows.
_NAMED_MAX: Final = 4


def text(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any = None) -> str:
    """Return the call as strace prints it; ``result`` fills in what the kernel wrote into the arguments."""
    words = _words(name, list(args), kwargs)
    if name == "read":
        words.insert(1, quote(result) if isinstance(result, bytes) else "…")
    elif name in ("stat", "lstat", "fstat"):
        words.append(_stat(result) if isinstance(result, Stat) else "…")
    elif name in ("recvfrom", "msgrcv", "process_vm_readv"):
        words = _received(name, args, result)
    return f"{name}({', '.join(words)})"


def result(name: str, value: Any, error: OSError | None = None) -> str:
    """Return the result as strace prints it: a number, what was found, or ``-1 ENOENT (No such file or directory)``."""
    if error is not None:
        return f"-1 {linux.errno_name(error.errno)} ({linux.strerror(error.errno)})"
    shape = _RESULTS.get(name)
    if shape is not None and value is not None:
        return shape(value)
    if isinstance(value, bytes | str):
        return quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(sorted(map(_item, value))) + "]"
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else "0"


def quote(value: str | bytes, shown: int = _SHOWN) -> str:
    """Return a string as C writes it, cut after so many bytes."""
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    shown = len(data) if isinstance(value, str) else shown
    body = data[:shown].decode("utf-8", "surrogateescape")  # what is no text is shown byte by byte, in octal
    escaped = (
        body.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    escaped = "".join(c if c.isprintable() else f"\\{ord(c) & 0xFF if c >= _LONE else ord(c):o}" for c in escaped)
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
        bits = kwargs.get("flags", 0) | linux.SIGCHLD | (linux.CLONE_INTO_CGROUP if "cgroup" in kwargs else 0)
        return [_function(args[0]), flags(bits, [*_CLONE, ("SIGCHLD", linux.SIGCHLD)])]
    if name == "execve":
        return [_word(arg) for arg in args[:2]]
    if name in _WORDS:
        return _WORDS[name](args, kwargs)
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


def _family(number: int) -> str:
    return {linux.AF_INET: "AF_INET", linux.AF_UNIX: "AF_UNIX"}.get(number, str(number))


def _socket_type(number: int) -> str:
    base = number & ~(linux.SOCK_CLOEXEC | linux.SOCK_NONBLOCK)
    kinds = {linux.SOCK_STREAM: "SOCK_STREAM", linux.SOCK_DGRAM: "SOCK_DGRAM", linux.SOCK_RAW: "SOCK_RAW"}
    return "|".join([kinds.get(base, str(base)), *_accept_flags(number)])


def _accept_flags(number: int) -> list[str]:
    named = (("SOCK_CLOEXEC", linux.SOCK_CLOEXEC), ("SOCK_NONBLOCK", linux.SOCK_NONBLOCK))
    return [name for name, bit in named if number & bit]


def _protocol(number: int) -> str:
    names = {0: "IPPROTO_IP", 1: "IPPROTO_ICMP", 6: "IPPROTO_TCP", 17: "IPPROTO_UDP"}
    return names.get(number, str(number))


def _sockaddr(address: Sequence[Any] | None) -> str:
    if address is None:
        return "NULL"
    return f'{{sa_family=AF_INET, sin_port=htons({address[1]}), sin_addr=inet_addr("{address[0]}")}}'


def _ipc_flags(bits: int) -> str:
    named = [("IPC_CREAT", linux.IPC_CREAT), ("IPC_EXCL", linux.IPC_EXCL)]
    found = [name for name, bit in named if bits & bit]
    return "|".join([*found, _octal(bits & 0o777)])


def _capability_names(mask: int) -> str:
    if mask == linux.ALL_CAPABILITIES:
        return "ALL"
    names = [f"1<<{name}" for name, number in linux.CAPABILITIES.items() if mask >> number & 1]
    return "|".join(names) or "0" if len(names) <= _NAMED_MAX else f"{mask:#018x}"


def _capabilities(effective: int, permitted: int, inheritable: int) -> str:
    sets = {"effective": effective, "permitted": permitted, "inheritable": inheritable}
    return "{" + ", ".join(f"{name}={_capability_names(mask)}" for name, mask in sets.items()) + "}"


def _prctl_words(args: list[Any], _: Mapping[str, Any]) -> list[str]:
    name = _PRCTL.get(args[0], str(args[0]))
    if args[0] in (linux.PR_CAPBSET_READ, linux.PR_CAPBSET_DROP):
        return [name, _capability(args[1])]
    if args[0] == linux.PR_CAP_AMBIENT:
        operation = _AMBIENT.get(args[1], str(args[1]))
        return [name, operation, _capability(args[2]) if args[1] == linux.PR_CAP_AMBIENT_RAISE else str(args[2])]
    return [name, *map(str, args[1:2])]


def _capability(number: int) -> str:
    return next((name for name, each in linux.CAPABILITIES.items() if each == number), str(number))


def _seccomp_words(args: list[Any], _: Mapping[str, Any]) -> list[str]:
    operation, bits, policy = args
    calls = sum(len(rule.get("names", ())) for rule in policy.get("syscalls", ()))
    shown = f"{{{policy.get('defaultAction', '?')}, {calls} calls by name}}"
    return [_SECCOMP.get(operation, str(operation)), str(bits), shown]


def _accept_words(args: list[Any], _: Mapping[str, Any]) -> list[str]:
    return [str(args[0]), "|".join(_accept_flags(args[1] if len(args) > 1 else 0)) or "0"]


def _sendto_words(args: list[Any], _: Mapping[str, Any]) -> list[str]:
    fd, data, *to = args
    return [str(fd), quote(data), str(len(data)), "0", *([_sockaddr(to[0]), "16"] if to and to[0] else ["NULL", "0"])]


def _setsockopt_words(args: list[Any], _: Mapping[str, Any]) -> list[str]:
    fd, level, option, value = args
    named, options = _SOCKET_LEVELS.get(level, (str(level), {}))
    return [str(fd), named, options.get(option, str(option)), f"[{value}]"]


def _mmap_words(args: list[Any], _: Mapping[str, Any]) -> list[str]:
    bits = (args[1] if len(args) > 1 else 0) | linux.MAP_PRIVATE | linux.MAP_ANONYMOUS
    return ["NULL", str(args[0]), "PROT_READ|PROT_WRITE", flags(bits, _MMAP), "-1", "0"]


def _shmat_words(args: list[Any], _: Mapping[str, Any]) -> list[str]:
    return [str(args[0]), "NULL", "SHM_RDONLY" if len(args) > 1 and args[1] & linux.SHM_RDONLY else "0"]


def _msgsnd_words(args: list[Any], _: Mapping[str, Any]) -> list[str]:
    queue, kind, data, *bits = args
    return [str(queue), f"{{{kind}, {quote(data)}}}", str(len(data)), _msg_flags(bits)]


def _msg_flags(bits: Sequence[int]) -> str:
    named = [("IPC_NOWAIT", linux.IPC_NOWAIT), ("MSG_NOERROR", linux.MSG_NOERROR)]
    return flags(bits[0], named) if bits else "0"


def _received(name: str, args: Sequence[Any], result: Any) -> list[str]:
    """Return the words of a call that the kernel fills in: what has come, and from whom."""
    if name == "process_vm_readv":
        return [str(args[0]), hex(args[1]), quote(result) if isinstance(result, bytes) else "…", str(args[2])]
    if name == "msgrcv":
        came = f"{{{result[0]}, {quote(result[1])}}}" if isinstance(result, tuple) else "…"
        return [str(args[0]), came, str(args[1]), str(args[2] if len(args) > 2 else 0), _msg_flags(args[3:])]
    came, sender = (quote(result[0]), _sockaddr(result[1])) if isinstance(result, tuple) else ("…", "NULL")
    return [str(args[0]), came, str(args[1]), "0", sender]


def _netlink_words(args: list[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """Return the words of a change of links: arguments, then what was asked for by name."""
    asked = {key: value for key, value in kwargs.items() if value not in (None, "") and (key, value) != ("mtu", 0)}
    return [*map(_word, args), *(f"{key}={_asked(value)}" for key, value in asked.items())]


def _asked(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else _word(value)


def _item(value: Any) -> str:
    """Return one of a list that a call gave."""
    if isinstance(value, Link):
        return f"{value.name} {'up' if 'UP' in value.flags else 'down'}"
    if isinstance(value, Address):
        return f"{value.address} {value.link}"
    if isinstance(value, Route):
        return f"{value.destination}{f' via {value.gateway}' if value.gateway else ''} dev {value.link}"
    if isinstance(value, Neighbour):
        return f"{value.address} {value.mac} {value.state}"
    return quote(value) if isinstance(value, str) else str(value)


_MMAP: Final = [(name, value) for name, value in vars(linux).items() if name.startswith("MAP_")]
_PRCTL: Final = {
    value: name for name, value in vars(linux).items() if name.startswith("PR_") and name.count("AMBIENT_") == 0
}
_AMBIENT: Final = {
    linux.PR_CAP_AMBIENT_RAISE: "PR_CAP_AMBIENT_RAISE", linux.PR_CAP_AMBIENT_CLEAR_ALL: "PR_CAP_AMBIENT_CLEAR_ALL",
}  # fmt: skip
_HOWS: Final = 3

#: The levels of socket options, and those of each that the port has.
_SOCKET_LEVELS: Final[dict[int, tuple[str, dict[int, str]]]] = {
    linux.SOL_SOCKET: (
        "SOL_SOCKET",
        {linux.SO_REUSEADDR: "SO_REUSEADDR", linux.SO_BROADCAST: "SO_BROADCAST", linux.SO_RCVTIMEO: "SO_RCVTIMEO"},
    ),
    linux.IPPROTO_IP: ("IPPROTO_IP", {linux.IP_TTL: "IP_TTL"}),
}

#: How the result of a call is written, where it means more than itself.
_RESULTS: Final[dict[str, Callable[[Any], str]]] = {
    "read": lambda data: str(len(data)),
    "wait4": lambda ended: f"{ended[0]}, {_status(ended[1])}" if ended[0] else "0",
    "recvfrom": lambda come: str(len(come[0])),
    "msgrcv": lambda come: str(len(come[1])),
    "accept4": lambda come: str(come[0]),
    "getsockname": _sockaddr,
    "getpeername": _sockaddr,
    "mmap": hex,
    "shmat": hex,
    "capget": lambda sets: _capabilities(sets.effective, sets.permitted, sets.inheritable),
}

#: How a call is written whose words are not its arguments one by one.
_WORDS: Final[dict[str, Callable[[list[Any], Mapping[str, Any]], list[str]]]] = {
    "prctl": _prctl_words,
    "capset": lambda args, _: [_capabilities(*args)],
    "seccomp": _seccomp_words,
    "accept4": _accept_words,
    "sendto": _sendto_words,
    "setsockopt": _setsockopt_words,
    "mmap": _mmap_words,
    "shmat": _shmat_words,
    "msgsnd": _msgsnd_words,
    "newlink": _netlink_words,
    "setlink": _netlink_words,
    "newaddr": _netlink_words,
    "newroute": _netlink_words,
    "delroute": _netlink_words,
}

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
    "setns": (str, lambda bits: flags(bits, _CLONE)),
    "socket": (_family, _socket_type, _protocol),
    "bind": (str, _sockaddr),
    "connect": (str, _sockaddr),
    "shutdown": (str, lambda how: ("SHUT_RD", "SHUT_WR", "SHUT_RDWR")[how] if 0 <= how < _HOWS else str(how)),
    "msgget": (hex, _ipc_flags),
    "shmget": (hex, str, _ipc_flags),
    "msgctl": (str, lambda command: "IPC_RMID" if command == linux.IPC_RMID else str(command)),
    "shmctl": (str, lambda command: "IPC_RMID" if command == linux.IPC_RMID else str(command)),
    "shmdt": (hex,),
    "munmap": (hex, str),
    "process_vm_writev": (str, hex, quote),
}
