"""A rootless host: its side is root in a user namespace only, as the real helper is when no root runs the lab."""

from typing import TYPE_CHECKING, Final

from minidocker.linux import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC
from minidocker.sim.credentials import Credentials
from minidocker.sim.user_namespace import UserNamespace

if TYPE_CHECKING:
    from minidocker.sim.kernel import SimKernel

#: Where control groups are.
CGROUPS: Final = "/sys/fs/cgroup"
#: Where the real helper has a disk of its own.
DISK: Final = "/var/lib"


def enter(kernel: "SimKernel") -> None:
    """Move the host's task into a user namespace of an ordinary user's, which owns its other namespaces.

    What the machine has mounted stays, locked; the lab's own directories are on a tmpfs of its own. Unless it is the
    machine's root who runs the lab, no control group is the lab's, and they are covered as by the real helper.
    """
    host, namespaces = kernel.host, kernel.host.ns
    host.creds = _credentials(kernel)
    owner = host.creds.user
    for namespace in (namespaces.pid, namespaces.uts, namespaces.ipc, namespaces.net, namespaces.cgroup):
        namespace.owner = owner
    namespaces.enter(namespaces.mnt.copy(host.fs, namespaces.next_id(), owner))
    kernel.mount("", "/", "", MS_REC | MS_PRIVATE)
    if host.creds.euid:
        kernel.mount("tmpfs", CGROUPS, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755")
    kernel.mount("minidocker", DISK, "tmpfs", 0, "mode=755")
    kernel.mkdir(DISK + "/docker", 0o710)
    kernel.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _credentials(kernel: "SimKernel") -> Credentials:
    """Return root's of a user namespace that has the profile's maps and belongs to who is root in it."""
    profile = kernel.profile
    user = next((outside - inside for inside, outside, _ in profile.uid_map if inside == 0), profile.uid_map[0][1])
    group = next((outside - inside for inside, outside, _ in profile.gid_map if inside == 0), profile.gid_map[0][1])
    creds = Credentials(uid=user, euid=user, suid=user, gid=group, egid=group, sgid=group, effective=0, permitted=0)
    space = UserNamespace(kernel.host.ns.next_id(), creds.user, creds)
    space.uid_map, space.gid_map, space.setgroups = profile.uid_map, profile.gid_map, profile.setgroups
    creds.enter(space)
    creds.groups = tuple(space.kgid(gid) for gid in profile.groups)
    return creds
