"""Inspect: what docker tells of a container, in the words and the order of the Engine API (1.45), as JSON's values.

What the lab does not have has the value that Docker gives it where nobody has asked for it.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from minidocker import mounts
from minidocker.capabilities import normalized
from minidocker.container import DEAD, PAUSED, Container
from minidocker.network import mode_of

if TYPE_CHECKING:
    from minidocker.engine import Engine

_NEVER: Final = "0001-01-01T00:00:00Z"


def of(engine: "Engine", container: Container) -> dict[str, Any]:
    """Return what ``docker inspect`` tells of a container."""
    path, *arguments = container.argv
    return {
        "Id": container.id,
        "Created": when(container.created_ns),
        "Path": path,
        "Args": arguments,
        "State": state(container),
        "Image": container.image_id,
        "ResolvConfPath": _file(container, "resolv.conf"),
        "HostnamePath": _file(container, "hostname"),
        "HostsPath": _file(container, "hosts"),
        "LogPath": "",
        "Name": f"/{container.name}",
        "RestartCount": 0,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": [process.id for process in container.execs if hasattr(process, "id")] or None,
        "HostConfig": host_config(container),
        "GraphDriver": {"Data": _overlay(container), "Name": "overlay2"},
        "Mounts": [],
        "Config": config(container),
        "NetworkSettings": engine.network.settings(container),
    }


def state(container: Container) -> dict[str, Any]:
    """Return ``State``: where a container is in its life."""
    running = container.is_running
    return {
        "Status": container.status,
        "Running": running,
        "Paused": container.status == PAUSED,
        "Restarting": False,
        "OOMKilled": container.oom_killed,
        "Dead": container.status == DEAD,
        "Pid": container.pid if running else 0,
        "ExitCode": container.exit_code,
        "Error": "",
        "StartedAt": when(container.started_ns),
        "FinishedAt": when(container.finished_ns),
    }


def host_config(container: Container) -> dict[str, Any]:
    """Return ``HostConfig``: what it was told of its host, with the daemon's defaults."""
    told, limits = container.host_config, container.host_config.resources
    return {
        "Binds": None,
        "NetworkMode": mode_of(container),
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": container.auto_remove,
        "CapAdd": list(normalized(told.cap_add)) or None,
        "CapDrop": list(normalized(told.cap_drop)) or None,
        "CgroupnsMode": told.cgroupns_mode or "host",
        "IpcMode": told.ipc_mode or "private",
        "PidMode": told.pid_mode,
        "Privileged": told.privileged,
        "ReadonlyRootfs": told.read_only,
        "SecurityOpt": list(told.security_opt) or None,
        "Tmpfs": dict(word.partition(":")[::2] for word in told.tmpfs) or None,
        "UTSMode": told.uts_mode,
        "UsernsMode": told.userns_mode,
        "ShmSize": mounts.SHM_BYTES,
        "Runtime": "runc",
        "Init": told.init or None,
        "CpuShares": limits.cpu_shares,
        "Memory": limits.memory,
        "NanoCpus": limits.nano_cpus,
        "CpuPeriod": limits.cpu_period,
        "CpuQuota": limits.cpu_quota,
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": "",
        "MemoryReservation": limits.memory_reservation,
        "MemorySwap": limits.memory_swap,
        "MemorySwappiness": None,
        "PidsLimit": limits.pids_limit or None,
        "MaskedPaths": list(mounts.MASKED) if container.covered else None,
        "ReadonlyPaths": list(mounts.READ_ONLY) if container.covered else None,
    }


def config(container: Container) -> dict[str, Any]:
    """Return ``Config``: what the container is, out of the image and the command."""
    return {
        "Hostname": container.hostname,
        "Domainname": container.host_config.domainname,
        "User": container.user,
        "AttachStdin": False,
        "Tty": False,
        "OpenStdin": False,
        "Env": list(container.config_env) or None,
        "Cmd": list(container.cmd) or None,
        "Image": container.image,
        "Volumes": None,
        "WorkingDir": container.workdir,
        "Entrypoint": list(container.entrypoint) or None,
        "OnBuild": None,
        "Labels": dict(container.labels),
    } | ({"StopSignal": container.stop_signal} if container.stop_signal else {})


def when(time_ns: int) -> str:
    """Return a time of day as Go writes it (RFC 3339), to the nanosecond; 0 is never."""
    if not time_ns:
        return _NEVER
    seconds, fraction = divmod(time_ns, 10**9)
    digits = f".{fraction:09}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{digits}Z"


def _file(container: Container, name: str) -> str:
    return f"/var/lib/docker/containers/{container.id}/{name}" if container.started_ns else ""


def _overlay(container: Container) -> dict[str, str]:
    return {
        "LowerDir": ":".join(container.lowers),
        "MergedDir": container.merged,
        "UpperDir": container.upper,
        "WorkDir": f"{container.directory}/work",
    }
