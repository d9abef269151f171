"""One sentence why, and where to read on: what a step says beside the call itself."""

import posixpath
from collections.abc import Sequence
from typing import Any, Final

from minidocker import explain_isolation, linux
from minidocker.kernel import Inner, SyscallEvent

OVERLAY: Final = "Documentation/filesystems/overlayfs.rst"

_WHY: Final = {
    "chdir": "From now on relative paths begin here.",
    "chmod": "Permissions belong to the inode: to change them is to change the file.",
    "chown": "The owner belongs to the inode: to change it is to change the file.",
    "close": "The descriptor's number is free again.",
    "dup2": "One open file, one more number for it: that is how a shell redirects.",
    "execve": "The task stays the same, with its id and descriptors; the program in it is another now.",
    "exit": "The task ends; its parent learns the exit code by wait4.",
    "fstat": "What the inode of an open file says.",
    "ftruncate": "The open file gets this length.",
    "kill": "A signal is sent to a task.",
    "link": "One inode gets one more name; nothing is copied.",
    "listdir": "The names that the merged directory has: each once, hidden ones left out.",
    "lstat": "What the inode of this very name says; a symbolic link is not followed.",
    "mkdir": "A new directory, in the writable layer.",
    "mknod": "A new node, in the topmost file system here.",
    "open": "A path becomes a number; the kernel looks for the topmost layer that has it.",
    "pipe2": "A buffer in the kernel with two ends: what one writes the other reads.",
    "pivot_root": "The merged tree becomes the root of this mount namespace; the old root is put aside.",
    "read": "Bytes come from whichever layer serves the open file.",
    "readlink": "What the symbolic link says.",
    "rename": "A name moves; the data stays where it is.",
    "rmdir": "An empty directory goes away.",
    "stat": "What the inode at this path says.",
    "symlink": "A small file that says a path.",
    "truncate": "The file gets this length.",
    "umount2": "A mount leaves the tree.",
    "unlink": "A name goes away; the inode goes with its last name.",
    "utime": "Times belong to the inode: to change them is to change the file.",
    "wait4": "The parent learns how the child ended, and the kernel forgets the child.",
    "write": "The bytes go to the open file.",
}

_MOUNTS: Final = {
    "overlay": "One tree out of many: the topmost layer that has a name serves it; writes go to the upper directory.",
    "proc": "A /proc of the caller's own PID namespace: only its own processes are in it.",
    "tmpfs": "A file system in memory, empty and thrown away with its mount.",
    "cgroup2": "The control groups as files, with the caller's own cgroup namespace at the top.",
    "cgroup": "The control groups of one hierarchy as files, with the caller's own cgroup namespace at the top.",
    "sysfs": "What the kernel tells of devices; its network part is the caller's network namespace's.",
    "mqueue": "POSIX message queues as files: those of the caller's IPC namespace.",
    "devpts": "Terminals of its own, apart from the host's.",
}

_ERRORS: Final = {
    "EXDEV": "Overlayfs cannot move a directory that a lower layer has; mv copies and deletes instead.",
    "EROFS": "This tree is mounted read-only.",
    "ENOENT": "No layer has this name, or a whiteout hides it.",
    "ENOTEMPTY": "The merged directory still has names.",
    "EEXIST": "The name is already there.",
    "EACCES": "The permission bits refuse it to this user.",
    "EPERM": "Only a privileged task, or the owner, may do this.",
}

_INSIDE: Final = {
    "copy_up": (
        "The lower file stays as it is, hidden from now on by its copy in the writable layer.",
        "minidocker/sim/overlay/copy_up.py",
    ),
    "whiteout": (
        "A character device 0/0 in the writable layer says “nothing here”. No byte is freed below.",
        "minidocker/sim/overlay/whiteout.py",
    ),
    "opaque": (
        "The mark opaque=y on the new directory hides everything that lower layers have in it.",
        "minidocker/sim/overlay/opaque.py",
    ),
}


def why(event: SyscallEvent, where: str = "") -> str:
    """Return one sentence why this call did what it did; ``where``: the path of /proc or cgroupfs that it is about."""
    if event.error is not None:
        name = linux.errno_name(event.error.errno)
        return explain_isolation.why(event, where) or _ERRORS.get(
            name, f"The kernel refuses: {linux.strerror(event.error.errno).lower()}."
        )
    copied = next((inner for inner in event.inner if inner.name == "copy_up"), None)
    if copied is not None:
        return _copied(event, event.inner)
    if any(inner.name == "whiteout" for inner in event.inner):
        return "The name is in a lower layer, and that is read-only: a mark must hide it."
    if said := explain_isolation.why(event, where):
        return said
    if event.name == "open":
        return _opened(event.args)
    if event.name == "mount":
        return _mounted(event.args)
    return _WHY.get(event.name, "")


def ref(name: str, where: str = "") -> dict[str, str]:
    """Return where a call is documented: ``{"linux": "open(2)"}``; of a file of /proc or cgroupfs where that is."""
    if place := explain_isolation.ref(name, where):
        return {"linux": place}
    manual = {"listdir": "getdents64(2)", "sleep": "nanosleep(2)", "exit": "_exit(2)", "utime": "utimensat(2)"}
    return {"linux": manual.get(name, f"{name}(2)")}


def inside(inner: Inner) -> tuple[str, str, dict[str, str]]:
    """Return of something inside the kernel: its text, one sentence why, and where to read on."""
    if inner.name not in _INSIDE:
        return explain_isolation.inside(inner)
    sentence, code = _INSIDE[inner.name]
    size = f"  {inner.size} B" if inner.name == "copy_up" else ""
    if inner.name == "copy_up" and inner.size == 0:
        sentence = "Its inode, without data, is made anew in the writable layer; the lower one stays as it is."
    return f'{inner.name}("{inner.path}"){size}', sentence, {"linux": OVERLAY, "code": code}


def _copied(event: SyscallEvent, inner: Sequence[Inner]) -> str:
    whole = sum(item.size for item in inner)
    path = next((item.path for item in reversed(inner) if item.name == "copy_up"), "")
    what = f"the whole file ({whole} bytes) is copied up" if whole else f"{posixpath.basename(path)} is copied up"
    if event.name == "open":
        return f"A lower layer is never written to: before it can be opened for writing, {what}."
    return f"A lower layer is never changed: before {event.name} can act, {what}."


def _opened(args: Sequence[Any]) -> str:
    bits = args[1]
    if bits & linux.O_ACCMODE == linux.O_RDONLY:
        return "Opened for reading, straight from the topmost layer that has it: nothing is copied."
    if bits & linux.O_CREAT:
        return "Opened for writing in the writable layer; made there if no layer had it."
    return "Already in the writable layer: opened for writing there."


def _mounted(args: Sequence[Any]) -> str:
    _, target, fstype, bits, _ = args
    if bits & linux.MS_REMOUNT:
        return (
            "The mount stays, with other flags."
            if not bits & linux.MS_RDONLY
            else "Nobody writes through this mount any more."
        )
    if bits & linux.MS_BIND:
        return "The same tree, seen at one more place."
    if bits & linux.MS_PRIVATE:
        return "What is mounted from here on stays in this mount namespace."
    if bits & linux.MS_SLAVE:
        return "What others mount still arrives here; what is mounted here stays here."
    if bits & linux.MS_SHARED:
        return "What is mounted here appears in all that share it, and the other way round."
    return _MOUNTS.get(fstype, f"A file system is attached at {target}.")
