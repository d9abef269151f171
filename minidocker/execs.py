"""Execs: more programs in a running container (docker exec). They join the namespaces that its init has made.

setns(2) moves a task at once into most namespaces, but into a PID namespace only its children. So the daemon itself
asks for the container's PID namespace, clones, and goes back to its own; the new task is born inside, and joins the
rest.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from minidocker import namespaces, runtime, start
from minidocker.container import PAUSED, RUNNING, Container
from minidocker.create import with_environ
from minidocker.errors import Conflict, ExecError, InvalidParameter
from minidocker.kernel import Files, Kernel
from minidocker.linux import ALL_CAPABILITIES, CLONE_NEWPID, O_CLOEXEC, O_RDONLY
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
        with held(engine.kernel, container.pid, namespaces.own(container)) as ends:
            kinds = [kind for kind in ends if kind != "pid"]
            fds = {runtime.NAMESPACE_FD + place: ends[kind] for place, kind in enumerate(kinds)}
            join = [(fd, namespaces.KINDS[kind]) for fd, kind in zip(fds, kinds, strict=True)]
            spec = _spec(process, join, [] if container.remapped else engine.cgroups.doors(container.id))
            group = engine.cgroups.cradle(container.id)
            with born_in(engine.kernel, ends.get("pid")):
                gate = start.clone(engine, process, runtime.enter, spec.to_json(), flags=0, fds=fds, cgroup=group)
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


@contextmanager
def held(kernel: Kernel, pid: int, kinds: Sequence[str]) -> Iterator[dict[str, int]]:
    """Hold a task's namespaces of some kinds open, by descriptors of its /proc/PID/ns; they close with the block."""
    fds = kernel.together(open_all, [f"/proc/{pid}/ns/{kind}" for kind in kinds])
    try:
        yield dict(zip(kinds, fds, strict=True))
    finally:
        kernel.together(close_all, fds)


@contextmanager
def born_in(kernel: Kernel, pid_namespace: int | None) -> Iterator[None]:
    """Have the daemon's children be born in another PID namespace, until the block ends (setns(2), CLONE_NEWPID)."""
    if pid_namespace is None:
        yield
        return
    own = kernel.together(go_in, pid_namespace)
    try:
        yield
    finally:
        kernel.together(come_back, own)


def open_all(files: Files, paths: Sequence[str]) -> list[int]:
    """Open files to read, all or none."""
    fds: list[int] = []
    try:
        fds.extend(files.open(path, O_RDONLY | O_CLOEXEC) for path in paths)
    except OSError:
        close_all(files, fds)
        raise
    return fds


def close_all(files: Files, fds: Sequence[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        files.close(fd)


def go_in(kernel: Kernel, pid_namespace: int) -> int:
    """Have the caller's children be born in another PID namespace; return a descriptor of its own, for the way back."""
    own = kernel.open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC)
    try:
        kernel.setns(pid_namespace, CLONE_NEWPID)
    except OSError:
        kernel.close(own)
        raise
    return own


def come_back(kernel: Kernel, own: int) -> None:
    """Have the caller's children be born in its own PID namespace again."""
    kernel.setns(own, CLONE_NEWPID)
    kernel.close(own)
