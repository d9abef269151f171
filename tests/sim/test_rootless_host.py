"""A simulated host that an ordinary user runs: containers start, and no limit is silently not set."""

import pytest

from minidocker.hosts import open_host


@pytest.fixture
def host():
    host = open_host("sim", rootless=True)
    yield host
    host.close()


def test_a_container_runs(host):
    assert host.docker("run --rm lab echo here").stdout == "here\n"


def test_limits_are_not_set_silently(host):
    outcome = host.docker("run --rm -m 16m lab true")
    assert outcome.exit_code == 0
    assert "Limitation discarded" in outcome.stderr
