"""SimKernel: Linux in Python.

Here is only the dispatch; each call is a function ``sys_NAME`` in the module of its noun.
"""

import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from minidocker import arguments
from minidocker.gauges import Gauges
from minidocker.kernel import Event, Files, Inner, Kernel, Listener, SyscallEvent
from minidocker.linux import O_RDWR, S_IFCHR, S_IFDIR, S_IFIFO, fail
from minidocker.observe import UpperWatch
from minidocker.sim import (
    attributes,
    capability,
    credentials,
    descriptors,
    device,
    devpts,  # noqa: F401  it registers its file system, as the next do
    directory,
    exec,
    files,
    memory,
    message_queue,
    mount_calls,
    mqueue,  # noqa: F401
    namespaces,
    pidfd,
    pipe,
    prctl,
    proc,  # noqa: F401
    process_vm,
    rootless,
    seccomp,
    setns,
    shared_memory,
    signals,
    sysfs,  # noqa: F401
    tasks,
    uts,
    working_directory,
    xattr,
)
from minidocker.sim.cgroup import cpuset, mounting
from minidocker.sim.cgroup.hierarchy import ControlGroups
from minidocker.sim.cgroup.memory import FILE
from minidocker.sim.clock import Clock, VirtualClock
from minidocker.sim.credentials import ROOT, Credentials
from minidocker.sim.descriptors import DAEMON_LIMIT, Descriptors
from minidocker.sim.events import Events
from minidocker.sim.file_handle import FileHandles
from minidocker.sim.memory import AddressSpace
from minidocker.sim.mount import Mount, register
from minidocker.sim.namespaces import Namespaces
from minidocker.sim.net import rtnetlink, socket_calls
from minidocker.sim.net.softirq import Softirq
from minidocker.sim.nsfs import Nsfs
from minidocker.sim.overlay.superblock import mount_overlay
from minidocker.sim.path import FsContext, Location
from minidocker.sim.profile import Profile
from minidocker.sim.scheduler import Crash, Scheduler
from minidocker.sim.signals import Signals
from minidocker.sim.task import Task, Wait
from minidocker.sim.tmpfs import Tmpfs, mount_tmpfs

SystemCall = Callable[..., Any]

#: The modules that have system calls: their functions named ``sys_NAME``.
_MODULES: Final = (
    attributes, capability, cpuset, credentials, descriptors, directory, exec, files, memory, message_queue,
    mount_calls, namespaces, pidfd, pipe, prctl, process_vm, rtnetlink, seccomp, setns, shared_memory, signals,
    socket_calls, tasks, uts, working_directory, xattr,
)  # fmt: skip
CALLS: Final[dict[str, SystemCall]] = {
    name.removeprefix("sys_"): function
    for module in _MODULES
    for name, function in vars(module).items()
    if name.startswith("sys_")
}

#: The directories of a simulated host, with their modes.
_HOST_TREE: Final = {
    "bin": 0o755, "dev": 0o755, "etc": 0o755, "home": 0o755, "mnt": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755,
    "sys": 0o555, "tmp": 0o1777, "var": 0o755, "var/lib": 0o755, "var/lib/docker": 0o710,
}  # fmt: skip

#: The devices of a simulated host: null(4), full(4), random(4), tty(4).
_DEVICES: Final = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


