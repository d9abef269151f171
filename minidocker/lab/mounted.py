"""Mounted: a stack of given layers on one kernel, and calls on it, each recorded.

Paths are the learner's: ``/a`` means the merged tree's ``/a``. Symbolic links are followed here, inside of the merged
tree, as chroot(2) would have it: the calls are made on the host's side, where an absolute link would lead out of it.
"""

import errno
import itertools
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from minidocker import overlay2
from minidocker.kernel import Files, SyscallEvent
from minidocker.lab import layers as language
from minidocker.linux import MNT_DETACH, O_CREAT, O_EXCL, O_NOFOLLOW, S_IFLNK, S_IFMT, fail
from minidocker.recorder import Recorder
from minidocker.trace import Trace
from minidocker.tree import make_directories
from minidocker.world import Host

#: Where the stacks lie on either kernel's disk.
ROOT: Final = "/var/lib/docker/lab"

#: What a trace calls the stack.
STACK: Final = "stack"

#: Which arguments of a call are paths; of every other call it is the first, if that is text.
_PATHS: Final = {"rename": (0, 1), "link": (0, 1), "symlink": (1,)}

#: The calls that act on a symbolic link itself when it is the last name of the path.
_NOT_FOLLOWING: Final = frozenset({
    "lstat", "unlink", "rmdir", "rename", "link", "readlink", "mkdir", "mknod", "symlink", "lchown", "lsetxattr",
    "lgetxattr", "llistxattr", "lremovexattr",
})  # fmt: skip

#: The calls that give a descriptor.
_OPENING: Final = frozenset({"open", "dup"})

#: From here on lie the learner's descriptors among the daemon's.
_HIGH: Final = 100

#: A number that nobody ever has.
_NEVER: Final = 199

_LINKS_MAX: Final = 40

Found = tuple[Any, OSError | None]


class Mounted:
    """One stack on one kernel. The first of ``layers`` is the lowest."""

    def __init__(self, host: Host, layers: Sequence[language.Layer], name: str) -> None:
        """Make the layers' directories, and mount them below an empty writable one."""
        self.host = host
        self.kernel = host.kernel
        self.rootless = bool(host.description.get("rootless"))
        self.name = name
        self.directory = f"{ROOT}/{name}"
        self.merged = f"{self.directory}/merged"
        self.upper = f"{self.directory}/upper"
        self.recorder = Recorder(host.description)
        self._said: tuple[Any, ...] = ()
        self._descriptors: dict[int, int] = {}
        self._mount(layers)

    def _mount(self, layers: Sequence[language.Layer]) -> None:
        roots = [f"{self.directory}/layer{number}" for number in range(1, len(layers) + 1)]
        for directory in (*roots, self.upper, f"{self.directory}/work", self.merged):
            self.kernel.job(make_directories, directory)
        mark = ("user" if self.rootless else "trusted") + ".overlay.opaque"
        made = [
            self.kernel.job(language.build_job, root, language.rows(layer), mark)
            for root, layer in zip(roots, layers, strict=True)
        ]
        self._mount_told(roots[::-1], trace_layers(made))

    def _mount_told(self, roots: Sequence[str], table: Mapping[str, Any]) -> None:
        """Mount from within the stack's directory, as Docker does it to keep the options short."""
        self.kernel.observe(self.name, roots, self.upper)
        self.recorder.layers(table)
        self.recorder.operation(
            "mount the stack", "The layers, read-only, topmost first; an empty writable directory above."
        )
        self.recorder.stack(STACK, list(table)[::-1], "merged", {})
        lowers = ":".join(posixpath.basename(root) for root in roots)
        given = (*overlay2.OPTIONS, "userxattr" if self.rootless else "redirect_dir=off")
        options = f"lowerdir={lowers},upperdir=upper,workdir=work,{','.join(given)}"
        self.kernel.chdir(self.directory)
        self.kernel.listener = self._listen_mount
        try:
            self.kernel.mount("overlay", "merged", "overlay", 0, options)
        finally:
            self.kernel.listener = None
            self.kernel.chdir("/")

    def _listen_mount(self, event: SyscallEvent) -> None:
        self.recorder(self._named(event))

    def _named(self, event: SyscallEvent) -> SyscallEvent:
        """Return the event with the stack under the name that all traces give it: they must not depend on a count."""
        mine = event.uppers.get(self.name)
        return replace(event, uppers={STACK: mine} if mine else {})

    def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Found:
        """Make a call on the merged tree, and return its result, or None and its error."""
        self._said = tuple(args)
        try:
            meant = self._meant(name, args)
            self.kernel.listener = self._listen
            result = self.kernel.syscall(name, *meant, **kwargs)
        except OSError as error:
            _say_paths(error, args)
            return None, error
        finally:
            self.kernel.listener = None
        return self._descriptor(name, args, result), None

    def _listen(self, event: SyscallEvent) -> None:
        """Take a call as the learner said it: who makes the calls is a task beside the daemon."""
        result = self._next if event.name in _OPENING and event.error is None else event.result
        self.recorder(replace(self._named(event), task="0.1", actor="you", args=self._said, result=result))

    @property
    def _next(self) -> int:
        """The number of the next descriptor, as a task with a table of its own would get it."""
        return next(number for number in itertools.count(3) if number not in self._descriptors)

    def _descriptor(self, name: str, args: Sequence[Any], result: Any) -> Any:
        """Keep the learner's descriptors out of the daemon's way: they are numbers of their own, and lie high."""
        if name == "close":
            del self._descriptors[args[0]]
        if name not in _OPENING:
            return result
        number = self._next
        self._descriptors[number] = high = self.host.kernel.job(high_job, result, _HIGH)
        assert high >= _HIGH
        return number

    def cut(self, command: str) -> Trace:
        """Return what happened since the last cut."""
        return self.recorder.cut(command)

    def read(self, root: str) -> dict[str, Any]:
        """Return what lies below a directory, told in the language of layers."""
        told: dict[str, Any] = self.kernel.job(language.read_job, root)
        return told

    def close(self) -> None:
        """Unmount the stack."""
        self.kernel.unobserve(self.name)
        self.kernel.umount2(self.merged, MNT_DETACH)

    def _meant(self, name: str, args: Sequence[Any]) -> list[Any]:
        """Return the arguments with the paths as the host's side has them."""
        follow = name not in _NOT_FOLLOWING
        if name == "open":
            follow = not args[1] & O_NOFOLLOW and args[1] & (O_CREAT | O_EXCL) != O_CREAT | O_EXCL
        if args and isinstance(args[0], int):
            return [self._descriptors.get(args[0], _NEVER), *args[1:]]
        at = _PATHS.get(name, (0,) if args and isinstance(args[0], str) else ())
        return [
            self.kernel.job(resolve_job, self.merged, arg, follow) if number in at else arg
            for number, arg in enumerate(args)
        ]


