"""Reading and writing as programs do: whole buffers, few system calls.

Text inside programs is str; bytes that are no UTF-8 survive as surrogates (:func:`to_text`, :func:`to_bytes`).
"""

from contextlib import suppress
from typing import Final

from minidocker.linux import O_RDONLY, strerror
from minidocker.system import System

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2

#: How much one read or write moves at most: what a pipe holds.
BLOCK: Final = 65536


def to_text(data: bytes) -> str:
    """Return bytes as text that :func:`to_bytes` turns back into the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode("utf-8", "surrogateescape")


class WriteError(OSError):
    """The standard output takes no more: a full disk, a closed descriptor. The program says so and ends with 1."""


async def write_all(k: System, fd: int, data: bytes) -> None:
    """Write every byte, however little the kernel takes at a time (a full pipe); WriteError on the standard output."""
    while data:
        try:
            taken = await k.write(fd, data)
        except OSError as error:
            if fd != STDOUT:
                raise
            raise WriteError(error.errno, reason(error)) from error
        data = data[taken:]


async def read_all(k: System, fd: int) -> bytes:
    """Read until the end of the file."""
    parts = []
    while part := await k.read(fd, BLOCK):
        parts.append(part)
    return b"".join(parts)


async def read_file(k: System, path: str) -> bytes:
    """Return a file's whole content; ``-`` is the standard input."""
    if path == "-":
        return await read_all(k, STDIN)
    fd = await k.open(path, O_RDONLY)
    try:
        return await read_all(k, fd)
    finally:
        await k.close(fd)


async def complain(k: System, message: str) -> None:
    """Write one line to the standard error; if that takes none, nobody is told."""
    with suppress(OSError):
        await write_all(k, STDERR, to_bytes(message + "\n"))


def reason(error: OSError) -> str:
    """Return the kernel's reason in Linux's words."""
    return strerror(error.errno)


class Output:
    """The standard output, gathered and written at the end or in blocks of 64 KiB."""

    __slots__ = ("_fd", "_k", "_parts", "_size")

    def __init__(self, k: System, fd: int = STDOUT) -> None:
        """Start empty."""
        self._k = k
        self._fd = fd
        self._parts: list[bytes] = []
        self._size = 0

    async def write(self, data: str | bytes) -> None:
        """Take text, and write out once there is a block of it."""
        part = to_bytes(data) if isinstance(data, str) else data
        self._parts.append(part)
        self._size += len(part)
        if self._size >= BLOCK:
            await self.flush()

    async def line(self, text: str) -> None:
        """Take a line."""
        await self.write(text + "\n")

    async def flush(self) -> None:
        """Write out what is there."""
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        await write_all(self._k, self._fd, data)
