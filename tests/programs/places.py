"""Run one command in an empty directory, and say what it printed, how it ended, and which tree it left."""

import atexit
import contextlib
import functools
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from minidocker.kernel import Kernel
from minidocker.linux import O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from minidocker.programs.base_tree import base_entries
from minidocker.system import System

BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.access(path, os.X_OK)), None)

#: A line that a program writes, and no part of its help: ``cat: can't open …``.
MESSAGE = re.compile(r"(?!or: )[a-z][a-z0-9]*: \S")

#: A file of the tree: path, mode with the type's bits, link count (not of directories), and data or target.
Tree = dict[str, tuple[int, int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that must be the same everywhere."""

    code: int
    stdout: str
    stderr: str
    tree: Tree


def normal(code: int, stdout: bytes, stderr: bytes, tree: Tree, directory: str) -> Result:
    """Return a result without what differs by place: the directory's own path, busybox's long help."""
    texts = [part.decode("utf-8", "replace").replace(directory, "/HERE") for part in (stdout, stderr)]
    lines, helping = [], False
    for line in texts[1].splitlines():
        helping = line.startswith(("BusyBox v", "Usage:")) or (helping and not MESSAGE.match(line))
        if not helping:
            lines.append(line)
    return Result(code=code, stdout=texts[0], stderr="\n".join(lines), tree=tree)


def host_tree(directory: str) -> Tree:
    """Return the tree below a directory of the host."""
    tree: Tree = {}
    for path in sorted(Path(directory).rglob("*")):
        status = path.lstat()
        data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        links = 0 if path.is_dir() and not path.is_symlink() else status.st_nlink
        tree[str(path.relative_to(directory))] = (status.st_mode, links, data)
    return tree


@functools.cache
def busybox_directory() -> str:
    """Return a directory with a link to busybox for each program of the lab that busybox has too."""
    assert BUSYBOX is not None
    directory = tempfile.mkdtemp(prefix="busybox-")
    atexit.register(shutil.rmtree, directory)
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        Path(directory, name).symlink_to(BUSYBOX)
    return directory


@functools.cache
def by_busybox(argv: tuple[str, ...], stdin: bytes = b"") -> Result:
    """Return what the real busybox does."""
    with tempfile.TemporaryDirectory() as directory:
        here = f"{directory}/w"
        Path(here).mkdir()
        environ = {"PATH": busybox_directory(), "LANG": "C.UTF-8", "HOME": "/"}
        command = [f"{busybox_directory()}/{argv[0]}", *argv[1:]]
        done = subprocess.run(command, cwd=here, env=environ, input=stdin, capture_output=True, timeout=20, check=False)
        return normal(done.returncode, done.stdout, done.stderr, host_tree(here), here)


async def enter(k: System, directory: str, argv: list[str], environ: dict[str, str]) -> int:
    """Become a program in a directory: what the task does that a kernel's place starts."""
    await k.chdir(directory)
    await k.umask(0o022)
    await k.execve(f"{environ['PATH']}/{argv[0]}", argv, environ)
    return 255


class Place:
    """A kernel of the lab, with the programs' files where the engine's own directory is."""

    BASE = "/var/lib/docker/programs"

    def __init__(self, kernel: Kernel) -> None:
        """Put the base image's programs there."""
        self.kernel = kernel
        self.name = type(kernel).__name__
        for path in ("/var/lib/docker", self.BASE, f"{self.BASE}/bin"):
            with contextlib.suppress(FileExistsError):
                kernel.mkdir(path)
        kernel.chmod(f"{self.BASE}/bin", 0o755)
        for path, mode, _, _, data in base_entries():
            if path.startswith("/bin/"):
                self.write(self.BASE + path, data, mode & 0o7777)
        self.count = 0
        if self.name == "SimKernel":
            self._populate()

    def _populate(self) -> None:
        """Give the simulated host the few files that the cases look for on any host."""
        for path, mode, _, _, data in base_entries():
            if mode & S_IFMT == S_IFREG:
                self.write(path, data, mode & 0o7777)

    def write(self, path: str, data: bytes, mode: int) -> None:
        """Write a file."""
        fd = self.kernel.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
        while data:
            data = data[self.kernel.write(fd, data) :]
        self.kernel.close(fd)
        self.kernel.chmod(path, mode)

    def run(self, argv: tuple[str, ...], stdin: bytes = b"", *, flags: int = 0, main=enter) -> Result:
        """Run a command, with namespaces of its own if flags say so; ``main`` is what becomes it."""
        self.count += 1
        directory = f"{self.BASE}/{self.count}"
        here = f"{directory}/w"
        for path in (directory, here):
            self.kernel.mkdir(path)
            self.kernel.chmod(path, 0o755)
        for name, data in (("in", stdin), ("out", b""), ("err", b"")):
            self.write(f"{directory}/{name}", data, 0o644)
        streams = (("in", O_RDONLY), ("out", O_WRONLY | O_APPEND), ("err", O_WRONLY | O_APPEND))
        fds = {fd: self.kernel.open(f"{directory}/{name}", flags) for fd, (name, flags) in enumerate(streams)}
        environ = {"PATH": f"{self.BASE}/bin", "LANG": "C.UTF-8", "HOME": "/"}
        pid = self.kernel.clone(main, here, list(argv), environ, fds=fds, flags=flags)
        for fd in fds.values():
            self.kernel.close(fd)
        status = self.wait(pid)
        code = -(status & 0x7F) if status & 0x7F else status >> 8
        output = [self.read(f"{directory}/{name}") for name in ("out", "err")]
        return normal(code, *output, self.tree(here, ""), here)

    def wait(self, pid: int) -> int:
        """Let things run until a task has ended, and reap it."""
        while True:
            events = self.kernel.poll(20.0)
            assert events, f"nothing happens any more: {getattr(self.kernel, 'crashes', '')}"
            for event in events:
                if event.kind == "exited":
                    status = self.kernel.wait4(event.pid)[1]
                    if event.pid == pid:
                        return status

    def read(self, path: str) -> bytes:
        """Read a file."""
        fd = self.kernel.open(path, O_RDONLY)
        data = b""
        while part := self.kernel.read(fd, 65536):
            data += part
        self.kernel.close(fd)
        return data

    def tree(self, directory: str, prefix: str) -> Tree:
        """Return the tree below a directory."""
        found: Tree = {}
        for name in sorted(self.kernel.listdir(directory)):
            path = f"{directory}/{name}"
            status = self.kernel.lstat(path)
            kind = status.st_mode & S_IFMT
            data = b""
            if kind == S_IFLNK:
                data = self.kernel.readlink(path).encode()
            elif kind == S_IFREG:
                data = self.read(path)
            found[prefix + name] = (status.st_mode, 0 if kind == S_IFDIR else status.st_nlink, data)
            if kind == S_IFDIR:
                found |= self.tree(path, f"{prefix}{name}/")
        return found
