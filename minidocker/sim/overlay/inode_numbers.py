"""Inode, device and link numbers of the merged tree (overlayfs.rst, "Inode properties").

A file keeps its number over a copy-up: the overlay shows that of the origin. If all layers are on one file system, the
device is the overlay's for all; else files show a device number a file system of the layers, and directories the
overlay's.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from minidocker.kernel import Stat
from minidocker.linux import S_IFDIR, S_IFREG
from minidocker.sim.overlay.xattr import mark, set_mark

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.overlay.inode import OverlayInode
    from minidocker.sim.overlay.superblock import Overlay


def stat(inode: "OverlayInode") -> Stat:
    """Tell about an inode: the layer's data, with the overlay's numbers."""
    overlay = inode.superblock
    found = inode.real.stat(inode.real_dentry)
    is_dir = inode.real.is_dir
    changes: dict[str, Any] = {"st_dev": overlay.device}
    if not is_dir or overlay.same_device:
        origin = _origin(inode, is_dir=is_dir)
        if origin is not None:
            changes["st_ino"] = origin
    if not overlay.same_device:
        if is_dir:
            changes["st_ino"] = inode.ino
        else:
            changes["st_dev"] = _device(inode)
    if is_dir and inode.is_merged:
        changes["st_nlink"] = 1
    return replace(found, **changes)


def shows_origin(inode: "OverlayInode", *, is_dir: bool) -> bool:
    """A lower hard link that was copied up is another file now, and has the copy's number."""
    return inode.has_origin and (is_dir or _inode(inode.lower[0][1]).nlink == 1)


def _origin(inode: "OverlayInode", *, is_dir: bool) -> int | None:
    if not shows_origin(inode, is_dir=is_dir):
        return None
    lower = inode.lower[0][1]
    return _inode(lower).stat(lower).st_ino


def _device(inode: "OverlayInode") -> int:
    if inode.upper is None or shows_origin(inode, is_dir=False):
        return inode.lower[0][0].device
    return inode.superblock.upper_device


def _inode(dentry: "Dentry") -> "Inode":
    assert dentry.inode is not None
    return dentry.inode


def set_origin(overlay: "Overlay", upper: "Dentry", lower: "Dentry") -> None:
    """Note in the copy where it came from: a file handle of the original.

    With userxattr not in symbolic links and special files, which cannot have user.* attributes.
    """
    if overlay.settings.userxattr and _inode(upper).kind not in (S_IFREG, S_IFDIR):
        return
    set_mark(overlay, upper, "origin", lower.superblock.kernel.handles.encode(lower))


def origin_of(overlay: "Overlay", upper: "Dentry") -> "Dentry | None":
    """Return what a copy was made from, if it still is there and of the same type."""
    handle = mark(overlay, upper, "origin")
    if not handle:
        return None
    origin = overlay.kernel.handles.decode(handle)
    if origin is None or origin.inode is None or origin.inode.kind != _inode(upper).kind:
        return None
    return origin
