"""Renaming in the merged tree.

A file is copied up and moved, and a whiteout left. A directory that a lower layer has cannot be moved so: its contents
are found by its name. Either EXDEV (mv then copies), or with redirect_dir=on it notes where the lower layers have it.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.sim.overlay.copy_up import copy_up
from minidocker.sim.overlay.create import clear_whiteout, upper_parent
from minidocker.sim.overlay.inode import OverlayInode
from minidocker.sim.overlay.opaque import OPAQUE, require_marks, set_opaque
from minidocker.sim.overlay.remove import check_empty, is_pure_upper, take_from_upper
from minidocker.sim.overlay.whiteout import is_whiteout, lower_has, make_whiteout
from minidocker.sim.overlay.xattr import set_impure, set_mark

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.overlay.superblock import Overlay

#: The longest absolute redirect (module parameter redirect_max); beyond it the rename is EXDEV.
REDIRECT_MAX: Final = 256


def rename(overlay: "Overlay", old: "Dentry", new: "Dentry") -> None:
    """Move a name, replacing what is at the new place. EXDEV, ENOTEMPTY."""
    source, target = old.inode, new.inode
    assert isinstance(source, OverlayInode)
    assert target is None or isinstance(target, OverlayInode)
    _check(overlay, source, target)
    leaves_whiteout = lower_has(old)
    copy_up(overlay, old)
    to_directory, _ = upper_parent(overlay, new)
    from_directory, from_inode = upper_parent(overlay, old)
    if new.parent is not old.parent and source.has_origin:
        set_impure(overlay, to_directory)
    if from_directory.child(old.name).inode is not source.real:
        fail(errno.ESTALE)
    hides = _mark(overlay, old, source, new)
    switched = _set_aside(overlay, new, to_directory) if leaves_whiteout and is_whiteout(new) else None
    try:
        place = _free(new, target, to_directory)
    except OSError:
        if hides:  # Linux too has marked it by then
            overlay.tell("opaque", old)
        raise
    from_inode.rename(from_directory.child(old.name), place)
    if leaves_whiteout:
        _leave_whiteout(overlay, from_directory, old.name, switched)
        overlay.tell("whiteout", old)
    if target is not None and target.is_dir:
        target.dead = True
    old.move(new)
    if hides:
        overlay.tell("opaque", old)


def _check(overlay: "Overlay", source: OverlayInode, target: OverlayInode | None) -> None:
    """Refuse to move a directory of a lower layer (EXDEV), and then to replace one that is not empty (ENOTEMPTY)."""
    if source.is_dir and is_merge_or_lower(source) and not overlay.settings.redirects:
        fail(errno.EXDEV)
    if target is not None and target.is_dir and not is_pure_upper(target):
        check_empty(target)


def _mark(overlay: "Overlay", old: "Dentry", source: OverlayInode, new: "Dentry") -> bool:
    """Mark a directory before it moves: with a redirect, or opaque (True) where lower layers could show through."""
    new_parent = new.parent.inode
    assert isinstance(new_parent, OverlayInode)
    assert source.upper is not None
    if not source.is_dir:
        return False
    if is_merge_or_lower(source):
        _redirect(overlay, old, source, same_parent=old.parent is new.parent)
        return False
    if old.extra & OPAQUE or not new_parent.is_merged:
        return False
    require_marks(overlay, errno.EXDEV)
    set_opaque(overlay, old, source.upper)
    return True


def is_merge_or_lower(inode: OverlayInode) -> bool:
    """Is it found, in part or whole, in a lower layer?"""
    return inode.upper is None or inode.is_merged


def _set_aside(overlay: "Overlay", new: "Dentry", directory: "Dentry") -> "Dentry":
    """Take the whiteout at the new place into the work directory: it will lie at the old place (RENAME_EXCHANGE)."""
    whiteout = directory.child(new.name)
    directory.inode.rename(whiteout, overlay.temporary())  # type: ignore[union-attr]  # a directory, so positive
    return whiteout


def _leave_whiteout(overlay: "Overlay", directory: "Dentry", name: str, switched: "Dentry | None") -> None:
    """Leave a whiteout at the old place: the one from the new place, or else one of its own (RENAME_WHITEOUT)."""
    if switched is None:
        make_whiteout(overlay, directory, name)
    else:
        switched.parent.inode.rename(switched, directory.child(name))  # type: ignore[union-attr]


def _free(new: "Dentry", target: OverlayInode | None, directory: "Dentry") -> "Dentry":
    """Take away what the upper layer has at the new place, and return the negative dentry there."""
    if target is not None and target.upper is not None:
        take_from_upper(target, directory, new.name, clear=target.is_dir and not is_pure_upper(target))
    elif target is None and is_whiteout(new):
        return clear_whiteout(directory, new.name)
    place = directory.child(new.name)
    if place.inode is not None:
        fail(errno.ESTALE)
    return place


def _redirect(overlay: "Overlay", dentry: "Dentry", inode: OverlayInode, *, same_parent: bool) -> None:
    """Note in a directory where the lower layers have it: its name if it stays in its parent, else its path."""
    known = inode.redirect
    if known and (same_parent or known.startswith("/")):
        return
    redirect = (known or dentry.name) if same_parent else _absolute(dentry)
    if len(redirect) > REDIRECT_MAX:
        fail(errno.EXDEV)
    assert inode.upper is not None
    set_mark(overlay, inode.upper, "redirect", redirect.encode("utf-8", "surrogateescape"))
    inode.redirect = redirect


def _absolute(dentry: "Dentry") -> str:
    """Return the path at which the lower layers have a directory: ancestors may be redirected too."""
    path = ""
    for ancestor in dentry.ancestors():
        if ancestor.parent is ancestor:
            break
        inode = ancestor.inode
        redirect = inode.redirect if isinstance(inode, OverlayInode) else None
        name = redirect or ancestor.name
        if name.startswith("/"):
            return name + path
        path = f"/{name}{path}"
    return path
