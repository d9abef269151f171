"""A loop that makes no call keeps neither kernel for itself: others run, the host's side too, and signals come."""

import time

import pytest
import rights
from conformance.outcome import finish, start

from minidocker import programs
from minidocker.hosts import open_host
from minidocker.linux import SIGKILL, SIGTERM

LOOPS = ("while true; do true; done", "until false; do :; done", "while :; do continue; done")
LIMIT_S = 20


async def shell(k, script):
    """Be sh."""
    return await programs.load("sh")(k, ["sh", "-c", script], {})


@pytest.mark.parametrize("loop", LOOPS)
def test_poll_returns_after_its_timeout_and_the_loop_can_be_killed(kernel, loop):
    began = time.monotonic()
    pid, reading = start(kernel, shell, loop)
    assert kernel.poll(0.05) == []
    kernel.kill(pid, SIGKILL)
    assert finish(kernel, pid, reading).status == SIGKILL
    assert time.monotonic() - began < LIMIT_S


@pytest.mark.parametrize("loop", LOOPS)
def test_a_trap_runs_in_a_loop(kernel, loop):
    pid, reading = start(kernel, shell, f"trap 'echo caught; exit 5' TERM; echo ready; {loop}")
    assert any(event.kind == "readable" for event in kernel.poll(5.0))
    kernel.kill(pid, SIGTERM)
    outcome = finish(kernel, pid, reading)
    assert (outcome.code, outcome.output) == (5, "ready\ncaught\n")


def test_two_loops_share_a_kernel(kernel):
    script = "while :; do :; done & while ! kill -0 $!; do :; done; kill $!; wait $!; echo $?"
    pid, reading = start(kernel, shell, script)
    assert finish(kernel, pid, reading).output.endswith("143\n")


def test_nobody_is_told_of_a_turn(kernel):
    names = []
    kernel.listener = lambda event: names.append(event.name)
    pid, reading = start(kernel, shell, "i=0; while [ $i -lt 50 ]; do i=$((i+1)); done; echo $i")
    assert finish(kernel, pid, reading).output == "50\n"
    kernel.listener = None
    assert "write" in names
    assert "sched_yield" not in names


@pytest.mark.parametrize("kind", ["sim", pytest.param("real", marks=pytest.mark.real)])
def test_docker_kill_ends_a_detached_loop(kind):
    if kind == "real":
        rights.require("root")
    began, host = time.monotonic(), open_host(kind, programs="lab")
    try:
        assert host.docker("run -d --name busy lab sh -c 'while true; do true; done'").exit_code == 0
        assert host.docker("kill busy").exit_code == 0
        assert "Exited (137)" in host.docker("ps -a").stdout
    finally:
        host.close()
    assert time.monotonic() - began < LIMIT_S
