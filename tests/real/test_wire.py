"""What crosses the wire arrives as it was: values, stats, functions, errors."""

import errno
import os
import signal

import pytest

from minidocker.kernel import Inner
from minidocker.real import wire
from minidocker.real.direct import stat_of

pytestmark = pytest.mark.needs("linux")


def through(value):
    return wire.unpack(wire.decode(wire.encode(wire.pack(value))))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        -(2**63),
        2**64,
        1.5,
        "a",
        "\udcff",
        b"\0\xff",
        (),
        (1, "a"),
        [1, [2]],
        {"a": {1: b"x"}},
        [(1,), None],
    ],
)
def test_plain_values(value):
    assert through(value) == value
    assert type(through(value)) is type(value)


def test_a_stat():
    found = stat_of(os.stat("/"))
    assert through({"a": [found]}) == {"a": [found]}


def test_enumerations_become_numbers():
    assert through(signal.SIGTERM) == 15


def test_a_function_arrives_as_its_name():
    name = through(test_a_stat)
    assert (name.__name__, name.__qualname__) == ("test_a_stat", "test_a_stat")
    assert repr(name).endswith(":test_a_stat")


def test_other_things_arrive_as_their_repr():
    assert through([slice(1)]) == ["slice(None, 1, None)"]


def test_errors():
    error = OSError(errno.EXDEV, "Invalid cross-device link", "/a", None, "/b")
    error.add_note("a note")
    got = wire.unpack_error(wire.decode(wire.encode(wire.pack_error(error))))
    assert (type(got), got.errno, got.filename, got.filename2) == (OSError, errno.EXDEV, "/a", "/b")
    assert got.__notes__ == ["a note"]
    missing = wire.unpack_error(wire.pack_error(FileNotFoundError(errno.ENOENT, "No such file or directory")))
    assert (type(missing), missing.filename) == (FileNotFoundError, None)


def test_errors_that_are_no_oserrors():
    assert (
        repr(wire.unpack_error(wire.pack_error(ValueError("embedded null byte")))) == "ValueError('embedded null byte')"
    )

    class Own(Exception):
        pass

    assert repr(wire.unpack_error(wire.pack_error(Own("what", 3)))) == "RuntimeError('Own: what, 3')"


def test_inner_events():
    inner = Inner(name="copy_up", path="/a", size=3, observed=True)
    assert wire.unpack_inner(wire.pack_inner(inner)) == inner


def test_functions_by_reference():
    assert wire.resolve(wire.reference(os.path.join)) is os.path.join
    for none in (lambda: None, 3):
        with pytest.raises(ValueError, match="not a function of a module"):
            wire.reference(none)


def test_frames_in_pieces():
    reader, writer = os.pipe()
    frame = wire.encode("x" * 50_000)
    for start in range(0, len(frame), 10_000):
        os.write(writer, frame[start : start + 10_000])
    assert wire.receive(reader) == "x" * 50_000
    os.write(writer, frame[:3])
    os.close(writer)
    with pytest.raises(wire.Gone):
        wire.receive(reader)
    os.close(reader)
