"""`python -m bench [SUBJECT …]`: measure, and print one table. Exits with 1 if a number is not what is asked of it."""

import importlib
import os
import platform
import sys

from bench.measure import MissingRightError, Row, table

SUBJECTS = ["import_time", "run_true", "running", "many_simulated", "reads", "load", "trace_at", "stepper"]
"""The modules of this folder that have `rows()`, in the table's order."""


def main(names: list[str]) -> int:
    """Measure the subjects named, or all."""
    rows: list[Row] = []
    for name in names or SUBJECTS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        try:
            rows += importlib.import_module(f"bench.{name}").rows()
        except MissingRightError as missing:
            print(f"{name}: not measured here: {missing}")
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} processors"
    print(f"Python {platform.python_version()}, {machine}\n")
    print(table(rows))
    return int(any(row.holds is False for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
