"""What runs inside Pyodide: pytest on the tests that need no Linux, then the notebooks' cells.

``SELECTION`` is the one list of what runs there. A test in it that needs a right of a Linux host (``needs``) skips.
"""

import json
import pathlib
from collections import Counter

import pytest

SELECTION = [
    "tests/sim",
    "tests/conformance",
    "tests/programs",
    "tests/pyodide/test_import.py",
    "tests/lab/test_check.py",
    "tests/lab/test_levels.py",
    "tests/lab/test_magic.py",
    "tests/lab/test_predict.py",
    "tests/lab/test_questions.py",
    "tests/lab/test_union.py",
    "tests/notebooks/test_cells.py",
    "tests/test_*.py",
]
# These look at the project's files or at the host's commands, which Pyodide has not; they run on Linux.
ELSEWHERE = [
    "tests/test_environment.py",
    "tests/test_imports.py",
    "tests/test_scripts.py",
    "tests/test_suite.py",
    "tests/test_docs.py",
]


class Tally:
    """Counts each test once: its call, or the skip or error that came instead."""

    def __init__(self) -> None:
        self.outcomes = Counter[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one report of pytest's."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported is a failure."""
        if report.failed:
            self.outcomes["failed"] += 1


def run(arguments: list[str]) -> str:
    """Run pytest on the selection (or on the paths given); give the counts as JSON."""
    tally = Tally()
    options = [
        "-p",
        "no:cacheprovider",
        "-o",
        "faulthandler_timeout=0",
        "-m",
        "not real and not browser",
        "--tb=short",
        "-q",
    ]
    paths = [] if any(not argument.startswith("-") for argument in arguments) else selected()
    code = pytest.main([*options, *paths, *arguments], plugins=[tally])
    return json.dumps({"exit_code": int(code), **{key: tally.outcomes[key] for key in ("passed", "failed", "skipped")}})


def selected() -> list[str]:
    """The files and folders of SELECTION that exist."""
    root = pathlib.Path.cwd()
    found = [str(path.relative_to(root)) for pattern in SELECTION for path in sorted(root.glob(pattern))]
    return [path for path in found if path not in ELSEWHERE]
