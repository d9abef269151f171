"""Take down: what the daemon takes back of a container that has ended, in one go. Nothing but calls."""

import errno
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from minidocker import cable
from minidocker.cgroup_jobs import remove_groups
from minidocker.kernel import Kernel, Mounts
from minidocker.linux import MNT_DETACH

#: What umount2 says where nothing is mounted: a start that failed has not come so far.
_NOTHING: Final = (errno.EINVAL, errno.ENOENT)


def take_down(
    kernel: Kernel, plugged: tuple[str, int | None] | None, groups: Sequence[str], shared: Sequence[str], merged: str
) -> None:
    """Pull its cable, remove its control groups with whatever is still in them, and undo its mounts.

    ``plugged`` is its cable (see :func:`minidocker.cable.pull`), ``groups`` are directories of cgroupfs, ``shared``
    mounts that others may still use, ``merged`` is its root file system. If one of it fails the rest is done, too.
    """
    with ExitStack() as left:  # in reverse
        left.callback(_umount, kernel, merged, 0)
        for path in shared:
            left.callback(_umount, kernel, path, MNT_DETACH)
        for group in reversed(groups):
            left.callback(remove_groups, kernel, [group])
        if plugged is not None:
            cable.pull(kernel, *plugged)


def _umount(kernel: Mounts, path: str, flags: int) -> None:
    try:
        kernel.umount2(path, flags)
    except OSError as error:
        if error.errno not in _NOTHING:
            raise
