"""What a task tells the helper: frames that may be anybody's, since a program in its container can reach its end.

A task of the lab is an ordinary process of its user. A program beside it in a container may ptrace(2) it, or take its
descriptors by pidfd_getfd(2), and then say on its channel what it likes. So nothing here is decoded by marshal, which
trusts who wrote: a frame is JSON, with its bytes behind it, and :func:`decode` checks all that the helper relies on.

====================  ==========================================================================
4 bytes, 4 bytes      length of what follows these eight, length of the JSON in it (little-endian)
JSON in ASCII         ``[kind, actor, name, args, kwargs, ok, value]``
blobs                 the bytes and the long or unusual texts of the JSON, in its order
====================  ==========================================================================

Lists, numbers, short ASCII texts and null are themselves. An object has one key: ``{"t": [...]}`` is a tuple,
``{"b": 3}`` the next three bytes of the blobs, ``{"s": 3}`` a text of so many bytes there (UTF-8 and
surrogates), ``{"d": [[key, value], ...]}`` a dictionary.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from minidocker.real import wire

#: No frame is longer: what would be is told shortened, by :class:`Writer`.
MOST_BYTES: Final = 2 << 20
#: How much of a call's values is told, in bytes; what comes after is told by its length.
MOST_TOLD: Final = (1 << 20) + (1 << 16)
MOST_DEEP: Final = 32
#: Entries of all dictionaries together: a dictionary of many chosen numbers takes quadratic time to make.
MOST_ENTRIES: Final = 1024
MOST_VALUES: Final = 1 << 17

HEAD: Final = 8
KINDS: Final = frozenset({"step", "stream", "exec", "clone"})
_EACH: Final = 16
#: strace(1) shows 32 bytes of data.
_EACH_HEAD: Final = 64
_SHORT: Final = 1024
_BIG: Final = 1 << 128
_LONGEST_NAME: Final = 64
_OSERROR_FIELDS: Final = 6


class BadReport(ValueError):
    """Bytes that no task of the lab sends."""


class Report(NamedTuple):
    """One call that a task has made, or is about to make (``exec``), with its values packed."""

    kind: str
    actor: str
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    answer: tuple[bool, Any]
    size: int
    """What it may cost to keep, in bytes."""


class Writer:
    """A report being written: the call first, what came of it when that is known."""

    def __init__(self, actor: str, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Take the call's values as they are now."""
        self._blobs: list[bytes] = []
        self._left = MOST_TOLD
        self._entries = MOST_ENTRIES
        self._call = [
            self._told(actor, 1),
            name,
            [self._told(arg, 1) for arg in args],
            self._told(kwargs, 1) if kwargs else None,
        ]

    def frame(self, kind: str, ok: bool, value: Any) -> bytes:
        """Return the whole frame; ``value`` is a result, or an error packed by :func:`wire.pack_error`."""
        text = _to_json([kind, *self._call, ok, self._told(value, 1)]).encode()
        body = b"".join((text, *self._blobs))
        return len(body).to_bytes(4, "little") + len(text).to_bytes(4, "little") + body

    def _told(self, value: Any, deep: int) -> Any:
        kind = type(value)
        self._left -= _EACH
        if value is None or kind is bool or kind is float:
            return value
        if kind is str:
            return self._text(value)
        if kind is bytes:
            return self._blob("b", value) if len(value) <= self._left else self._head(value)
        if isinstance(value, int):
            return int(value) if -_BIG < value < _BIG else self._briefly(f"a number of {int(value).bit_length()} bits")
        if isinstance(value, dict):
            return self._dictionary(value, deep)
        if not isinstance(value, tuple | list):
            tag, *fields = wire.pack(value)
            if tag == wire.CALLABLE:
                fields = [str(field) for field in fields]
            return {"t": [tag, *[field if type(field) is int else self._told(field, deep + 1) for field in fields]]}
        if deep >= MOST_DEEP or self._left < _EACH * len(value):
            return self._briefly(f"{len(value)} values")
        items = [self._told(item, deep + 1) for item in value]
        return items if isinstance(value, list) else {"t": items}

    def _text(self, text: str) -> Any:
        if text[:1] == "\0":
            return self._briefly(repr(text[:_SHORT]))  # else it would be taken for a tag
        if len(text) <= _SHORT and text.isascii():
            self._left -= len(text)
            return text
        data = text.encode("utf-8", "surrogatepass")
        return self._blob("s", data) if len(data) <= self._left else self._briefly(f"a text of {len(text)}")

    def _dictionary(self, value: Mapping[Any, Any], deep: int) -> Any:
        self._entries -= len(value)
        if deep >= MOST_DEEP - 1 or self._entries < 0 or not all(type(key) in _KEYS for key in value):
            return self._briefly(f"{len(value)} entries")
        return {"d": [[self._told(key, deep + 1), self._told(item, deep + 1)] for key, item in value.items()]}

    def _blob(self, key: str, data: bytes) -> dict[str, int]:
        self._left -= len(data)
        self._blobs.append(data)
        return {key: len(data)}

    def _head(self, data: bytes) -> dict[str, list[Any]]:
        """Tell the first of many bytes, and how many there are: that is what a trace shows of them."""
        return {"t": [wire.HEAD_OF, len(data), self._blob("b", data[:_EACH_HEAD])]}

    @staticmethod
    def _briefly(text: str) -> dict[str, list[str]]:
        return {"t": [wire.REPR, f"<{text}>"]}


