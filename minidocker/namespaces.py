"""Which namespaces a container gets for itself, which it shares with the host, and whose it joins (namespaces(7)).

A mode is Docker's word: empty for a namespace of its own, ``host``, ``container:NAME`` … (docker run, "PID settings"
and those after it). Joining is setns(2) on files of ``/proc/PID/ns`` that the daemon opens and the new task inherits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from minidocker.errors import Conflict, InvalidParameter
from minidocker.linux import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
)

if TYPE_CHECKING:
    from minidocker.container import Container
    from minidocker.host_config import HostConfig

#: The kinds, in the order in which runc joins them: the user namespace first, because in it one may join the others.
KINDS: Final = {
    "user": CLONE_NEWUSER, "ipc": CLONE_NEWIPC, "uts": CLONE_NEWUTS, "net": CLONE_NEWNET, "pid": CLONE_NEWPID,
    "mnt": CLONE_NEWNS, "cgroup": CLONE_NEWCGROUP,
}  # fmt: skip

#: What another container's mode begins with.
_CONTAINER: Final = "container:"
_IPC_MODES: Final = ("", "none", "private", "shareable", "host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a task comes into its namespaces: ``new`` are clone's flags, ``joined`` says whose others it enters.

    A cgroup namespace of its own is not clone's affair: its root is the group in which the task *is* when it asks, so
    init unshares it itself, once it has entered its v1 groups; in v2 it is born in its own (cgroup_namespaces(7)).
    """

    new: int
    joined: Mapping[str, int] = field(default_factory=dict)
    """Kind → pid of a task that is in it."""
    unshared: int = 0


def other(mode: str) -> str:
    """Return the container that a mode names, or an empty string."""
    return mode.removeprefix(_CONTAINER) if mode.startswith(_CONTAINER) else ""


def check(config: "HostConfig", find: Callable[[str], "Container"]) -> None:
    """Refuse modes that do not exist or do not go together, in Docker's words."""
    if config.ipc_mode not in _IPC_MODES and not other(config.ipc_mode):
        raise InvalidParameter(f"invalid IPC mode: {config.ipc_mode}")
    if config.hostname and config.uts_mode == "host":
        raise InvalidParameter("conflicting options: hostname and the UTS mode")
    if config.hostname and other(config.network_mode):
        raise InvalidParameter("conflicting options: hostname and the network mode")
    for mode in (config.pid_mode, config.ipc_mode, config.network_mode):
        if other(mode):
            find(other(mode))


def plan(container: "Container", find: Callable[[str], "Container"]) -> Plan:
    """Return how a container's init comes into its namespaces; Conflict if another's that it wants does not run."""
    config = container.host_config
    modes = {"pid": config.pid_mode, "net": config.network_mode, "ipc": config.ipc_mode, "uts": config.uts_mode}
    new, joined = CLONE_NEWNS | (CLONE_NEWUSER if container.remapped else 0), {}
    for kind, mode in modes.items():
        if other(mode):
            joined[kind] = _running(find(other(mode)), kind).pid
        elif mode != "host":
            new |= KINDS[kind]
    return Plan(new=new, joined=joined, unshared=CLONE_NEWCGROUP if config.cgroupns_mode == "private" else 0)


def _running(container: "Container", kind: str) -> "Container":
    """Return a container whose namespace can be joined; refuse one that does not run, or keeps its IPC to itself."""
    if not container.pid:
        raise Conflict(f"failed to join {kind.upper()} namespace: container {container.id} is not running")
    if kind == "ipc" and container.host_config.ipc_mode not in ("shareable", "host"):
        raise InvalidParameter(
            f"failed to join IPC namespace: container {container.id}: non-shareable IPC "
            "(hint: use IpcMode:shareable for the donor container)"
        )
    return container


def own(container: "Container") -> list[str]:
    """Return the kinds in which a running container differs from the host: those that exec must join."""
    config = container.host_config
    shared = {
        "pid": config.pid_mode == "host",
        "net": config.network_mode == "host",
        "ipc": config.ipc_mode == "host",
        "uts": config.uts_mode == "host",
        "cgroup": config.cgroupns_mode != "private",
        "user": not container.remapped,
        "mnt": False,
    }
    return [kind for kind in KINDS if not shared[kind]]
