"""Overlayfs's own extended attributes: hidden from the merged tree; such names of others are escaped."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import fail

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.overlay.superblock import Overlay


def stored_name(overlay: "Overlay", name: str) -> str:
    """Return under which name a layer keeps an attribute: ``trusted.overlay.x`` as ``trusted.overlay.overlay.x``."""
    prefix = overlay.prefix
    return f"{prefix}overlay.{name.removeprefix(prefix)}" if name.startswith(prefix) else name


def shown_names(overlay: "Overlay", stored: list[str]) -> list[str]:
    """Return the names as the merged tree shows them: own ones left out, escaped ones as they were given."""
    prefix = overlay.prefix
    escaped = f"{prefix}overlay."
    return [
        prefix + name.removeprefix(escaped) if name.startswith(escaped) else name
        for name in stored
        if name.startswith(escaped) or not name.startswith(prefix)
    ]


def is_private(overlay: "Overlay", name: str) -> bool:
    """Is it one of overlayfs's own, which a copy-up doesn't copy?"""
    return name.startswith(overlay.prefix) and not name.startswith(f"{overlay.prefix}overlay.")


def mark(overlay: "Overlay", dentry: "Dentry", name: str) -> bytes | None:
    """Return one of overlayfs's own attributes of a layer's dentry, or None."""
    inode = dentry.inode
    assert inode is not None
    try:
        return inode.get_xattr(overlay.prefix + name)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            raise
        return None


def set_mark(overlay: "Overlay", dentry: "Dentry", name: str, value: bytes) -> None:
    """Set one of overlayfs's own attributes of an upper dentry; where it may not keep any, do without."""
    if not overlay.keeps_marks:
        return
    inode = dentry.inode
    if inode is None:
        fail(errno.ENOENT)
    inode.set_xattr(dentry, overlay.prefix + name, value, 0)


def set_impure(overlay: "Overlay", upper: "Dentry") -> None:
    """Mark an upper directory that has copies of lower files in it, whose numbers readdir must look up."""
    if mark(overlay, upper, "impure") is None:
        set_mark(overlay, upper, "impure", b"y")