def decode(frame: bytes | bytearray) -> Report:
    """Return the report of a whole frame. BadReport, and nothing else, if it is none."""
    try:
        return _reader.report(bytes(frame))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError):
        raise BadReport from None


def length(inbox: bytes | bytearray) -> int:
    """Return how long the frame is that begins here; BadReport if none is so long."""
    body = int.from_bytes(inbox[:4], "little")
    if body > MOST_BYTES:
        raise BadReport
    return HEAD + body


class _Reader:
    """Decodes one frame at a time."""

    def __init__(self) -> None:
        self._scan = json.JSONDecoder(object_hook=self._object).raw_decode
        self._blobs = b""
        self._at = 0
        self._entries = 0

    def report(self, frame: bytes) -> Report:
        """Return a frame's report, or raise whatever comes of a bad one."""
        end = HEAD + int.from_bytes(frame[4:HEAD], "little")
        text = str(frame[HEAD:end], "ascii")
        commas = text.count(",")
        _must(end <= len(frame) == length(frame) and commas <= MOST_VALUES)
        self._blobs, self._at, self._entries = frame, end, MOST_ENTRIES
        try:
            value, after = self._scan(text, 0)
        finally:
            self._blobs = b""
        _must(after == len(text) and self._at == len(frame))
        return _checked(value, len(frame) + 64 * commas)

    def _object(self, found: dict[str, Any]) -> Any:
        ((key, value),) = found.items()
        if key == "t":
            _must(type(value) is list)
            made = tuple(value)
            _check_tag(made)
            return made
        if key == "b":
            return self._next(value)
        if key == "s":
            return self._next(value).decode("utf-8", "surrogatepass")
        _must(key == "d" and type(value) is list)
        self._entries -= len(value)
        _must(self._entries >= 0 and all(type(pair) is list and type(pair[0]) in _KEYS for pair in value))
        return dict(value)

    def _next(self, size: Any) -> bytes:
        _must(type(size) is int and 0 <= size <= len(self._blobs) - self._at)
        self._at += size
        return self._blobs[self._at - size : self._at]


def _checked(value: Any, size: int) -> Report:
    """Return the report if all that the helper and the lab rely on is so."""
    _must(type(value) is list)
    kind, actor, name, args, kwargs, ok, result = value
    _must(type(kind) is type(actor) is type(name) is str and type(ok) is bool and type(args) is list)
    _must(kind in KINDS and len(actor) <= _LONGEST_NAME and len(name) <= _LONGEST_NAME and name.isidentifier())
    if kwargs is None:
        kwargs = {}
    else:
        _must(type(kwargs) is dict and all(type(key) is str for key in kwargs))
    called = tuple(args)
    _check_tag(called)
    _check_depth((called, kwargs, result), MOST_DEEP + 2)
    if not ok:
        _check_error(result)
    return Report(kind, actor, name, called, kwargs, (ok, result), size)


def _check_depth(value: Any, left: int) -> None:
    _must(left > 0)
    for item in (*value, *value.values()) if type(value) is dict else value:
        if item and type(item) in _NESTING:
            _check_depth(item, left - 1)


def _check_tag(value: tuple[Any, ...]) -> None:
    """Refuse a tuple that says it is more than a tuple, and is not what it says."""
    if value and type(value[0]) is str and value[0][:1] == "\0":
        _must(len(value) == wire.TAGGED[value[0]])
        if value[0] in (wire.CALLABLE, wire.REPR):
            _must(all(type(item) is str for item in value))
        if value[0] == wire.HEAD_OF:
            _must(type(value[1]) is int and value[1] >= 0 and type(value[2]) is bytes)


def _check_error(value: Any) -> None:
    """Refuse what is no OSError as :func:`wire.pack_error` has it."""
    _must(type(value) is tuple and len(value) == _OSERROR_FIELDS and value[0] == "OSError")
    _, number, text, path, path2, notes = value
    _must(type(number) in (int, type(None)) and type(text) in (str, type(None)))
    _must(type(path) in _PATHS and type(path2) in _PATHS)
    _must(type(notes) is list and all(type(note) is str for note in notes))


def _must(true: bool) -> None:
    if not true:
        raise BadReport


_KEYS: Final = (str, int, bytes)
_NESTING: Final = frozenset({tuple, list, dict})
_PATHS: Final = (str, bytes, int, type(None))
_to_json: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_reader: Final = _Reader()
