"""``minidocker compare``: one docker command on both kernels; exit code 1, and the first step that differs."""

import argparse
import sys
import time
from collections.abc import Sequence

from minidocker.cli.trace import LoadError, traced
from minidocker.compare import compare, compared


def run(arguments: argparse.Namespace, command: Sequence[str]) -> int:
    """Do it: 0 if model = kernel, 1 if not, 2 if an archive could not be loaded or the kernel not be used."""
    options = {"programs": arguments.programs, "boot_ns": time.time_ns()}
    try:
        kernel = traced("real", arguments.load, command, **options).trace
        model = traced("sim", arguments.load, command, like=kernel.kernel, **options).trace
    except LoadError as error:
        sys.stderr.write(str(error))
        return 2
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'kernel'}: {error.strerror}; minidocker doctor says what is missing\n")
        return 2
    difference = compare(model, kernel)
    if difference is None:
        sys.stdout.write(f"model = kernel ✓  {compared(model, kernel)}\n")
        return 0
    sys.stdout.write(f"model ≠ kernel ✗  {difference}\n")
    return 1
