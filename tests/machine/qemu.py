"""A machine made by QEMU: two disks, a console that is kept for when something goes wrong, and its own output.

The first disk is the root and stays as it was made. The second is no file system but a tar archive: the tree of this
project and the command to run.
"""

import compileall
import io
import os
import pathlib
import re
import shlex
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.machine import debian_kernel, root_disk

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QEMU = "qemu-system-x86_64"
TREE = ("minidocker", "tests", "bench", "pyproject.toml")
LEFT_OUT = {"node_modules", "data", "notebooks", "browser"}
"""Folders of the tree that no case inside needs."""

PYTEST = ["python", "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"]
"""How tests are run inside."""

ENDED = "machine: exit "
"""What the machine's last line begins with."""


class MachineError(Exception):
    """The machine did not come so far as to tell an exit code; the message holds the end of its console."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What ran inside: its exit code, what it printed, and how long the machine was up, in seconds."""

    exit_code: int
    output: str
    seconds: float


def cache() -> pathlib.Path:
    """Return where the kernel and the root disk are kept: the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "minidocker" / "machine"


def prepare(cache: pathlib.Path) -> pathlib.Path:
    """Fetch the kernel and build the root disk, unless that is done; return the disk."""
    debian_kernel.fetch(cache / "kernel")
    return root_disk.build(cache, cache / "kernel/modules")


def run(
    command: list[str], cache: pathlib.Path, *, time_limit_s: float, accel: str = "tcg", echo: bool = False
) -> Outcome:
    """Boot a machine, run one command at the tree's root, and return what came of it.

    ``cache`` keeps the kernel and the root disk for the next time. MachineError where it does not end by itself.
    """
    disk = prepare(cache)
    with tempfile.TemporaryDirectory(prefix="minidocker-machine-") as name:
        scratch = pathlib.Path(name)
        _write_tree(scratch / "tree.tar", command)
        began = time.monotonic()
        lines = list(_boot(_qemu(cache / "kernel/vmlinuz", disk, scratch, accel), time_limit_s, echo))
        took_s = time.monotonic() - began
        if not lines or not lines[-1].startswith(ENDED):
            raise MachineError(_last_words(scratch / "console", lines))
    return Outcome(exit_code=int(lines[-1].removeprefix(ENDED)), output="\n".join(lines[:-1]) + "\n", seconds=took_s)


def _qemu(kernel: pathlib.Path, disk: pathlib.Path, scratch: pathlib.Path, accel: str) -> list[str]:
    """The command: a PC with two processors; its first serial line is the console, the second the command's output."""
    append = "root=/dev/nvme0n1 rw console=ttyS0 init=/init panic=-1 quiet mitigations=off"
    drives = {"root": f"{disk},snapshot=on", "tree": f"{scratch / 'tree.tar'},readonly=on"}  # nvme0n1, nvme0n2
    options = [
        *("-accel", accel, "-smp", "2", "-m", "1G", "-nodefaults", "-no-reboot", "-display", "none"),
        *("-kernel", str(kernel), "-append", append),
        *("-serial", f"file:{scratch / 'console'}", "-serial", "stdio"),
        *("-device", "nvme,id=disks,serial=minidocker"),
    ]
    for name, file in drives.items():
        options += ["-drive", f"file={file},format=raw,if=none,id={name}", "-device", f"nvme-ns,bus=disks,drive={name}"]
    return [QEMU, *options]


def _boot(command: list[str], time_limit_s: float, echo: bool) -> Iterator[str]:
    """Run it; yield the lines of its standard output as they come. After the time limit it is killed."""
    with subprocess.Popen(
        ["timeout", "--signal=KILL", str(time_limit_s), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as machine:
        assert machine.stdout
        for line in machine.stdout:
            if echo and not line.startswith(ENDED):
                print(line.rstrip(), flush=True)
            yield line.rstrip()


def _write_tree(path: pathlib.Path, command: list[str]) -> None:
    """Write the second disk: the tree with its compiled modules, for compiling them is slow inside, and the command."""
    compileall.compile_dir(ROOT / "minidocker", quiet=2)
    with tarfile.open(path, "w") as archive:
        for name in TREE:
            archive.add(ROOT / name, name, filter=_wanted)
        script = f"{shlex.join(command)}\necho {shlex.quote(ENDED)}$?\n"
        member = tarfile.TarInfo("machine-command")
        member.size = len(script.encode())
        archive.addfile(member, io.BytesIO(script.encode()))


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    return None if LEFT_OUT & set(member.name.split("/")) else member


def _last_words(console: pathlib.Path, lines: list[str]) -> str:
    said = console.read_text(errors="replace").splitlines()[-30:] if console.exists() else []
    plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in (*said, *lines[-30:])]
    return "\n".join(["the machine ended without an exit code; its last words:", *plain])
