"""Digests: what names data, and what is said of a name or of data that is wrong."""

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.digest import Digest
from minidocker.errors import InvalidArchive, InvalidParameter

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_of_nothing() -> None:
    assert str(Digest.of(b"")) == EMPTY
    assert Digest.of(b"").short == "e3b0c44298fc"


@given(st.binary(max_size=4096))
def test_of_is_sha256_and_parses_back(data: bytes) -> None:
    digest = Digest.of(data)
    assert digest.hex == hashlib.sha256(data).hexdigest()
    assert Digest.parse(str(digest)) == digest == Digest.of_stream(io.BytesIO(data))
    digest.verify(data, "blob")


def test_a_stream_of_many_chunks() -> None:
    data = bytes(range(256)) * 20_000
    assert Digest.of_stream(io.BytesIO(data)) == Digest.of(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid checksum digest format"),
        ("sha256:", "invalid checksum digest format"),
        ("e3b0c44298fc", "invalid checksum digest format"),
        ("sha256:" + "g" * 64, "invalid checksum digest format"),
        ("sha256:" + "A" * 64, "invalid checksum digest format"),
        ("sha256:abcd", "invalid checksum digest length"),
        (EMPTY + "0", "invalid checksum digest length"),
        ("md5:" + "0" * 32, "unsupported digest algorithm"),
        (EMPTY + "\n", "invalid checksum digest format"),
    ],
)
def test_what_is_no_digest(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Digest.parse(text)
    assert caught.value.message == message


def test_wrong_data() -> None:
    with pytest.raises(InvalidArchive, match=f"image config verification failed for digest {EMPTY}") as caught:
        Digest.of(b"").verify(b"x", "image config")
    assert caught.value.data == {"expected": EMPTY, "found": str(Digest.of(b"x"))}
    assert str(Digest.of(b"x")) in caught.value.hint
