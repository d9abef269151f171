"""Two hundred real containers that run: what one more costs, an exec, a pause, and the memory that each takes."""

import os
import time
from pathlib import Path

from bench import subjects
from bench.measure import Row, repeat, row, seconds, within, within_bytes
from minidocker.client.docker import Docker
from minidocker.engine import Engine

COUNT = 200
SAMPLES = 20
"""So many of the first and of the last starts are compared: one alone says nothing on a machine of two processors."""

RUN = ("run", "-d", *subjects.LIMITS, subjects.IMAGE, "sleep", "1000000")


def rows() -> list[Row]:
    """Measure it on this machine."""
    subjects.need("root", "busybox")
    from minidocker.real import RealKernel

    kernel = RealKernel()
    try:
        engine = Engine(kernel)
        engine.images.load(subjects.busybox_image())
        docker = Docker(engine)
        subjects.must(docker, "rm", "-f", subjects.must(docker, *RUN))  # what is made once is made
        before = pss(kernel.pid) + pss(os.getpid())
        starts = [seconds(lambda: subjects.must(docker, *RUN)) for _ in range(COUNT)]
        rows = [*_exec_and_pause(docker), *_memory(kernel.pid, before)]
        subjects.must(docker, "rm", "-f", *subjects.must(docker, "ps", "-q").split())
        while any(link.kind == "veth" for link in kernel.getlink()):  # Linux still takes their networks down
            time.sleep(0.1)
        again = [seconds(lambda: subjects.must(docker, *RUN)) for _ in range(SAMPLES)]
        return [*_starts(starts, again), *rows]
    finally:
        kernel.close_kernel()


def _starts(starts: list[float], again: list[float]) -> list[Row]:
    """Compare the last ones with the first ones, before and after: a machine that gets slower meanwhile slows both."""
    what = f"run -d, the {COUNT - SAMPLES + 1}th to the {COUNT}th running container, real"
    peer = f"the 1st to the {SAMPLES}th, before and after"
    return [row(what, starts[-SAMPLES:], peer, starts[:SAMPLES] + again, at_most=1.3)]


def _exec_and_pause(docker: Docker) -> list[Row]:
    """In one of the two hundred."""
    name = subjects.must(docker, "ps", "-q").split()[0]
    execs = repeat(lambda: subjects.must(docker, "exec", name, "true"), 50, warm=3)
    pauses = []
    for _ in range(50):
        pauses.append(seconds(lambda: subjects.must(docker, "pause", name)))
        subjects.must(docker, "unpause", name)
    return [
        within("exec true, real", execs, at_most_s=0.006),
        within("pause, real", pauses, at_most_s=0.002),
    ]


def _memory(helper: int, before: float) -> list[Row]:
    """What there is more of with so many running, beyond their programs: in the lab's process, and in its helper."""
    programs = [pss(pid) for pid in children(helper)]
    more = pss(helper) + pss(os.getpid()) - before
    return [
        within_bytes("PSS a running container beyond its own program, real", [more / COUNT], at_most=6e6),
        within_bytes("PSS of such a program (busybox's sleep)", programs),
        within_bytes("PSS of the helper", [pss(helper)]),
    ]


def pss(pid: int) -> float:
    """The proportional set size of a process in bytes (proc(5), smaps_rollup): of a shared page its share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def children(pid: int) -> list[int]:
    """The children of a process of one thread."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
