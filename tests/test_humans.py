import pytest

from minidocker import humans


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "Less than a second"), (1, "1 second"), (5.9, "5 seconds"), (61, "About a minute"), (600, "10 minutes"),
        (3600, "About an hour"), (7200, "2 hours"), (86400 * 3, "3 days"), (86400 * 21, "3 weeks"),
        (86400 * 90, "3 months"),
        (86400 * 365 * 7, "7 years"),
    ],
)  # fmt: skip
def test_durations(seconds, words):
    assert humans.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0B"), (90, "90B"), (1_982_256, "1.98MB"), (65_536, "65.5kB"), (10**9, "1GB")]
)
def test_sizes(count, text):
    assert humans.size(count) == text
