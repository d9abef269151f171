"""`trace.at(i)` of a trace of a thousand steps: the state after any step, jumped to in no order."""

import random
from functools import partial

from bench.measure import Row, seconds, within
from minidocker.base_image import NAME
from minidocker.hosts import open_host
from minidocker.trace import Trace

STEPS = 1_000
SCRIPT = "i=0; while test $i -lt 150; do echo $i > /file-$i; i=$((i+1)); done"


def rows() -> list[Row]:
    """Measure it at a thousand places."""
    trace = recorded()
    places = random.Random(0).choices(range(len(trace)), k=1_000)
    trace.at(0)
    return [
        within(f"trace.at(i), {len(trace):,} steps", [seconds(partial(trace.at, i)) for i in places], at_most_s=0.001)
    ]


def recorded() -> Trace:
    """The trace of a container that writes 150 files."""
    host = open_host("sim")
    try:
        outcome = host.docker(["run", "--rm", NAME, "sh", "-c", SCRIPT])
    finally:
        host.close()
    assert outcome.exit_code == 0, outcome.stderr
    assert len(outcome.trace) >= STEPS, f"only {len(outcome.trace)} steps"
    return outcome.trace
