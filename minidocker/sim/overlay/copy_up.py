"""Copy-up: before the first change, a lower file is copied whole into the upper layer, its directories before it."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import S_IFDIR, S_IFREG, fail
from minidocker.sim.inode import Change
from minidocker.sim.overlay.inode_numbers import set_origin
from minidocker.sim.overlay.xattr import is_private, set_impure

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.overlay.inode import OverlayInode
    from minidocker.sim.overlay.superblock import Overlay

#: How much is copied at a time.
CHUNK = 1 << 20


def copy_up(overlay: "Overlay", dentry: "Dentry", *, truncate: bool = False) -> None:
    """Have a dentry's inode in the upper layer, copying it and the directories above if they aren't.

    ``truncate``: its data is about to be cut to nothing, so none is copied. ENOSPC leaves nothing behind.
    """
    missing = []
    for ancestor in dentry.ancestors():
        if _inode(ancestor).upper is not None:
            break
        missing.append(ancestor)
    for ancestor in reversed(missing):
        _copy_up_one(overlay, ancestor, truncate=truncate and ancestor is dentry)


def _copy_up_one(overlay: "Overlay", dentry: "Dentry", *, truncate: bool) -> None:
    """Copy one inode up into a directory that is in the upper layer."""
    inode, parent = _inode(dentry), _inode(dentry.parent).upper
    assert parent is not None
    original = inode.real
    upper = parent.child(dentry.name)
    set_impure(overlay, parent)
    if upper.inode is not None:
        upper = _replace(upper, original)
    size = 0 if truncate or original.kind != S_IFREG else original.size
    target = original.readlink(inode.real_dentry) if original.is_link else ""
    _in(parent).make(upper, original.mode, overlay.creds, rdev=original.rdev, target=target)
    try:
        _copy_data(original, upper, size)
    except OSError:
        _in(parent).unlink(upper)
        raise
    _copy_attributes(overlay, inode, upper)
    inode.upper = upper
    assert upper.inode is not None
    inode.real = upper.inode
    inode.merges = True
    if not inode.const_ino:  # it was one name of a lower hard link; from now on the copy is what it is known by
        overlay.inodes[upper.inode] = inode
    overlay.tell("copy_up", dentry, size)


def _replace(taken: "Dentry", original: "Inode") -> "Dentry":
    """Make room for the copy of a file whose name was removed, and which somebody still has open.

    The name is taken, by a whiteout at least. A regular file is linked in and so refused (EEXIST); all else is renamed
    to its place, over what is there: it comes back, whiteout or not.
    """
    if original.kind == S_IFREG:
        fail(errno.EEXIST)
    if original.is_dir != _in(taken).is_dir:
        fail(errno.ENOTDIR if original.is_dir else errno.EISDIR)
    directory = taken.parent
    _in(directory).rmdir(taken) if original.is_dir else _in(directory).unlink(taken)
    return directory.child(taken.name)


def _copy_data(original: "Inode", upper: "Dentry", size: int) -> None:
    """Copy what was written; holes stay holes (ovl_copy_up_file)."""
    offset = 0
    for start, end in original.stretches(size):
        offset = start
        while offset < end:
            data = original.read_at(offset, min(CHUNK, end - offset))
            written = _in(upper).write_at(offset, data)
            if written < len(data):
                fail(errno.ENOSPC)
            offset += written
    if offset < size:
        _in(upper).change(upper, Change(size=size))


def _copy_attributes(overlay: "Overlay", inode: "OverlayInode", upper: "Dentry") -> None:
    """Copy owner, mode, times and xattrs, and note the origin, unless it has other names that stay behind."""
    original, lower = inode.real, inode.lower[0][1]
    for name in original.list_xattrs():
        if not is_private(overlay, name):
            _in(upper).set_xattr(upper, name, original.get_xattr(name), 0)
    if original.kind == S_IFDIR or original.nlink == 1:
        set_origin(overlay, upper, lower)
    seen = original.stat(lower)
    change = Change(
        mode=original.mode & 0o7777,
        uid=original.uid,
        gid=original.gid,
        atime_ns=seen.st_atime_ns,
        mtime_ns=seen.st_mtime_ns,
    )
    _in(upper).change(upper, change)


def _inode(dentry: "Dentry") -> "OverlayInode":
    return dentry.inode  # type: ignore[return-value]  # all positive dentries of an overlay have such


def _in(dentry: "Dentry") -> "Inode":
    assert dentry.inode is not None
    return dentry.inode
