"""Control: what docker does to a container by its control group while it runs: update, pause, unpause, stats."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from minidocker.cgroup_jobs import read_all
from minidocker.cgroup_usage import Usage
from minidocker.container import PAUSED, RUNNING, Container
from minidocker.errors import Conflict, EngineError
from minidocker.resources import Resources, check, merged

if TYPE_CHECKING:
    from minidocker.engine import Engine

#: How far apart the two readings are that a share of processor time is made of (moby, daemon/stats).
BETWEEN_S: Final = 1.0

#: How long to let programs run before looking again whether they are frozen.
_MOMENT_S: Final = 0.001


def update(engine: "Engine", name: str, wanted: Resources) -> list[str]:
    """Change the limits of a container, also while it runs (docker update); return warnings.

    InvalidParameter for what makes no sense, UpdateConflict for what does not go with what it has, ServerError if the
    kernel refuses: then it has what it had.
    """
    wanted, warnings = check(wanted, engine.cgroups.support, update=True)
    container = engine.find(name)
    host_config = container.host_config
    now = merged(host_config.resources, wanted, container.id)
    engine.monitor.operation(
        f"update the limits of {container.name}",
        "The new values are written into its control group's files; they hold from the next page, tick or fork on.",
        ref="docker container update",
    )
    if container.is_running:
        try:
            engine.cgroups.update(container.id, wanted, now)
        except EngineError as error:
            raise type(error)(f"Cannot update container {container.id}: {error}", hint=error.hint) from error
    container.host_config = replace(host_config, resources=now)
    return warnings


def pause(engine: "Engine", container: Container) -> None:
    """Freeze all tasks of a running container (docker pause); Conflict if it does not run, or is paused."""
    if container.status == PAUSED:
        raise Conflict(f"Container {container.id} is already paused")
    if container.status != RUNNING:
        raise Conflict(f"container {container.id} is not running")
    engine.monitor.operation(
        f"pause {container.name}",
        "Its control group is frozen: no task of it is given a processor, and none of them can notice.",
        ref="docker container pause",
    )
    engine.cgroups.freeze(container.id, lambda: engine.pump(_MOMENT_S))
    _now(engine, container, PAUSED)


def unpause(engine: "Engine", container: Container) -> None:
    """Let a paused container go on (docker unpause); Conflict if it is not paused."""
    if container.status != PAUSED:
        raise Conflict(f"Container {container.id} is not paused")
    engine.monitor.operation(
        f"unpause {container.name}", "Its control group is thawed.", ref="docker container unpause"
    )
    engine.cgroups.thaw(container.id, lambda: engine.pump(_MOMENT_S))
    _now(engine, container, RUNNING)


def _now(engine: "Engine", container: Container, status: str) -> None:
    paused = status == PAUSED
    container.status = status
    engine.monitor.operation(
        f"{container.name} is {'paused' if paused else 'running again'}",
        "Its processor time stands still." if paused else "Its tasks go on where they were.",
        {("containers", container.name): container.to_state()},
        ref=f"docker container {'pause' if paused else 'unpause'}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A container's usage now, and how much of the time since the reading before it has used. ``cpus`` as 1.5."""

    container: Container
    usage: Usage
    cpus: float = 0.0
    memory_limit: int = 0
    """The limit of memory, or all that the host has."""
    received: int = 0
    sent: int = 0

    @property
    def memory(self) -> int:
        """What docker stats calls its memory: without the cached files that could go at once."""
        usage = self.usage
        return usage.memory - usage.memory_cache if usage.memory_cache < usage.memory else usage.memory


def stats(engine: "Engine", containers: list[Container]) -> list[Sample]:
    """Read what containers use, twice, a second apart, as docker does: a share is what happened in between."""
    engine.pump()
    before = {c.id: _read(engine, c) for c in containers if c.is_running}
    if before:
        let_pass(engine, BETWEEN_S)
    return [_sample(engine, container, before.get(container.id)) for container in containers]


def let_pass(engine: "Engine", seconds: float) -> None:
    """Let programs run for a time of the kernel's own clock."""
    until_ns = engine.now_ns() + int(seconds * 1e9)
    while (left_ns := until_ns - engine.now_ns()) > 0:
        engine.pump(left_ns / 1e9)


def _read(engine: "Engine", container: Container) -> tuple[int, Usage]:
    """Return what a container's group has used, and when that was read."""
    return engine.now_ns(), engine.cgroups.usage(container.id)


def _sample(engine: "Engine", container: Container, before: tuple[int, Usage] | None) -> Sample:
    if before is None or not container.is_running:
        return Sample(container=container, usage=Usage())
    now_ns, usage = _read(engine, container)
    elapsed_ns = now_ns - before[0]
    received, sent = _network(engine, container)
    total = _memory_total(engine)
    return Sample(
        container=container,
        usage=usage,
        cpus=(usage.cpu_ns - before[1].cpu_ns) / elapsed_ns if elapsed_ns else 0.0,
        memory_limit=min(usage.memory_limit or total, total or usage.memory_limit),
        received=received,
        sent=sent,
    )


def _memory_total(engine: "Engine") -> int:
    """Return how much memory the host has: /proc/meminfo says it in KiB."""
    lines = engine.kernel.job(read_all, ["/proc/meminfo"])[0].splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemTotal:")), 0)


def _network(engine: "Engine", container: Container) -> tuple[int, int]:
    """Return the bytes that came and went through the links of its network namespace, but for loopback's."""
    lines = engine.kernel.job(read_all, [f"/proc/{container.pid}/net/dev"])[0].splitlines()
    rows = [numbers.split() for name, _, numbers in (line.partition(":") for line in lines) if name.strip() != "lo"]
    counted = [row for row in rows if len(row) >= 9]
    return sum(int(row[0]) for row in counted), sum(int(row[8]) for row in counted)
