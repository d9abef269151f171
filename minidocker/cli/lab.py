"""``minidocker lab``: open JupyterLab at the first notebook."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

FIRST = Path(__file__).parents[2] / "notebooks" / "00-start.ipynb"


def run(arguments: Sequence[str]) -> int:
    """Start JupyterLab in the foreground; its exit code."""
    if find_spec("jupyterlab") is None:
        sys.stderr.write("JupyterLab is not installed: pip install 'minidocker[lab]'\n")
        return 1
    where = [str(FIRST)] if FIRST.exists() else []
    return subprocess.call([sys.executable, "-m", "jupyterlab", *where, *arguments])  # noqa: S603  our own words
