"""A thousand containers that run in one simulated host, and `ps` of them."""

from bench import subjects
from bench.measure import Row, repeat, seconds, within
from minidocker import base_image
from minidocker.client.docker import Docker
from minidocker.engine import Engine

COUNT = 1_000


def rows() -> list[Row]:
    """Measure it: simulated, there is no peer."""
    from minidocker.sim import SimKernel

    engine = Engine(SimKernel())
    engine.images.load(base_image.base_image())
    docker = Docker(engine)
    run = ("run", "-d", *subjects.LIMITS, base_image.NAME, "sleep", "1000000")
    starts = [seconds(lambda: subjects.must(docker, *run)) for _ in range(COUNT)]
    listed = subjects.must(docker, "ps", "-q")
    assert len(listed.split()) == COUNT, f"{len(listed.split())} of {COUNT} run"
    return [
        within(f"run -d, {COUNT:,} of them in one host, simulated", starts),
        within(
            f"ps of {COUNT:,} running containers, simulated",
            repeat(lambda: subjects.must(docker, "ps"), 20),
            at_most_s=0.050,
        ),
    ]
