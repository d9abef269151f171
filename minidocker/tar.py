"""Reading tar archives strictly: Python's tarfile, with Docker's complaints where tarfile would only stop reading."""

import io
import struct
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from minidocker.errors import EngineError, InvalidArchive

#: What tarfile raises on bytes that are no tar archive: its own errors, and what parsing a wild number or name gives.
BROKEN: Final = (
    tarfile.TarError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, EOFError,
    RecursionError, struct.error,
)  # fmt: skip

#: A compressed stream's first bytes, and what it is called. Only gzip is read.
MAGICS: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}

_NANOSECONDS: Final = 1_000_000_000
_TIME_MAX: Final = (1 << 63) - 1


#: A header's fields (tar(5), "POSIX ustar archives"): name, mode, uid, gid, size, mtime, checksum, type, linkname,
#: magic and prefix.
_HEADER: Final = struct.Struct("100s8s8s8s12s12s8s1s100s6s2x80x155s12x")
_ORDINARY: Final = frozenset({tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE})


class Member(tarfile.TarInfo):
    """A tarfile.TarInfo whose ordinary headers are read three times as fast; all others are left to tarfile."""

    __slots__ = ()

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "Member":
        """Return what a header says."""
        try:
            member = cls._ordinary(bytes(buf), encoding, errors)
        except (struct.error, ValueError):
            member = None
        return super().frombuf(buf, encoding, errors) if member is None else member

    @classmethod
    def _ordinary(cls, buf: bytes, encoding: str, errors: str) -> "Member | None":
        name, mode, uid, gid, size, mtime, checksum, kind, linkname, magic, prefix = _HEADER.unpack(buf)
        if kind not in _ORDINARY or magic[:5] != b"ustar" or sum(buf) - sum(checksum) + 8 * 32 != _octal(checksum):
            return None
        member = cls(_text(name, encoding, errors))
        if prefix[0]:
            member.name = f"{_text(prefix, encoding, errors)}/{member.name}"
        if kind == tarfile.DIRTYPE:
            member.name = member.name.rstrip("/")
        member.type = kind
        member.mode, member.uid, member.gid = _octal(mode), _octal(uid), _octal(gid)
        member.size, member.mtime, member.chksum = _octal(size), _octal(mtime), _octal(checksum)
        member.linkname = _text(linkname, encoding, errors)
        return member


def _octal(field: bytes) -> int:
    """Return a number of octal digits; ValueError for what else may stand there, such as base 256 for a large one."""
    return int(field.rstrip(b" \0") or b"0", 8)


def _text(field: bytes, encoding: str, errors: str) -> str:
    return field.partition(b"\0")[0].decode(encoding, errors)


def members(stream: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """Yield what a plain tar archive holds, in order; InvalidArchive if it is corrupt or cut short.

    The stream may be moved between two members. An archive ends with a block of zeros or with the stream; where tarfile
    takes a damaged header for the end, this does not.
    """
    try:
        with tarfile.TarFile(fileobj=stream, tarinfo=Member, encoding="utf-8", errors="surrogateescape") as archive:
            while (member := archive.next()) is not None:
                yield member
            end = archive.offset
    except BROKEN as error:
        raise broken(stream, error) from error
    stream.seek(end)
    block = stream.read(tarfile.BLOCKSIZE)
    if block.strip(b"\0"):
        raise invalid_header() if len(block) == tarfile.BLOCKSIZE else unexpected_end()


def broken(stream: BinaryIO, error: Exception) -> EngineError:
    """Return Go's complaint about a stream that tarfile could not read; an archive of no bytes at all is cut short."""
    size = stream.seek(0, io.SEEK_END)
    cut = size < tarfile.BLOCKSIZE or "unexpected end" in str(error) or isinstance(error, EOFError)
    return unexpected_end() if cut else invalid_header()


def invalid_header() -> EngineError:
    """Return the error for bytes that are no tar header."""
    return InvalidArchive(
        "archive/tar: invalid tar header", hint="This is not a tar archive, or it was damaged on its way here."
    )


def unexpected_end() -> EngineError:
    """Return the error for an archive that stops in the middle."""
    return InvalidArchive(
        "unexpected EOF", hint="The file ends in the middle of the archive: was it copied or downloaded completely?"
    )


def mtime_ns(member: tarfile.TarInfo) -> int:
    """Return when an entry's data was last changed, in whole nanoseconds (a PAX header has more than a float can)."""
    return _time_ns(member.pax_headers.get("mtime"), member.mtime)


def atime_ns(member: tarfile.TarInfo) -> int:
    """Return when an entry was last read: never before it was changed, as Docker sets it."""
    text = member.pax_headers.get("atime")
    changed = mtime_ns(member)
    return changed if text is None else max(changed, _time_ns(text, 0))


def _time_ns(text: str | None, seconds: float) -> int:
    if text is None:
        time = int(seconds) * _NANOSECONDS
    else:
        whole, _, fraction = text.partition(".")
        sign = -1 if whole.startswith("-") else 1
        time = int(whole or "0") * _NANOSECONDS + sign * int(fraction[:9].ljust(9, "0"))
    return time if 0 <= time <= _TIME_MAX else 0


def compression(head: bytes) -> str | None:
    """Return the name of the compression that a stream's first bytes show, or None for a plain one."""
    return next((name for magic, name in MAGICS.items() if head.startswith(magic)), None)
