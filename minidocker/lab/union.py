"""Union: a stack of given layers, mounted, with calls named like :mod:`os`'s; each is a step of one growing trace.

``u = lab.union([{"/a": "one"}, {"/a": None, "/d/": {}}])`` (the first is the lowest; the language
is that of :mod:`minidocker.lab.layers`) and then ``u.rename("/d", "/e")``, ``u.append_text("/b", "more")`` … With both
kernels, each call is made on both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from minidocker.compare import Difference
from minidocker.kernel import Files
from minidocker.lab import layers as language
from minidocker.lab.display import Shown, first_step
from minidocker.lab.mounted import Mounted
from minidocker.lab.recordings import History
from minidocker.lab.verdict import Verdict, judge
from minidocker.linux import O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY
from minidocker.trace import Step, Trace, chain_digest
from minidocker.world import Host

#: Of Files, what would change the host's side itself instead of the stack.
_NOT_HERE: Final = frozenset({"chdir", "fchdir", "getcwd", "umask", "pipe2", "dup2"})

_CHUNK: Final = 1 << 20


class Union(Files):
    """The calls are those of :class:`minidocker.kernel.Files`, on the merged tree; they raise OSError as os does."""

    def __init__(self, hosts: Mapping[str, Host], stack: Sequence[language.Layer], name: str) -> None:
        """Mount the stack on each host's kernel."""
        if not stack:
            raise ValueError("a stack has at least one layer: lab.union([{...}])")
        for layer in stack:
            language.check(layer)
        self.layers = [dict(layer) for layer in stack]
        self.mounted = {kernel: Mounted(host, stack, name) for kernel, host in hosts.items()}
        self.verdict = Verdict(ran="")
        self._shown = 0
        self._history = History("union", self.layers)
        self._cuts: dict[str, list[Trace]] = {kernel: [] for kernel in hosts}
        self._cut(f"lab.union of {len(stack)} layer{'s' * (len(stack) > 1)}")

    # calls

    def syscall(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Make a call on the merged tree, on each kernel."""
        if name in _NOT_HERE:
            raise ValueError(f"{name} is about a task, not about the files of a stack")
        found = {kernel: mounted.call(name, args, kwargs) for kernel, mounted in self.mounted.items()}
        self._history.add(name, args, kwargs)
        self._cut(self.trace.command)
        value, error = next(iter(found.values()))
        if error is not None:
            raise error
        return value

    def read_text(self, path: str) -> str:
        """Open, read, close; return the content."""
        return self._read(path).decode()

    def write_text(self, path: str, text: str, mode: int = 0o644) -> None:
        """Open (emptying it, making it if need be), write, close: the shell's ``>``."""
        self._write(path, O_WRONLY | O_CREAT | O_TRUNC, text, mode)

    def append_text(self, path: str, text: str, mode: int = 0o644) -> None:
        """Open at the end (making it if need be), write, close: the shell's ``>>``."""
        self._write(path, O_WRONLY | O_CREAT | O_APPEND, text, mode)

    def _read(self, path: str) -> bytes:
        fd = self.open(path, O_RDONLY)
        data = b""
        while chunk := self.read(fd, _CHUNK):
            data += chunk
        self.close(fd)
        return data

    def _write(self, path: str, flags: int, text: str, mode: int) -> None:
        fd = self.open(path, flags, mode)
        self.write(fd, text.encode())
        self.close(fd)

    # what came of it

    @property
    def trace(self) -> Trace:
        """All that happened since the stack was mounted (on both kernels: the model's)."""
        return self.trace_of(next(iter(self.mounted)))

    def trace_of(self, kernel: str) -> Trace:
        """Return all that happened on one of the kernels."""
        return joined(self._cuts[kernel])

    @property
    def upper(self) -> dict[str, Any]:
        """What lies in the upper directory, told in the language of layers."""
        return self._tell("upper")

    def tree(self) -> dict[str, Any]:
        """Return the merged view, told in the language of layers."""
        return self._tell("merged")

    def lower(self, number: int) -> dict[str, Any]:
        """Return what lies in a lower layer's directory now; layer 1 is the lowest."""
        mounted = next(iter(self.mounted.values()))
        return mounted.read(f"{mounted.directory}/layer{number}")

    def fingerprint(self) -> str:
        """Return a digest of all that lies in the lower layers' directories now, on disk."""
        return language.digest([self.lower(number) for number in range(1, len(self.layers) + 1)])

    def _tell(self, which: str) -> dict[str, Any]:
        mounted = next(iter(self.mounted.values()))
        return mounted.read(getattr(mounted, which))

    def show(self) -> Shown:
        """Return the stepper over all that happened, with the badge: in a notebook, the last line of a cell."""
        trace, since = self.trace, self._shown
        self._shown = len(trace)
        return Shown(trace, self.verdict, first_step(trace, since if since < len(trace) else 0))

    def unmount(self) -> None:
        """Unmount the stack."""
        for mounted in self.mounted.values():
            mounted.close()

    def _cut(self, command: str) -> None:
        """Take the steps of the last call, and judge: once model and kernel have differed, that stays."""
        new = {kernel: mounted.cut(command) for kernel, mounted in self.mounted.items()}
        for kernel, trace in new.items():
            self._cuts[kernel].append(trace)
        if self.verdict.ok is not False:
            verdict = judge(self._history.key, new)
            before = len(self.trace) - len(next(iter(new.values())))
            what = f"{len(self.trace)} steps"
            self.verdict = replace(verdict, what=what, difference=_later(verdict.difference, before))


def _later(found: Difference | None, steps: int) -> Difference | None:
    """Return a difference with its steps counted from the beginning."""
    if found is None:
        return None
    moved = [None if step is None else replace(step, index=step.index + steps) for step in (found.left, found.right)]
    return replace(found, left=moved[0], right=moved[1])


def joined(cuts: Sequence[Trace]) -> Trace:
    """Return one trace out of consecutive ones."""
    layers = {name: layer for cut in cuts for name, layer in cut.layers.items()}
    steps: list[Step] = []
    digests: dict[str, str] = {}
    for step in (step for cut in cuts for step in cut.steps):
        digests[step.task] = chain_digest(digests.get(step.task, ""), step)
        steps.append(replace(step, index=len(steps), digest=digests[step.task]))
    return replace(cuts[0], steps=tuple(steps), layers=layers)
