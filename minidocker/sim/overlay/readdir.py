"""Listing a directory: the names of all its layers, each once, without those that a whiteout hides."""

from typing import TYPE_CHECKING

from minidocker.sim.overlay.inode_numbers import shows_origin
from minidocker.sim.overlay.xattr import mark

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.overlay.inode import OverlayInode
    from minidocker.sim.overlay.superblock import Overlay


def names(inode: "OverlayInode", dentry: "Dentry") -> list[str]:
    """Return the names in a directory.

    A directory of one layer only is listed as it is: if it has whiteouts, they show, though looking them up gives
    ENOENT (Linux does so to save time).
    """
    overlay, upper = inode.superblock, inode.upper
    impure = upper is not None and overlay.same_device and mark(overlay, upper, "impure") == b"y"
    if not inode.merges:
        found = _in_layer(inode.real_dentry)
        if impure and not any(_is_copy(dentry.child(name).inode) for name in found):
            _clear_impure(overlay, upper)
        return found
    found = [name for name, hidden in merged(inode).items() if not hidden]
    if not impure or upper is None:
        return found
    of_upper = set(_in_layer(upper))
    return [name for name in found if name not in of_upper or _can_be_looked_up(dentry, name)]


def _is_copy(inode: "Inode | None") -> bool:
    """Does an entry show the number of what it was copied from?"""
    overlaid: OverlayInode | None = inode  # type: ignore[assignment]  # an overlay's entry
    return overlaid is not None and shows_origin(overlaid, is_dir=overlaid.is_dir)


def _clear_impure(overlay: "Overlay", upper: "Dentry | None") -> None:
    """Take the mark away when the listing found no copy: it has become untrue (ovl_dir_read_impure)."""
    if upper is not None and upper.inode is not None and not overlay.readonly:
        upper.inode.remove_xattr(upper, f"{overlay.prefix}impure")


def _can_be_looked_up(dentry: "Dentry", name: str) -> bool:
    """In an impure directory Linux looks each upper name up, for its inode number, and leaves out what fails."""
    try:
        return dentry.child(name).inode is not None
    except OSError:
        return False


def merged(inode: "OverlayInode") -> dict[str, bool]:
    """Return name → whether the topmost layer that has it has a whiteout there."""
    found: dict[str, bool] = {}
    for directory in _layers(inode):
        for name in _in_layer(directory):
            if name not in found:
                entry = directory.child(name).inode
                found[name] = entry is not None and entry.is_whiteout
    return found


def _layers(inode: "OverlayInode") -> "list[Dentry]":
    upper = [inode.upper] if inode.upper is not None else []
    return upper + [dentry for _, dentry in inode.lower]


def _in_layer(directory: "Dentry") -> list[str]:
    assert directory.inode is not None
    return directory.inode.names(directory)
