"""devpts: pseudo-terminals (devpts(5) in Documentation/filesystems/devpts.rst). Each mount is an instance of its own.

There is the multiplexer ``ptmx`` and no terminal: to open it is ENXIO, because terminals are not modelled.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import S_IFCHR, strerror
from minidocker.sim.dentry import Dentry
from minidocker.sim.inode import SuperBlock
from minidocker.sim.mount import register
from minidocker.sim.tmpfs import Tmpfs, TmpfsInode
from minidocker.sim.user_namespace import FIRST

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: Major and minor number of ptmx(4).
_PTMX: Final = 5 << 8 | 2
_OPTIONS: Final = ("gid", "mode", "ptmxmode")


class Devpts(Tmpfs):
    """One instance of devpts."""

    def options(self) -> list[str]:
        """Return the options in Linux's order."""
        return self.shown


def mount_devpts(task: "Task", source: str, data: str, readonly: bool) -> SuperBlock:
    """Make an instance by ``newinstance``, ``gid=``, ``mode=`` and ``ptmxmode=``; EINVAL for all else."""
    given = dict(option.partition("=")[::2] for option in filter(None, data.split(",")))
    given.pop("newinstance", None)
    for key, value in given.items():
        if key not in _OPTIONS or not value.isdigit():
            raise OSError(errno.EINVAL, f"{strerror(errno.EINVAL)}: devpts: unknown parameter {key!r}")
    modes = {"mode": int(given.get("mode", "600"), 8), "ptmxmode": int(given.get("ptmxmode", "0"), 8)}
    pts = Devpts(task.kernel, source=source or "none", mode=0o755, creds=task.creds)
    pts.user = FIRST  # its terminals are terminals in any user namespace (SB_I_NODEV is cleared)
    pts.fstype = "devpts"
    pts.shown = [f"gid={given['gid']}"] if "gid" in given else []
    pts.shown += [f"{name}={mode:03o}" for name, mode in modes.items()]
    dentry = Dentry("ptmx", pts.root, None, pts)
    dentry.instantiate(TmpfsInode(pts, S_IFCHR | modes["ptmxmode"], task.creds.euid, task.creds.egid, rdev=_PTMX))
    return pts


register("devpts", mount_devpts)
