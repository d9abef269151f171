"""RealKernel: the kernel of this machine, asked through a helper. A call is one round trip."""

import os
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import minidocker
from minidocker.kernel import Event, Kernel, Listener, SyscallEvent
from minidocker.linux import SIGKILL
from minidocker.real import cgroups, sealed, wire
from minidocker.real.wire import LOOKING_FAILED

#: What the helper gets of the user's environment, to find libraries by. Tasks are its copies, and programs in a
#: container can read theirs (/proc/1/environ): whatever else is in it, passwords too, is nobody's business there.
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")

#: What the helper's interpreter is told to run: no site, no environment variables, nothing but what it needs.
_START: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from minidocker.real.helper import main
main(*map(int, sys.argv[2:]))
"""


class RealKernel(Kernel):
    """This machine's Linux, as root or (``rootless``) in a user namespace.

    Everything made below /var/lib/docker lies on a disk of the lab's own; all other paths are the host's. One thread
    at a time may use it.
    """

    def __init__(self, size_bytes: int | None = None, rootless: bool | None = None, programs: str = "elf") -> None:
        """Start the helper. ``size_bytes`` limits the disk; ``programs="lab"`` runs the lab's programs for ELF files.

        OSError says what this host does not allow.
        """
        self.rootless = os.geteuid() != 0 if rootless is None else rootless
        self.ids: Any = None
        """Rootless: the (inside, outside, count) ranges of user and group ids that are mapped."""
        self.groups = cgroups.Groups()
        """The control groups that it has, and why not more."""
        self.listener_error: BaseException | None = None
        self._listener: Listener | None = None
        self._unobserved: dict[str, tuple[list[str], str]] = {}
        """Upper directories that will be looked at from when somebody listens: their lowers, and where they are."""
        self._number = 0
        self._inbox = b""
        self._polled: set[int] = set()
        """The numbers of polls that have not been answered."""
        self._late: list[tuple[list[tuple[str, int]], list[Any] | None]] = []
        """News that nobody has taken: what happened, and what was done about it, if somebody attended to it."""
        self._telling = False
        self._untold: list[tuple[Any, ...]] = []
        self._sock, theirs = socket.socketpair()
        theirs_alive, ours_alive = os.pipe()
        lab = os.pidfd_open(os.getpid())
        self._held = _Held(owner=os.getpid(), fds=[ours_alive])
        self._end = weakref.finalize(self, _end, self._sock, self._held)
        try:
            self._start({"size_bytes": size_bytes, "programs": programs}, theirs, theirs_alive, lab)
        except BaseException:
            self._end()
            raise
        finally:
            theirs.close()
            os.close(theirs_alive)
            os.close(lab)

    def _start(self, settings: dict[str, Any], theirs: socket.socket, *fds: int) -> None:
        starter = _begin(theirs.fileno(), *fds)
        theirs.close()  # its end is seen here only if nobody else holds it
        try:
            path = [str(Path(entry).absolute()) for entry in sys.path]
            settings |= {"path": path, "rootless": self.rootless, "uid": os.geteuid(), "gid": os.getegid()}
            self._held.groups = self.groups = cgroups.make(starter.pid)  # while its interpreter is starting
            settings["cgroups"] = self.groups.to_wire()
            wire.send(self._sock.fileno(), settings)
            while (message := wire.receive(self._sock.fileno()))[0] != "ready":  # and not a byte more
                if message[0] == "error":
                    raise wire.unpack_error(message[1])
                _, self._held.pid, self.ids = message
            _, received, _, _ = socket.recv_fds(self._sock, 1, 1)
            self._news = received[0]
            self._held.fds += received
            os.set_inheritable(self._news, False)
        finally:
            starter.wait()

    @property
    def pid(self) -> int:
        """The helper's pid, as the host sees it: /proc/PID/root is the tree with all the lab's mounts."""
        return self._held.pid

    def fileno(self) -> int:
        """Return a descriptor that is readable when poll has something to tell."""
        return self._news

    # the port

    def syscall(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Perform a call for the host's task (line "0")."""
        if name == "clone":
            args = (wire.reference(args[0]), *args[1:])
        return wire.unpack(self._ask("call", name, args, kwargs))

    def poll(self, timeout_s: float | None = 0.0) -> list[Event]:
        """Return what happened; wait at most timeout_s for it."""
        return list(map(_news, self._await_news(timeout_s)[0]))

    def attend(self, timeout_s: float | None, function: Callable[..., Any]) -> list[tuple[Event, Any]]:
        """Poll, and do something about each event, in the same round trip if nobody listens."""
        wanted = "" if self._listener is not None else wire.reference(function)
        found, told = self._await_news(timeout_s, wanted)
        if told is None:
            told = []
            try:
                for event in found:
                    told.append(self.together(function, *event))
            except BaseException:  # what is done is kept, and what is not, for who asks next
                done = len(told)
                self._late[:0] = [part for part in ((found[:done], told), (found[done:], None)) if part[0]]
                raise
        return list(zip(map(_news, found), told, strict=True))

    def _await_news(
        self, timeout_s: float | None, function: str = ""
    ) -> tuple[list[tuple[str, int]], list[Any] | None]:
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._late:
            left_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
            self._polled.add(self._number + 1)
            try:
                answer = self._ask("poll", "", (left_s, function), {})
            except KeyboardInterrupt:
                with suppress(wire.Gone):  # it ends the poll: while we are away nobody shall attend to news
                    self._ask("nothing", "", (), {})
                raise
            if answer is not None:  # else a listener that called the kernel in between has ended the poll
                return answer
        return self._late.pop(0)

    def watch(self, fd: int) -> None:
        """Have poll tell when fd is readable (epoll_ctl(2), EPOLL_CTL_ADD)."""
        self._ask("watch", "", (fd,), {})

    def observe(self, name: str, lowers: Sequence[str], upper: str) -> None:
        """From now on tell the listener what each call changes in this upper directory."""
        if self._listener is None:
            self._unobserved[name] = (list(lowers), upper)
        else:
            self._ask("observe", "", (name, list(lowers), upper), {})

    def unobserve(self, name: str) -> None:
        """Stop observing an upper directory."""
        if self._unobserved.pop(name, None) is None:
            self._send("unobserve", "", (name,), {})  # it cannot fail: who asks next passes over the answer

    def job(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run ``function(kernel, *args)`` in the helper, untraced, and return what it returns."""
        named = [wire.reference(arg) if callable(arg) else arg for arg in args]
        return self._ask("job", "", (wire.reference(function), *named), {})

    def take(self, fd: int) -> int:
        """Give the host's side a descriptor of this process's, and return its number there (unix(7), SCM_RIGHTS)."""
        self._send("take", "", (), {})
        socket.send_fds(self._sock, [b"!"], [fd])
        return self._answer()

    @property
    def listener(self) -> Listener | None:
        """Who is told of each call."""
        return self._listener

    @listener.setter
    def listener(self, listener: Listener | None) -> None:
        if (listener is None) != (self._listener is None):
            self._ask("trace", "", (listener is not None,), {})
        self._listener = listener
        while listener is not None and self._unobserved:
            name, (lowers, upper) = self._unobserved.popitem()
            self._ask("observe", "", (name, lowers, upper), {})

    def close_kernel(self) -> None:
        """End it: every task is killed, every mount undone. Returns when that is so."""
        self._end()

    # the wire

    def _ask(self, verb: str, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        self._send(verb, name, args, kwargs)
        return self._answer()

    def _send(self, verb: str, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        if not self._end.alive:
            raise wire.Gone("the real kernel was closed")
        self._number += 1
        try:
            frame = wire.encode((self._number, verb, name, args, kwargs))
        except ValueError:
            frame = wire.encode((self._number, verb, name, wire.pack(tuple(args)), wire.pack(kwargs)))
        try:
            self._sock.sendall(frame)
        except BaseException:
            self._end()  # half a request may be under way: nothing after it would be understood
            raise

    def _answer(self) -> Any:
        asked = self._number
        while True:
            number, final, ok, value, steps = self._receive()
            polled = final and number in self._polled
            if polled:
                self._polled = {other for other in self._polled if other > number}
                if ok and value[0] and number != asked:  # of an interrupted poll (KeyboardInterrupt): not to be lost
                    self._late.append(value)
            self._tell(steps)
            if not final and self._number != asked:
                return None  # only a poll has several answers, and the listener's own call has ended it
            if not final:
                continue
            if number == asked and ok:
                return value
            if number == asked:
                raise wire.unpack_error(value)

    def _receive(self) -> Any:
        """Return the next whole frame. An interrupted wait loses nothing: what has come stays in the inbox."""
        while len(self._inbox) < 4 or len(self._inbox) < (end := 4 + int.from_bytes(self._inbox[:4], "little")):
            self._inbox += self._more()
        frame, self._inbox = self._inbox[:end], self._inbox[end:]
        return wire.decode(frame)

    def _more(self) -> bytes:
        """Return what has come; if the helper is gone, end all that was its."""
        with suppress(ConnectionResetError):  # it died with a request unread
            if data := os.read(self._sock.fileno(), 1 << 20):
                return data
        self._end()
        raise wire.Gone("the helper of the real kernel is gone")

    def _tell(self, steps: list[tuple[Any, ...]]) -> None:
        """Give the listener what came. What it calls itself, it is not told of; what tasks do meanwhile, afterwards."""
        if self._telling:
            self._untold += (step for step in steps if step[0] != "0")
            return
        self._telling = True
        try:
            self._untold += steps
            while self._untold and self._listener is not None:
                self._tell_one(self._listener, self._untold.pop(0))
        finally:
            self._telling = False
            self._untold.clear()

    def _tell_one(self, listener: Listener, step: tuple[Any, ...]) -> None:
        if step[0] == LOOKING_FAILED:
            self.listener_error = wire.unpack_error(step[1])
            return
        try:
            listener(_event(*step))
        except Exception as error:  # noqa: BLE001  a listener cannot break a call
            self.listener_error = error


def _begin(*fds: int) -> "subprocess.Popen[bytes]":
    """Start the helper's interpreter, from a sealed copy if the host allows that."""
    root = str(Path(minidocker.__file__).parent.parent)
    python = sys.executable or "python3"
    command = [python, "-I", "-S", "-X", "utf8", "-c", _START, root, *map(str, fds)]
    with ExitStack() as stack:
        copy: str = python
        more: dict[str, str] = {}
        passed = fds
        with suppress(OSError):
            fd, more = sealed.interpreter(python)
            stack.callback(os.close, fd)
            copy, passed = f"/proc/self/fd/{fd}", (*fds, fd)
        return subprocess.Popen(
            command,
            executable=copy,
            stdin=subprocess.DEVNULL,
            pass_fds=passed,
            start_new_session=True,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | more,
        )


def _news(found: tuple[str, int]) -> Event:
    kind, number = found
    return Event(kind=kind, **{"pid" if kind == "exited" else "fd": number})


def _event(
    task: str,
    actor: str,
    name: str,
    args: Any,
    kwargs: Any,
    ok: bool,
    value: Any,
    inner: Any,
    uppers: Any,
    child: Any,
    pids: Any,
) -> SyscallEvent:
    return SyscallEvent(
        task=task,
        actor=actor,
        name=name,
        args=wire.unpack(args),
        kwargs=wire.unpack(kwargs),
        result=wire.unpack(value) if ok else None,
        error=None if ok else wire.unpack_error(value),  # type: ignore[arg-type]  # a call fails with OSError
        inner=tuple(map(wire.unpack_inner, inner)),
        uppers=uppers,
        child=child,
        pids=pids,
    )


@dataclass(slots=True, kw_only=True)
class _Held:
    """What must be let go of at the end: descriptors, the helper, its groups. Only process ``owner`` may end it."""

    owner: int
    fds: list[int]
    pid: int = 0
    groups: cgroups.Groups = field(default_factory=cgroups.Groups)


def _end(sock: socket.socket, held: _Held) -> None:
    """Let go of the helper, see it die, and with it all that it held. A forked copy of the lab only lets go."""
    sock.close()
    while held.fds:
        os.close(held.fds.pop())
    if os.getpid() != held.owner:
        return
    cgroups.thaw(held.groups)
    if held.pid:
        with suppress(ProcessLookupError):
            os.kill(held.pid, SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(held.pid, 0)
    cgroups.remove(held.groups)
