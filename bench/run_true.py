"""`docker run --rm IMAGE true` with all that a container has: create, start, wait, remove; and peers in the same run.

Six namespaces, a bridge with an address, limits of memory and processes. util-linux's unshare makes the namespaces
alone, runc also the limits; where a Docker daemon answers, Docker is a peer too.
"""

import json
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import subjects
from bench.measure import MissingRightError, Row, alternate, row, within
from minidocker import base_image
from minidocker.client.docker import Docker
from minidocker.engine import Engine

RUNS = 100
DOCKER_RUNS = 20
"""Docker takes a good part of a second for each."""

PEER = "unshare -fmpiun --mount-proc -R ROOT true"


def rows() -> list[Row]:
    """Measure it simulated, and on this machine beside its peers."""
    found = [simulated()]
    try:
        return found + real()
    except MissingRightError as missing:
        print(f"run true, real: not measured here: {missing}")
        return found


def run_true(docker: Docker, image: str) -> Callable[[], object]:
    """The operation: a container of the image runs `true`, and is removed."""
    words = ("run", "--rm", *subjects.LIMITS, image, "true")
    return lambda: subjects.must(docker, *words)


def simulated() -> Row:
    """On the simulated kernel, with the built-in base image."""
    from minidocker.sim import SimKernel

    engine = Engine(SimKernel())
    engine.images.load(base_image.base_image())
    (times,) = alternate(run_true(Docker(engine), base_image.NAME), times=RUNS, warm=5)
    return within("run true, simulated", times, at_most_s=0.012)


def real() -> list[Row]:
    """On this machine's kernel: the machine's own busybox, below the lab and below all peers."""
    subjects.need("root", "busybox", "runc")
    from minidocker.real import RealKernel

    kernel = RealKernel()
    try:
        engine = Engine(kernel)
        engine.images.load(subjects.busybox_image())
        ours = run_true(Docker(engine), subjects.IMAGE)
        return [*_beside_unshare_and_runc(ours), *_beside_docker(ours)]
    finally:
        kernel.close_kernel()


def _beside_unshare_and_runc(run: Callable[[], object]) -> list[Row]:
    with bundle() as folder:
        ours, unshared, runced = alternate(run, unshare(folder / "rootfs"), runc(folder), times=RUNS, warm=5)
    return [
        row("run true, real", ours, PEER, unshared, at_most=4),
        row("run true, real", ours, "runc run", runced, at_most=1),
    ]


def _beside_docker(run: Callable[[], object]) -> list[Row]:
    try:
        with docker_image() as docker:
            ours, others = alternate(run, docker, times=DOCKER_RUNS, warm=2)
    except MissingRightError as missing:
        print(f"run true beside Docker: not measured here: {missing}")
        return []
    return [row("run true, real", ours, "docker run --rm (Docker Engine)", others, at_most=0.1)]


@contextmanager
def docker_image() -> Iterator[Callable[[], object]]:
    """Docker's own run, with the same image, limits and program; the image is taken away at the end."""
    if not shutil.which("docker") or subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        raise MissingRightError("docker: no daemon answers")
    subprocess.run(["docker", "load"], input=subjects.busybox_image(), stdout=subprocess.DEVNULL, check=True)
    command = ["docker", "run", "--rm", *subjects.LIMITS, subjects.IMAGE, "true"]
    try:
        yield lambda: subprocess.run(command, check=True)
    finally:
        subprocess.run(["docker", "rmi", subjects.IMAGE], stdout=subprocess.DEVNULL, check=True)


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
    """Make runc's example configuration run `true`, in its own six namespaces, with our limits and without more."""
    spec = json.loads(path.read_text())
    spec["process"] |= {"terminal": False, "args": ["true"]}
    spec["process"].pop("rlimits", None)  # raising them needs CAP_SYS_RESOURCE, which not every root has
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"] == "/proc"]
    spec["linux"]["maskedPaths"] = spec["linux"]["readonlyPaths"] = []
    spec["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 64}}
    path.write_text(json.dumps(spec))


def unshare(root: pathlib.Path) -> Callable[[], object]:
    """The first peer: util-linux, which makes no container, only the namespaces."""
    command = ["unshare", "-fmpiun", "--mount-proc", "-R", str(root), "true"]
    return lambda: subprocess.run(command, check=True)


def runc(folder: pathlib.Path) -> Callable[[], object]:
    """The second peer: what Docker itself calls."""
    command = ["runc", "run", "--bundle", str(folder), "minidocker-bench"]
    return lambda: subprocess.run(command, check=True)
