"""What a test may need of a machine, each with a probe that says why it is missing.

A test asks by ``@pytest.mark.needs("root", "node")``, or in its body by ``require("root")``. Where a right is missing
it skips and names the right; with MINIDOCKER_CI=1 it fails, for there all of them must be had.
"""

import functools
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
CI = os.environ.get("MINIDOCKER_CI") == "1"

ARCHIVE = ROOT.parent / "shared" / "images" / "docker-26-saved.tar.gz"
"""Images that real Docker saved. They lie beside the clone and are not part of it."""


@functools.cache
def missing(right: str) -> str | None:
    """Say why this machine lacks a right; None where it has it."""
    return PROBES[right]()


def require(*rights: str) -> None:
    """Skip the running test, or fail it in CI, unless the machine has all of the rights."""
    for right in rights:
        if why := missing(right):
            message = f"needs {right}: {why}"
            if CI:
                pytest.fail(f"MINIDOCKER_CI=1, but the test {message}", pytrace=False)
            pytest.skip(message)


def chromium() -> str | None:
    """Give the path of a Chromium, if there is one."""
    named = os.environ.get("MINIDOCKER_CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome")
    return named or next((path for name in names if (path := shutil.which(name))), None)


def _linux() -> str | None:
    return None if sys.platform == "linux" else f"this is {sys.platform}"


def _root() -> str | None:
    """Root that may make namespaces and mount: in a container without CAP_SYS_ADMIN uid 0 is not enough."""
    if why := _linux():
        return why
    if os.geteuid() != 0:
        return f"uid is {os.geteuid()}"
    return _fails("unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt")


def _user_namespaces() -> str | None:
    return _linux() or _fails("unshare", "--user", "--map-root-user", "--mount", "true")


def _fails(*command: str) -> str | None:
    if not shutil.which(command[0]):
        return f"{command[0]} is not installed"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip() or f"{command[0]} exits with {done.returncode}"


def _chromium() -> str | None:
    """A Chromium, and a Playwright whose own driver starts (it is linked to libatomic)."""
    if not chromium():
        return "no Chromium is installed"
    from playwright._impl._driver import compute_driver_executable

    return _fails(os.fspath(compute_driver_executable()[0]), "--version")


def _command(name: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(name) else f"{name} is not installed"


def _qemu() -> str | None:
    """What tests/machine makes its machine with; the kernel is Debian's, fetched by apt once."""
    if why := _linux():
        return why
    if os.uname().machine != "x86_64":
        return f"the machine is an x86_64, this is {os.uname().machine}"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    needed = ("qemu-system-x86_64", "mke2fs", "busybox", "ldd", "apt-get", "dpkg-deb")
    lacking = [name for name in needed if not shutil.which(name, path=path)]
    return f"not installed: {', '.join(lacking)}" if lacking else None


def _seccomp() -> str | None:
    from minidocker.real import seccomp

    return None if seccomp.available() else "no libseccomp.so.2"


def _present(path: pathlib.Path, hint: str) -> Callable[[], str | None]:
    return lambda: None if path.exists() else hint


PROBES: dict[str, Callable[[], str | None]] = {
    "linux": _linux,
    "root": _root,
    "seccomp": _seccomp,
    "user-namespaces": _user_namespaces,
    "time-namespaces": _present(pathlib.Path("/proc/self/ns/time"), "this kernel was built without CONFIG_TIME_NS"),
    "busybox": _command("busybox"),
    "runc": _command("runc"),
    "node": _command("node"),
    "qemu": _qemu,
    "chromium": _chromium,
    "pyodide": _present(ROOT / "tests/pyodide/node_modules/site-packages", "run scripts/pyodide --install once"),
    "docker-archive": _present(ARCHIVE, f"{ARCHIVE.name} does not lie in ../shared/images"),
}
