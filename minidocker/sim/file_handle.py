"""File handles: numbers by which an inode is found again without a path (open_by_handle_at(2), exportfs)."""

from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry

_MAGIC: Final = b"\x00\xfb"


class FileHandles:
    """The handles given out. Overlayfs notes one in each copy, to know the original by."""

    def __init__(self) -> None:
        """Start with none."""
        self._dentries: WeakValueDictionary[bytes, Dentry] = WeakValueDictionary()

    def encode(self, dentry: "Dentry") -> bytes:
        """Return a handle of a dentry's inode: device and inode number."""
        assert dentry.inode is not None
        numbers = (dentry.superblock.device, dentry.inode.ino)
        handle = _MAGIC + b"".join(number.to_bytes(8, "little") for number in numbers)
        self._dentries[handle] = dentry
        return handle

    def decode(self, handle: bytes) -> "Dentry | None":
        """Return what a handle was made of, or None if that is gone."""
        return self._dentries.get(handle)
