"""mount(2), umount2(2) and pivot_root(2)."""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.linux import (
    MNT_DETACH,
    MNT_EXPIRE,
    MNT_FORCE,
    MS_BIND,
    MS_MOVE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_STRICTATIME,
    O_ACCMODE,
    O_RDONLY,
    UMOUNT_NOFOLLOW,
    fail,
)
from minidocker.sim.capability import require_capable
from minidocker.sim.mount import FILE_SYSTEMS, MOUNT_FLAGS, OWNERS, Mount
from minidocker.sim.nsfs import NamespaceInode
from minidocker.sim.path import Location, lookup
from minidocker.sim.propagation import PROPAGATION_FLAGS, attach_propagated, change_propagation, detach_propagated
from minidocker.sim.regular import InodeFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minidocker.sim.dentry import Dentry
    from minidocker.sim.open_file import OpenFile
    from minidocker.sim.task import Task

_KEPT: Final = sum(MOUNT_FLAGS) | MS_STRICTATIME


def sys_mount(task: "Task", source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """Attach a file system, or change what is attached (mount(2)); ENODEV for an unknown type.

    EPERM without CAP_SYS_ADMIN in the user namespace that owns the mount namespace.
    """
    place = lookup(task, target)
    _require_may_mount(task)
    top = place.mount.cross(place.dentry)
    if flags & MS_REMOUNT:
        _remount(task, top, flags, data)
    elif flags & MS_BIND:
        _bind(task, source, top, flags)
    elif flags & PROPAGATION_FLAGS:
        _propagation(top, flags)
    elif flags & MS_MOVE:
        _move(task, source, top)
    else:
        _new(task, source, top, fstype, flags, data)


def _require_may_mount(task: "Task") -> None:
    """Ask for the capability to change the caller's mount namespace (may_mount)."""
    require_capable(task, task.ns.mnt.owner, "CAP_SYS_ADMIN")


def _new(task: "Task", source: str, place: Location, fstype: str, flags: int, data: str) -> None:
    if not fstype:
        fail(errno.EINVAL)
    factory = FILE_SYSTEMS.get(fstype)
    if factory is None:
        fail(errno.ENODEV)
    _check_own(task, place.mount)
    readonly = bool(flags & MS_RDONLY)
    owner = OWNERS.get(fstype)
    require_capable(task, owner(task) if owner else task.creds.user, "CAP_SYS_ADMIN")
    superblock = factory(task, source, data, readonly)
    if not superblock.shared:  # of one that others have mounted, only the new mount is read-only
        superblock.readonly = superblock.readonly or readonly
    if place.mount.superblock is superblock and place.dentry is place.mount.root:
        fail(errno.EBUSY)
    mount = Mount(superblock, superblock.mount_root(task), flags & _KEPT)
    if superblock.tells_of_system and task.ns.mnt.owner.parent is not None:
        _require_visible(task, mount)
    _graft(mount, place)


def _require_visible(task: "Task", new: Mount) -> None:
    """Show no more of proc than can be seen already (mount_too_revealing).

    EPERM unless the mount namespace has one that nothing covers but what covers empty directories, and that can be
    written where the new one can.
    """
    for mount in task.ns.mnt.root.tree():
        if mount.superblock.fstype != new.superblock.fstype or mount.root is not mount.superblock.root:
            continue
        locked = mount.locked_flags & MS_RDONLY or mount.superblock.readonly
        if locked and not new.flags & MS_RDONLY:
            continue
        if not any(child.locked and _names(dentry) for dentry, child in mount.children.items()):
            new.locked_flags |= mount.locked_flags & MS_RDONLY
            return
    fail(errno.EPERM)


def _names(dentry: "Dentry") -> list[str]:
    """Return what is in a directory, for what is none its own name."""
    inode = dentry.inode
    return inode.names(dentry) if inode is not None and inode.is_dir else [dentry.name]


def _graft(tree: Mount, place: Location) -> None:
    """Attach: a directory on a directory, anything else on anything else (ENOTDIR), on nothing removed (ENOENT)."""
    if place.inode.dead or place.dentry.gone:
        fail(errno.ENOENT)
    if place.inode.is_dir != tree.root.inode.is_dir:  # type: ignore[union-attr]  # a mount's root is positive
        fail(errno.ENOTDIR)
    attach_propagated(tree, place.mount, place.dentry)


def _check_own(task: "Task", mount: Mount) -> None:
    """Only mounts of the caller's own namespace can be changed (EINVAL)."""
    if mount.namespace is not task.ns.mnt:
        fail(errno.EINVAL)


def _bind(task: "Task", source: str, place: Location, flags: int) -> None:
    old = lookup(task, source)
    _check_own(task, place.mount)
    inode = old.inode
    if not isinstance(inode, NamespaceInode):
        _check_own(task, old.mount)
    elif inode.namespace.kind == "mnt" and task.ns.mnt.id >= inode.namespace.id:
        fail(errno.EINVAL)  # it could hold itself (mnt_ns_loop)
    if not flags & MS_REC and any(child.locked and at.is_below(old.dentry) for at, child in old.mount.children.items()):
        fail(errno.EINVAL)  # it would show what is covered
    tree = old.mount.clone_tree(old.dentry) if flags & MS_REC else old.mount.clone(old.dentry)
    tree.locked = False
    _graft(tree, place)


def _remount(task: "Task", place: Location, flags: int, data: str) -> None:
    """Change the mount's own flags; without MS_BIND the file system's too (EBUSY for ro while something is written).

    EPERM for flags that are locked, and for a file system that was mounted in another user namespace.
    """
    mount = place.mount
    _check_own(task, mount)
    if place.dentry is not mount.root:
        fail(errno.EINVAL)
    if mount.locked_flags & ~flags:
        fail(errno.EPERM)
    if not flags & MS_BIND:
        require_capable(task, mount.superblock.user, "CAP_SYS_ADMIN")
        superblock, readonly = mount.superblock, bool(flags & MS_RDONLY)
        if readonly and not superblock.readonly and any(_writers(mount)):
            fail(errno.EBUSY)
        superblock.remount(readonly, data)
    mount.flags = flags & _KEPT


def _writers(mount: Mount) -> "Iterator[InodeFile]":
    for file in _open_files(mount):
        if file.mount.superblock is mount.superblock and file.flags & O_ACCMODE != O_RDONLY:
            yield file


def _open_files(mount: Mount) -> "Iterator[InodeFile]":
    for task in mount.superblock.kernel.tasks():
        files: list[OpenFile] = list(task.files.files.values())
        yield from (file for file in files if isinstance(file, InodeFile))


def _propagation(place: Location, flags: int) -> None:
    kind = flags & PROPAGATION_FLAGS
    if place.dentry is not place.mount.root or kind & (kind - 1):
        fail(errno.EINVAL)
    for mount in place.mount.tree() if flags & MS_REC else [place.mount]:
        change_propagation(mount, kind)


def _move(task: "Task", source: str, place: Location) -> None:
    old = lookup(task, source)
    mount = old.mount
    _check_own(task, place.mount)
    _check_own(task, mount)
    if old.dentry is not mount.root or mount.locked or mount.parent is None or mount.parent.group is not None:
        fail(errno.EINVAL)
    if place.mount in mount.tree():
        fail(errno.ELOOP)
    if place.inode.is_dir != old.inode.is_dir:
        fail(errno.EINVAL)
    mount.detach()
    attach_propagated(mount, place.mount, place.dentry)


def sys_umount2(task: "Task", target: str, flags: int = 0) -> None:
    """Detach the topmost mount at target (umount2(2)); EINVAL if it is none, EBUSY if it is used, unless MNT_DETACH."""
    if flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW):
        fail(errno.EINVAL)
    place = lookup(task, target, follow=not flags & UMOUNT_NOFOLLOW)
    mount, dentry = place.mount.cross(place.dentry)
    _require_may_mount(task)
    if dentry is not mount.root or mount.namespace is not task.ns.mnt or mount.parent is None or mount.locked:
        fail(errno.EINVAL)
    if flags & MNT_FORCE:
        require_capable(task, mount.superblock.user, "CAP_SYS_ADMIN")
    if not flags & MNT_DETACH and (mount.children or _is_used(mount)):
        fail(errno.EBUSY)
    detach_propagated(mount)


