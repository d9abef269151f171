"""Lab: docker on the simulated kernel, on this machine's, or on both at once, shown step by step."""

import atexit
import os
import sys
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from minidocker.base_image import image_archive
from minidocker.hosts import open_host
from minidocker.lab import layers as language
from minidocker.lab import recordings
from minidocker.lab.after import Later
from minidocker.lab.display import running_cell
from minidocker.lab.image import layer_archive
from minidocker.lab.levels import Level
from minidocker.lab.own import Own, perform
from minidocker.lab.own_text import OwnText
from minidocker.lab.prediction import Prediction
from minidocker.lab.queue import Queue
from minidocker.lab.recordings import History
from minidocker.lab.run import Run
from minidocker.lab.union import Union
from minidocker.lab.verdict import judge
from minidocker.world import Host, World

#: What a lab may be asked for, and the kernels that this means.
KERNELS: Final = {"sim": ("sim",), "real": ("real",), "both": ("sim", "real")}

#: The environment variable that chooses the kernel where a lab does not say.
KERNEL: Final = "MINIDOCKER_KERNEL"


class _Waits(Protocol):
    """What can show that it waits."""

    def wait(self) -> None:
        """Show that it waits."""


_T = TypeVar("_T", bound=_Waits)

#: Labs that are open: closed at the end of the program.
_open: "weakref.WeakSet[Lab]" = weakref.WeakSet()


