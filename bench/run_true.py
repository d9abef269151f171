"""`docker run --rm IMAGE true`: create, start, wait, remove; against unshare(1) and runc in the same run."""

import json
import pathlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import subjects
from bench.measure import MissingRightError, Row, alternate, row, within
from minidocker import base_image
from minidocker.create import RunOptions
from minidocker.engine import Engine
from minidocker.kernel import Kernel

RUNS = 100


def rows() -> list[Row]:
    """Measure it simulated, and on this machine beside its peers."""
    found = [simulated()]
    try:
        return found + real()
    except MissingRightError as missing:
        print(f"run true, real: not measured here: {missing}")
        return found


def run_true(engine: Engine, image: str) -> Callable[[], None]:
    """The operation: a container of the image runs `true`, and is removed."""

    def run() -> None:
        container = engine.create(image, ["true"], RunOptions())
        engine.start(container)
        code = engine.wait(container)
        engine.remove(container)
        assert code == 0, f"true exits with {code}"

    return run


def simulated() -> Row:
    """On the simulated kernel, with the built-in base image."""
    from minidocker.sim import SimKernel

    engine = Engine(SimKernel())
    engine.images.load(base_image.base_image())
    run = run_true(engine, base_image.NAME)
    (times,) = alternate(run, times=RUNS, warm=5)
    return within("run true, simulated", times, at_most_s=0.010)


def real() -> list[Row]:
    """On this machine's kernel: the machine's own busybox, below the lab and below both peers."""
    subjects.need("root", "busybox", "runc")
    from minidocker.real import RealKernel

    kernel: Kernel = RealKernel()
    try:
        engine = Engine(kernel)
        engine.images.load(subjects.archive([subjects.busybox_layer()], "busybox:bench"))
        with bundle() as folder:
            calls = run_true(engine, "busybox:bench"), unshare(folder / "rootfs"), runc(folder)
            ours, unshared, runced = alternate(*calls, times=RUNS, warm=5)
    finally:
        kernel.close_kernel()
    peer = "unshare -fmpu --mount-proc -R ROOT true"
    return [
        row("run true, real", ours, peer, unshared, at_most=4),
        row("run true, real", ours, "runc run", runced, at_most=1),
    ]


@contextmanager
def bundle() -> Iterator[pathlib.Path]:
    """A folder with what unshare and runc run: a root file system of busybox, and runc's configuration."""
    with tempfile.TemporaryDirectory(prefix="minidocker-bench-") as name:
        folder = pathlib.Path(name)
        rootfs = folder / "rootfs"
        for directory in ("bin", "dev", "proc", "sys", "tmp"):
            (rootfs / directory).mkdir(parents=True)
        (rootfs / "bin/busybox").write_bytes(subjects.busybox())
        (rootfs / "bin/busybox").chmod(0o755)
        (rootfs / "bin/true").symlink_to("busybox")
        subprocess.run(["runc", "spec", "--bundle", name], check=True)
        configure(folder / "config.json")
        yield folder


def configure(path: pathlib.Path) -> None:
    """Make runc's example configuration run `true`, in the namespaces that the other two make: MNT, PID and UTS."""
    spec = json.loads(path.read_text())
    spec["process"] |= {"terminal": False, "args": ["true"]}
    spec["process"].pop("rlimits", None)  # raising them needs CAP_SYS_RESOURCE, which not every root has
    wanted = ("mount", "pid", "uts")
    spec["linux"]["namespaces"] = [space for space in spec["linux"]["namespaces"] if space["type"] in wanted]
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"] == "/proc"]
    spec["linux"]["maskedPaths"] = spec["linux"]["readonlyPaths"] = []
    path.write_text(json.dumps(spec))


def unshare(root: pathlib.Path) -> Callable[[], object]:
    """The first peer: util-linux, which makes no container, only the namespaces."""
    command = ["unshare", "-fmpu", "--mount-proc", "-R", str(root), "true"]
    return lambda: subprocess.run(command, check=True)


def runc(folder: pathlib.Path) -> Callable[[], object]:
    """The second peer: what Docker itself calls."""
    command = ["runc", "run", "--bundle", str(folder), "minidocker-bench"]
    return lambda: subprocess.run(command, check=True)
