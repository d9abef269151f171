"""prctl: how the kernel treats a task (prctl(2)). What is modelled has to do with capabilities and privileges."""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from minidocker.linux import (
    CAPABILITIES,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAP_AMBIENT_IS_SET,
    PR_CAP_AMBIENT_LOWER,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_CAPBSET_READ,
    PR_GET_DUMPABLE,
    PR_GET_KEEPCAPS,
    PR_GET_NO_NEW_PRIVS,
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    PR_SET_NO_NEW_PRIVS,
    fail,
)
from minidocker.sim.refuse import refuse

if TYPE_CHECKING:
    from minidocker.sim.task import Task

Args = tuple[int, int, int, int]


def sys_prctl(task: "Task", option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
    """Change how the kernel treats the caller (prctl(2)); EINVAL, by name, for an option that is not modelled."""
    if option not in _OPTIONS:
        refuse(errno.EINVAL, f"does not model prctl's option {option}")
    return _OPTIONS[option](task, (arg2, arg3, arg4, arg5))


def _set_dumpable(task: "Task", args: Args) -> int:
    """May others of the same user look into the task (PR_SET_DUMPABLE)?"""
    if args[0] not in (0, 1):
        fail(errno.EINVAL)
    task.memory.dumpable = bool(args[0])
    return 0


def _set_keepcaps(task: "Task", args: Args) -> int:
    if args[0] not in (0, 1):
        fail(errno.EINVAL)
    task.creds.keepcaps = bool(args[0])
    return 0


def _bit(number: int) -> int:
    """Return a capability's bit; EINVAL if there is no such capability."""
    return 1 << number if 0 <= number < len(CAPABILITIES) else fail(errno.EINVAL)


def _drop_bounding(task: "Task", args: Args) -> int:
    """Take a capability out of the bounding set for good, with CAP_SETPCAP (PR_CAPBSET_DROP)."""
    creds = task.creds
    if not creds.capable(creds.user, "CAP_SETPCAP"):
        fail(errno.EPERM)
    creds.bounding &= ~_bit(args[0])
    return 0


def _set_no_new_privs(task: "Task", args: Args) -> int:
    if args != (1, 0, 0, 0):
        fail(errno.EINVAL)
    task.creds.no_new_privs = True
    return 0


def _get_no_new_privs(task: "Task", args: Args) -> int:
    return int(task.creds.no_new_privs) if not any(args) else fail(errno.EINVAL)


def _ambient(task: "Task", args: Args) -> int:
    """Change what a program gets that has no file capabilities: only what is permitted and inheritable (EPERM)."""
    operation, number, *rest = args
    creds = task.creds
    if operation == PR_CAP_AMBIENT_CLEAR_ALL:
        creds.ambient = creds.ambient & 0 if not (number or any(rest)) else fail(errno.EINVAL)
        return 0
    bit = _bit(number) if not any(rest) else fail(errno.EINVAL)
    if operation == PR_CAP_AMBIENT_IS_SET:
        return int(bool(creds.ambient & bit))
    if operation == PR_CAP_AMBIENT_LOWER:
        creds.ambient &= ~bit
    elif operation != PR_CAP_AMBIENT_RAISE:
        fail(errno.EINVAL)
    elif not creds.permitted & creds.inheritable & bit:
        fail(errno.EPERM)
    else:
        creds.ambient |= bit
    return 0


_OPTIONS: Final[dict[int, "Callable[[Task, Args], int]"]] = {
    PR_GET_DUMPABLE: lambda task, _: int(task.memory.dumpable),
    PR_SET_DUMPABLE: _set_dumpable,
    PR_GET_KEEPCAPS: lambda task, _: int(task.creds.keepcaps),
    PR_SET_KEEPCAPS: _set_keepcaps,
    PR_CAPBSET_READ: lambda task, args: int(bool(task.creds.bounding & _bit(args[0]))),
    PR_CAPBSET_DROP: _drop_bounding,
    PR_SET_NO_NEW_PRIVS: _set_no_new_privs,
    PR_GET_NO_NEW_PRIVS: _get_no_new_privs,
    PR_CAP_AMBIENT: _ambient,
}
