"""Engine: images, containers, and what docker's commands do to them. It asks nothing but the port.

The engine never waits inside a kernel: programs run while :meth:`Engine.pump` polls, which takes their output and
notices their end. ``docker run`` is :meth:`Engine.run`: create, start, wait, and with ``--rm`` remove.
"""

import errno
import json
import posixpath
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from minidocker import diff, linux, names, runtime
from minidocker.container import EXITED, OVERLAY_ROOT, REMOVING, RUNNING, Container, LogLine
from minidocker.errors import Conflict, InvalidParameter, NameConflict, NoSuchContainer, StartError
from minidocker.image import GO_ARCHITECTURES, Image
from minidocker.image_store import ImageStore
from minidocker.kernel import Event, Files, Kernel
from minidocker.linux import O_CLOEXEC, O_RDONLY, WNOHANG
from minidocker.monitor import Monitor, Null
from minidocker.tree import make_directories, remove_tree

#: What is mounted between an image's layers and the writable one: mount points that an image need not have.
INIT_LAYER: Final = f"{OVERLAY_ROOT}/init/diff"

#: Said at every mount, because a host's own defaults differ (/sys/module/overlay/parameters).
OVERLAY_OPTIONS: Final = ("index=off", "xino=off", "metacopy=off")

#: How a trace names that layer, and what it says of it.
INIT_ID: Final = "init"
INIT_TRACE_LAYER: Final = {
    "name": "init",
    "digest": "",
    "created_by": "mount points, made by the engine",
    "bytes": 0,
    "entries": {
        **{f"/{name}": {"kind": "dir", "mode": 0o755, "uid": 0, "gid": 0} for name in ("dev", "proc", "sys")},
        "/.dockerenv": {"kind": "file", "mode": 0o755, "uid": 0, "gid": 0, "size": 0},
    },
    "complete": True,
}

DEFAULT_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: What a container may be called (moby, daemon/names).
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")

_READ_SIZE: Final = 1 << 16