def _is_used(mount: Mount) -> bool:
    """Is a task's root, working directory or open file on the mount?"""
    tasks = mount.superblock.kernel.tasks()
    if any(mount in (task.fs.root.mount, task.fs.cwd.mount) for task in tasks):
        return True
    return any(file.mount is mount for file in _open_files(mount))


def sys_pivot_root(task: "Task", new_root: str, put_old: str) -> None:
    """Make new_root the root of the mount namespace, and put the old one at put_old (pivot_root(2)).

    ``pivot_root(".", ".")`` puts the old root on top of the new one, from where umount2 takes it.
    """
    _require_may_mount(task)
    new, old, root = lookup(task, new_root), lookup(task, put_old), task.fs.root
    if not new.inode.is_dir or not old.inode.is_dir:
        fail(errno.ENOTDIR)
    _check_pivot(task, new, old, root)
    place = root.mount.place
    if place is None or new.mount.parent is None:
        fail(errno.EINVAL)
    new.mount.detach()
    root.mount.detach()
    new.mount.locked, root.mount.locked = root.mount.locked, False
    namespace = task.ns.mnt
    root.mount.attach(old.mount, old.dentry)
    new.mount.attach(*place)
    for mount in new.mount.tree():
        mount.namespace = namespace
    for other in task.kernel.tasks():
        if other.fs.root == root:
            other.fs.root = new
        if other.fs.cwd == root:
            other.fs.cwd = new


def _check_pivot(task: "Task", new: Location, old: Location, root: Location) -> None:
    """Ask what pivot_root(2) does: EINVAL for shared mounts and what is no mount point, EBUSY for the root."""
    around = (old.mount, new.mount.parent, root.mount.parent)
    if any(mount is not None and mount.group is not None for mount in around):
        fail(errno.EINVAL)
    _check_own(task, root.mount)
    _check_own(task, new.mount)
    if new.mount.locked:
        fail(errno.EINVAL)
    if root.mount in (new.mount, old.mount):
        fail(errno.EBUSY)
    if root.dentry is not root.mount.root or new.dentry is not new.mount.root:
        fail(errno.EINVAL)
    if not _reachable(old, new) or not _reachable(new, root):
        fail(errno.EINVAL)


def _reachable(place: Location, top: Location) -> bool:
    """Is a place at or below another, in the tree of mounts?"""
    mount, dentry = place
    while mount is not top.mount:
        if mount.place is None:
            return False
        mount, dentry = mount.place
    return dentry.is_below(top.dentry)
