"""Debian's kernel for cloud machines, taken out of its package: the image that QEMU boots, and the modules we load.

The package is fetched by apt, whose signatures vouch for it, and is not installed. NVMe and ext4 are built into this
kernel, so that it finds its root by itself and no initramfs is needed; overlay and the links are modules.
"""

import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

PACKAGE = "linux-image-cloud-amd64"
"""It names, by what it depends on, the package of the newest kernel."""

WANTED = ("overlay", "veth", "bridge", "dummy", "tun")
"""The modules without which containers could not run."""


def fetch(folder: pathlib.Path) -> None:
    """Put ``vmlinuz`` and ``modules`` (loaded in the order of their names) into a folder, unless they are there."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        scratch = pathlib.Path(name)
        _unpack(scratch)
        ready = scratch / "ready"
        (ready / "modules").mkdir(parents=True)
        shutil.copy(next(scratch.glob("boot/vmlinuz-*")), ready / "vmlinuz")
        for number, module in enumerate(_ordered(scratch / "lib/modules")):
            shutil.copy(module, ready / "modules" / f"{number:02}-{module.name}")
        _claim(ready, folder)


def _unpack(scratch: pathlib.Path) -> None:
    depends = _output("apt-cache", "depends", "--important", PACKAGE)
    found = re.search(r"linux-image-\d\S*", depends)
    if not found:
        raise FileNotFoundError(f"apt-cache knows no {PACKAGE}: this needs Debian's sources, and `apt-get update`")
    # apt's own user cannot write here, and says so; that root writes instead is meant.
    _output("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", found[0], cwd=scratch)
    (package,) = scratch.glob("*.deb")
    _output("dpkg-deb", "-x", package.name, ".", cwd=scratch)


def _output(*command: str, cwd: pathlib.Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _ordered(folder: pathlib.Path) -> list[pathlib.Path]:
    """The wanted modules and what they depend on, each after what it depends on."""
    files = {path.stem.replace("-", "_"): path for path in folder.rglob("*.ko")}
    ordered: dict[str, pathlib.Path] = {}

    def add(name: str) -> None:
        if name not in ordered:
            for below in _depends(files[name]):
                add(below)
            ordered[name] = files[name]

    for name in WANTED:
        add(name)
    return list(ordered.values())


def _depends(module: pathlib.Path) -> Iterator[str]:
    """What a module says of itself: its section .modinfo holds NAME=VALUE texts, each ended by a NUL."""
    found = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    yield from (name for name in (found[1].decode() if found else "").split(",") if name)


def _claim(ready: pathlib.Path, folder: pathlib.Path) -> None:
    """Give it its name; if another run was quicker, its work is as good."""
    try:
        ready.rename(folder)
    except OSError:
        if not folder.exists():
            raise
