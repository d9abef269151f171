"""The environment that the lab and its tests run in: ``.venv``, made from uv.lock's pins with the standard library.

A machine needs git and Python 3.11 (or newer) with ``venv``. The first call makes ``.venv``, installs into it the uv
that uv.lock names and lets that uv install the rest. A stamp of uv.lock and pyproject.toml makes further calls free.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "minidocker.stamp"
OLDEST = (3, 11)


def ready() -> pathlib.Path:
    """Make ``.venv`` what uv.lock says, unless it is; give its Python. Exits with a plain message where that fails."""
    if sys.version_info < OLDEST:
        _start_again_with_a_newer_python()
    stamp = _stamp()
    if not (PYTHON.exists() and STAMP.exists() and STAMP.read_text() == stamp):
        print("minidocker: setting up .venv (once; about a minute)", file=sys.stderr, flush=True)
        _create()
        _install()
        STAMP.write_text(stamp)
    return PYTHON


def run(*command: object, **environ: str) -> int:
    """Run a command of ``.venv`` from the project's root; give its exit code."""
    path = str(BIN) + os.pathsep + os.environ.get("PATH", "")
    return subprocess.call(list(map(str, command)), cwd=ROOT, env={**os.environ, "PATH": path, **environ})


def become(*command: object) -> None:
    """Turn this process into a command of ``.venv``, so that signals and the exit code are the command's own."""
    os.environ["PATH"] = str(BIN) + os.pathsep + os.environ.get("PATH", "")
    os.chdir(ROOT)
    if os.name == "nt":
        sys.exit(subprocess.call(list(map(str, command))))
    os.execv(str(command[0]), list(map(str, command)))


def _stamp() -> str:
    digest = hashlib.sha256(str(ROOT).encode())  # a tree that was moved needs its .venv made again
    for name in ("uv.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _start_again_with_a_newer_python() -> None:
    for minor in range(20, OLDEST[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, *sys.argv])
    sys.exit(f"minidocker needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.")


def _create() -> None:
    """Make ``.venv`` with pip in it, from this Python; one of an older Python is made anew."""
    if _works("import sys; sys.exit(sys.version_info < (3, 11))"):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.call([sys.executable, "-m", "venv", str(VENV)]) != 0:
        sys.exit("minidocker: `python3 -m venv` failed. On Debian and Ubuntu: apt-get install python3-venv")


def _works(source: str) -> bool:
    return PYTHON.exists() and subprocess.call([str(PYTHON), "-c", source], stderr=subprocess.DEVNULL) == 0


def _install() -> None:
    """Install uv.lock's uv, then let it install the rest of uv.lock."""
    version = _locked("uv")
    uv = BIN / ("uv.exe" if os.name == "nt" else "uv")
    if not _works(f"import importlib.metadata as m, sys; sys.exit(m.version('uv') != {version!r})"):
        if not _works("import pip"):
            _must([PYTHON, "-m", "ensurepip"])
        _must([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv==" + version])
    _must([uv, "sync", "--locked", "--all-extras", "--inexact", "--quiet", "--python", PYTHON])


def _must(command: list) -> None:
    environ = {"UV_PROJECT_ENVIRONMENT": str(VENV), "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    code = subprocess.call(list(map(str, command)), cwd=ROOT, env={**os.environ, **environ})
    if code:
        sys.exit(f"minidocker: set-up failed (exit code {code}): {' '.join(map(str, command))}")


def _locked(name: str) -> str:
    """The version that uv.lock pins for a package."""
    import tomllib  # Python 3.11 has it; an older one must get as far as saying that it is too old

    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return next(package["version"] for package in packages if package["name"] == name)
