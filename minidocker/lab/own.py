"""Own: a learner's own functions over the port, run as written on each kernel, whole or with a line left out.

Each run has a new machine of each kind, which ends with it: nothing of it is left, and it begins the same every time.

Beside Linux's constants the functions may use these names:

| name | what it is |
|---|---|
| ``LOWER`` | the layers of the lab's base image, as overlay's ``lowerdir`` |
| ``UPPER``, ``WORK``, ``ROOT`` | empty directories |
| ``GROUP`` | a control group that limits tasks and can be made: ``/sys/fs/cgroup/docker/own``, on v1 below ``pids`` |
| ``CAP_CHOWN`` … | the numbers of the capabilities |
| ``WITNESS`` | a shell script that says, line by line, what is isolated where it runs |
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from minidocker import linux
from minidocker.base_image import NAME
from minidocker.client.docker import Result
from minidocker.lab.display import Rich, numbered
from minidocker.lab.own_text import OwnText, run_text
from minidocker.linux import CLONE_NEWNS, O_CLOEXEC, O_RDONLY, SIGKILL
from minidocker.process import Process
from minidocker.tree import make_directories
from minidocker.world import Host, Outcome

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab
    from minidocker.lab.prediction import Prediction
    from minidocker.lab.run import Run

#: Where the directories lie on either kernel's disk.
DIRECTORY: Final = "/var/lib/docker/lab"

#: What a trace calls the stack of their directories.
STACK: Final = "own"

#: How long it may run, in seconds: a gate that nobody opens must not hold up a notebook for ever.
PATIENCE_S: Final = 5.0

#: What a container can find out about itself, a line each: in shell's own words, so that few calls are made.
WITNESS: Final = r"""
say() { if [ "$1" = 0 ]; then echo "$2: its own"; else echo "$2: not its own"; fi; }
[ "$(hostname)" = nothing ]; say $? 'host name'
[ $$ = 1 ]; say $? 'process numbers'
[ -e /proc/1/status ]; say $? /proc
[ -c /dev/null ]; say $? /dev
[ ! -e /var/lib/docker ]; say $? files
grep -q /sys/fs/cgroup /proc/mounts; [ $? != 0 ]; say $? mounts
ipcs -q | grep -q 0x0000002a; [ $? = 1 ]; say $? 'message queues'
ip link | grep -q own0; [ $? = 1 ]; say $? 'network interfaces'
ping -q -c 1 -W 1 10.9.0.1 | grep -q '1 packets received'
[ $? = 0 ] && echo 'outside can be reached' || echo 'outside cannot be reached'
mount -t tmpfs none /tmp 2> /error && echo 'it may mount' || echo 'it may not mount'
(: | : | : | : | : | : | :) 2> /error && echo 'tasks are not limited' || echo 'tasks are limited'
"""


class Own:
    """Some functions, ready to run on the kernels of a lab."""

    def __init__(self, lab: "Lab", text: OwnText) -> None:
        """Take their text."""
        self._lab = lab
        self.text = text

    def run(self, *, after: "Prediction | None" = None, show: bool = True, view: str = "") -> "Run":
        """Run them on each kernel, show it, and return it; it waits for the prediction ``after``.

        ``view`` is the one that its stepper opens with, such as ``network``, instead of the lab's.
        """
        return self._lab.run_own(self.text, after, show=show, view=view)

    def without(self, what: int | str) -> "Own":
        """Return the same with one line left out: its number, or some words of it."""
        return Own(self._lab, self.text.without(what))

    def replaced(self, old: str, new: str) -> "Own":
        """Return the same with some words in the place of others."""
        return Own(self._lab, OwnText(self.text.source.replace(old, new)))

    def _repr_html_(self) -> str:
        """Return the same as HTML: a list for each function, whose numbers go on."""
        return self._lines()._repr_html_()

    def _lines(self) -> Rich:
        return numbered((line.function, line.number, line.text) for line in self.text.lines)

    def __repr__(self) -> str:
        """Return the lines with their numbers."""
        return self._lines().text


def perform(host: Host, text: OwnText) -> Outcome:
    """Run the text of functions on a new host as a task beside the daemon; close the host, and return what came."""
    try:
        given = _given(host)
        _observe(host, given)
        return host.recorded(
            f"{text.main}()",
            "Your own functions, as a task of their own: each await is one system call.",
            lambda: _run(host, text, given),
        )
    finally:
        host.close()


def _run(host: Host, text: OwnText, given: Mapping[str, Any]) -> Result:
    """Run them in a copy of the host's mounts: who pivots there by mistake leaves the lab its root."""
    engine, kernel, process = host.engine, host.kernel, Process()
    null = kernel.open("/dev/null", O_RDONLY | O_CLOEXEC)
    pipes = {name: kernel.pipe2(O_CLOEXEC) for name in ("stdout", "stderr")}
    fds = {0: null, 1: pipes["stdout"][1], 2: pipes["stderr"][1]}
    try:
        engine.started(process, kernel.clone(run_text, text.source, given, flags=CLONE_NEWNS, fds=fds))
    finally:
        for fd in fds.values():
            kernel.close(fd)
        engine.streams.take_over(process, {reading: name for name, (reading, _) in pipes.items()})
    for reading, _ in pipes.values():
        kernel.watch(reading)
    hint = _await_end(host, process)
    engine.streams.close_all(process)
    return Result(process.output("stdout"), process.output("stderr"), process.exit_code, hint)


def _await_end(host: Host, process: Process) -> str:
    """Poll until the task and all that it has left behind have ended, or had time enough; return a learner's hint."""
    engine = host.engine
    until_ns = engine.now_ns() + int(PATIENCE_S * 1e9)
    while (left_ns := until_ns - engine.now_ns()) > 0 and engine.pump(left_ns / 1e9):
        pass
    if not process.pid:
        return ""
    host.kernel.kill(process.pid, SIGKILL)
    while process.pid and engine.pump(1.0):
        pass
    return f"It had not ended after {PATIENCE_S:g} seconds, and was killed: who waits there, and for whom?"


def _given(host: Host) -> dict[str, Any]:
    """Return what the functions may use besides Linux's constants; the directories are made."""
    engine, kernel = host.engine, host.kernel
    base = f"{DIRECTORY}/own"
    places = {"UPPER": f"{base}/upper", "WORK": f"{base}/work", "ROOT": f"{base}/root"}
    for path in places.values():
        kernel.job(make_directories, path)
    lowers = engine.images.lowers(engine.images.find(NAME))
    return {**places, **_groups(host), "LOWER": ":".join(lowers), "WITNESS": WITNESS, **linux.CAPABILITIES}


def _observe(host: Host, given: Mapping[str, str]) -> None:
    """Have the trace tell of the layers, as it does of a container's: once they are mounted, UPPER changes."""
    image = host.engine.images.find(NAME)
    host.kernel.observe(STACK, given["LOWER"].split(":"), given["UPPER"])
    host.recorder.layers(host.engine.images.trace_layers(image))
    host.recorder.operation("prepare directories", "The layers of the lab's base image, and three empty directories.")
    host.recorder.stack(STACK, host.engine.images.layer_ids(image), given["ROOT"], {})


def _groups(host: Host) -> dict[str, str]:
    """Return where a control group for tasks can be made, below the group of all containers."""
    layout = host.engine.cgroups.layout
    if not layout.has("pids"):
        return {}
    group = layout.group("pids", "own")
    host.kernel.job(make_directories, group.rpartition("/")[0])
    return {"GROUP": group}
