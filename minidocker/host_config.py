"""HostConfig: how a container stands to its host: what it shares with it, what it may do, how much it may use.

The names are those of ``HostConfig`` in Docker's Engine API (1.45), in Python's spelling. What a container *is*, its
program, environment and user, is :class:`minidocker.container.Container`'s.
"""

from dataclasses import dataclass, field

from minidocker.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """What ``docker run`` and ``docker create`` are told besides the container's own configuration.

    The modes are Docker's words: empty for the daemon's default, ``host``, ``container:NAME``, ``none``, ``private`` …
    """

    hostname: str = ""
    domainname: str = ""
    pid_mode: str = ""
    network_mode: str = ""
    ipc_mode: str = ""
    uts_mode: str = ""
    userns_mode: str = ""
    cgroupns_mode: str = ""
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    init: bool = False
    resources: Resources = field(default_factory=Resources)
