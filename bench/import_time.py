"""How long `import minidocker` takes, in a Python that is already up."""

import subprocess
import sys

from bench.measure import Row, within

PROGRAM = "import time; t = time.perf_counter(); import minidocker; print(time.perf_counter() - t)"


def rows() -> list[Row]:
    """Measure it in fresh Pythons."""
    return [within("import minidocker", [_once() for _ in range(21)][1:], at_most_s=0.050)]


def _once() -> float:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return float(done.stdout)
