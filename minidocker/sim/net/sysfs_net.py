"""The links in sysfs: ``/sys/class/net/NAME`` and where that leads (Documentation/ABI/testing/sysfs-class-net).

A sysfs shows the links of one network namespace, its mounter's, whoever looks. They are looked up anew each time.
"""

import errno
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from minidocker.linux import S_IFLNK, fail
from minidocker.sim.net.address import EVERYBODY, NO_MAC
from minidocker.sim.proc import Directory, Proc, ProcInode, TextFile, TextInode

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.mount import Mount
    from minidocker.sim.net.link import Link
    from minidocker.sim.net.namespace import NetNamespace
    from minidocker.sim.open_file import OpenFile
    from minidocker.sim.sysfs import Sysfs
    from minidocker.sim.task import Task

#: The bits of a link's flags (netdevice(7)).
_BITS: Final = {"UP": 1, "BROADCAST": 2, "LOOPBACK": 8, "NOARP": 0x80, "MULTICAST": 0x1000}
#: A bridge's port takes all frames, whomever they are for (IFF_PROMISC, IFF_ALLMULTI).
_PORT: Final = 0x300
#: The kinds of hardware: Ethernet and loopback (ARPHRD_ETHER, ARPHRD_LOOPBACK).
_ETHERNET, _LOOPBACK = 1, 772


def _carrier(link: "Link") -> str:
    """Tell whether there is a signal; EINVAL while the link is off."""
    return str(int(link.carrier)) if link.up else fail(errno.EINVAL)


def _flags(link: "Link") -> str:
    bits = sum(_BITS[word] for word in (*link.words, *(["UP"] if link.up else [])))
    return hex(bits | (_PORT if link.master else 0))


#: The files of a link, and of its statistics.
FILES: Final[dict[str, "Callable[[Link], str]"]] = {
    "address": lambda link: link.mac,
    "broadcast": lambda link: NO_MAC if link.kind == "loopback" else EVERYBODY,
    "carrier": _carrier,
    "flags": _flags,
    "ifindex": lambda link: str(link.index),
    "iflink": lambda link: str(link.peer_index or link.index),
    "mtu": lambda link: str(link.mtu),
    "operstate": lambda link: link.operstate,
    "tx_queue_len": lambda _: "1000",
    "type": lambda link: str(_LOOPBACK if link.kind == "loopback" else _ETHERNET),
}
STATISTICS: Final[dict[str, "Callable[[Link], str]"]] = {
    "rx_bytes": lambda link: str(link.rx_bytes),
    "rx_packets": lambda link: str(link.rx_packets),
    "tx_bytes": lambda link: str(link.tx_bytes),
    "tx_dropped": lambda link: str(link.tx_dropped),
    "tx_packets": lambda link: str(link.tx_packets),
}


class LinkText(TextInode):
    """A file that tells one thing of a link."""

    __slots__ = ("_link", "_tell")

    def __init__(self, superblock: "Sysfs", link: "Link", tell: "Callable[[Link], str]") -> None:
        """Tell of a link."""
        super().__init__(cast("Proc", superblock), 0o444, lambda _: "")
        self._link, self._tell = link, tell

    def open(self, task: "Task", location: "tuple[Mount, Dentry]", flags: int) -> "OpenFile":
        """Open with the text of this moment."""
        return TextFile(location, self, flags, (self._tell(self._link) + "\n").encode(), task.creds)


class OfNet(Directory):
    """A directory whose names are looked up when somebody looks."""

    __slots__ = ()

    def entries(self) -> "dict[str, Callable[[], Inode]]":
        """Return the names, and what makes their inodes."""
        return {}

    def names(self, dentry: "Dentry") -> list[str]:
        """Return the names."""
        return list(self.entries())

    def lookup(self, dentry: "Dentry") -> None:
        """Find a name."""
        make = self.entries().get(dentry.name)
        dentry.inode = make() if make else fail(errno.ENOENT)


class Links(OfNet):
    """``/sys/class/net`` (links to the devices), or ``/sys/devices/virtual/net`` (the devices)."""

    __slots__ = ("_namespace", "_to")

    def __init__(self, superblock: "Sysfs", namespace: "NetNamespace", to: str = "") -> None:
        """Show a namespace's links; ``to`` is where symbolic links lead, if they are such."""
        super().__init__(cast("Proc", superblock), 0o555)
        self._namespace, self._to = namespace, to

    def entries(self) -> "dict[str, Callable[[], Inode]]":
        """Return the links' names."""
        return {link.name: partial(self._make, link) for link in self._namespace.links.values()}

    def _make(self, link: "Link") -> "Inode":
        block = cast("Sysfs", self.superblock)
        return Symlink(block, f"{self._to}/{link.name}") if self._to else OneLink(block, link)


class Symlink(ProcInode):
    """A symbolic link."""

    __slots__ = ("_target",)

    def __init__(self, superblock: "Sysfs", target: str) -> None:
        """Lead somewhere."""
        super().__init__(cast("Proc", superblock), S_IFLNK | 0o777)
        self._target = target

    def readlink(self, dentry: "Dentry", task: "Task | None" = None) -> str:
        """Return where."""
        return self._target


class OneLink(OfNet):
    """The files of one link, and its statistics; a port's has its bridge, a bridge's its ports."""

    __slots__ = ("_files", "_link")

    def __init__(
        self, superblock: "Sysfs", link: "Link", files: "dict[str, Callable[[Link], str]] | None" = None
    ) -> None:
        """Tell of a link."""
        super().__init__(cast("Proc", superblock), 0o555)
        self._link, self._files = link, files

    def entries(self) -> "dict[str, Callable[[], Inode]]":
        """Return the files' names."""
        link, block = self._link, cast("Sysfs", self.superblock)
        files = FILES if self._files is None else self._files
        made: dict[str, Callable[[], Inode]] = {
            name: partial(LinkText, block, link, tell) for name, tell in files.items()
        }
        if self._files is None:
            made["statistics"] = lambda: OneLink(block, link, STATISTICS)
            if (master := link.master) is not None:
                made["master"] = lambda: Symlink(block, f"../{master.name}")
        return made
