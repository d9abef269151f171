"""Check: ✓, or ✗ and what to look at."""

import pytest

from minidocker.lab import check
from minidocker.lab.run import Run


def test_what_holds(capsys):
    assert check("sums are sums", 1 + 1 == 2, "look at 2")
    assert capsys.readouterr().out == "✓ sums are sums\n"


def test_what_does_not_hold_says_where_to_look(capsys):
    assert not check("it is there", lambda: False, "look into /d")
    assert capsys.readouterr().out == "✗ it is there\n  look into /d\n"


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file"), KeyError("/a"), TypeError("x")])
def test_what_goes_wrong_is_told_not_raised(error, capsys):
    def fail():
        raise error

    found = check("it is there", fail, "Did you make it?")
    assert found.ok is False
    assert type(error).__name__ in capsys.readouterr().out


def test_what_waits_for_an_answer_is_neither(capsys):
    run = Run("ps", None, show=False)
    found = check("it printed", lambda: run.stdout == "")
    assert found.ok is None
    assert not found
    assert capsys.readouterr().out.startswith("… it printed")
