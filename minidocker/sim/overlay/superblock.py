"""Mounting an overlay: its layers, what they must fulfil, and what is kept in the work directory."""

import errno
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from minidocker.kernel import Inner
from minidocker.linux import S_IFDIR, S_IFREG, fail
from minidocker.sim.capability import capable
from minidocker.sim.credentials import Credentials
from minidocker.sim.dentry import Dentry
from minidocker.sim.inode import SuperBlock
from minidocker.sim.overlay.inode import OverlayInode
from minidocker.sim.overlay.options import MAX_DEPTH, Options, parse, refuse
from minidocker.sim.overlay.remove import remove_tree
from minidocker.sim.path import Location, lookup
from minidocker.sim.user_namespace import FIRST

if TYPE_CHECKING:
    from minidocker.sim.inode import Inode
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One directory of the stack. ``index`` 0 is the upper one; ``device`` is what its files' st_dev shows."""

    index: int
    root: Dentry
    device: int


class Overlay(SuperBlock):
    """A mounted overlay. ``upper`` is None if it is read-only; ``layers[1:]`` are the lower ones, topmost first."""

    def __init__(
        self,
        kernel: "SimKernel",
        options: Options,
        upper: Dentry | None,
        work: Dentry | None,
        lowers: list[Dentry],
        creds: Credentials,
    ) -> None:
        """Stack the layers; all checks were made."""
        super().__init__(kernel, "overlay", source="overlay", readonly=upper is None)
        self.settings = options
        self.prefix = "user.overlay." if options.userxattr else "trusted.overlay."
        self.creds = creds
        """The mounter's: with them whiteouts and copies are made, whoever causes them (overlayfs.rst)."""
        self.user = creds.user
        self.keeps_marks = options.userxattr or creds.capable(FIRST, "CAP_SYS_ADMIN")
        """Can it set its own attributes? In a user namespace not those of trusted.*: then what needs them fails."""
        self.upper = upper
        self.depth = 1 + max(depth_of(root.superblock) for root in lowers)
        self.same_device = len({root.superblock for root in [*lowers, *filter(None, [upper])]}) == 1
        self.work = _prepare_work(work, creds, volatile=options.volatile) if work else None
        self.whiteout: Dentry | None = None
        self.inodes: WeakValueDictionary[Inode, OverlayInode] = WeakValueDictionary()
        self._temporary = count(1)
        devices: dict[SuperBlock, int] = {}
        if upper is not None:
            devices[upper.superblock] = kernel.new_device()
        self.lowers = [
            Layer(number, root, self._shown_device(devices, root.superblock)) for number, root in enumerate(lowers, 1)
        ]
        self.upper_device = devices[upper.superblock] if upper is not None else 0
        stack = tuple((layer, layer.root) for layer in self.lowers)
        self.root = Dentry("", None, OverlayInode(self, upper, stack, const_ino=False, shows_whiteouts=False), self)
        self._mark_new()

    def _shown_device(self, devices: dict[SuperBlock, int], superblock: SuperBlock) -> int:
        """Return the device number that files of a file system show, a new one for a new file system."""
        if superblock not in devices:
            devices[superblock] = self.kernel.new_device()
        return devices[superblock]

    def _mark_new(self) -> None:
        """Give a fresh upper directory its uuid, by which overlays are told apart."""
        self.uuid = "" if self.keeps_marks else "null"
        if self.upper is not None and self.keeps_marks:
            held = self.upper.inode
            assert held is not None
            if not any(f"{self.prefix}{name}" in held.list_xattrs() for name in ("uuid", "impure")):
                held.set_xattr(self.upper, f"{self.prefix}uuid", self.device.to_bytes(16, "big"), 0)
                self.uuid = "on"

    def options(self) -> list[str]:
        """Return the options as /proc/mounts lists them."""
        return self.settings.shown(self.uuid)

    def remount(self, flags_readonly: bool, data: str) -> None:
        """Change to read-only and back; EROFS without an upper directory. Other options are ignored, as on Linux."""
        if not flags_readonly and self.upper is None:
            fail(errno.EROFS)
        self.readonly = flags_readonly

    def tell(self, name: str, dentry: Dentry, size: int = 0) -> None:
        """Tell whoever listens what is done inside a call."""
        if self.kernel.inner is not None:
            self.kernel.inner.append(Inner(name=name, path=dentry.path(), size=size))

    def temporary(self) -> Dentry:
        """Return a negative dentry in the work directory."""
        assert self.work is not None
        return self.work.child(f"#{next(self._temporary):x}")


