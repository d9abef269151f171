"""An image with one layer of 10,000 files is loaded: digests verified, unpacked, listed."""

import io
import shutil
import tarfile
import tempfile
from collections.abc import Callable

from bench import subjects
from bench.measure import MissingRightError, Row, row, seconds, within
from minidocker.engine import Engine
from minidocker.kernel import Kernel

FILES = 10_000
RUNS = 5
TMPFS = "/dev/shm"
"""The peer unpacks to a tmpfs, as the lab does."""


def rows() -> list[Row]:
    """Measure it simulated, and on this machine beside tarfile."""
    from minidocker.sim import SimKernel

    layer = subjects.many_files_layer(FILES)
    image = subjects.archive([layer], "many:files")
    what = f"load {FILES:,} files"
    found = [within(f"{what}, simulated", [loaded(SimKernel, image) for _ in range(RUNS)], at_most_s=1.5)]
    try:
        subjects.need("root")
    except MissingRightError as missing:
        print(f"load, real: not measured here: {missing}")
        return found
    from minidocker.real import RealKernel

    extracted(layer)
    pairs = [(loaded(RealKernel, image), extracted(layer)) for _ in range(RUNS)]
    ours, peers = zip(*pairs, strict=True)
    peer = 'tarfile.extractall(filter="fully_trusted") on tmpfs'
    return [*found, row(f"{what}, real", ours, peer, peers, at_most=1.2)]


def loaded(make: Callable[[], Kernel], image: bytes) -> float:
    """Load it on a new kernel; only the load is timed."""
    kernel = make()
    try:
        engine = Engine(kernel)
        return seconds(lambda: engine.images.load(image))
    finally:
        kernel.close_kernel()


def extracted(layer: bytes) -> float:
    """Unpack the same layer, unverified, with the standard library."""
    folder = tempfile.mkdtemp(prefix="minidocker-bench-", dir=TMPFS)
    try:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            return seconds(lambda: archive.extractall(folder, filter="fully_trusted"))
    finally:
        shutil.rmtree(folder)
