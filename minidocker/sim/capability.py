"""Capabilities: what root may do, in forty-one parts, each of which a task can have or not have (capabilities(7)).

A capability counts in one user namespace: the caller's own, and those inside it. :func:`capable` asks that, wherever
Linux calls ns_capable(): the object to be changed says which user namespace it belongs to.
"""

import errno
from typing import TYPE_CHECKING, Final

from minidocker.kernel import Capabilities
from minidocker.linux import ALL_CAPABILITIES, CAPABILITIES, fail

if TYPE_CHECKING:
    from minidocker.sim.task import Task
    from minidocker.sim.user_namespace import UserNamespace

#: Each capability's bit in the sets.
BITS: Final = {name: 1 << number for name, number in CAPABILITIES.items()}


def capable(task: "Task", space: "UserNamespace", name: str) -> bool:
    """Tell whether a task has a capability in a user namespace (Linux's ns_capable)."""
    return task.creds.capable(space, name)


def require_capable(task: "Task", space: "UserNamespace", *names: str) -> None:
    """Raise EPERM unless a task has all these capabilities in a user namespace."""
    for name in names:
        if not task.creds.capable(space, name):
            fail(errno.EPERM)


def sys_capget(task: "Task", pid: int = 0) -> Capabilities:
    """Return the capability sets of a task, 0 the caller (capget(2)); anybody may ask. ESRCH, EINVAL."""
    if pid < 0:
        fail(errno.EINVAL)
    subject = task.ns.pid.find(pid) if pid else task
    if subject is None:
        fail(errno.ESRCH)
    creds = subject.creds
    return Capabilities(effective=creds.effective, permitted=creds.permitted, inheritable=creds.inheritable)


def sys_capset(task: "Task", effective: int, permitted: int, inheritable: int) -> None:
    """Set the caller's capability sets (capset(2)); EPERM for what it may not have. Bits without a name are dropped.

    Permitted can only shrink, effective lies within it, and what becomes inheritable must be permitted (unless one has
    CAP_SETPCAP) and in the bounding set.
    """
    creds = task.creds
    effective, permitted, inheritable = (mask & ALL_CAPABILITIES for mask in (effective, permitted, inheritable))
    if not creds.capable(creds.user, "CAP_SETPCAP") and inheritable & ~(creds.inheritable | creds.permitted):
        fail(errno.EPERM)
    if inheritable & ~(creds.inheritable | creds.bounding):
        fail(errno.EPERM)
    if permitted & ~creds.permitted or effective & ~permitted:
        fail(errno.EPERM)
    creds.effective, creds.permitted, creds.inheritable = effective, permitted, inheritable
    creds.ambient &= permitted & inheritable
