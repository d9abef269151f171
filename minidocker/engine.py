"""Engine: images, containers, and what docker's commands do to them. It asks nothing but the port.

The engine never waits inside a kernel: programs run while :meth:`Engine.pump` polls, which takes their output and
notices their end. ``docker run`` is :meth:`Engine.run`: create, start, wait, and with ``--rm`` remove.
"""

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from minidocker import (
    capabilities,
    container_files,
    control,
    diff,
    execs,
    linux,
    mounts,
    names,
    namespaces,
    overlay2,
    remap,
    resources,
    runtime,
    security,
    shm,
    spec,
    start,
)
from minidocker.cgroups import Cgroups
from minidocker.container import EXITED, PAUSED, REMOVING, RUNNING, Container
from minidocker.create import (
    RunOptions,
    argv_of,
    check_name,
    cmd_of,
    entrypoint_of,
    environ_of,
    with_environ,
    working_dir,
)
from minidocker.errors import Conflict, InvalidParameter, NameConflict, NoSuchContainer, StartError
from minidocker.execs import Exec, ExecOptions
from minidocker.host_config import HostConfig
from minidocker.image import GO_ARCHITECTURES, Image
from minidocker.image_store import ImageStore
from minidocker.kernel import Event, Kernel
from minidocker.monitor import Monitor, Null
from minidocker.network import Network
from minidocker.process import Process
from minidocker.refusal import Refused
from minidocker.remap import Remap
from minidocker.streams import Streams, take_news
from minidocker.take_down import take_down
from minidocker.tree import make_each

#: What must be done before a container can be removed.
_FIRST: Final = {
    RUNNING: "running: stop the container before removing or force remove",
    PAUSED: "paused and must be unpaused first",
}

