"""What ``--security-opt`` says: no new privileges, which filter of system calls, whether /proc is covered.

AppArmor and SELinux are not modelled: what asks for nothing of them (``unconfined``, ``disable``) is taken, a profile
or a label is refused by name, for a container that only seems to be confined is worse than none.
"""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from minidocker import capabilities, linux, seccomp
from minidocker.errors import InvalidParameter
from minidocker.kernel import Files, Kernel, Port
from minidocker.linux import SECCOMP_GET_ACTION_AVAIL

_BOOLEANS: Final = {"": True, "true": True, "false": False}

#: Said where libseccomp is missing.
NO_FILTER: Final = "No libseccomp was found on this host: system calls are not filtered."


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What the options mean. ``profile`` is the seccomp profile, or None for no filter."""

    no_new_privileges: bool = False
    profile: Mapping[str, Any] | None = None
    system_paths_open: bool = False


def parse(options: Sequence[str], *, privileged: bool = False) -> Security:
    """Return what the options mean; InvalidParameter in Docker's words for what is none."""
    found = Security(profile=None if privileged else seccomp.DEFAULT)
    for option in options:
        name, _, value = option.partition("=") if "=" in option else option.partition(":")
        found = _taken(found, option, name, value)
    return found


def _taken(found: Security, option: str, name: str, value: str) -> Security:
    match name, value:
        case "no-new-privileges", _ if value in _BOOLEANS:
            return replace(found, no_new_privileges=_BOOLEANS[value])
        case "seccomp", "unconfined":
            return replace(found, profile=None)
        case "seccomp", "builtin":
            return replace(found, profile=seccomp.DEFAULT)
        case "seccomp", _ if value:
            return replace(found, profile=seccomp.parse(value))
        case "systempaths", "unconfined":
            return replace(found, system_paths_open=True)
        case ("apparmor", "unconfined") | ("label", "disable"):
            return found
        case (("apparmor" | "label"), _):
            raise InvalidParameter(f"minidocker does not have --security-opt {name} yet; it does not pretend to")
    raise InvalidParameter(f'invalid --security-opt 2: "{option}"')


class Filters:
    """The filters of system calls that containers have had: each is made once, by the kernel that will apply it."""

    def __init__(self, kernel: Kernel, architecture: str) -> None:
        """Know none. ``architecture`` is Go's name of the machine."""
        self._kernel = kernel
        self._architecture = architecture
        self._made: dict[tuple[int, int], tuple[Any, Mapping[str, Any]]] = {}
        """By profile (held, so that its id stays its own) and capabilities."""
        self.available = True
        """Can this host make filters, as far as is known?"""

    def policy(self, profile: Mapping[str, Any] | None, caps: int) -> Mapping[str, Any] | None:
        """Return a container's policy, if it is to have one and the host can; InvalidParameter if it makes no sense."""
        if profile is None or not self.available:
            return None
        key = (id(profile), caps)
        if key not in self._made:
            policy = self._resolved(profile, caps)
            if not self._prepared(policy):
                return None
            self._made[key] = profile, policy
        return self._made[key][1]

    def _resolved(self, profile: Mapping[str, Any], caps: int) -> Mapping[str, Any]:
        names, release = capabilities.names(caps), self._kernel.job(release_of)
        return seccomp.resolve(profile, caps=names, arch=self._architecture, release=release)

    def _prepared(self, policy: Mapping[str, Any]) -> bool:
        try:
            self._kernel.job(prepare, policy)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise InvalidParameter(f"seccomp: {error.strerror}") from error
            self.available = False
        return self.available


def prepare(kernel: Port, policy: Mapping[str, Any]) -> None:
    """Have the kernel see whether it can make a filter of a policy, and keep it (a job); ENOSYS where it cannot."""
    kernel.syscall("seccomp", SECCOMP_GET_ACTION_AVAIL, 0, policy)


def release_of(files: Files) -> str:
    """Return the kernel's version (a job)."""
    fd = files.open("/proc/sys/kernel/osrelease", linux.O_RDONLY)
    try:
        return files.read(fd, 256).decode().strip()
    finally:
        files.close(fd)
