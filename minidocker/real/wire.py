"""What crosses between the lab and its helper: frames of marshal, four bytes of length before each.

marshal and not JSON: it takes bytes, tuples and lone surrogates (file names that are no UTF-8) as they are, and is five
times as fast. It is safe here because both ends are the same interpreter, and nobody else can reach them: the helper is
not dumpable. What *tasks* tell the helper is another matter: :mod:`minidocker.real.reports`.
"""

import builtins
import errno
import marshal
import os
from importlib import import_module
from typing import Any, Final

from minidocker.kernel import Capabilities, Inner, Stat
from minidocker.netlink import Address, Link, Neighbour, Route

#: The tags of what marshal does not take by itself.
CALLABLE: Final = "\0callable"
REPR: Final = "\0repr"
HEAD_OF: Final = "\0head"

_PLAIN: Final = frozenset({bool, int, float, str, bytes})
#: The values that calls return, by their tags: the class and its fields.
_VALUES: Final = {
    f"\0{kind.__name__.lower()}": (kind, tuple(kind.__dataclass_fields__))
    for kind in (Stat, Capabilities, Link, Address, Route, Neighbour)
}
#: How many items a tuple has that begins with a tag.
TAGGED: Final = {CALLABLE: 3, REPR: 2, HEAD_OF: 3} | {tag: 1 + len(names) for tag, (_, names) in _VALUES.items()}
_TAGS: Final = {kind: tag for tag, (kind, _) in _VALUES.items()}

#: In a step's first place: looking at an upper directory failed, and the second place has the error.
LOOKING_FAILED: Final = "!"


class Gone(ConnectionError):
    """The other end is no more."""


def send(fd: int, value: Any) -> None:
    """Write one frame. BrokenPipeError or ConnectionResetError if nobody is there."""
    write(fd, encode(value))


def write(fd: int, frame: bytes) -> None:
    """Write all of a frame."""
    sent = os.write(fd, frame)
    while sent < len(frame):
        sent += os.write(fd, memoryview(frame)[sent:])


def encode(value: Any) -> bytes:
    """Return a value's frame."""
    body = marshal.dumps(value)
    return len(body).to_bytes(4, "little") + body


def decode(frame: bytes) -> Any:
    """Return the value of a whole frame."""
    return marshal.loads(memoryview(frame)[4:])  # noqa: S302  see above


def receive(fd: int) -> Any:
    """Read one frame, waiting for it. Raise Gone at the end of the stream."""
    head = os.read(fd, 4)
    if len(head) < 4:
        head += _read_exactly(fd, 4 - len(head))
    return marshal.loads(_read_exactly(fd, int.from_bytes(head, "little")))  # noqa: S302  see above


def _read_exactly(fd: int, n: int) -> bytes:
    first = os.read(fd, n)
    if len(first) == n:
        return first
    parts = [first]
    while n := n - len(parts[-1]):
        if not parts[-1]:
            raise Gone
        parts.append(os.read(fd, n))
    return b"".join(parts)


class Name:
    """Stands for a function of another process: it has its names, and cannot be called."""

    def __init__(self, module: str, qualname: str) -> None:
        """Take the names."""
        self.__module__ = module
        self.__qualname__ = qualname
        self.__name__ = qualname.rpartition(".")[2]

    def __repr__(self) -> str:
        """Return ``module:qualname``."""
        return f"{self.__module__}:{self.__qualname__}"


class Head(bytes):
    """The first bytes of many: whoever asks for their number is told that of all of them."""

    _length: int

    def __new__(cls, length: int, head: bytes) -> "Head":
        """Take how many there were, and the first of them."""
        made = super().__new__(cls, head)
        made._length = length
        return made

    def __len__(self) -> int:
        """Return how many there were."""
        return self._length


def pack(value: Any) -> Any:
    """Return a call's argument or result as marshal takes it."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, int):
        return int(value)  # signal.SIGTERM, and other enumerations
    if tag := _TAGS.get(type(value)):
        return (tag, *[getattr(value, name) for name in _VALUES[tag][1]])
    if isinstance(value, tuple | list):
        return type(value)(map(pack, value))
    if isinstance(value, dict):
        return {pack(key): pack(item) for key, item in value.items()}
    if callable(value):
        return (CALLABLE, getattr(value, "__module__", ""), getattr(value, "__qualname__", repr(value)))
    return (REPR, repr(value))


def unpack(value: Any) -> Any:
    """Return what :func:`pack` was given; a function comes back as a :class:`Name`."""
    if isinstance(value, tuple) and value and isinstance(value[0], str) and value[0][:1] == "\0":
        if value[0] in _VALUES:
            kind, names = _VALUES[value[0]]
            return kind(**dict(zip(names, value[1:], strict=True)))
        if value[0] == HEAD_OF:
            return Head(value[1], value[2])
        return Name(*value[1:]) if value[0] == CALLABLE else value[1]
    if isinstance(value, tuple | list):
        return type(value)(map(unpack, value))
    if isinstance(value, dict):
        return {key: unpack(item) for key, item in value.items()}
    return value


def pack_error(error: BaseException) -> tuple[Any, ...]:
    """Return an exception as a value: its class's name, what it was made of, its notes."""
    notes = list(getattr(error, "__notes__", ()))
    if isinstance(error, OSError):
        return ("OSError", error.errno, error.strerror, _path(error.filename), _path(error.filename2), notes)
    return (type(error).__name__, [str(argument) for argument in error.args], notes)


def unpack_error(value: tuple[Any, ...]) -> BaseException:
    """Return the exception: an OSError of the right subclass, a built-in one, or RuntimeError that says what it was."""
    name, *rest, notes = value
    if name == "OSError":
        number, text, path, path2 = rest
        error: BaseException = _os_error(number, text, path, path2)
    else:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError):
            error = kind(*rest[0])
        else:
            error = RuntimeError(f"{name}: {', '.join(rest[0])}")
    for note in notes:
        error.add_note(note)
    return error


def _os_error(number: int | None, text: str | None, path: Any, path2: Any) -> OSError:
    if path is None:
        return OSError(number or errno.EIO, text)
    return OSError(number or errno.EIO, text, path, None, path2)


def _path(path: Any) -> Any:
    return path if path is None or isinstance(path, str | bytes | int) else os.fspath(path)


def pack_inner(inner: Inner) -> tuple[Any, ...]:
    """Return an Inner as a tuple."""
    return (inner.name, inner.path, inner.size, inner.observed, inner.simulated, dict(inner.data))


def unpack_inner(value: tuple[Any, ...]) -> Inner:
    """Return the Inner that :func:`pack_inner` was given."""
    name, path, size, observed, simulated, data = value
    return Inner(name=name, path=path, size=size, observed=observed, simulated=simulated, data=data)


def reference(function: Any) -> str:
    """Return how an importable function is named across processes: ``module:qualname``. ValueError if it is none."""
    module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", "<")
    if not module or "<" in qualname:
        message = f"{function!r} cannot run in another process: not a function of a module"
        raise ValueError(message)
    return f"{module}:{qualname}"


def named(name: str) -> Any:
    """Return, packed, the function that :func:`reference` named."""
    return (CALLABLE, *name.split(":", 1))


def resolve(name: str) -> Any:
    """Return the function that :func:`reference` named, its module imported if need be."""
    module, _, qualname = name.partition(":")
    value: Any = import_module(module)
    for part in qualname.split("."):
        value = getattr(value, part)
    return value