#: The exit code of a program that SIGKILL has ended.
_KILLED: Final = 128 + linux.SIGKILL


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
        userns_remap: Remap | None = None,
    ) -> None:
        """Begin with no image and no container.

        ``ids`` gives 64 hexadecimal digits, ``clock_ns`` the time of day, ``machine`` is uname's, and ``rootless``
        says that the kernel is asked from within a user namespace. With ``userns_remap`` each container has a user
        namespace of its own (dockerd --userns-remap).
        """
        self.kernel = kernel
        self.images = ImageStore(
            kernel, machine=GO_ARCHITECTURES.get(machine, machine), rootless=rootless, remap=userns_remap
        )
        self.userns_remap = userns_remap
        self._overlay_options = ",".join(("", *overlay2.OPTIONS, "userxattr" if rootless else "redirect_dir=off"))
        self.containers: dict[str, Container] = {}
        self.monitor: Monitor = monitor or Null()
        self.rootless = rootless
        self.filters = security.Filters(kernel, GO_ARCHITECTURES.get(machine, machine))
        self._ids = ids
        self._clock_ns = clock_ns
        self.streams = Streams(kernel, clock_ns)
        self.cgroups = Cgroups(kernel)
        self.network = Network(self)
        self._news: deque[tuple[Event, Any]] = deque()
        """What has happened and was attended to, but not yet taken in."""
        self._processes: dict[int, Process] = {}
        """What runs, by the host's pid of its first task."""
        kernel.job(overlay2.make_init, overlay2.INIT)
        if userns_remap:
            userns_remap.prepare(kernel)
            userns_remap.give(kernel, overlay2.INIT)

    def create(self, image_name: str, command: Sequence[str], options: RunOptions) -> Container:
        """Make a container from an image, without starting it (docker create)."""
        limits, warnings = resources.check(options.host_config.resources, self.cgroups.support)
        image = self.images.find(image_name)
        container = self._container(image_name, image, command, options)
        container.host_config = replace(container.host_config, resources=resources.adapt(limits))
        container.warnings += warnings
        self.monitor.layers({overlay2.INIT_ID: overlay2.INIT_TRACED, **self.images.trace_layers(image)})
        self.monitor.operation(
            f"create container {container.name}",
            "A container is an empty writable layer on the image's layers, and a few words of configuration.",
            {("containers", container.name): container.to_state()},
            ref="docker container create",
        )
        directories = [(container.upper, 0o755), (f"{container.directory}/work", 0o755), (container.merged, 0o755)]
        self.kernel.together(make_each, [(container.directory, 0o710), *directories])
        if self.userns_remap and container.remapped:
            self.userns_remap.give(self.kernel, container.directory)
        self.containers[container.name] = container
        return container

    def start(self, container: Container) -> None:
        """Mount its layers and start its program (docker start). StartError, in runc's words, if that cannot be.

        A container that runs already is left alone.
        """
        if container.status == RUNNING:
            return
        if container.status == PAUSED:
            raise Conflict("cannot start a paused container, try unpause instead")
        self.network.check(container)
        self._mount(container)
        self.monitor.operation(
            f"start {container.name}",
            "One clone with new namespaces; the rest is what the new task does to itself before execve.",
            ref="docker container start",
        )
        try:
            self._launch(container)
        except BaseException:
            self._release(container)
            raise
        self._running(container)

    def wait(self, container: Container, timeout_s: float | None = None) -> int:
        """Poll until the container has exited, and return its exit code (docker wait)."""
        while container.is_running and self.pump(timeout_s):
            pass
        return container.exit_code

    def remove(self, container: Container, *, force: bool = False) -> None:
        """Remove a container with its writable layer (docker rm)."""
        if container.is_running:
            if not force:
                raise Conflict(f'cannot remove container "/{container.name}": container is {_FIRST[container.status]}')
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
        self.kernel.job(container_files.remove_all, container.directory, container_files.directory(container))
        self.network.forget(container)
        del self.containers[container.name]

    def kill(self, container: Container, signal: int) -> None:
        """Send a signal to the container's first task (docker kill); after SIGKILL wait for its end."""
        if not container.is_running:
            raise Conflict(f"cannot kill container: {container.name}: container {container.id} is not running")
        with suppress(ProcessLookupError):  # it has ended, and that will be noticed below
            self.kernel.kill(container.pid, signal)
        if container.status == PAUSED:
            control.unpause(self, container)
        if signal == linux.SIGKILL:
            self.wait(container)
        else:
            self.pump()

    def exec(self, container: Container, argv: Sequence[str], options: ExecOptions) -> Exec:
        """Run one more program in a running container (docker exec), and return once it runs."""
        process = execs.create(self, container, argv, options)
        self.monitor.operation(
            f"exec in {container.name}",
            "A new task joins the namespaces that the container's init has made; nothing else makes it part of it.",
            ref="docker container exec",
        )
        container.execs.append(process)
        try:
            execs.run(self, process)
        except BaseException:
            self._end(process)
            raise
        return process

    def wait_exec(self, process: Exec) -> int:
        """Poll until an exec'd program has ended, and return its exit code."""
        while process.pid and self.pump(None):
            pass
        return process.exit_code

    def new_id(self) -> str:
        """Return 64 hexadecimal digits that nothing else has."""
        return self._ids()

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
        """Let programs run, take their output, reap who ended. No events: nothing can happen.

        What has happened is known to all that pump: what follows from one event may wait for another.
        """
        if not self._news:
            self._news.extend(self.kernel.attend(timeout_s, take_news))
        events = []
        while self._news:
            event, told = self._news.popleft()
            events.append(event)
            if event.kind == "readable":
                self.streams.put(event.fd, told)
            else:
                self._reap(*told)
        return events

    def started(self, process: Process, pid: int) -> None:
        """Take note of a process's pid: its end will be noticed."""
        process.pid = pid
        self._processes[pid] = process

    def attach_exec(self, process: Exec) -> None:
        """Do from the host's side what a task that docker exec has cloned, waiting at its gate, cannot do to itself."""
        if process.container.remapped:
            self.cgroups.admit(process.container.id, process.pid)

    # inside

    def _container(self, image_name: str, image: Image, command: Sequence[str], options: RunOptions) -> Container:
        new_id = self._ids()
        name = options.name or names.generate(new_id, taken=self.containers)
        if name in self.containers:
            raise NameConflict(name, self.containers[name].id)
        namespaces.check(options.host_config, self.find)
        config = self._with_defaults(self.network.named(options.host_config))
        mounts.check(config.tmpfs)
        remapped = self.userns_remap is not None and config.userns_mode != "host"
        if remapped:
            remap.check(config)
        caps = capabilities.effective(add=config.cap_add, drop=config.cap_drop, privileged=config.privileged)
        rights = security.parse(config.security_opt, privileged=config.privileged)
        policy = self.filters.policy(rights.profile, caps)
        return Container(
            id=new_id,
            name=check_name(name),
            image=image_name,
            image_id=str(image.id),
            argv=argv_of(image, command, options.entrypoint),
            env=environ_of(image, config.hostname or new_id[:12], options.env),
            cwd=working_dir(image, options.workdir),
            user=options.user or image.config.user,
            cmd=cmd_of(image, command, options.entrypoint),
            entrypoint=entrypoint_of(image, options.entrypoint),
            workdir=options.workdir or image.config.working_dir,
            config_env=with_environ(image.config.env, options.env),
            labels=image.config.labels,
            stop_signal=image.config.stop_signal,
            host_config=config,
            capabilities=caps,
            no_new_privileges=rights.no_new_privileges,
            seccomp=policy,
            remapped=remapped,
            covered=not (config.privileged or rights.system_paths_open),
            warnings=[security.NO_FILTER] if rights.profile is not None and policy is None else [],
            lowers=(overlay2.INIT, *self.images.lowers(image)),
            layer_ids=(overlay2.INIT_ID, *self.images.layer_ids(image)),
            auto_remove=options.auto_remove,
            created_ns=self._clock_ns(),
        )

    def _with_defaults(self, config: HostConfig) -> HostConfig:
        """Return a configuration with the daemon's own words where nothing was said: its cgroup namespace is one."""
        mode = config.cgroupns_mode or ("private" if self.cgroups.layout.kind == "v2" else "host")
        return replace(config, cgroupns_mode=mode)

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
        flags = 0 if container.host_config.privileged else linux.MS_NODEV
        self.kernel.mount("overlay", container.merged, "overlay", flags, options)

    def _launch(self, container: Container) -> None:
        """Clone the container's init into its namespaces, and let it go on once all is arranged for it."""
        plan = namespaces.plan(container, self.find)
        try:
            self._limit(container)
            self.network.prepare(container)
            told = spec.of(
                container,
                cgroups=[] if container.remapped else self.cgroups.doors(container.id),
                join=start.joins(plan.joined),
                unshare=plan.unshared,
                shm=shm.prepare(self, container),
                cgroup_mounts=self._cgroup_mounts(container),
                files=self._file_mounts(container),
                rootless=self.rootless,
            ).to_json()
            group = self.cgroups.cradle(container.id)
            gate = start.clone(self, container, runtime.init, told, flags=plan.new, joined=plan.joined, cgroup=group)
            start.release(self, container, gate, lambda: self._attach(container))
        except Refused as refused:
            if refused.exit_code == start.REQUEST:
                raise InvalidParameter(refused.reason) from refused
            raise StartError(refused.reason, exit_code=refused.exit_code) from refused

    def _file_mounts(self, container: Container) -> list[mounts.Mount]:
        """Return the mounts of the files that Docker gives a container."""
        given = [container_files.init_mount(self.kernel)] if container.host_config.init else []
        return [*container_files.mounts(self._files_of(container)), *given]

    def _files_of(self, container: Container) -> Container:
        """Return whose hosts, hostname and resolv.conf a container sees: its own, or theirs whose network it shares."""
        name = namespaces.other(container.host_config.network_mode)
        return self._files_of(self.find(name)) if name else container

    def _limit(self, container: Container) -> None:
        """Make its control groups: the task will be born in one, or enter them first of all."""
        limits = container.host_config.resources
        if self.cgroups.layout.roots:
            self.monitor.operation(
                f"limit {container.name}",
                "A control group of its own: a directory, and limits written into its files, before there is a task to "
                "keep to them. What it starts will be in there with it.",
                ref="docker run --memory --cpus --pids-limit",
            )
            self.cgroups.create(container.id, limits)

    def _cgroup_mounts(self, container: Container) -> list[mounts.Mount]:
        """Return what shows a container its control groups, if it has any."""
        if not self.cgroups.has(container.id):
            return []
        return list(mounts.cgroups(self.cgroups.layout, container.id, container.host_config))

    def _attach(self, container: Container) -> None:
        """Do from the host's side what the new task cannot do to itself; it runs its program only then."""
        if self.userns_remap and container.remapped:
            self.userns_remap.write_maps(self.kernel, container.pid)
            self.cgroups.admit(container.id, container.pid)
        self.network.attach(container)
        if self.userns_remap and container.remapped:
            self.userns_remap.give(self.kernel, container_files.directory(container))

    def _reap(self, done: int, status: int) -> None:
        process = self._processes.pop(done, None)
        if process is None:
            return
        self.streams.drain(process)
        process.pid, process.exit_code = 0, linux.exit_status(status)
        if isinstance(process, Exec):
            self.streams.close_all(process)
            process.container.execs.remove(process)
        elif isinstance(process, Container) and process.is_running:  # else it is still starting
            self._exited(process)

    def _running(self, container: Container) -> None:
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
        container.oom_killed = self._out_of_memory(container)
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

    def _out_of_memory(self, container: Container) -> bool:
        """Has the kernel killed a task of it for want of memory? Its group counts them."""
        if not container.host_config.resources.memory and container.exit_code != _KILLED:
            return False
        return self.cgroups.oom_kills(container.id) > 0

    def _release(self, container: Container) -> None:
        """Give back what a running container holds: its tasks, if it still has any, descriptors, and the mount."""
        for process in (container, *container.execs):
            self._end(process)
        self.kernel.together(
            take_down,
            self.network.detach(container),
            self.cgroups.forget(container.id),
            shm.mounted(container),
            container.merged,
        )

    def _end(self, process: Process) -> None:
        """Kill a process if it still runs, and close its pipes."""
        if process.pid:
            with suppress(ProcessLookupError):
                self.kernel.kill(process.pid, linux.SIGKILL)
            while process.pid and self.pump(None):
                pass
        self.streams.close_all(process)
        process.pid = 0
