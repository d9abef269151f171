"""The numbers' harness: medians, ratios, turns and the table."""

import sys

import pytest

from bench import __main__ as bench
from bench.measure import MissingRightError, Row, alternate, repeat, row, table, within, within_bytes


def test_a_row_tells_medians_and_their_ratio():
    line = row("a", [3.0, 1.0, 2.0], "b", [4.0, 4.0, 1.0], at_most=1)
    assert (line.median, line.peer_median, line.ratio, line.holds) == (2.0, 4.0, 0.5, True)


@pytest.mark.parametrize(("at_most", "holds"), [(2, True), (1.9, False), (None, None)])
def test_a_ratio_holds_up_to_its_limit(at_most, holds):
    assert row("a", [2.0], "b", [1.0], at_most=at_most).holds is holds


@pytest.mark.parametrize(("at_most_s", "holds"), [(0.02, True), (0.019, False), (None, None)])
def test_a_time_holds_up_to_its_limit(at_most_s, holds):
    assert within("a", [0.02], at_most_s=at_most_s).holds is holds


def test_calls_are_timed_in_turn_after_those_that_warm_up():
    order = []
    samples = alternate(lambda: order.append("a"), lambda: order.append("b"), times=2, warm=1)
    assert order == ["a", "b"] * 3
    assert [len(times) for times in samples] == [2, 2]


def test_warm_calls_do_not_count():
    calls = []
    assert len(repeat(lambda: calls.append(None), 3, warm=2)) == 3
    assert len(calls) == 5


def test_the_table_has_units_and_verdicts():
    text = table([row("a", [0.0015], "b", [3.0], at_most=0.0001), within("c", [2e-6, 2e-6], at_most_s=1.0)])
    assert "| a | 1.5 ms | 1.5 ms – 1.5 ms | 1 | b | 3 s | 0.00× | ≤ 0.0001× | **no** |" in text
    assert "| c | 2 µs | 2 µs – 2 µs | 2 |  |  |  | ≤ 1 s | yes |" in text


def test_sizes_have_their_units():
    text = table([within_bytes("a", [5_900_000.0], at_most=6e6), within_bytes("b", [-1500.0, -1500.0])])
    assert "| a | 5.9 MB | 5.9 MB – 5.9 MB | 1 |  |  |  | ≤ 6 MB | yes |" in text
    assert "| b | -1.5 kB | -1.5 kB – -1.5 kB | 2 |" in text


class Subject:
    """A module of bench/, as main sees one."""

    def __init__(self, *found: Row, missing: str = "") -> None:
        self.found, self.missing = found, missing

    def rows(self) -> list[Row]:
        if self.missing:
            raise MissingRightError(self.missing)
        return list(self.found)


def test_a_number_that_does_not_hold_is_the_exit_code(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "bench.slow_subject", Subject(within("slow", [2.0], at_most_s=1.0)))
    monkeypatch.setitem(sys.modules, "bench.fast_subject", Subject(within("fast", [0.5], at_most_s=1.0)))
    assert bench.main(["fast_subject"]) == 0
    assert bench.main(["fast_subject", "slow_subject"]) == 1
    assert "| slow | 2 s |" in capsys.readouterr().out


def test_a_missing_right_is_named_and_is_no_number(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "bench.far_subject", Subject(missing="root"))
    assert bench.main(["far_subject"]) == 0
    assert "far_subject: not measured here: root" in capsys.readouterr().out