def high_job(files: Files, fd: int, least: int) -> int:
    """Give an open file a number that is free from ``least`` on, instead of the one it has; return it."""
    for number in itertools.count(least):
        try:
            files.fstat(number)
        except OSError:
            files.dup2(fd, number)
            files.close(fd)
            return number
    raise AssertionError("numbers have no end")


def resolve_job(files: Files, root: str, path: str, follow: bool) -> str:
    """Return where a path leads when ``root`` is taken for ``/``; the last name is followed if ``follow`` says so."""
    pending, walked, links = path.split("/")[::-1], list[str](), 0
    while pending:
        name = pending.pop()
        if name == "..":
            walked = walked[:-1]
        elif name not in ("", "."):
            walked.append(name)
            target = _link_target(files, posixpath.join(root, *walked)) if follow or any(pending) else None
            if target is not None:
                links += 1
                if links > _LINKS_MAX:
                    fail(errno.ELOOP, path)
                walked = [] if target.startswith("/") else walked[:-1]
                pending += target.split("/")[::-1]
    found = posixpath.join(root, *walked)
    return found + "/" if path.endswith("/") and walked else found


def _link_target(files: Files, path: str) -> str | None:
    try:
        return files.readlink(path) if files.lstat(path).st_mode & S_IFMT == S_IFLNK else None
    except OSError:  # nothing there, or no directory above: the call itself will say so
        return None


def _say_paths(error: OSError, args: Sequence[Any]) -> None:
    """Name in an error the paths that the learner named."""
    paths = [arg for arg in args if isinstance(arg, str)]
    error.filename = paths[0] if paths else None
    if len(paths) > 1 and error.filename2 is not None:
        error.filename2 = paths[1]


def trace_layers(made: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a trace's table of layers, lowest first. They come from no archive: a digest names what they hold."""
    table, below = {}, ""
    for number, entries in enumerate(made, 1):
        digest = language.digest(entries)
        below = language.digest([below, digest])
        table[below] = {
            "name": f"layer {number}",
            "digest": digest,
            "created_by": "",
            "bytes": sum(entry.get("size", 0) for entry in entries.values() if entry["kind"] == "file"),
            "entries": {path: {key: entry[key] for key in entry if key != "sum"} for path, entry in entries.items()},
            "complete": True,
        }
    return table
