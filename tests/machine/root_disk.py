"""The machine's root: this Python, the packages that tests need, a few commands, in an ext4 file system.

Nothing is downloaded: what this machine runs is copied, with the libraries that ldd names, to the same paths. So the
cases run in the same Python inside and outside, on another kernel.
"""

import hashlib
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator

HERE = pathlib.Path(__file__).resolve().parent
SIZE = "1G"
"""Of the file system; the file that holds it is sparse."""

PACKAGES = ("pytest", "hypothesis", "minidocker", "pyroute2")
"""Those and what they require; minidocker itself comes with the tree."""

COMMANDS = (
    *("busybox", "sh", "mount", "umount", "unshare", "nsenter", "setpriv", "ip", "runc", "ldconfig"),
    *("cat", "ls", "id", "sleep", "true", "stat", "env", "newuidmap", "newgidmap"),
)
"""Those that this machine has; busybox it must have."""

LIBRARIES = ("libseccomp.so.2",)
"""Loaded by name at run time, if they are there, so that no ldd tells of them."""

LEFT_OUT = (
    "test",
    "idlelib",
    "tkinter",
    "lib2to3",
    "ensurepip",
    "turtledemo",
    "site-packages",
    "dist-packages",
    "config-*",
)
"""Parts of the standard library that nothing here needs."""

DIRECTORIES = ("dev", "proc", "sys", "run", "tmp", "root", "mnt", "var/lib", "var/tmp", "etc", "minidocker")

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/hostname": "machine\n",
}

VENV = "/venv"
"""A virtual environment of the same Python, whose packages are those that were copied."""


def build(folder: pathlib.Path, modules: pathlib.Path) -> pathlib.Path:
    """Make the disk unless it is there; return its path, which tells what is in it."""
    disk = folder / f"root-{_key(modules)}.ext4"
    if disk.exists():
        return disk
    for older in folder.glob("root-*.ext4"):
        older.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root, image = pathlib.Path(name) / "root", pathlib.Path(name) / "image"
        root.mkdir(mode=0o755)
        _fill(root, modules)
        command = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, image, SIZE]
        subprocess.run(command, check=True, env={**os.environ, "PATH": _path()})
        image.rename(disk)
    return disk


def _key(modules: pathlib.Path) -> str:
    """A digest of all that goes in: it is another disk when any of this is another."""
    digest = hashlib.sha256(f"{sys.version} {sys.base_prefix}".encode())
    for name in sorted(_distributions()):
        digest.update(f"{name}=={importlib.metadata.version(name)}\n".encode())
    for path in (pathlib.Path(__file__), HERE / "init", *sorted(modules.iterdir())):
        digest.update(path.name.encode() + path.read_bytes())
    for path in sorted(_commands()):
        digest.update(f"{path} {path.stat().st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _fill(root: pathlib.Path, modules: pathlib.Path) -> None:
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (root / name).write_text(text)
    shutil.copytree(modules, root / "modules")
    shutil.copy2(HERE / "init", root / "init")
    binaries = [*_commands(), pathlib.Path(sys.executable).resolve(), *_libraries()]
    _copy_python(root)
    binaries += [path for path in root.rglob("*.so") if path.is_file()]
    for path in {*binaries, *_needed(binaries)}:
        if root not in path.parents:
            _copy(path, root)
    for name in ("bin", "sbin", "lib", "lib64"):
        if pathlib.Path("/", name).is_symlink() and not (root / name).exists():
            (root / name).symlink_to(os.readlink(f"/{name}"))


def _copy_python(root: pathlib.Path) -> None:
    """Copy the standard library to its place, and the packages to a virtual environment's."""
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, _within(root, library), ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = _within(root, pathlib.Path(VENV, "lib", version, "site-packages"))
    packages.mkdir(parents=True)
    for name in _distributions() - {"minidocker"}:
        _copy_package(importlib.metadata.distribution(name), packages)
    python = pathlib.Path(sys.executable).resolve()
    (root / VENV[1:] / "bin").mkdir()
    (root / VENV[1:] / "bin/python").symlink_to(python)
    (root / VENV[1:] / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
    subprocess.run([sys.executable, "-m", "compileall", "-q", "-s", root, "-p", "/", packages], check=True)


def _distributions() -> set[str]:
    """Names of the packages, those that they require, and so on."""
    found: set[str] = set()
    waiting = list(PACKAGES)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name not in found:
            found.add(name)
            waiting += _required(name)
    return found


def _required(name: str) -> Iterator[str]:
    """What a package requires here, extras aside. A marker is taken for true if what it names is installed."""
    for requirement in importlib.metadata.requires(name) or ():
        needed = re.match(r"[\w.-]+", requirement)
        if needed and "extra ==" not in requirement and _installed(needed[0]):
            yield needed[0]


def _installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def _copy_package(package: importlib.metadata.Distribution, folder: pathlib.Path) -> None:
    for file in package.files or ():
        if ".." not in file.parts and file.suffix != ".pyc":
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(package.locate_file(file)), target)


def _commands() -> Iterator[pathlib.Path]:
    for name in COMMANDS:
        if found := shutil.which(name, path=_path()):
            yield pathlib.Path(found)
        elif name == "busybox":
            raise FileNotFoundError("busybox is not installed, and starts the machine")


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def _libraries() -> Iterator[pathlib.Path]:
    for folder in (f"/usr/lib/{os.uname().machine}-linux-gnu", "/usr/lib64", "/usr/lib"):
        yield from (path for name in LIBRARIES if (path := pathlib.Path(folder, name)).exists())


def _needed(binaries: Iterable[pathlib.Path]) -> set[pathlib.Path]:
    """The libraries that ldd names, and the loader. (It exits with 1 where one is static or a script.)"""
    done = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False)
    return {pathlib.Path(path) for path in re.findall(r"(?:=> |\t)(/\S+) \(0x", done.stdout)}


def _copy(path: pathlib.Path, root: pathlib.Path) -> None:
    """Copy a file, with what it is a link to, to the same path."""
    target = _within(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        return
    if path.is_symlink():
        target.symlink_to(os.readlink(path))
        _copy(path.parent / os.readlink(path), root)
    else:
        shutil.copy2(path, target)


def _within(root: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """Where a path of this machine lies in the root; its directories' links are followed here, where they exist."""
    return root / (path.parent.resolve() / path.name).relative_to("/")