class Lab:
    """One docker host a kernel, told the same commands. ``note`` says what was asked for and cannot be had here."""

    def __init__(self, kernel: str | None = None, *, seed: int = 0, userns_remap: bool = False, view: str = "") -> None:
        """Open the lab on ``"sim"``, ``"real"`` or ``"both"``.

        Without a word on what $MINIDOCKER_KERNEL says, or else the best that there is. The same seed gives the same
        names and ids. With ``userns_remap`` each container has a user namespace of its own. ``view`` is the one that
        steppers open with, such as ``namespaces``; without it, the first that a trace has.
        """
        wanted = kernel or os.environ.get(KERNEL) or ("both" if missing_kernel() is None else "sim")
        if wanted not in KERNELS:
            raise ValueError(f"no kernel {wanted!r}: there is {', '.join(KERNELS)}")
        self.note = ""
        self.view = view
        self.kernel = self._possible(wanted)
        self.world = World()
        self._closed = False
        self._seed, self._remap = seed, userns_remap
        self._history = History("docker", seed)
        self._queue = Queue()
        self._unions = 0
        for name in reversed(KERNELS[self.kernel]):  # the real one first: the simulated one shall be of its kind
            self._open_host(name)
        self.world.hosts = {name: self.world.hosts[name] for name in KERNELS[self.kernel]}
        _open.add(self)

    def _possible(self, wanted: str) -> str:
        why = missing_kernel() if "real" in KERNELS[wanted] else None
        if why is None:
            return wanted
        self.note = (
            f"This machine's kernel cannot be used here: {why}. "
            "The simulated one runs instead, compared with what a real one did where that has been recorded."
        )
        return "sim"

    def _open_host(self, name: str) -> None:
        try:
            self.world.add(name, self._new_host(name))
        except BaseException:
            self.close()
            raise

    def _new_host(self, name: str) -> Host:
        real = self.world.hosts.get("real")
        like = real.description if real else recordings.kernel()  # else nothing could be compared
        return open_host(name, seed=self._seed, like=like, userns_remap=self._remap)

    @property
    def hosts(self) -> dict[str, Host]:
        """The hosts by their kernel's name."""
        return self.world.hosts

    # docker

    def docker(self, line: str, *, after: Prediction | None = None, show: bool = True, view: str = "") -> Run:
        """Run a docker command on each kernel, show it, and return it; it waits for the prediction ``after``.

        ``view`` is the one that its stepper opens with, such as ``network``, instead of the lab's.
        """
        run = Run(line.removeprefix("docker "), after, show=show, view=view or self.view)
        return self._later(run, f"docker {line}", after, lambda: self._docker(run))

    def _docker(self, run: Run) -> None:
        key = self._history.add("docker", run.line)
        outcomes = {name: host.docker(run.line) for name, host in self.hosts.items()}
        run.finish(outcomes, judge(key, {name: outcome.trace for name, outcome in outcomes.items()}))

    def load(self, archive: str | bytes | Path, *, show: bool = True) -> list[str]:
        """Load images from an archive that ``docker save`` wrote (a path, or its bytes); return docker's lines."""
        data = archive if isinstance(archive, bytes) else Path(archive).expanduser().read_bytes()
        self._history.add("load", language.digest(data.hex()))
        lines = next(iter([host.engine.images.load(data) for host in self.hosts.values()]))
        if show:
            print("\n".join(lines))
        return lines

    def image(self, name: str, layers: Sequence[language.Layer]) -> list[str]:
        """Make an image of given layers on top of the base image's (:mod:`minidocker.lab.layers`), and load it."""
        for layer in layers:
            language.check(layer)
        return self.load(image_archive(name, *layer_archive(layers)), show=False)

    def fingerprint(self, image: str) -> str:
        """Return a digest of all that lies in an image's layers now, on disk: names, attributes and contents."""
        engine = next(iter(self.hosts.values())).engine
        lowers = engine.images.lowers(engine.images.find(image))
        return language.digest([engine.kernel.job(language.entries_job, lower) for lower in lowers])

    # stacks

    def union(self, layers: Sequence[language.Layer]) -> Union:
        """Mount a stack of given layers, the first one lowest, below an empty writable one; return calls on it."""
        self._unions += 1
        return Union(self.hosts, layers, f"union-{self._unions}")

    def level(self, name: str) -> Level:
        """Return a level, to be played on this lab."""
        return Level.named(name, self)

    def advance(self, seconds: float) -> None:
        """Let time pass on each host: virtual time on the simulated kernel, waiting on this machine's."""
        for host in self.hosts.values():
            host.advance(seconds)

    # your own calls

    def calls(self, main: Callable[..., Any], *others: Callable[..., Any]) -> Own:
        """Return async functions of your own as something to run on each kernel: ``lab.calls(outside, inside).run()``.

        ``main(k)`` begins, as a task beside the daemon; ``k`` has the calls (:class:`minidocker.system.System`). It can
        use the other functions, Linux's constants, and what :mod:`minidocker.lab.own` gives.
        """
        return Own(self, OwnText.of(main, *others))

    def run_own(self, text: OwnText, after: Prediction | None, *, show: bool, view: str = "") -> Run:
        """Run the text of functions on each kernel; it waits for the prediction ``after``."""
        run = Run(f"{text.main}()", after, show=show, prompt="", view=view or self.view)
        return self._later(run, f"calls {text.source}", after, lambda: self._run_own(run, text))

    def _run_own(self, run: Run, text: OwnText) -> None:
        key = self._history.add("calls", text.source)
        outcomes = {name: perform(self._new_host(name), text) for name in self.hosts}
        run.finish(outcomes, judge(key, {name: outcome.trace for name, outcome in outcomes.items()}))

    # questions

    def after(self, prediction: Prediction) -> Callable[[Callable[[], Any]], Later]:
        """Decorate a function to run, and its value to be shown, once the prediction is committed."""

        def decorate(function: Callable[[], Any]) -> Later:
            later = Later(function, prediction)
            return self._later(later, function.__qualname__ + prediction.name, prediction, later.run)

        return decorate

    @property
    def waits(self) -> bool:
        """Whether a question above must be answered before anything runs on this lab."""
        return self._queue.blocked

    def _later(self, thing: _T, label: str, gate: Prediction | None, do: Callable[[], None]) -> _T:
        """Do it now if nothing is to be answered first; else show that it waits."""
        if self._queue.blocked or (gate is not None and not gate.committed):
            thing.wait()
        self._queue.add(label, gate, do, running_cell())
        return thing

    # the end

    def close(self) -> None:
        """End every kernel and all that runs on it."""
        if not self._closed:
            self._closed = True
            self.world.close()

    def __enter__(self) -> "Lab":
        """Return the lab; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the lab."""
        self.close()

    def __repr__(self) -> str:
        """Return which kernels there are, and what could not be had."""
        named = {"sim": "a simulated Linux", "real": "this machine's Linux"}
        text = f"Lab on {' and '.join(named[name] for name in self.hosts)}"
        return f"{text}\n{self.note}" if self.note else text


def missing_kernel() -> str | None:
    """Say why this machine's kernel cannot be used; None if it can."""
    if sys.platform != "linux":
        return f"this is {sys.platform}, not Linux"
    from minidocker.real import probe  # noqa: PLC0415  Linux only

    report = probe.probe()
    if report.usable:
        return None
    return next((row.detail for row in report.rows if not row.ok), "it lacks what containers need")


@atexit.register
def _close_all() -> None:
    for lab in list(_open):
        lab.close()
