"""Whiteouts: marks in the upper layer that say "nothing here" where a lower layer has something."""

from typing import TYPE_CHECKING

from minidocker.linux import S_IFCHR
from minidocker.sim.overlay.opaque import OPAQUE

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.overlay.inode import OverlayInode
    from minidocker.sim.overlay.superblock import Overlay


def is_whiteout(dentry: "Dentry") -> bool:
    """Is a merged dentry negative because of a whiteout in the upper layer?"""
    return dentry.inode is None and bool(dentry.extra & OPAQUE)


def lower_has(dentry: "Dentry") -> bool:
    """Would something of a lower layer be seen at a dentry, were there nothing in the upper one?

    The first entry that the directory's lower layers have decides, be it a whiteout.
    """
    inode: OverlayInode | None = dentry.inode  # type: ignore[assignment]  # an overlay's dentry
    if inode is None:
        return bool(dentry.extra & OPAQUE)
    if inode.upper is None:
        return True
    parent: OverlayInode = dentry.parent.inode  # type: ignore[assignment]
    for _, directory in parent.lower:
        found = directory.child(dentry.name).inode
        if found is not None:
            return not found.is_whiteout
    return False


def make_whiteout(overlay: "Overlay", directory: "Dentry", name: str) -> None:
    """Make a whiteout of its own."""
    directory.inode.make(directory.child(name), S_IFCHR, overlay.creds)  # type: ignore[union-attr]  # a directory, so positive


def put_whiteout(overlay: "Overlay", directory: "Dentry", name: str) -> None:
    """Put a whiteout into an upper directory: one more hard link of one that is kept in the work directory."""
    if overlay.whiteout is None:
        kept = overlay.temporary()
        make_whiteout(overlay, kept.parent, kept.name)
        overlay.whiteout = kept.parent.child(kept.name)
    directory.inode.link(overlay.whiteout, directory.child(name))  # type: ignore[union-attr]
