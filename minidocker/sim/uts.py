"""UTS namespaces: host name and NIS domain name (uts_namespaces(7), uname(2))."""

import errno
from typing import TYPE_CHECKING, ClassVar, Final

from minidocker.linux import fail
from minidocker.sim.capability import require_capable
from minidocker.sim.namespace import Namespace

if TYPE_CHECKING:
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

#: How long either name may be, in bytes (__NEW_UTS_LEN).
LONGEST: Final = 64


class UtsNamespace(Namespace):
    """A host name and a domain name; a new namespace starts with those of the one before."""

    __slots__ = ("domainname", "hostname")

    kind: ClassVar = "uts"

    def __init__(self, number: int, owner: "UserNamespace", hostname: str, domainname: str = "(none)") -> None:
        """Start with two names."""
        super().__init__(number, owner)
        self.hostname = hostname
        self.domainname = domainname


def _check(task: "Task", name: str) -> str:
    """Naming takes CAP_SYS_ADMIN in the namespace's owner (EPERM), and at most 64 bytes (EINVAL)."""
    require_capable(task, task.ns.uts.owner, "CAP_SYS_ADMIN")
    if len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        fail(errno.EINVAL)
    return name


def sys_gethostname(task: "Task") -> str:
    """Return the host name of the caller's UTS namespace (uname(2))."""
    return task.ns.uts.hostname


def sys_sethostname(task: "Task", name: str) -> None:
    """Set the host name of the caller's UTS namespace (sethostname(2)): at most 64 bytes, with CAP_SYS_ADMIN."""
    task.ns.uts.hostname = _check(task, name)


def sys_getdomainname(task: "Task") -> str:
    """Return the NIS domain name of the caller's UTS namespace (getdomainname(2)); nothing to do with DNS."""
    return task.ns.uts.domainname


def sys_setdomainname(task: "Task", name: str) -> None:
    """Set the NIS domain name of the caller's UTS namespace (setdomainname(2)), as the host name."""
    task.ns.uts.domainname = _check(task, name)
