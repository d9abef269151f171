"""A port's files on this machine's disk, below one directory: enough of a kernel to unpack layers."""

import os
import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minidocker.kernel import Files

#: The calls whose first argument, and those whose second one too, is a path.
_ONE_PATH = frozenset({
    "open", "stat", "lstat", "listdir", "mkdir", "rmdir", "unlink", "readlink", "chmod", "chown", "lchown", "mknod",
    "utime", "truncate", "access", "chdir", "setxattr", "lsetxattr", "getxattr", "lgetxattr", "listxattr", "llistxattr",
    "removexattr", "lremovexattr",
})  # fmt: skip
_TWO_PATHS = frozenset({"rename", "link"})
_NOT_FOLLOWING = frozenset({"lsetxattr", "lgetxattr", "llistxattr", "lremovexattr"})


class HostFiles(Files):
    """Absolute paths begin at ``root``; relative ones at a working directory that is this object's own."""

    def __init__(self, root: str) -> None:
        """Work below root, which exists."""
        self.root = str(Path(root).resolve())
        self.cwd = "/"
        self.calls: list[str] = []
        self.fail: Callable[[str, tuple[Any, ...]], None] = lambda name, args: None

    def geteuid(self) -> int:
        """Return who runs the tests."""
        return os.geteuid()

    def getegid(self) -> int:
        """Return who runs the tests."""
        return os.getegid()

    def job(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function on these files."""
        return function(self, *args)

    def syscall(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Perform a call with os."""
        self.calls.append(name)
        self.fail(name, args)
        if name in _ONE_PATH:
            args = (self._host(args[0]), *args[1:])
        elif name in _TWO_PATHS:
            args = (self._host(args[0]), self._host(args[1]))
        elif name == "symlink":
            args = (args[0], self._host(args[1]))
        if name in _NOT_FOLLOWING:
            return getattr(os, name[1:])(*args, follow_symlinks=False)
        own = getattr(self, f"_{name}", None)
        return own(*args, **kwargs) if own else getattr(os, name)(*args, **kwargs)

    def _host(self, path: str) -> str:
        return self.root + posixpath.join(self.cwd, path)

    def _chdir(self, path: str) -> None:
        if not Path(path).is_dir():
            raise NotADirectoryError(path)
        self.cwd = path.removeprefix(self.root)

    def _fchdir(self, fd: int) -> None:
        self.cwd = str(Path(f"/proc/self/fd/{fd}").readlink()).removeprefix(self.root) or "/"

    def _mknod(self, path: str, mode: int, device: int) -> None:
        os.mknod(path, mode, os.makedev(device >> 8, device & 0xFF))

    def _utime(self, path: str, ns: tuple[int, int] | None, follow_symlinks: bool) -> None:
        os.utime(path, ns=ns, follow_symlinks=follow_symlinks)

    def _link(self, src: str, dst: str) -> None:
        os.link(src, dst, follow_symlinks=False)
