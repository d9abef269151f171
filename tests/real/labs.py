"""Labs in processes of their own, to be killed; and the proof that nothing of theirs outlives the next start."""

import os
import signal
import subprocess
import sys
import time

from rights import ROOT

from minidocker.real import RealKernel
from tests.real import leftovers


class Labs:
    """The labs that a test has started."""

    def __init__(self) -> None:
        """None yet."""
        self._started: list[subprocess.Popen] = []

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start a lab: ``python ARGUMENTS``. (If its helper is killed it says so, which nobody wants to see.)"""
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        command = [sys.executable, *arguments]
        started = subprocess.Popen(command, text=True, start_new_session=True, env=environment, cwd=ROOT, **pipes)
        self._started.append(started)
        return started

    def kill(self, busy: subprocess.Popen, victim: int, mine: leftovers.Lab) -> float:
        """kill -9; return how long it took, in seconds, until none of the lab's processes was left."""
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        if victim == busy.pid:
            busy.wait()
        mine.is_gone()
        took_s = time.monotonic() - began
        busy.kill()
        busy.wait()
        return took_s

    def end(self) -> None:
        """Kill what runs, start one more lab, and fail if a control group of one of them is left.

        Those stay when their owner is killed: the next start removes them.
        """
        pids = [one.pid for one in self._started]
        while self._started:
            with self._started.pop() as one:
                one.kill()
        if pids:
            RealKernel().close_kernel()
        assert not [group for pid in pids for group in leftovers.groups_of(pid)]
