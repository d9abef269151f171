"""Random file calls on two overlays, the simulated one and Linux's: the same results, trees and upper directories.

A case is data: layers, mount options, calls. :func:`run` performs it on both kernels and returns the first difference.
``python -m tests.conformance.overlay_random --sequences N --seed S`` runs many, as root, in a private mount namespace;
``--shrink`` makes a failing one small.
"""

import argparse
import ctypes
import dataclasses
import os
import pprint
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minidocker.kernel import Stat
from minidocker.linux import (
    CLONE_NEWNS,
    MNT_DETACH,
    MS_PRIVATE,
    MS_REC,
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFMT,
    S_IFREG,
    S_IFSOCK,
    errno_name,
)
from minidocker.sim import SimKernel
from tests.conformance import layers

Entry = layers.Entry
Call = tuple[Any, ...]

NAMES = ("a", "b", "c", "d")
IDS = (0, 0, 1000, 1001)
MODES = (0o644, 0o600, 0o755, 0o444, 0o4755, 0o2755, 0o2644, 0o666, 0o777, 0o1777, 0o711, 0o000, 0o6777, 0o2777)
XATTRS = (
    "user.x",
    "user.y",
    "trusted.z",
    "trusted.overlay.t",
    "trusted.overlay.opaque",
    "user.overlay.t",
    "security.s",
    "odd",
    "user.",
)
ENTRY_KINDS = (*("file", "dir") * 3, "symlink", "node", "whiteout", "link", "opaque")
DIR_MODES = (0o755, 0o755, 0o777, 0o700, 0o1777, 0o2775)
FLAG_ODDS = {O_CREAT: 0.45, O_EXCL: 0.1, O_TRUNC: 0.2, O_APPEND: 0.2, O_DIRECTORY: 0.06, O_NOFOLLOW: 0.08}
OPTIONS = ("", "", ",redirect_dir=on", ",redirect_dir=off", ",redirect_dir=follow", ",redirect_dir=nofollow")
OPTIONS += (",volatile", ",userxattr,redirect_dir=nofollow")


@dataclasses.dataclass
class Case:
    """``lowers``: topmost first; ``upper`` None: read-only."""

    lowers: list[list[Entry]]
    upper: list[Entry] | None
    options: str
    calls: list[Call]
    apart: int = -1
    """The number of a lower layer that is a file system of its own."""


