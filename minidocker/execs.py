"""Execs: more programs in a running container (docker exec). They join the namespaces that its init has made.

setns(2) moves a task at once into most namespaces, but into a PID namespace only its children. So the daemon itself
asks for the container's PID namespace, clones, and goes back to its own; the new task is born inside, and joins the
rest.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from minidocker import namespaces, runtime, start
from minidocker.container import PAUSED, RUNNING, Container
from minidocker.create import with_environ
from minidocker.errors import Conflict, ExecError, InvalidParameter
from minidocker.linux import ALL_CAPABILITIES
from minidocker.process import Process
from minidocker.refusal import Refused

if TYPE_CHECKING:
    from minidocker.engine import Engine


#: What calls say of a task that has just died, before its parent knows: its /proc shows no namespaces, nobody has its
#: pid, and nobody more is born in the PID namespace whose init it was (pid_namespaces(7)).
_GONE: Final = (errno.ENOENT, errno.ESRCH, errno.ENOMEM)

#: How often to ask whether it has ended, and how long to wait each time.
_LOOKS: Final = 100
_MOMENT_S: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOptions:
    """What ``docker exec`` is told besides container and command."""

    env: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    privileged: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Exec(Process):
    """One program that was started by docker exec."""

    id: str
    container: Container
    argv: tuple[str, ...]
    options: ExecOptions


def create(engine: "Engine", container: Container, argv: Sequence[str], options: ExecOptions) -> Exec:
    """Return what is to be run; Conflict if the container does not run or is paused, in Docker's words."""
    engine.pump()
    if container.status == PAUSED:
        raise Conflict(f"Container {container.name} is paused, unpause the container before exec")
    if container.status != RUNNING:
        raise not_running(container)
    return Exec(id=engine.new_id(), container=container, argv=tuple(argv), options=options)


def not_running(container: Container) -> Conflict:
    """Return what Docker says of a container that has ended."""
    return Conflict(f"container {container.id} is not running")


def run(engine: "Engine", process: Exec) -> None:
    """Start it, and return once its program runs; ExecError, in runc's words, if it cannot.

    Conflict if the container has ended meanwhile.
    """
    container, options = process.container, process.options
    if options.workdir and not options.workdir.startswith("/"):
        raise ExecError("Cwd must be an absolute path")
    try:
        joined = dict.fromkeys(namespaces.own(container), container.pid)
        spec = _spec(process, start.joins(joined), [] if container.remapped else engine.cgroups.doors(container.id))
        group = engine.cgroups.cradle(container.id)
        waits = container.remapped  # it may not enter its control groups itself
        told = spec.to_json()
        gate = start.clone(engine, process, runtime.enter, told, flags=0, joined=joined, cgroup=group, waits=waits)
        start.release(engine, process, gate, lambda: engine.attach_exec(process))
    except OSError as error:
        if error.errno in _GONE and _has_ended(engine, container):
            raise not_running(container) from error
        raise
    except Refused as refused:
        if refused.exit_code == start.REQUEST:
            raise InvalidParameter(refused.reason, exit_code=126) from refused
        raise ExecError(f"unable to start container process: {refused.reason}") from refused


def _has_ended(engine: "Engine", container: Container) -> bool:
    """Has it? The kernel tells so a moment after its calls do."""
    for _ in range(_LOOKS):
        engine.pump()
        if not container.is_running:
            return True
        engine.pump(_MOMENT_S)
    return False


def _spec(process: Exec, join: Sequence[tuple[int, int]], cgroups: Sequence[str]) -> runtime.Spec:
    container, options = process.container, process.options
    return runtime.Spec(
        argv=process.argv,
        env=with_environ(container.env, options.env),
        cwd=options.workdir or container.cwd,
        user=options.user or container.user,
        cgroups=cgroups,
        join=join,
        remapped=container.remapped,
        waits_first=container.remapped,
        capabilities=ALL_CAPABILITIES if options.privileged else container.capabilities,
        no_new_privileges=container.no_new_privileges,
        seccomp=container.seccomp,
        make_cwd=False,
    )
