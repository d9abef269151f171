"""``minidocker doctor``: what this machine's kernel gives the lab, subsystem by subsystem, and why not more."""

import sys


def run() -> int:
    """Print the report. Exit code 0 if the real kernel can be used, 1 if only the simulated one can."""
    sys.stdout.write(f"simulated kernel  {_simulated()}\n")
    if sys.platform != "linux":
        sys.stdout.write(f"real kernel       ✗  this is {sys.platform}, not Linux\n")
        return 1
    from minidocker.real import probe  # noqa: PLC0415  Linux only

    report = probe.probe()
    sys.stdout.write("".join(f"{row.name:<18}{'✓' if row.ok else '✗'}  {row.detail}\n" for row in report.rows))
    return 0 if report.usable else 1


def _simulated() -> str:
    """Tell whether the simulated kernel can be loaded: it needs pyfakefs."""
    try:
        import minidocker.sim  # noqa: F401, PLC0415  to see whether it can be
    except ModuleNotFoundError as error:
        return f"✗  the Python package {error.name} is not installed"
    return "✓"