#: The exit code that says: not the program, the request was wrong.
_REQUEST: Final = 125


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What ``docker run`` and ``docker create`` are told besides image and command."""

    name: str = ""
    env: tuple[str, ...] = ()
    workdir: str = ""
    entrypoint: str | None = None
    user: str = ""
    auto_remove: bool = False


class Engine:
    """One Docker engine over one kernel."""

    def __init__(
        self,
        kernel: Kernel,
        *,
        ids: Callable[[], str] = lambda: secrets.token_hex(32),
        clock_ns: Callable[[], int] = lambda: 0,
        monitor: Monitor | None = None,
        machine: str = "x86_64",
        rootless: bool = False,
    ) -> None:
        """Begin with no image and no container.

        ``ids`` gives 64 hexadecimal digits, ``clock_ns`` the time of day, ``machine`` is uname's, and ``rootless``
        says that the kernel is asked from within a user namespace.
        """
        self.kernel = kernel
        self.images = ImageStore(kernel, machine=GO_ARCHITECTURES.get(machine, machine), rootless=rootless)
        self._overlay_options = ",".join(("", *OVERLAY_OPTIONS, "userxattr" if rootless else "redirect_dir=off"))
        self.containers: dict[str, Container] = {}
        self.monitor: Monitor = monitor or Null()
        self._ids = ids
        self._clock_ns = clock_ns
        self._watched: dict[int, Container] = {}
        kernel.job(make_init_layer, INIT_LAYER)

    def create(self, image_name: str, command: Sequence[str], options: RunOptions) -> Container:
        """Make a container from an image, without starting it (docker create)."""
        image = self.images.find(image_name)
        container = self._container(image_name, image, command, options)
        self.monitor.layers({INIT_ID: INIT_TRACE_LAYER, **self.images.trace_layers(image)})
        self.monitor.operation(
            f"create container {container.name}",
            "A container is an empty writable layer on the image's layers, and a few words of configuration.",
            {("containers", container.name): container.to_state()},
            ref="docker container create",
        )
        for directory in (container.directory, container.upper, f"{container.directory}/work", container.merged):
            self.kernel.mkdir(directory, 0o710 if directory == container.directory else 0o755)
        self.containers[container.name] = container
        return container

    def start(self, container: Container) -> None:
        """Mount its layers and start its program (docker start). StartError, in runc's words, if that cannot be.

        A container that runs already is left alone.
        """
        if container.status == RUNNING:
            return
        self._mount(container)
        self.monitor.operation(
            f"start {container.name}",
            "One clone with new namespaces; the rest is what the new task does to itself before execve.",
            ref="docker container start",
        )
        try:
            self._clone(container)
            self._await_start(container)
        except BaseException:
            self._release(container)
            raise
        self._started(container)

    def wait(self, container: Container, timeout_s: float | None = None) -> int:
        """Poll until the container has exited, and return its exit code (docker wait)."""
        while container.status == RUNNING and self.pump(timeout_s):
            pass
        return container.exit_code

    def remove(self, container: Container, *, force: bool = False) -> None:
        """Remove a container with its writable layer (docker rm)."""
        if container.status == RUNNING:
            if not force:
                raise Conflict(
                    f'cannot remove container "/{container.name}": container is running: '
                    "stop the container before removing or force remove"
                )
            self.kill(container, linux.SIGKILL)
            if container.name not in self.containers:  # --rm has removed it
                return
        self.monitor.operation(
            f"remove {container.name}",
            "The writable layer is deleted with all that was copied up or made in it. The image's layers stay.",
            {("containers", container.name): None, ("stacks", container.name): None, ("uppers", container.name): None},
            ref="docker container rm",
        )
        container.status = REMOVING
        self.kernel.unobserve(container.name)
        self.kernel.job(remove_tree, container.directory)
        del self.containers[container.name]

    def kill(self, container: Container, signal: int) -> None:
        """Send a signal to the container's first task (docker kill); after SIGKILL wait for its end."""
        if container.status != RUNNING:
            raise Conflict(f"cannot kill container: {container.name}: container {container.id} is not running")
        self.kernel.kill(container.pid, signal)
        if signal == linux.SIGKILL:
            self.wait(container)
        else:
            self.pump()

    def now_ns(self) -> int:
        """Return the time of day in nanoseconds since 1970."""
        return self._clock_ns()

    def find(self, name: str) -> Container:
        """Return the container of a name, or of an id or the beginning of one (NoSuchContainer)."""
        if name in self.containers:
            return self.containers[name]
        found = [c for c in self.containers.values() if name and c.id.startswith(name)]
        if len(found) != 1:
            raise NoSuchContainer(name)
        return found[0]

    def changes(self, container: Container) -> list[tuple[str, str]]:
        """Return what differs from the image: (``A``, ``C`` or ``D``, path), by path (docker diff)."""
        return [(kind, path) for kind, path in self.kernel.job(diff.changes, container.upper, list(container.lowers))]

    def pump(self, timeout_s: float | None = 0.0) -> list[Event]:
        """Let programs run, take their output, reap who ended. No events: nothing can happen."""
        events = self.kernel.poll(timeout_s)
        for event in events:
            if event.kind == "readable" and event.fd in self._watched:
                self._take_output(self._watched[event.fd], event.fd)
            elif event.kind == "exited":
                self._reap(event.pid)
        return events

    # inside

    def _container(self, image_name: str, image: Image, command: Sequence[str], options: RunOptions) -> Container:
        new_id = self._ids()
        name = options.name or names.generate(new_id, taken=self.containers)
        if name in self.containers:
            raise NameConflict(name, self.containers[name].id)
        if not _NAME.fullmatch(name):
            raise InvalidParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        if options.workdir and not options.workdir.startswith("/"):
            raise InvalidParameter(
                f"the working directory '{options.workdir}' is invalid, it needs to be an absolute path"
            )
        argv = _argv(image, command, options.entrypoint)
        if not argv:
            raise InvalidParameter("no command specified", hint="The image has no CMD: say what to run after its name.")
        return Container(
            id=new_id,
            name=name,
            image=image_name,
            image_id=str(image.id),
            argv=argv,
            env=_environ(image, new_id[:12], options.env),
            cwd=posixpath.normpath(options.workdir or image.config.working_dir or "/"),
            user=options.user or image.config.user,
            lowers=(INIT_LAYER, *self.images.lowers(image)),
            layer_ids=(INIT_ID, *self.images.layer_ids(image)),
            auto_remove=options.auto_remove,
            created_ns=self._clock_ns(),
        )

    def _mount(self, container: Container) -> None:
        self.monitor.operation(
            f"mount the layers of {container.name}",
            "The image's layers, read-only, topmost first; the container's own directory above them.",
            ref="docker storage driver overlay2",
        )
        self.kernel.observe(container.name, container.lowers, container.upper)
        self.monitor.stack(container.name, container.layer_ids, container.merged, {})
        lower, work = ":".join(container.lowers), f"{container.directory}/work"
        options = f"lowerdir={lower},upperdir={container.upper},workdir={work}{self._overlay_options}"
        self.kernel.mount("overlay", container.merged, "overlay", 0, options)

    def _clone(self, container: Container) -> None:
        kernel = self.kernel
        null = kernel.open("/dev/null", O_RDONLY | O_CLOEXEC)
        pipes = {stream: kernel.pipe2(O_CLOEXEC) for stream in ("stdout", "stderr", "error")}
        spec = runtime.Spec(
            root=container.merged,
            hostname=container.hostname,
            argv=container.argv,
            env=container.env,
            cwd=container.cwd,
            user=container.user,
        )
        ends = {0: null, 1: pipes["stdout"][1], 2: pipes["stderr"][1], runtime.ERROR_FD: pipes["error"][1]}
        try:
            container.pid = kernel.clone(runtime.init, spec.to_json(), flags=runtime.NAMESPACES, fds=ends)
        finally:
            for fd in ends.values():
                kernel.close(fd)
            for stream, (fd, _) in pipes.items():
                kernel.watch(fd)
                container.open_streams[fd] = stream
                self._watched[fd] = container

    def _await_start(self, container: Container) -> None:
        """Poll until init told that it could not start, or closed its error pipe by execve."""
        while "error" in container.open_streams.values() and self.pump(None):
            pass
        words = container.output("error")
        if not words:
            return
        container.log = [line for line in container.log if line.stream != "error"]
        while container.pid and self.pump(None):
            pass
        told = json.loads(words)
        if told["exit_code"] == _REQUEST:
            raise InvalidParameter(told["reason"])
        raise StartError(told["reason"], exit_code=told["exit_code"])

    def _take_output(self, container: Container, fd: int) -> None:
        try:
            data = self.kernel.read(fd, _READ_SIZE)
        except BlockingIOError:
            return
        if data:
            container.log.append(LogLine(stream=container.open_streams[fd], data=data, time_ns=self._clock_ns()))
        else:
            self._close_stream(container, fd)

    def _close_stream(self, container: Container, fd: int) -> None:
        self.kernel.close(fd)
        del container.open_streams[fd], self._watched[fd]

    def _reap(self, pid: int) -> None:
        done, status = self.kernel.wait4(pid, WNOHANG)
        container = next((c for c in self.containers.values() if c.pid == done), None)
        if container is None or not done:
            return
        for fd in list(container.open_streams):
            while fd in container.open_streams and self._has_more(container, fd):
                pass
        container.pid, container.exit_code = 0, linux.exit_status(status)
        if container.status == RUNNING:  # else it is still starting
            self._exited(container)

    def _has_more(self, container: Container, fd: int) -> bool:
        """Take what is left in a pipe whose writers are gone; False when nothing more will come."""
        before = len(container.log)
        self._take_output(container, fd)
        return len(container.log) > before

    def _started(self, container: Container) -> None:
        container.status, container.started_ns = RUNNING, self._clock_ns()
        self.monitor.operation(
            f"{container.name} is running",
            "The pipe on which init would have told of a failure was closed by execve: its program runs.",
            {("containers", container.name): container.to_state()},
            ref="docker container start",
        )
        if not container.pid:  # and has ended meanwhile
            self._exited(container)

    def _exited(self, container: Container) -> None:
        container.status, container.finished_ns = EXITED, self._clock_ns()
        self.monitor.operation(
            f"{container.name} exited with {container.exit_code}",
            "Its first task has ended, and with it the PID namespace and all in it. The writable layer is still there.",
            {("containers", container.name): container.to_state()},
            ref="docker container wait",
        )
        self._release(container)
        if container.auto_remove:
            self.remove(container)

    def _release(self, container: Container) -> None:
        """Give back what a running container holds: its task, if it still has one, descriptors, and the mount."""
        if container.pid:
            self.kernel.kill(container.pid, linux.SIGKILL)
            while container.pid and self.pump(None):
                pass
        for fd in list(container.open_streams):
            self._close_stream(container, fd)
        container.pid = 0
        try:
            self.kernel.umount2(container.merged, 0)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise


def make_init_layer(files: Files, root: str) -> None:
    """Make the layer of mount points that lies between image and writable layer (moby's initlayer)."""
    for name in ("dev", "proc", "sys"):
        make_directories(files, f"{root}/{name}")
    files.close(files.open(f"{root}/.dockerenv", linux.O_WRONLY | linux.O_CREAT, 0o755))


def _argv(image: Image, command: Sequence[str], entrypoint: str | None) -> tuple[str, ...]:
    """Return what runs: the entrypoint with the command behind it (docker run, ENTRYPOINT and CMD)."""
    if entrypoint is not None:
        return (*([entrypoint] if entrypoint else []), *command)
    return (*image.config.entrypoint, *(command or image.config.cmd))


def _environ(image: Image, hostname: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return the environment: the image's, HOSTNAME, and what the command gives; a later name replaces an earlier."""
    base = list(image.config.env)
    if not any(pair.startswith("PATH=") for pair in base):
        base.insert(0, DEFAULT_PATH)
    values: dict[str, str] = {}
    for pair in (*base, f"HOSTNAME={hostname}", *given):
        name, equals, value = pair.partition("=")
        if equals:
            values[name] = value
    return tuple(f"{name}={value}" for name, value in values.items())