class DirectLinux:
    """This process's own kernel, by os: for a process that is in a private mount namespace."""

    def __init__(self) -> None:
        """Take libc for what os does not have."""
        self._libc = ctypes.CDLL(None, use_errno=True)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return os's function of that name."""
        return getattr(os, name)  # type: ignore[no-any-return]

    def job(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function, as the port's job does."""
        return function(self, *args)

    def _check(self, result: int) -> None:
        if result:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def mount(self, source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
        """mount(2)."""
        text = [part.encode() for part in (source, target, fstype, data)]
        self._check(self._libc.mount(text[0], text[1], text[2], ctypes.c_ulong(flags), text[3]))

    def umount2(self, target: str, flags: int = 0) -> None:
        """umount2(2)."""
        self._check(self._libc.umount2(target.encode(), flags))

    def unshare_mounts(self) -> None:
        """Move this process into a mount namespace of its own."""
        self._check(self._libc.unshare(CLONE_NEWNS))
        self.mount("none", "/", "none", MS_REC | MS_PRIVATE)


#: Where a case lies below its base: so deep that no ``..`` in a path or link of it leads out of the base.
DEPTH = "/deep" * 24


class Pair:
    """Two kernels that get the same calls. Descriptors are named by the order in which they were opened."""

    def __init__(self, sim: Any, real: Any, sim_base: str, real_base: str) -> None:
        """Both bases are empty directories, of which each is a whole file system."""
        self.kernels = (sim, real)
        self.bases = (sim_base + DEPTH, real_base + DEPTH)
        self.fds: list[tuple[int, int]] = []
        self._seen: tuple[dict[Any, int], dict[Any, int]] = ({}, {})

    def plant(self, case: Case) -> str | None:
        """Make the layers and mount them; return how the kernels differ, or None."""
        for kernel, base in zip(self.kernels, self.bases, strict=True):
            kernel.job(layers.plant_stack, base, case.lowers, case.upper or [], case.apart)
        answers = [self._mount(index, case) for index in (0, 1)]
        if answers[0] != answers[1]:
            return f"mount: sim {answers[0]}, real {answers[1]}"
        return "refused" if answers[0] else None

    def _mount(self, index: int, case: Case) -> str:
        kernel, base = self.kernels[index], self.bases[index]
        data = "lowerdir=" + ":".join(f"{base}/l{number}" for number in range(len(case.lowers)))
        if case.upper is not None:
            data += f",upperdir={base}/u,workdir={base}/w"
        data += case.options + ("" if "redirect" in case.options else ",redirect_dir=off")
        try:
            kernel.mount("overlay", f"{base}/m", "overlay", 0, data + ",index=off,xino=off,metacopy=off")
        except OSError as error:
            return errno_name(error.errno)
        kernel.chdir(f"{base}/m")
        return ""

    def call(self, name: str, *args: Any, **kwargs: Any) -> str | None:
        """Make a call on both; return how the answers differ, or None."""
        answers = [self._answer(index, name, args, kwargs) for index in (0, 1)]
        if name == "open" and all(isinstance(answer, int) for answer in answers):
            self.fds.append((answers[0], answers[1]))
            return None
        shown = [self._comparable(index, answer) for index, answer in enumerate(answers)]
        if shown[0] != shown[1]:
            return f"{name}{args}{kwargs or ''}: sim {shown[0]}, real {shown[1]}"
        if name == "close" and shown[0] is None:
            del self.fds[args[0] % len(self.fds)]
        return None

    def _answer(self, index: int, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if name in FD_CALLS:
            args = (self.fds[args[0] % len(self.fds)][index] if self.fds else 99, *args[1:])
        try:
            return getattr(self.kernels[index], name)(*args, **kwargs)
        except OSError as error:
            return f"-{errno_name(error.errno)}"

    def _comparable(self, index: int, answer: Any) -> Any:
        if isinstance(answer, (Stat, os.stat_result)):
            return self.comparable_stat(index, answer)
        return sorted(answer) if isinstance(answer, list) else answer

    def comparable_stat(self, index: int, stat: Any) -> tuple[Any, ...]:
        """Return what must be equal: no times, and numbers only as "the same as that one before"."""
        seen = self._seen[index]
        number = seen.setdefault((stat.st_dev, stat.st_ino), len(seen))
        device = seen.setdefault(("device", stat.st_dev), len(seen))
        size = 0 if stat.st_mode & S_IFMT == S_IFDIR else stat.st_size
        return (oct(stat.st_mode), f"inode {number}", f"device {device}", stat.st_nlink, stat.st_uid, stat.st_gid, size,
                stat.st_rdev if stat.st_mode & S_IFMT in (S_IFCHR, S_IFBLK) else 0)  # fmt: skip

    def trees(self, *, lowers: int) -> str | None:
        """Compare merged tree, upper directory and lower layers; return the first difference, or None."""
        for kernel in self.kernels:
            kernel.seteuid(0)
            kernel.setegid(0)
        for top in ["m", "u", *(f"l{number}" for number in range(lowers))]:
            found = [self._tree(index, top) for index in (0, 1)]
            if found[0] != found[1]:
                paths = [path for path in sorted({*found[0], *found[1]}) if found[0].get(path) != found[1].get(path)]
                return "\n".join(f"tree {path}: sim {found[0].get(path)}, real {found[1].get(path)}" for path in paths)
        return None

    def _tree(self, index: int, top: str) -> dict[str, Any]:
        listed = self.kernels[index].job(layers.tree, self.bases[index], top)
        return {path: self._comparable_entry(index, path, entry) for path, *entry in listed}

    def _comparable_entry(self, index: int, path: str, entry: list[Any]) -> Any:
        if len(entry) == 1:
            return entry
        stat, *rest = entry
        shown = list(self.comparable_stat(index, Stat(**dict(zip(layers.STAT_FIELDS, stat, strict=True)))))
        if path == "u" or (stat[0] & S_IFMT == S_IFCHR and stat[-1] == 0):
            shown[1:4] = ["", "", 0]
        return [*shown, *rest]

    def end(self) -> None:
        """Unmount."""
        for index, kernel in enumerate(self.kernels):
            for pair in self.fds:
                kernel.close(pair[index])
            kernel.chdir("/")
            kernel.umount2(f"{self.bases[index]}/m", MNT_DETACH)


FD_CALLS = ("close", "read", "write", "lseek", "ftruncate", "fstat", "fchmod", "fchown")


class Generator:
    """Random cases from a seed."""

    def __init__(self, seed: object) -> None:
        """Start from a seed."""
        self.random = random.Random(str(seed))
        self.prefix = "trusted"

    def case(self, length: int = 15) -> Case:
        """Return a case of at most so many calls."""
        options = self.random.choice(OPTIONS)
        redirects = "nofollow" not in options
        self.prefix = "user" if "userxattr" in options else "trusted"
        lowers = [self.layer(redirects=redirects) for _ in range(self.random.choice((1, 1, 2, 2, 3, 4)))]
        readonly = len(lowers) > 1 and self.random.random() < 0.06
        upper = None if readonly else self.layer(redirects=False) if self.random.random() < 0.3 else []
        calls = [self.call() for _ in range(self.random.randint(3, length))]
        apart = self.random.randrange(len(lowers)) if self.random.random() < 0.1 else -1
        return Case(lowers, upper, options, calls, apart)

    def layer(self, *, redirects: bool) -> list[Entry]:
        """Return entries for a layer. Marks lie in all layers, as image layers on each other have them."""
        entries: list[Entry] = []
        dirs = [""]
        paths: list[str] = []
        for _ in range(self.random.randint(1, 9)):
            path = self.random.choice(dirs) + self.random.choice(NAMES)
            kind = self.random.choice(ENTRY_KINDS)
            if kind in ("dir", "opaque"):
                entries.append(("dir", path, self.random.choice(DIR_MODES), *self.owner()))
                if path.count("/") < 2:
                    dirs.append(path + "/")
                if kind == "opaque":
                    value = self.random.choice((b"y", b"y", b"y", b"n"))
                    entries.append(("xattr", path, f"{self.prefix}.overlay.opaque", value))
                elif redirects and self.random.random() < 0.04:
                    entries += self.redirect(path, paths)
            elif kind == "file":
                data = bytes([self.random.randrange(97, 123)]) * self.random.randint(0, 5)
                entries.append(("file", path, self.random.choice(MODES), *self.owner(), data))
            elif kind == "symlink":
                entries.append(("symlink", path, self.target(), *self.owner()))
            elif kind == "node":
                entries.append(("node", path, *self.node(), *self.owner()))
            elif kind == "whiteout":
                entries.append(("whiteout", path))
            elif paths:
                entries.append(("link", path, self.random.choice(paths)))
            paths.append(path)
            if self.random.random() < 0.1:
                entries.append(("xattr", path, self.random.choice(XATTRS[:3]), b"v"))
        return entries

    def redirect(self, path: str, paths: list[str]) -> list[Entry]:
        """Return the marks of a directory that was renamed: where it was, and a whiteout there."""
        name = self.random.choice(NAMES)
        absolute = self.random.random() < 0.5
        old = name if absolute else path[: path.rfind("/") + 1] + name
        if old in paths or old == path:
            return []
        paths.append(old)
        target = f"/{name}" if absolute else name
        return [("xattr", path, "trusted.overlay.redirect", target.encode()), ("whiteout", old)]

    def owner(self) -> tuple[int, int]:
        """Return uid and gid."""
        return self.random.choice(IDS), self.random.choice(IDS)

    def node(self) -> tuple[int, int]:
        """Return mode and device for mknod."""
        kind = self.random.choice((S_IFIFO, S_IFIFO, S_IFCHR, S_IFSOCK, S_IFBLK))
        device = {S_IFCHR: 0x103, S_IFBLK: 0xF000}.get(kind, 0)
        return kind | self.random.choice(MODES), device

    def target(self) -> str:
        """Return what a symbolic link says."""
        return self.random.choice(("a", "b", "c/d", "../a", "../b/c", ".", "..", "a/", "nowhere", "d", "./b", "a/b"))

    def path(self) -> str:
        """Return a path, mostly of few names, so that it often exists."""
        depth = self.random.choice((1, 1, 1, 1, 2, 2, 2, 2, 3, 3))
        path = "/".join(self.random.choice(NAMES) for _ in range(depth))
        odd = self.random.random()
        if odd < 0.04:
            return path + "/"
        if odd < 0.06:
            return path + "/."
        if odd < 0.08:
            return path + "/.."
        if odd < 0.085:
            names = ("n" * 255, "n" * 256, "x/" * 2047 + "a")
            return self.random.choice(("", ".", "..", path + "//" + path, "./" + path, *names))
        return path

    def call(self) -> Call:
        """Return a call with its arguments."""
        name = self.random.choice(_CALLS)
        return (name, *getattr(self, "args_" + name, self.no_args)())

    def no_args(self) -> tuple[Any, ...]:
        """For calls with a path only."""
        return (self.path(),)

    args_stat = args_lstat = args_listdir = args_rmdir = args_unlink = args_readlink = no_args

    def args_open(self) -> tuple[Any, ...]:
        """Flags in all mixes; never one that could wait for the other side of a fifo."""
        flags = self.random.choice((O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR, O_RDWR)) | O_NONBLOCK
        for flag, odds in FLAG_ODDS.items():
            flags |= flag * (self.random.random() < odds)
        return self.path(), flags, self.random.choice(MODES)

    def fd(self) -> int:
        """Return which of the open descriptors."""
        return self.random.randrange(8)

    def args_close(self) -> tuple[Any, ...]:
        """A descriptor."""
        return (self.fd(),)

    args_fstat = args_close

    def args_read(self) -> tuple[Any, ...]:
        """A few bytes."""
        return self.fd(), self.random.randint(0, 9)

    def args_write(self) -> tuple[Any, ...]:
        """A few bytes."""
        return self.fd(), bytes([self.random.randrange(65, 91)]) * self.random.randint(0, 6)

    def args_lseek(self) -> tuple[Any, ...]:
        """All three ways, sometimes below zero."""
        return self.fd(), self.random.randint(-2, 9), self.random.choice((0, 0, 1, 2, 9))

    def args_ftruncate(self) -> tuple[Any, ...]:
        """Shorter or longer."""
        return self.fd(), self.random.randint(-1, 9)

    def args_fchmod(self) -> tuple[Any, ...]:
        """A mode."""
        return self.fd(), self.random.choice(MODES)

    def args_fchown(self) -> tuple[Any, ...]:
        """Owner and group."""
        return self.fd(), self.random.choice((-1, *IDS)), self.random.choice((-1, *IDS))

    def args_truncate(self) -> tuple[Any, ...]:
        """Shorter or longer."""
        return self.path(), self.random.randint(-1, 9)

    def args_mkdir(self) -> tuple[Any, ...]:
        """A mode."""
        return self.path(), self.random.choice((0o755, 0o777, 0o2777, 0o1777, 0o700))

    def args_rename(self) -> tuple[Any, ...]:
        """Two paths."""
        return self.path(), self.path()

    def args_link(self) -> tuple[Any, ...]:
        """Two paths."""
        return self.path(), self.path()

    def args_symlink(self) -> tuple[Any, ...]:
        """A text and a path."""
        return self.target(), self.path()

    def args_chmod(self) -> tuple[Any, ...]:
        """A mode."""
        return self.path(), self.random.choice(MODES)

    def args_chown(self) -> tuple[Any, ...]:
        """Owner and group; -1 leaves one."""
        return self.path(), self.random.choice((-1, *IDS)), self.random.choice((-1, *IDS))

    args_lchown = args_chown

    def args_mknod(self) -> tuple[Any, ...]:
        """All types; whiteouts and directories, too, which are refused."""
        odd = self.random.random()
        if odd < 0.15:
            return self.path(), S_IFCHR | 0o600, 0
        if odd < 0.2:
            return self.path(), S_IFDIR | 0o755, 0
        if odd < 0.4:
            return self.path(), S_IFREG | self.random.choice(MODES), 0
        return self.path(), *self.node()

    def args_setxattr(self) -> tuple[Any, ...]:
        """A value, with all flags."""
        value, flags = self.random.choice((b"", b"1", b"22")), self.random.choice((0, 0, 0, 1, 2, 3))
        return self.path(), self.random.choice(XATTRS), value, flags

    def args_getxattr(self) -> tuple[Any, ...]:
        """A name."""
        return self.path(), self.random.choice(XATTRS)

    args_removexattr = args_getxattr
    args_listxattr = no_args

    def args_utime(self) -> tuple[Any, ...]:
        """Now, or a time."""
        return self.path(), self.random.choice((None, (1, 2)))

    def args_seteuid(self) -> tuple[Any, ...]:
        """A user."""
        return (self.random.choice(IDS),)

    args_setegid = args_seteuid

    def args_umask(self) -> tuple[Any, ...]:
        """A mask."""
        return (self.random.choice((0, 0o022, 0o077)),)

    def args_access(self) -> tuple[Any, ...]:
        """A mask."""
        return self.path(), self.random.randrange(8)

    def args_chdir(self) -> tuple[Any, ...]:
        """Into the tree and back."""
        return (self.random.choice((self.path(), "..", ".")),)


_CALLS = (
    *("open",) * 9, "close", *("read",) * 3, *("write",) * 4, "lseek", "truncate", "truncate", "ftruncate", "fstat",
    "fstat", *("stat",) * 3, *("lstat",) * 4, *("listdir",) * 3, *("mkdir",) * 4, *("rmdir",) * 4, *("unlink",) * 5,
    *("rename",) * 9, *("link",) * 4, "symlink", "symlink", "readlink", "chmod", "chmod", "chown", "lchown", "mknod",
    "mknod", "fchmod", "fchown", "setxattr", "setxattr", "getxattr", "listxattr", "removexattr", "utime", "seteuid",
    "seteuid", "setegid", "umask", "access",
)  # fmt: skip


def perform(pair: Pair, case: Case) -> str | None:
    """Plant, call, compare; return the first difference, or None."""
    difference = pair.plant(case)
    if difference is not None:
        return None if difference == "refused" else difference
    try:
        for number, (name, *args) in enumerate(case.calls):
            if name == "lseek" and is_directory(pair, args[0]):
                continue
            difference = pair.call(name, *args)
            if difference is not None:
                return f"call {number}: {difference}"
        return pair.trees(lowers=len(case.lowers))
    finally:
        for kernel in pair.kernels:
            kernel.seteuid(0)
            kernel.setegid(0)
            kernel.umask(0o022)
        pair.end()


def is_directory(pair: Pair, number: int) -> bool:
    """Where a directory's offset stands is each file system's own affair."""
    if not pair.fds:
        return False
    fd = pair.fds[number % len(pair.fds)][0]
    return bool(pair.kernels[0].fstat(fd).st_mode & S_IFMT == S_IFDIR)


def run(case: Case, sim: Any, real: Any, sim_base: str, real_base: str) -> str | None:
    """Perform a case on two kernels, each in a new tmpfs; return the first difference, or None."""
    for kernel, base in ((sim, sim_base), (real, real_base)):
        kernel.mount("tmpfs", base, "tmpfs", 0, "mode=755")
    try:
        return perform(Pair(sim, real, sim_base, real_base), case)
    finally:
        for kernel, base in ((sim, sim_base), (real, real_base)):
            kernel.chdir("/")
            kernel.umount2(base, MNT_DETACH)


def shrink(case: Case, fails: Callable[[Case], str | None]) -> Case:
    """Leave out calls and entries as long as the kernels still differ."""
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(case):
            if fails(smaller):
                case, progress = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    for index in reversed(range(len(case.calls))):
        yield dataclasses.replace(case, calls=case.calls[:index] + case.calls[index + 1 :])
    if len(case.lowers) > 1:
        for index in range(len(case.lowers)):
            yield dataclasses.replace(case, lowers=case.lowers[:index] + case.lowers[index + 1 :])
    for number, layer in enumerate(case.lowers):
        for index in reversed(range(len(layer))):
            lowers = [*case.lowers[:number], layer[:index] + layer[index + 1 :], *case.lowers[number + 1 :]]
            yield dataclasses.replace(case, lowers=lowers)
    for index in range(len(case.upper or [])):
        assert case.upper is not None
        yield dataclasses.replace(case, upper=case.upper[:index] + case.upper[index + 1 :])


def main() -> int:
    """Run cases; print each difference; return 1 if there was one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--first", type=int, default=0, help="number of the first sequence")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--stop", type=int, default=5, help="stop after so many differences")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("needs root")
    with tempfile.TemporaryDirectory() as jail:
        child = os.fork()
        if not child:
            os._exit(_run_jailed(arguments, jail))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _run_jailed(arguments: argparse.Namespace, jail: str) -> int:
    """Run with a root directory of its own: random paths must not reach the machine's files."""
    real = DirectLinux()
    real.unshare_mounts()
    real.mount("tmpfs", jail, "tmpfs", 0, "mode=755")
    os.chroot(jail)
    os.chdir("/")
    os.mkdir("/base")
    os.setgroups([])
    os.umask(0o022)
    try:
        return _run_many(arguments, real, "/base")
    except BaseException:  # noqa: BLE001  a forked child must not go on as its parent
        import traceback

        traceback.print_exc()
        return 2
    finally:
        sys.stdout.flush()


def _run_many(arguments: argparse.Namespace, real: Any, base: str) -> int:
    def fails(case: Case) -> str | None:
        try:
            return run(case, SimKernel(), real, "/mnt", base)
        except Exception as error:  # noqa: BLE001  a crash of the simulator is a difference too
            import traceback

            return "crash: " + "".join(traceback.format_exception(error)[-4:])

    started, differences, calls = time.monotonic(), 0, 0
    for number in range(arguments.first, arguments.first + arguments.sequences):
        case = Generator((arguments.seed, number)).case()
        calls += len(case.calls)
        difference = fails(case)
        if difference:
            differences += 1
            print(f"--- seed {arguments.seed}, sequence {number}: {difference}", flush=True)
            if arguments.shrink:
                small = shrink(case, fails)
                pprint.pp(small, width=140)
                print(fails(small), flush=True)
            if differences >= arguments.stop:
                break
        if number % 5000 == 4999:
            print(f"{number + 1} sequences, {time.monotonic() - started:.0f} s, {differences} differences", flush=True)
    done = number + 1 - arguments.first
    print(f"{done} sequences of {calls} calls in {time.monotonic() - started:.1f} s: {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
