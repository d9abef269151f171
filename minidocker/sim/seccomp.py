"""seccomp(2): a task may have filters of its system calls, which its children inherit and nobody takes away.

A filter here is asked before the call, as Linux's BPF program is. The port's calls are named for what Python's os has;
what the filter judges is the system call that each of them is on Linux.
"""

import errno
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from minidocker.linux import CLONE_NEWTIME, SECCOMP_GET_ACTION_AVAIL, SECCOMP_SET_MODE_FILTER, fail
from minidocker.seccomp import conditions, verdict
from minidocker.sim.refuse import refuse

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: The port's calls that Linux knows by another name.
LINUX_NAMES: Final = {
    "listdir": "getdents64", "sleep": "clock_nanosleep", "utime": "utimensat", "gethostname": "uname",
    "getdomainname": "uname", "isatty": "ioctl", "time_ns": "clock_gettime", "exit": "exit_group",
    "signal": "rt_sigaction", "seteuid": "setresuid", "setegid": "setresgid",
} | dict.fromkeys(
    ("newlink", "setlink", "dellink", "getlink", "newaddr", "deladdr", "getaddr", "newroute", "delroute", "getroute",
     "getneigh"),
    "sendto",
)  # fmt: skip


#: Linux's numbers in a policy; where Python's own differ (WebAssembly) the name is what counts.
_ERRORS: Final = {
    1: errno.EPERM, 2: errno.ENOENT, 3: errno.ESRCH, 5: errno.EIO, 11: errno.EAGAIN, 12: errno.ENOMEM,
    13: errno.EACCES, 14: errno.EFAULT, 16: errno.EBUSY, 17: errno.EEXIST, 19: errno.ENODEV, 22: errno.EINVAL,
    28: errno.ENOSPC, 30: errno.EROFS, 38: errno.ENOSYS,
}  # fmt: skip


class Filter:
    """One policy, and those that were there before. ``judge`` raises what the policy answers in the call's place."""

    __slots__ = ("_fixed", "_policy", "count", "older")

    def __init__(self, policy: Mapping[str, Any], older: "Filter | None") -> None:
        """Take a policy (:mod:`minidocker.seccomp`); ValueError for an action that is not modelled."""
        self._policy = policy
        self._fixed: dict[str, int] = {}
        """The verdicts that do not depend on arguments, as far as they were asked for."""
        self.older = older
        self.count: int = older.count + 1 if older else 1
        verdict(policy, "", ())
        numbers = {rule["errnoRet"] for rule in policy["syscalls"] if rule.get("errnoRet") is not None}
        if unknown := numbers - _ERRORS.keys():
            message = f"errno {min(unknown)} in a policy"
            raise ValueError(message)

    def judge(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Let a call pass, or raise OSError."""
        by_clone3 = name == "clone" and ("cgroup" in kwargs or kwargs.get("flags", 0) & CLONE_NEWTIME)
        linux_name = "clone3" if by_clone3 else LINUX_NAMES.get(name, name)
        number = self._fixed.get(linux_name)
        if number is None:
            number = self._ask(linux_name, (kwargs.get("flags", 0),) if name == "clone" else args)
        if number:
            fail(_ERRORS.get(number, errno.EPERM))
        if self.older:
            self.older.judge(name, args, kwargs)

    def _ask(self, linux_name: str, args: Sequence[Any]) -> int:
        number = verdict(self._policy, linux_name, args)
        if not conditions(self._policy, linux_name):
            self._fixed[linux_name] = number
        return number


def sys_seccomp(task: "Task", operation: int, flags: int, policy: Mapping[str, Any]) -> int:
    """Filter the caller's calls from now on, and its children's (seccomp(2)).

    EACCES without CAP_SYS_ADMIN or no_new_privs; EINVAL for what is not modelled, by name.
    """
    if operation == SECCOMP_GET_ACTION_AVAIL:
        return 0
    if operation != SECCOMP_SET_MODE_FILTER or flags:
        refuse(errno.EINVAL, "models SECCOMP_SET_MODE_FILTER without flags")
    if not may_filter(task):
        fail(errno.EACCES)
    try:
        task.seccomp = Filter(policy, task.seccomp)
    except ValueError as error:
        refuse(errno.EINVAL, f"does not model {error}")
    return 0


def may_filter(task: "Task") -> bool:
    """Has it CAP_SYS_ADMIN in its user namespace, or can it gain no more rights by execve?"""
    return task.creds.no_new_privs or task.creds.capable(task.creds.user, "CAP_SYS_ADMIN")
