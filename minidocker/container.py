"""Container: a process with a writable layer on an image's layers, and what is known of it before, during and after."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minidocker import overlay2
from minidocker.host_config import HostConfig
from minidocker.linux import ALL_CAPABILITIES
from minidocker.process import Process

CREATED, RUNNING, PAUSED, EXITED, REMOVING, DEAD = "created", "running", "paused", "exited", "removing", "dead"


@dataclass(slots=True, kw_only=True, eq=False)
class Container(Process):
    """One container: as a process it is its first task. Times in nanoseconds since 1970."""

    id: str
    name: str
    image: str
    """The image as the command named it."""
    image_id: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str
    user: str
    lowers: tuple[str, ...]
    """The lower directories, topmost first."""
    layer_ids: tuple[str, ...]
    """The chain IDs of the layers in them."""
    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    workdir: str = ""
    config_env: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """Command, entrypoint, directory, environment and labels as the image and the command name them, for inspect."""
    stop_signal: str = ""
    host_config: HostConfig = field(default_factory=HostConfig)
    capabilities: int = ALL_CAPABILITIES
    no_new_privileges: bool = False
    seccomp: Mapping[str, Any] | None = None
    """The policy for its system calls, or None if there is none."""
    covered: bool = True
    """Are parts of /proc and /sys hidden from it, and others read-only?"""
    remapped: bool = False
    """Has it a user namespace of its own?"""
    status: str = CREATED
    execs: list[Process] = field(default_factory=list)
    """What docker exec has started in it, and that still runs."""
    oom_killed: bool = False
    """Has the kernel killed one of its tasks for want of memory, since it was last started?"""
    warnings: list[str] = field(default_factory=list)
    """What was asked for and this host cannot give: said when it is created."""
    auto_remove: bool = False
    created_ns: int = 0
    started_ns: int = 0
    finished_ns: int = 0

    @property
    def is_running(self) -> bool:
        """Has it a program, be it frozen?"""
        return self.status in (RUNNING, PAUSED)

    @property
    def directory(self) -> str:
        """Where its upper, work and merged directories are."""
        return f"{overlay2.ROOT}/{self.id}"

    @property
    def upper(self) -> str:
        """The writable layer's directory."""
        return f"{self.directory}/diff"

    @property
    def merged(self) -> str:
        """Where the union of its layers is mounted while it runs."""
        return f"{self.directory}/merged"

    @property
    def hostname(self) -> str:
        """The host name it gets: what it was told, or the first twelve digits of its id."""
        return self.host_config.hostname or self.id[:12]

    def to_state(self) -> dict[str, Any]:
        """Return its row of the state model (``docs/trace.md``)."""
        row: dict[str, Any] = {
            "id": self.id,
            "image": self.image,
            "command": list(self.argv),
            "status": self.status,
            "stack": self.name,
        }
        if self.status == EXITED:
            row["exit_code"] = self.exit_code
        return row | {"oom_killed": True} if self.oom_killed else row
