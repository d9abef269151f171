"""Ctrl-C while the lab waits for a program: what happens meanwhile is neither lost nor done twice."""

import os
import signal
import threading
import time

import pytest

from minidocker.hosts import open_host
from tests.conformance.docker_host import remove_all, said

pytestmark = [pytest.mark.needs("root"), pytest.mark.real]


@pytest.fixture(scope="module")
def shared_host():
    host = open_host("real")
    yield host
    host.close()


@pytest.fixture
def host(shared_host):
    yield shared_host
    remove_all(shared_host)
    assert shared_host.kernel.listener_error is None


def interrupted_wait(host):
    """Wait for a container that goes on, until somebody presses Ctrl-C."""
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        host.engine.pump(10)
    timer.join()


def test_its_output_is_taken_later(host):
    said(host, "run -d --name late lab sh -c 'sleep 0.3; echo hello'")
    interrupted_wait(host)
    time.sleep(0.6)
    assert said(host, "wait late") == "0\n"
    assert said(host, "logs late") == "hello\n"


@pytest.mark.parametrize("line", ["kill late", "rm -f late", "stop late", "inspect late", "logs late", "ps -a"])
def test_who_ends_meanwhile_can_still_be_asked_for(host, line):
    said(host, "run -d --name late lab sleep 0.2")
    interrupted_wait(host)
    time.sleep(0.4)
    said(host, line)
    if line != "rm -f late":
        assert said(host, "wait late") in ("0\n", "137\n")


def test_what_comes_next_says_what_it_always_says(host):
    said(host, "run -d --name other lab sleep 1000")
    interrupted_wait(host)
    outcome = host.docker("run --rm lab nosuch")
    assert outcome.exit_code == 127
    assert "executable file not found" in outcome.stderr
    assert said(host, "run --rm lab echo well") == "well\n"
