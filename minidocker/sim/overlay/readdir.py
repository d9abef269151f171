"""Listing a directory: the names of all its layers, each once, without those that a whiteout hides."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.overlay.inode import OverlayInode


def names(inode: "OverlayInode") -> list[str]:
    """Return the names in a directory.

    A directory of one layer only is listed as it is: if it has whiteouts, they show, though looking them up gives
    ENOENT (Linux does so to save time).
    """
    if not inode.merges:
        return _in_layer(inode.real_dentry)
    return [name for name, hidden in merged(inode).items() if not hidden]


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
