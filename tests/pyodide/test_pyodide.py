"""The simulator's tests and the notebooks' cells pass where there is no Linux: under Pyodide, in Node."""

import json
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.mark.slow
@pytest.mark.pyodide
@pytest.mark.needs("node", "pyodide")
def test_the_selection_passes_in_pyodide():
    done = subprocess.run(["npm", "test", "--silent"], cwd=HERE, capture_output=True, text=True, check=False)
    report = done.stdout[-20_000:] + done.stderr[-5_000:]
    counts = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
    assert done.returncode == 0, report
    assert counts["failed"] == 0, report
    assert counts["passed"] > 0, report
