"""Capabilities: which of root's powers a container's programs get (capabilities(7), docker run --cap-add).

A set is a bit mask, as the kernel has it: ``1 << CAPABILITIES["CAP_KILL"]``.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from minidocker.errors import InvalidParameter
from minidocker.linux import (
    ALL_CAPABILITIES,
    CAPABILITIES,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAPBSET_DROP,
    PR_SET_KEEPCAPS,
)
from minidocker.system import System

#: What a container's root has unless it is told otherwise (docker run, "Runtime privilege and Linux capabilities").
DEFAULT: Final = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
    "CAP_AUDIT_WRITE",
)  # fmt: skip
_ALL: Final = "ALL"


def mask(names: Iterable[str]) -> int:
    """Return the bit mask of capabilities by their names."""
    return sum(1 << CAPABILITIES[name] for name in set(names))


def names(bits: int) -> list[str]:
    """Return the names in a bit mask, by number."""
    return [name for name, number in CAPABILITIES.items() if bits >> number & 1]


def normalized(words: Sequence[str]) -> tuple[str, ...]:
    """Return capabilities as Docker's client writes them: upper case, with CAP_; ALL swallows the others."""
    upper = [word.strip().upper() for word in words]
    if any(word in (_ALL, "CAP_ALL") for word in upper):
        return (_ALL,)
    return tuple(sorted({word if word.startswith("CAP_") else f"CAP_{word}" for word in upper}))


def effective(*, add: Sequence[str], drop: Sequence[str], privileged: bool = False) -> int:
    """Return the set that a container gets. InvalidParameter for a name that is no capability.

    What is dropped wins over what is default, what is added over ``--cap-drop ALL``, as in Docker.
    """
    add, drop = normalized(add), normalized(drop)
    for name in (*add, *drop):
        if name != _ALL and name not in CAPABILITIES:
            raise InvalidParameter(
                f'invalid CapAdd: unknown capability: "{name}"'
                if name in add
                else f'invalid CapDrop: unknown capability: "{name}"'
            )
    if privileged:
        return ALL_CAPABILITIES
    added = ALL_CAPABILITIES if _ALL in add else mask(add)
    dropped = mask(name for name in drop if name != _ALL)
    if _ALL in add:
        return added & ~dropped
    base = 0 if _ALL in drop else mask(DEFAULT) & ~dropped
    return base | added


async def drop_bounding(k: System, keep: int) -> None:
    """Take all but ``keep`` out of the bounding set: no execve can ever give them back."""
    for number in range(len(CAPABILITIES)):
        if not keep >> number & 1:
            with suppress(OSError):  # EINVAL: an older kernel does not have it
                await k.prctl(PR_CAPBSET_DROP, number)


async def keep_over_setuid(k: System, keep: bool) -> None:
    """Say whether the permitted set stays when the last user id that is 0 goes."""
    await k.prctl(PR_SET_KEEPCAPS, int(keep))


async def apply(k: System, keep: int) -> None:
    """Have just these capabilities, effective and permitted; none is inherited over an execve, none ambient."""
    await k.capset(keep, keep, 0)
    await k.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
