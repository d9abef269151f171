"""Removing names from the merged tree: from the upper layer, and by a whiteout where a lower layer has them."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import fail
from minidocker.sim.overlay.create import upper_parent
from minidocker.sim.overlay.inode import OverlayInode
from minidocker.sim.overlay.opaque import require_marks
from minidocker.sim.overlay.readdir import merged
from minidocker.sim.overlay.whiteout import lower_has, put_whiteout

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.overlay.superblock import Overlay


def remove(overlay: "Overlay", dentry: "Dentry") -> None:
    """Remove a file, or a directory in which nothing is seen (ENOTEMPTY, before anything is copied up)."""
    inode = dentry.inode
    assert isinstance(inode, OverlayInode)
    hides = lower_has(dentry)
    checked = inode.is_dir and (hides or not is_pure_upper(inode))
    if checked:
        check_empty(inode)
    directory, _ = upper_parent(overlay, dentry)
    if inode.upper is not None:
        take_from_upper(inode, directory, dentry.name, clear=checked)
    if hides:
        put_whiteout(overlay, directory, dentry.name)
        overlay.tell("whiteout", dentry)
    if inode.is_dir:
        inode.dead = True
    dentry.drop()


def is_pure_upper(inode: OverlayInode) -> bool:
    """Is it in the upper layer only?"""
    return inode.upper is not None and not inode.is_merged


def check_empty(inode: OverlayInode) -> None:
    """Raise ENOTEMPTY if anything is seen in a directory; EIO where its whiteouts cannot go.

    Linux first puts an empty, opaque directory in their place, which takes a mark.
    """
    if not all(merged(inode).values()):
        fail(errno.ENOTEMPTY)
    if inode.upper is not None and whiteouts(inode.upper):
        require_marks(inode.superblock)


def take_from_upper(inode: OverlayInode, directory: "Dentry", name: str, *, clear: bool) -> None:
    """Remove what lies in the upper layer; ESTALE if it isn't the inode's.

    ``clear``: it is a directory in which only whiteouts are left; they go too. Otherwise they are ENOTEMPTY.
    """
    place = directory.child(name)
    assert directory.inode is not None
    if place.inode is not inode.real:
        fail(errno.ESTALE)
    if not inode.is_dir:
        directory.inode.unlink(place)
        return
    if clear:
        clear_whiteouts(place)
    directory.inode.rmdir(place)


def clear_whiteouts(directory: "Dentry") -> None:
    """Remove the whiteouts in an upper directory that is to go."""
    assert directory.inode is not None
    for entry in whiteouts(directory):
        directory.inode.unlink(entry)


def whiteouts(directory: "Dentry") -> "list[Dentry]":
    """Return the whiteouts in an upper directory."""
    assert directory.inode is not None
    entries = [directory.child(name) for name in directory.inode.names(directory)]
    return [entry for entry in entries if entry.inode is not None and entry.inode.is_whiteout]


def remove_tree(dentry: "Dentry") -> None:
    """Remove a name in a layer and all that is below it."""
    inode, parent = dentry.inode, dentry.parent.inode
    assert inode is not None
    assert parent is not None
    if not inode.is_dir:
        parent.unlink(dentry)
        return
    for name in inode.names(dentry):
        remove_tree(dentry.child(name))
    parent.rmdir(dentry)
