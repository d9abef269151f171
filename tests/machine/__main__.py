"""`python -m tests.machine [pytest's arguments]`: run tests in the machine; `-- COMMAND …` runs something else."""

import argparse
import sys

from tests.machine import qemu


def main(arguments: list[str]) -> int:
    """Boot, run, print; give the exit code of what ran."""
    parser = argparse.ArgumentParser(prog="scripts/machine", description=__doc__, allow_abbrev=False)
    parser.add_argument("--prepare", action="store_true", help="only fetch the kernel and build the disk")
    parser.add_argument("--time-limit", type=float, default=600, metavar="SECONDS", help="kill the machine then")
    parser.add_argument("--accel", default="tcg", help="QEMU's accelerator: tcg (everywhere, the default) or kvm")
    options, words = parser.parse_known_args(arguments)
    command = words[1:] if words[:1] == ["--"] else [*qemu.PYTEST, *words]
    try:
        if options.prepare:
            print("machine:", qemu.prepare(qemu.cache()))
            return 0
        done = qemu.run(command, qemu.cache(), time_limit_s=options.time_limit, accel=options.accel, echo=True)
    except (qemu.MachineError, OSError) as error:
        sys.exit(f"machine: {error}")
    print(f"machine: up for {done.seconds:.1f} s", file=sys.stderr)
    return done.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
