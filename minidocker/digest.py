"""Digests: data named by what it is. ``sha256:`` and the SHA-256 of the bytes, in hexadecimal.

The grammar and the complaints are those of github.com/opencontainers/go-digest, which Docker uses.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO, Final

from minidocker.errors import EngineError, InvalidArchive, InvalidParameter

#: What the name of any digest looks like; which algorithms are known is another question.
_DIGEST: Final = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX: Final = re.compile(r"[0-9a-f]{64}")

CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The SHA-256 of some data. ``str()`` gives ``sha256:…``, ``hex`` the 64 digits, ``short`` the first twelve."""

    hex: str

    @classmethod
    def of(cls, data: bytes) -> "Digest":
        """Return the digest of bytes."""
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def of_stream(cls, stream: BinaryIO) -> "Digest":
        """Return the digest of what is left in a stream, without holding it in memory."""
        state = hashlib.sha256()
        while chunk := stream.read(CHUNK_BYTES):
            state.update(chunk)
        return cls(state.hexdigest())

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Return the digest that a text names; InvalidParameter, in go-digest's words, if it names none."""
        if not _DIGEST.fullmatch(text):
            raise InvalidParameter("invalid checksum digest format", digest=text)
        algorithm, _, digits = text.partition(":")
        if algorithm != "sha256":
            raise InvalidParameter(
                "unsupported digest algorithm", hint="The lab, like most registries, knows sha256 only.", digest=text
            )
        if len(digits) != 64:
            raise InvalidParameter("invalid checksum digest length", digest=text)
        if not _HEX.fullmatch(digits):
            raise InvalidParameter("invalid checksum digest format", digest=text)
        return cls(digits)

    def __str__(self) -> str:
        """Return the digest as documents write it."""
        return f"sha256:{self.hex}"

    @property
    def short(self) -> str:
        """Return the twelve digits that Docker shows people."""
        return self.hex[:12]

    def verify(self, data: bytes, what: str) -> None:
        """Raise InvalidArchive unless the data has this digest. ``what`` names the data, as in "image config"."""
        found = Digest.of(data)
        if found != self:
            raise mismatch(what, self, found)


def mismatch(what: str, expected: Digest, found: Digest) -> EngineError:
    """Return the error for data that is not what its digest says, in the words of Docker's pull."""
    return InvalidArchive(
        f"{what} verification failed for digest {expected}",
        hint=f"The data there has the digest {found}: it was damaged, or changed after it was named.",
        expected=str(expected),
        found=str(found),
    )
