"""Making names in the merged tree: always in the upper layer, in the place of a whiteout if there is one."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import S_IFCHR, S_IFDIR, S_IFMT, fail
from minidocker.sim.overlay.copy_up import copy_up
from minidocker.sim.overlay.inode import OverlayInode
from minidocker.sim.overlay.lookup import get_inode
from minidocker.sim.overlay.opaque import require_marks, set_opaque
from minidocker.sim.overlay.whiteout import is_whiteout
from minidocker.sim.overlay.xattr import set_impure

if TYPE_CHECKING:
    from minidocker.sim.credentials import Credentials
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.overlay.superblock import Overlay


def upper_parent(overlay: "Overlay", dentry: "Dentry") -> "tuple[Dentry, Inode]":
    """Return the upper directory that a dentry's name belongs into, copied up if need be."""
    copy_up(overlay, dentry.parent)
    parent = dentry.parent.inode
    assert isinstance(parent, OverlayInode)
    assert parent.upper is not None
    assert parent.upper.inode is not None
    return parent.upper, parent.upper.inode


def clear_whiteout(directory: "Dentry", name: str) -> "Dentry":
    """Return a negative dentry in an upper directory, taking a whiteout away that is there."""
    place = directory.child(name)
    if place.inode is not None and place.inode.is_whiteout:
        directory.inode.unlink(place)  # type: ignore[union-attr]  # a directory, so positive
        place = directory.child(name)
    if place.inode is not None:
        fail(errno.ESTALE)
    return place


def make(overlay: "Overlay", dentry: "Dentry", mode: int, creds: "Credentials", rdev: int, target: str) -> None:
    """Make an inode. A directory over a whiteout is opaque, or what the whiteout hid would show again.

    With redirect_dir=on every directory made in a merged one is: a lower layer may get that name later.
    """
    if mode & S_IFMT == S_IFCHR and rdev == 0:
        fail(errno.EPERM)
    directory, inode = upper_parent(overlay, dentry)
    over_whiteout = is_whiteout(dentry)
    if over_whiteout and mode & S_IFMT == S_IFDIR:
        require_marks(overlay)
    place = clear_whiteout(directory, dentry.name) if over_whiteout else directory.child(dentry.name)
    if place.inode is not None:
        fail(errno.ESTALE)
    inode.make(place, mode, creds, rdev=rdev, target=target)
    if mode & S_IFMT == S_IFDIR:
        parent = dentry.parent.inode
        assert isinstance(parent, OverlayInode)
        if over_whiteout or (parent.is_merged and overlay.settings.redirects):
            set_opaque(overlay, dentry, place)
            overlay.tell("opaque", dentry)
    dentry.instantiate(get_inode(overlay, place, (), None))


def link(overlay: "Overlay", old: "Dentry", new: "Dentry") -> None:
    """Give an inode one more name. The new name is looked up when it is used, to find its origin."""
    copy_up(overlay, old)
    directory, inode = upper_parent(overlay, new)
    source = old.inode
    assert isinstance(source, OverlayInode)
    assert source.upper is not None
    if source.has_origin:
        set_impure(overlay, directory)
    place = clear_whiteout(directory, new.name) if is_whiteout(new) else directory.child(new.name)
    inode.link(source.upper, place)
    new.drop()
