"""10,000 distinct files read through an overlay of 128 lower layers, against the same files through 2."""

from collections.abc import Callable

from bench import subjects
from bench.measure import MissingRightError, Row, alternate, row, seconds
from minidocker.kernel import Files, Kernel
from minidocker.linux import O_CREAT, O_RDONLY, O_WRONLY

FILES = 10_000
DIRECTORIES = 100
ROUNDS = 7
ROOT = "/var/lib/docker/b"


def rows() -> list[Row]:
    """Measure it on each kernel that this machine has."""
    from minidocker.sim import SimKernel

    found = measured("simulated", SimKernel())
    try:
        subjects.need("root")
    except MissingRightError as missing:
        print(f"reads, real: not measured here: {missing}")
        return found
    from minidocker.real import RealKernel

    return found + measured("real", RealKernel())


def measured(name: str, kernel: Kernel) -> list[Row]:
    """Mount both stacks, read each once cold, then both in turn."""
    try:
        many, few = (mounted(kernel, layers) for layers in (128, 2))
        cold_many, cold_few = seconds(many), seconds(few)
        warm_many, warm_few = alternate(many, few, times=ROUNDS, warm=1)
    finally:
        kernel.close_kernel()
    what = f"{FILES:,} reads through 128 layers, {name}"
    return [
        row(f"{what}, warm", warm_many, "through 2 layers", warm_few, at_most=1.5),
        row(f"{what}, cold", (cold_many,), "through 2 layers", (cold_few,)),
    ]


def mounted(kernel: Kernel, layers: int) -> Callable[[], None]:
    """Write the files into so many layers, mount the layers, and give the call that reads all files."""
    base = f"{ROOT}{layers}"
    kernel.job(write_layers, base, layers)
    lowers = ":".join(f"{base}/{number}" for number in range(layers))
    kernel.mount("overlay", f"{base}/m", "overlay", 0, f"lowerdir={lowers},upperdir={base}/u,workdir={base}/w")

    def read() -> None:
        count = kernel.job(read_all, f"{base}/m")
        assert count == FILES * 8, f"{count} bytes were read"

    return read


def write_layers(files: Files, base: str, layers: int) -> None:
    """Spread the files over the layers, each layer with every directory."""
    for parent in ("/var", "/var/lib", "/var/lib/docker", base, f"{base}/m", f"{base}/u", f"{base}/w"):
        try:
            files.mkdir(parent, 0o755)
        except FileExistsError:
            continue
    for layer in range(layers):
        files.mkdir(f"{base}/{layer}", 0o755)
        for directory in range(DIRECTORIES):
            files.mkdir(f"{base}/{layer}/d{directory}", 0o755)
    for number in range(FILES):
        path = f"{base}/{number % layers}/d{number // DIRECTORIES % DIRECTORIES}/f{number}"
        fd = files.open(path, O_WRONLY | O_CREAT, 0o644)
        files.write(fd, f"{number:08}".encode())
        files.close(fd)


def read_all(files: Files, merged: str) -> int:
    """Open, read and close each file once; give the bytes read."""
    count = 0
    for number in range(FILES):
        fd = files.open(f"{merged}/d{number // DIRECTORIES % DIRECTORIES}/f{number}", O_RDONLY)
        count += len(files.read(fd, 4096))
        files.close(fd)
    return count