class SimKernel(Kernel):
    """A simulated Linux: no root, no Docker, no threads; runs wherever Python runs.

    ``host`` is the task (pid 1, line ``"0"``) that makes the plain calls. ``inner`` is a list for the file systems to
    tell in what they do within a call, or None while nobody listens.
    """

    def __init__(self, profile: Profile | None = None, *, clock: Clock | None = None) -> None:
        """Boot: a root file system with the usual directories, and one task."""
        self.profile = profile or Profile()
        self.clock = clock or VirtualClock(self.profile.boot_ns)
        self.booted_ns = self.clock.now_ns()
        self.listener: Listener | None = None
        self.listener_error: BaseException | None = None
        self.inner: list[Inner] | None = None
        self.drivers: dict[tuple[int, int, int], SystemCall] = {**device.DRIVERS, (S_IFIFO, 0, 0): pipe.open_fifo}
        self._watches: dict[str, UpperWatch] = {}
        self._gauges = Gauges(_Timeless(self))
        self.handles = FileHandles()
        self._last_device = self._last_mount_id = 0
        self.scheduler = Scheduler(self.clock, self.profile.cpus)
        self.events = Events(self)
        self.softirq = Softirq(self)
        self.cgroups = ControlGroups(self)
        self.current: Task | None = None
        """The task whose call is being performed."""
        self.nsfs = Nsfs(self)
        self.host = self._boot()
        self._furnish()
        if self.profile.rootless:
            rootless.enter(self)

    def _boot(self) -> Task:
        """Mount a rootfs and over it the host's root file system, and start the host's task."""
        rootfs = Tmpfs(self, source="rootfs", mode=0o755)
        disk = Tmpfs(self, source="/dev/root", mode=0o755)
        disk.charged_as = FILE  # it is in place of a disk: its pages in memory could go at once
        bottom, top = Mount(rootfs, rootfs.root), Mount(disk, disk.root)
        top.attach(bottom, rootfs.root)
        _plant(disk)
        root = Location(top, disk.root)
        host = Task(
            kernel=self,
            pid=1,
            line="0",
            name="daemon",
            parent=None,
            creds=Credentials(
                effective=self.profile.capabilities,
                permitted=self.profile.capabilities,
                bounding=self.profile.capabilities,
                groups=self.profile.groups,
            ),
            fs=FsContext(root, root),
            files=Descriptors(DAEMON_LIMIT),
            ns=Namespaces(bottom, self.profile.hostname),
            signals=Signals(),
            memory=AddressSpace(dumpable=False),
        )
        host.ns.pid.enter(host)
        host.cgroups = {0: self.cgroups.v2.root}
        self.cgroups.v2.root.add(host)
        return host

    def _furnish(self) -> None:
        """Mount proc and sysfs, make device nodes, switch on lo, and open what every daemon has open: 0, 1 and 2."""
        self.host.ns.net.loopback.set_up(up=True)
        self.mount("proc", "/proc", "proc")
        self.mount("sysfs", "/sys", "sysfs")
        for name, (major, minor) in _DEVICES.items():
            self.mknod(f"/dev/{name}", S_IFCHR | 0o666, major << 8 | minor)
            self.chmod(f"/dev/{name}", 0o666)
        for _ in range(3):
            self.open("/dev/null", O_RDWR)
        mounting.furnish(self)

    def tasks(self) -> list[Task]:
        """Return all tasks that have not ended: a zombie has no directory and no descriptor any more."""
        return [task for task in self.host.ns.pid.tasks.values() if task.alive]

    @property
    def crashes(self) -> list[Crash]:
        """The programs that ended by an exception of Python's, with their tracebacks."""
        return self.scheduler.crashes

    def new_device(self) -> int:
        """Return the next anonymous device number (major 0)."""
        self._last_device += 1
        return self._last_device

    def new_mount_id(self) -> int:
        """Return the next number of a mount."""
        self._last_mount_id += 1
        return self._last_mount_id

    def syscall(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Perform a call for the host's task (line "0")."""
        self.clock.tick()
        return self.perform(self.host, name, args, kwargs)

    def perform(self, task: Task, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Perform a call for a task: the one place that every call passes.

        Raises OSError, or :class:`minidocker.sim.task.Wait` if the task must wait; that is no event yet.
        """
        call = CALLS.get(name)
        self.current = task
        if self.listener is not None:
            return self._perform_told(task, name, call, args, kwargs)
        try:
            if task.seccomp is not None:
                task.seccomp.judge(name, args, kwargs)
            arguments.check(name, args)
            return call(task, *args, **kwargs) if call else fail(errno.ENOSYS)
        except OSError as error:
            arguments.name_paths(error, name, args)
            raise
        except Wait:
            self._may_wait(task)
            raise

    def _may_wait(self, task: Task) -> None:
        """The host's side never waits (EAGAIN), and who was interrupted waits no longer (EINTR)."""
        if task is self.host:
            fail(errno.EAGAIN)
        if task.wait is not None and task.wait.interrupted:
            fail(errno.EINTR)

    def _perform_told(
        self, task: Task, name: str, call: SystemCall | None, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Perform a call and tell the listener of it, with what the file systems did inside."""
        outer, self.inner = self.inner, self._told_before(task)
        inner, actor = self.inner, task.name
        result, error = None, None
        try:
            try:
                if task.seccomp is not None:
                    task.seccomp.judge(name, args, kwargs)
                arguments.check(name, args)
                result = call(task, *args, **kwargs) if call else fail(errno.ENOSYS)
            except Wait as wait:
                wait.told = inner
                self._may_wait(task)
                raise
        except OSError as caught:
            arguments.name_paths(caught, name, args)
            error = caught
        finally:
            self.inner = outer
        if not task.signals.deadly:  # a call that its task does not survive never returns
            self._tell(task, actor, name, args, kwargs, result, error, inner)
        else:
            self.softirq.later += [one for one in inner if one.name == "oom_kill"]  # the next call tells it
        if error is not None:
            raise error
        return result

    def _told_before(self, task: Task) -> list[Inner]:
        """Return what happened inside before: while the call waited, and by timers since the last call."""
        return [*self.softirq.take_later(), *(task.wait.told if task.wait else ())]

    def _tell(
        self,
        task: Task,
        actor: str,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        result: Any,
        error: OSError | None,
        inner: list[Inner],
    ) -> None:
        """Give the listener the event. Looking at the upper directories is not itself told of."""
        listener, self.listener = self.listener, None
        try:
            changed = {key: watch.after(name, args)[0] for key, watch in self._watches.items()}
            event = SyscallEvent(
                task=task.line,
                actor=actor,
                name=name,
                args=tuple(args),
                kwargs=dict(kwargs),
                result=result,
                error=error,
                inner=(*inner, *self._gauges.after(task.line, name, args)),
                uppers={key: entries for key, entries in changed.items() if entries},
                **_born(task) if name == "clone" and error is None else {},
            )
            if listener is not None:
                listener(event)
        except Exception as failure:  # noqa: BLE001  a listener must not break the call
            self.listener_error = failure
        finally:
            self.listener = listener

    def observe(self, name: str, lowers: Sequence[str], upper: str) -> None:
        """From now on tell the listener what each call changes in this upper directory (topmost lower first)."""
        self._watches[name] = self._untold(lambda: UpperWatch(self, list(lowers), upper))

    def unobserve(self, name: str) -> None:
        """Stop observing an upper directory."""
        self._watches.pop(name, None)

    def job(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run ``function(kernel, *args)`` untraced, and return what it returns."""
        return self._untold(lambda: function(self, *args))

    def _untold(self, do: Callable[[], Any]) -> Any:
        listener, self.listener = self.listener, None
        try:
            return do()
        finally:
            self.listener = listener

    def poll(self, timeout_s: float | None = 0.0) -> list[Event]:
        """Let tasks run and return what happened: readable watched descriptors and ended children."""
        return self.events.poll(timeout_s)

    def watch(self, fd: int) -> None:
        """Have poll tell when fd is readable."""
        self.events.watch(fd)

    def close_kernel(self) -> None:
        """End every task and let go of all descriptors."""
        tasks.end_all(self)
        self.host.files.close_all()


def _born(task: Task) -> dict[str, Any]:
    """Return what an event tells of a task's youngest child."""
    child = task.children[-1]
    return {"child": child.line, "pids": tasks.numbers(child)}


class _Timeless(Files):
    """The host's side's calls, but that no time passes: for looking on."""

    def __init__(self, kernel: "SimKernel") -> None:
        self._kernel = kernel

    def syscall(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        return self._kernel.perform(self._kernel.host, name, args, kwargs)


def _plant(disk: Tmpfs) -> None:
    """Make the directories that every host has, owned by root."""
    for path, mode in _HOST_TREE.items():
        *parents, name = path.split("/")
        directory = disk.root
        for parent in parents:
            directory = directory.child(parent)
        directory.inode.make(directory.child(name), S_IFDIR | mode, ROOT)  # type: ignore[union-attr]  # just made


register("tmpfs", mount_tmpfs)
register("overlay", mount_overlay)
