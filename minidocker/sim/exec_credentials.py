"""What execve does to a task's credentials (capabilities(7), "Transformation of capabilities during execve()").

File capabilities are not modelled: no file has any, so a program that is not root's gets what is ambient and no more.
Set-user-id and set-group-id count for ELF programs; scripts, such as the lab's own program files, are never so.
"""

from typing import TYPE_CHECKING

from minidocker.linux import MS_NOSUID
from minidocker.sim.credentials import Credentials
from minidocker.sim.memory import AddressSpace
from minidocker.sim.permission import S_ISGID, S_ISUID
from minidocker.sim.shared_memory import detach_all

if TYPE_CHECKING:
    from minidocker.sim.path import Location
    from minidocker.sim.task import Task


def commit_exec(task: "Task", location: "Location") -> None:
    """Give a task the credentials and the empty memory that the program at a place begins with."""
    old, new = task.creds, task.creds.copy()
    _take_file_ids(task, new, location)
    gained = _transform(old, new)
    task.creds = new
    changed = (old.euid, old.egid) != (new.euid, new.egid) or gained
    task.memory.clear()
    detach_all(task, task.memory)
    task.memory = AddressSpace(new.user, dumpable=not changed and (old.uid, old.gid) == (old.euid, old.egid))


def _take_file_ids(task: "Task", new: Credentials, location: "Location") -> None:
    """Become the file's owner or group if its mode says so (bprm_fill_uid).

    Not if the mount is nosuid, or was made by another user namespace; not with no_new_privs, nor for unmapped ids.
    """
    mode = location.inode.mode
    if not mode & (S_ISUID | S_ISGID) or new.no_new_privs or location.inode.read_at(0, 2) == b"#!":
        return
    mount = location.mount
    foreign = mount.namespace is not task.ns.mnt or mount.superblock.user not in new.user.around()
    if mount.flags & MS_NOSUID or foreign:
        return
    uid, gid = location.inode.uid, location.inode.gid
    if not (new.user.has_uid(uid) and new.user.has_gid(gid)):
        return
    if mode & S_ISUID:
        new.euid = uid
    if mode & S_ISGID and mode & 0o010:
        new.egid = gid


def _transform(old: Credentials, new: Credentials) -> bool:
    """Compute the new sets; return whether they hold more than before (cap_bprm_creds_from_file).

    As since Linux 6.17: what counts as a change of ids is what this execve changes. Before, it was an effective id that
    is not the real one.
    """
    root = new.user.kuid(0)
    is_root = root in (new.uid, new.euid)
    new.permitted = new.bounding | new.inheritable if is_root else 0
    is_effective = new.euid == root
    ids_changed = new.euid != old.euid or new.egid not in (old.egid, *old.groups)
    if new.no_new_privs and (ids_changed or new.permitted & ~old.permitted):
        new.euid, new.egid = new.uid, new.gid
        new.permitted &= old.permitted
    new.suid, new.sgid = new.euid, new.egid
    if ids_changed:
        new.ambient = 0
    new.permitted |= new.ambient
    new.effective = new.permitted if is_effective else new.ambient
    new.keepcaps = False
    return bool(new.permitted & ~old.permitted)
