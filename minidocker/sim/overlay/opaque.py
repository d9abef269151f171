"""Opaque directories: an upper directory marked so hides what lower layers have in its place."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import fail
from minidocker.sim.overlay.xattr import mark, set_mark

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.overlay.superblock import Overlay

#: What a dentry's ``extra`` says: a whiteout in the upper layer if it is negative, an opaque directory if not.
OPAQUE = 1


def is_opaque(overlay: "Overlay", dentry: "Dentry") -> bool:
    """Is a layer's directory opaque? Only the value ``y`` counts."""
    return mark(overlay, dentry, "opaque") == b"y"


def require_marks(overlay: "Overlay", refusal: int = errno.EIO) -> None:
    """Refuse what needs an opaque directory where none can be marked (ovl_check_setxattr)."""
    if not overlay.keeps_marks:
        fail(refusal)


def set_opaque(overlay: "Overlay", dentry: "Dentry", upper: "Dentry") -> None:
    """Mark the upper directory of a merged dentry; the caller tells of it."""
    set_mark(overlay, upper, "opaque", b"y")
    dentry.extra |= OPAQUE