def depth_of(superblock: SuperBlock) -> int:
    """Return how many overlays lie upon each other there."""
    return superblock.depth if isinstance(superblock, Overlay) else 0


def _prepare_work(base: Dentry, creds: Credentials, *, volatile: bool) -> Dentry:
    """Make a new ``work`` in the work directory; what a volatile mount left there is refused (EINVAL)."""
    directory = base.inode
    assert directory is not None
    old = base.child("work")
    if old.inode is not None:
        if old.inode.is_dir and (incompatible := old.child("incompat")).inode is not None:
            left = ", ".join(incompatible.children) or "incompat"
            refuse(f"overlay with incompat feature '{left}' cannot be mounted")
        remove_tree(old)
    work = base.child("work")
    directory.make(work, S_IFDIR, creds)
    if volatile:
        mark = work
        for name, kind in (("incompat", S_IFDIR), ("volatile", S_IFDIR), ("dirty", S_IFREG)):
            mark = mark.child(name)
            _make(mark, kind, creds)
    return work


def _make(dentry: Dentry, mode: int, creds: Credentials) -> None:
    dentry.parent.inode.make(dentry, mode, creds)  # type: ignore[union-attr]  # a directory, so positive


def mount_overlay(task: "Task", source: str, data: str, readonly: bool) -> SuperBlock:
    """Make an overlay of mount(2)'s data: lowerdir, upperdir, workdir and options.

    ENOENT for what is missing; EINVAL for what is no directory, cannot be an upper one, nests too deep or is not
    modelled; ELOOP for layers that overlap.
    """
    options = parse(data, task.kernel.profile.overlay, capable=capable(task, FIRST, "CAP_SYS_ADMIN"))
    lowers = [_directory(task, path) for path in options.lowers]
    upper = _directory(task, options.upper) if options.upper else None
    work = _directory(task, options.work) if options.work else None
    if upper is not None and work is not None:
        _check_upper(upper, work)
    if any(depth_of(place.dentry.superblock) >= MAX_DEPTH for place in lowers):
        refuse("maximum fs stacking depth exceeded")
    _check_overlap([place.dentry for place in [upper, work, *lowers] if place])
    overlay = Overlay(
        task.kernel,
        options,
        upper.dentry if upper else None,
        work.dentry if work else None,
        [place.dentry for place in lowers],
        task.creds.copy(),
    )
    overlay.source = source or "none"
    return overlay


def _directory(task: "Task", path: str) -> Location:
    location = lookup(task, path)
    if not location.inode.is_dir:
        refuse(f"{path} is not a directory")
    return location


def _check_upper(upper: Location, work: Location) -> None:
    """Both on one mount, apart from each other, writable, and not on an overlay."""
    if isinstance(upper.dentry.superblock, Overlay):
        refuse("filesystem not supported as upperdir")
    if upper.mount.readonly:
        refuse("upper fs is r/o, try multi-lower layers mount")
    if upper.mount is not work.mount:
        refuse("workdir and upperdir must reside under the same mount")
    if upper.dentry.is_below(work.dentry) or work.dentry.is_below(upper.dentry):
        refuse("workdir and upperdir must be separate subtrees")


def _check_overlap(roots: list[Dentry]) -> None:
    """No layer may be another, or lie below one (ELOOP); the work directory counts as one."""
    if len({root.inode for root in roots}) < len(roots):
        fail(errno.ELOOP)
    traps = {root.inode for root in roots}
    for root in roots:
        if any(dentry.inode in traps for dentry in root.parent.ancestors() if dentry is not root):
            fail(errno.ELOOP)
