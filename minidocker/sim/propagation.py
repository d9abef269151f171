"""Propagation: a mount made at one place appears at its peers and their slaves too (mount_namespaces(7))."""

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

from minidocker.linux import MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.mount import Mount

PROPAGATION_FLAGS: Final = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE
_IDS = count(1)


class PeerGroup:
    """Shared mounts that tell each other, and the slaves that are told."""

    def __init__(self) -> None:
        """Start empty; the number is the one in /proc/PID/mountinfo."""
        self.id = next(_IDS)
        self.peers: list[Mount] = []
        self.slaves: list[Mount] = []

    def add(self, mount: "Mount") -> None:
        """Make a mount a peer."""
        mount.group = self
        self.peers.append(mount)

    def remove(self, mount: "Mount") -> None:
        """Let a peer go. After the last one the slaves hear of what it heard of, or of nobody."""
        mount.group = None
        self.peers.remove(mount)
        if self.peers:
            return
        for slave in list(self.slaves):
            self.free(slave)
            if mount.master is not None:
                mount.master.enslave(slave)

    def enslave(self, mount: "Mount") -> None:
        """Make a mount a slave."""
        mount.master = self
        self.slaves.append(mount)

    def free(self, mount: "Mount") -> None:
        """Let a slave go."""
        mount.master = None
        self.slaves.remove(mount)


def change_propagation(mount: "Mount", flag: int) -> None:
    """Make one mount shared, private or a slave (do_make_shared, do_make_slave)."""
    if flag == MS_SHARED:
        if mount.group is None:
            PeerGroup().add(mount)
        return
    group = mount.group
    if group is not None:
        group.remove(mount)
    if flag == MS_SLAVE:
        if group is not None and group.peers:
            if mount.master is not None:
                mount.master.free(mount)
            group.enslave(mount)
    elif mount.master is not None:
        mount.master.free(mount)


def reduce_to_slave(mount: "Mount") -> None:
    """Make a copied peer a slave of its group: it hears, and is not heard (CL_SHARED_TO_SLAVE)."""
    if mount.group is not None:
        change_propagation(mount, MS_SLAVE)


def lock_tree(top: "Mount") -> None:
    """Lock the mounts of a tree together: none may be taken off what it covers, no flag be cleared (lock_mnt_tree)."""
    for mount in top.tree():
        mount.locked_flags |= mount.flags
        mount.locked = mount is not top


def receivers(mount: "Mount") -> "Iterator[Mount]":
    """Yield the other mounts that hear of what happens on a mount: its peers, and all slaves below, in turn."""
    if mount.group is None:
        return
    seen = {mount}
    pending = [mount.group]
    while pending:
        group = pending.pop(0)
        for other in (*group.peers, *group.slaves):
            if other in seen:
                continue
            seen.add(other)
            yield other
            if other.group is not None and other.group is not group:
                pending.append(other.group)


def attach_propagated(tree: "Mount", parent: "Mount", mountpoint: "Dentry") -> None:
    """Attach a tree of mounts at a place, and a copy of it at every place that hears of it."""
    heard = (other for other in receivers(parent) if other.namespace is not None)  # the new ones are in none yet
    listeners = [other for other in heard if mountpoint.is_below(other.root)]
    if parent.group is not None:
        for mount in tree.tree():
            change_propagation(mount, MS_SHARED)
    tree.attach(parent, mountpoint)
    for other in listeners:
        copy = tree.clone_tree()
        if other.group is not parent.group:
            for mount in copy.tree():
                change_propagation(mount, MS_SLAVE)
                if other.group is not None:
                    change_propagation(mount, MS_SHARED)
        if _crosses(parent, other):
            lock_tree(copy)
        copy.attach(other, mountpoint)


def _crosses(parent: "Mount", other: "Mount") -> bool:
    """Do two mounts belong to different user namespaces?"""
    here, there = parent.namespace, other.namespace
    return here is not None and there is not None and here.owner is not there.owner


def detach_propagated(mount: "Mount") -> None:
    """Detach a mount, and its copies wherever they hear of it and nothing is mounted on them."""
    place = mount.place
    mount.detach()
    for other in receivers(place.mount) if place else ():
        copy = other.children.get(place.dentry) if place else None
        if copy is not None and not copy.children:
            copy.detach()
            leave(copy)
    _take_apart(mount)


def _take_apart(mount: "Mount") -> None:
    """Let what was detached fall apart: who is still in one of the mounts finds none on it, but those locked to it.

    As in umount_tree() and disconnect_mount(), fs/namespace.c.
    """
    for gone in list(mount.tree()):
        leave(gone)
        if gone is not mount and not gone.locked:
            gone.unhook()


def leave(mount: "Mount") -> None:
    """Leave peer group and master."""
    if mount.group is not None:
        mount.group.remove(mount)
    if mount.master is not None:
        mount.master.free(mount)
