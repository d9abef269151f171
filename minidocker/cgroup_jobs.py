"""Jobs on control groups: what is done close to the kernel, in one round trip, over nothing but the port's calls."""

import errno
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from minidocker.cgroup_files import PARENT, V2_CONTROLLERS
from minidocker.kernel import Files, Kernel
from minidocker.linux import O_RDONLY, O_WRONLY, S_IFDIR, S_IFMT, SIGKILL

#: How often to try what tasks that are still dying hold up.
_TRIES: Final = 2000

_READ_SIZE: Final = 1 << 16


def prepare(kernel: Any, roots: Sequence[str], unified: str) -> dict[str, Any]:
    """Make the group that the containers' groups will lie in, and tell what can be limited there."""
    cpus = mems = ""
    there: list[str] = []
    for root in roots:
        with suppress(FileExistsError):
            kernel.mkdir(f"{root}/{PARENT}", 0o755)
        there += kernel.listdir(f"{root}/{PARENT}")
        if "cpuset.mems" in there and not mems and not unified:
            cpus, mems = read(kernel, f"{root}/cpuset.cpus").strip(), read(kernel, f"{root}/cpuset.mems").strip()
            write(kernel, f"{root}/{PARENT}/cpuset.cpus", cpus)
            write(kernel, f"{root}/{PARENT}/cpuset.mems", mems)
    controllers = _delegate(kernel, unified) if unified else []
    if unified:
        there += kernel.listdir(f"{unified}/{PARENT}")
        if "cpuset" in controllers:
            cpus = read(kernel, f"{unified}/cpuset.cpus.effective").strip()
    processors = kernel.sched_getaffinity(0) if roots else []
    return {"files": there, "cpus": cpus, "mems": mems, "controllers": controllers, "processors": processors}


def _delegate(kernel: Files, unified: str) -> list[str]:
    """Have v2's root and the parent group give their controllers to their children; return which they are."""
    has = read(kernel, f"{unified}/cgroup.controllers").split()
    wanted: list[str] = [name for name in V2_CONTROLLERS if name in has]
    for group in (unified, f"{unified}/{PARENT}") if wanted else ():
        write(kernel, f"{group}/cgroup.subtree_control", " ".join(f"+{name}" for name in wanted))
    return wanted


def make_groups(kernel: Files, groups: Sequence[str], values: Sequence[tuple[str, str]]) -> None:
    """Make groups, and write values into files; OSError names the file."""
    for group in groups:
        kernel.mkdir(group, 0o755)
    for path, value in values:
        write(kernel, path, value)


def read_all(kernel: Files, paths: Sequence[str]) -> list[str]:
    """Return what files say; nothing for those that are not there."""
    return [read(kernel, path) for path in paths]


def kill_group(kernel: Kernel, group: str) -> None:
    """Kill a group's tasks, one by one until none is left, for they may have children meanwhile.

    Version 2 writes 0 for one that cannot be seen from here: to kill(2) that would be everybody of our process group.
    """
    for _ in range(_TRIES):
        pids = [int(word) for word in read(kernel, f"{group}/cgroup.procs").split()]
        if not any(pids):
            return
        for pid in filter(None, pids):
            with suppress(ProcessLookupError):
                kernel.kill(pid, SIGKILL)


def remove_groups(kernel: Kernel, groups: Sequence[str]) -> None:
    """Remove groups, and those that a container has made in them.

    One in which tasks are left, or still die, is busy: those are killed and awaited (else EBUSY).
    """
    for group in groups:
        for left in reversed(range(_TRIES)):
            try:
                kernel.rmdir(group)
            except FileNotFoundError:
                break
            except OSError as error:
                if error.errno != errno.EBUSY or not left:
                    raise
                kill_group(kernel, group)
                remove_groups(kernel, _directories(kernel, group))
            else:
                break


def _directories(kernel: Files, group: str) -> list[str]:
    try:
        paths = [f"{group}/{name}" for name in kernel.listdir(group)]
        return [path for path in paths if kernel.lstat(path).st_mode & S_IFMT == S_IFDIR]
    except FileNotFoundError:  # somebody else has removed it
        return []


def read(kernel: Files, path: str) -> str:
    """Return what a file says; nothing if it is not there."""
    try:
        fd = kernel.open(path, O_RDONLY)
    except FileNotFoundError:
        return ""
    text = b""
    try:
        while data := kernel.read(fd, _READ_SIZE):
            text += data
    finally:
        kernel.close(fd)
    return text.decode()


def write(kernel: Files, path: str, value: str) -> None:
    """Write a value into a control file at once; OSError names the file."""
    fd = kernel.open(path, O_WRONLY)
    try:
        kernel.write(fd, value.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        kernel.close(fd)
