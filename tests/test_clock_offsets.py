"""What may be written into timens_offsets, as Linux 6.18 took and refused it."""

import pytest

from minidocker.clock_offsets import parse


@pytest.mark.parametrize(
    ("data", "rows", "taken"),
    [
        (b"monotonic 5 0", [("monotonic", 5, 0)], 13),
        (b" 1\t-5  9  more", [("monotonic", -5, 9)], 14),
        (b"7 2 3\n1 4 5\n", [("boottime", 2, 3), ("monotonic", 4, 5)], 12),
        (b"1 1 0\n7 2 0\n1 3 0", [("monotonic", 1, 0), ("boottime", 2, 0)], 12),
        (b"monotonic5 0", [("monotonic", 5, 0)], 12),
        (b"monotonic 5 9x", [("monotonic", 5, 9)], 14),
        (b"1 4 0\0junk", [("monotonic", 4, 0)], 10),
        (b"1 5 0 \xff", [("monotonic", 5, 0)], 7),
    ],
)
def test_taken(data, rows, taken):
    assert parse(data) == (rows, taken)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"1 5",
        b"realtime 1 1",
        b"1 +5 0",
        b"1 1_0 0",
        b"1 5 -0",
        b"1 5 1000000000",
        b"boottime5 0",
        b"1 5 0\n\n",
    ],
)
def test_refused(data):
    with pytest.raises(ValueError, match=r"belongs|clock"):
        parse(data)
