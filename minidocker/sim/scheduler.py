"""The scheduler: whose turn it is. Tasks are coroutines; each call they make arrives here as a Trap.

First come, first served: a task runs until it must wait, or has made ``SLICE`` calls. One that must wait is parked in
the wait queues of what it waits for, and makes its call again when it is woken. When all wait, the clock passes to the
next timer. Nothing here depends on chance or on the hour (but by a WallClock): same programs, same trace.

While others wait a turn is over after ``TURN_NS`` at the latest, so that all get the same time. Where tasks compete
that are in groups of the cpu controller, ``cgroup/fair.py`` says whose turn it is. How several processors are told from
one Python is in ``processors.py``.
"""

import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from minidocker.linux import SIGABRT
from minidocker.sim.cgroup.freezer import BY_V1
from minidocker.sim.clock import TICK_NS, Clock
from minidocker.sim.processors import Processors
from minidocker.sim.signals import Fate, deliver
from minidocker.sim.task import Wait
from minidocker.sim.tasks import end
from minidocker.system import Trap

if TYPE_CHECKING:
    from minidocker.sim.cgroup.fair import Share
    from minidocker.sim.task import Task

#: How many calls a task makes before it is another's turn.
SLICE: Final = 64
#: What one turn of a program's own loop costs by the virtual clock: about what it takes here, so that a poll that waits
#: for a second while such a loop runs is back after one.
YIELD_NS: Final = 20_000
#: How long a turn takes while others wait: as long as ``SLICE`` calls. What one turn took more the next has less.
TURN_NS: Final = SLICE * TICK_NS
#: What an init exits with whose program raised, since SIGABRT does not end it: what a shell shows of abort(3).
CRASHED: Final = 134


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A program that ended by an exception of Python's: which task it was, and the traceback."""

    task: str
    name: str
    text: str


class Timer:
    """Something that the kernel itself does at a time, once, unless it is cancelled (Linux's struct timer_list)."""

    __slots__ = ("_act",)

    def __init__(self, act: Callable[[], None]) -> None:
        """Take what is to be done."""
        self._act: Callable[[], None] | None = act

    @property
    def pending(self) -> bool:
        """Will it happen?"""
        return self._act is not None

    def cancel(self) -> None:
        """Let it not happen."""
        self._act = None

    def fire(self) -> None:
        """Do it now."""
        act, self._act = self._act, None
        if act is not None:
            act()


class Scheduler:
    """The run queue and the timers of one kernel."""

    __slots__ = (
        "_lag_ns", "_left_ns", "_numbers", "_system_ns", "_timers", "_user_ns", "clock", "crashes", "processors",
        "root",
    )  # fmt: skip

    root: "Share"
    """The share of the root group, in which all that want to run are found: set with the control groups."""

    def __init__(self, clock: Clock, cpus: int = 1) -> None:
        """Start with nobody."""
        self.clock = clock
        self.processors = Processors(cpus)
        self._lag_ns = 0
        """By how much the turn that runs lies behind the clock: other processors were ahead of its own."""
        self._left_ns: int | None = None
        """How long the turn may still take; None: until the slice is over."""
        self._user_ns = self._system_ns = 0
        """What the turn has taken."""
        self.crashes: list[Crash] = []
        self._timers: list[tuple[int, int, Task | None, Wait | Timer]] = []
        self._numbers = count()

    def next_number(self) -> int:
        """Return a number that was not returned before: pipes take their inode numbers from here."""
        return next(self._numbers)

    def call_at(self, ns: int, act: Callable[[], None]) -> Timer:
        """Have something done at a time, by the clock, between two turns."""
        timer = Timer(act)
        heappush(self._timers, (ns, next(self._numbers), None, timer))
        return timer

    def ready(self, task: "Task") -> None:
        """Let a task have a turn: a new one, or one that was woken or sent a signal."""
        if task.queued or task.coroutine is None or self._is_frozen(task):
            return
        if task.wait is not None:
            for queue in task.wait.queues:
                if task in queue.tasks:
                    queue.tasks.remove(task)
        self._queue(task, woken=True)

    def _queue(self, task: "Task", *, woken: bool) -> None:
        task.queued = True
        task.ready_ns = self.clock.now_ns() - self._lag_ns
        (task.share or self.root).add(task, woken=woken)

    def unready(self, task: "Task") -> None:
        """Let a task wait for no turn any more: it was frozen, moves to another group, or ended."""
        if task.queued:
            task.queued = False
            (task.share or self.root).remove(task)

    @staticmethod
    def _is_frozen(task: "Task") -> bool:
        """Must the task wait to be thawed? What v2 froze can still be ended by a signal (``cgroup/freezer.py``)."""
        return bool(task.frozen) and (task.frozen & BY_V1 != 0 or not task.signals.deadly)

    def run(self, enough: Callable[[], bool], deadline_ns: int | None = None, grace_ns: int = 0) -> None:
        """Give turns until there is enough, nobody can ever go on, or the deadline has passed (None: no deadline).

        Those who never wait may run for a grace beyond the deadline, so that a deadline of now lets them run too.
        """
        self.processors.now_ns = self.clock.now_ns()
        while not enough():
            if self._timers:
                self._wake_sleepers()
            if self.root.runnable:
                if deadline_ns is not None and self.clock.now_ns() > deadline_ns + grace_ns:
                    return
                self._turn(*self.processors.next(self.root))
            elif not self._pass_to_timer(deadline_ns):
                if deadline_ns is not None:
                    self.clock.idle_until(deadline_ns)
                return

    def _wake_sleepers(self) -> None:
        """Let those have a turn whose time has come while others ran."""
        now_ns = self.clock.now_ns()
        while self._timers and self._timers[0][0] <= now_ns:
            _, _, task, wait = heappop(self._timers)
            if isinstance(wait, Timer):
                wait.fire()
            elif task is not None and task.wait is wait:
                self.ready(task)

    def _pass_to_timer(self, deadline_ns: int | None) -> bool:
        """Let time pass to the first timer and wake its task; False if there is none before the deadline."""
        while self._timers:
            until_ns, _, task, wait = self._timers[0]
            if deadline_ns is not None and until_ns > deadline_ns:
                return False
            heappop(self._timers)
            if isinstance(wait, Timer) and wait.pending:
                self.clock.pass_until(until_ns)
                wait.fire()
                return True
            if task is not None and task.wait is wait and not task.queued and task.alive:
                self.clock.pass_until(until_ns)
                self.ready(task)
                return True
        return False

    def _turn(self, task: "Task", cpu: int) -> None:
        """Let one task run until it waits, ends, is stopped, or its slice is over."""
        share = task.share or self.root
        share.take(task)
        task.queued = False
        start_ns = self.processors.begin(task, cpu)
        self._lag_ns = max(0, self.clock.now_ns() - start_ns)
        self._left_ns = self._limit(task, share, start_ns)
        again = False
        try:
            again = self._slice(task)
        except Wait as wait:
            self._park(task, wait)
        except BaseException as error:
            self._crash(task, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._account(task, share, cpu, start_ns)
            if again and not task.queued:
                self._queue(task, woken=False)
            self._lag_ns = 0

    def _slice(self, task: "Task") -> bool:
        """Let a task make its calls; False if it ended or was stopped."""
        for _ in range(SLICE):
            if not self._step(task):
                return False
            if self._left_ns is not None and self._user_ns + self._system_ns >= self._left_ns:
                break
        return not task.frozen or not self._is_frozen(task)

    def _limit(self, task: "Task", share: "Share", start_ns: int) -> int | None:
        """Return how long a turn may take: while others wait, its part, and never more than a quota has left."""
        left = None if share.parent is None else share.left_ns(start_ns)
        if self.root.runnable:
            turn = max(1, TURN_NS - task.overrun_ns)
            return turn if left is None else min(left, turn)
        return left

    def _account(self, task: "Task", share: "Share", cpu: int, start_ns: int) -> None:
        """Note what a turn took: for the processor, the task, the groups that it is in, and their quotas."""
        user, system = self._user_ns, self._system_ns
        self._user_ns = self._system_ns = 0
        spent = user + system
        end_ns = self.processors.free_ns[cpu] = start_ns + spent
        task.user_ns += user
        task.system_ns += system
        for usage in task.usages:
            usage.add(cpu, user, system)
        task.overrun_ns = min(TURN_NS, max(0, spent - (TURN_NS - task.overrun_ns))) if self.root.runnable else 0
        if share.parent is None and not share.active:
            return
        share.charge(spent)
        share.use(spent, end_ns)

    def _spend(self, ns: int) -> None:
        """Let time pass for the turn that runs: first it catches up with the clock, then the clock goes on."""
        lag = self._lag_ns
        if not lag:
            self.clock.tick(ns)
        elif lag >= ns:
            self._lag_ns = lag - ns
        else:
            self._lag_ns = 0
            self.clock.tick(ns - lag)

    def _step(self, task: "Task") -> bool:
        """Let a task take its signals, go on to its next call, and make it; False if it ended or was stopped."""
        signals, program = task.signals, task.coroutine
        if program is None or ((signals.pending or signals.stopped) and deliver(task, end) is not Fate.GOES_ON):
            return False
        if task.trap is None:
            task.trap = _resume(program, task.answer)
        self._call(task, task.trap)
        if task.coroutine is not program:
            task.answer = None  # it became another program, or ended
        return task.coroutine is not None

    def _call(self, task: "Task", trap: Trap) -> None:
        """Perform a task's call and keep the answer for its program. Wait passes through."""
        if trap.name == "sched_yield":  # no call: a mark in a loop, so that nobody keeps the kernel for ever
            self._user_ns += YIELD_NS
            self._spend(YIELD_NS)
            task.answer = task.trap = None
            return
        self._system_ns += TICK_NS
        self._spend(TICK_NS)
        try:
            task.answer = task.kernel.perform(task, trap.name, trap.args, trap.kwargs)
        except Wait:
            raise
        except OSError as error:
            task.answer = _Raise(error.with_traceback(None))
        except Exception as error:  # noqa: BLE001  wrong arguments: the program's mistake, which it shall see
            task.answer = _Raise(error)
        task.trap = task.wait = None

    def _park(self, task: "Task", wait: Wait) -> None:
        task.wait = wait
        for queue in wait.queues:
            queue.tasks.append(task)
        if wait.until_ns is not None:
            heappush(self._timers, (wait.until_ns, next(self._numbers), task, wait))

    def _crash(self, task: "Task", error: BaseException) -> None:
        """End a task whose program raised: as by abort(3), with the traceback on its standard error."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        text = "".join(traceback.format_exception(type(error), error, trace))
        self.crashes.append(Crash(task=task.line, name=task.name, text=text))
        task.trap = task.wait = None
        with suppress(OSError, Wait):  # if nobody can be told
            task.kernel.perform(task, "write", (2, text.encode()), {})
        if task.alive:
            end(task, CRASHED << 8 if task is task.ns.pid.init else SIGABRT)


class _Raise:
    """An exception on its way into a program."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def _resume(coroutine: Coroutine[Any, Any, int], answer: Any) -> Trap:
    """Let a program go on with the answer to its last call, and return its next call; returning is exit(2)."""
    try:
        trap = coroutine.throw(answer.error) if type(answer) is _Raise else coroutine.send(answer)
    except StopIteration as stop:
        return Trap("exit", (stop.value or 0,))
    if type(trap) is not Trap:
        message = f"a program may only await system calls, not {trap!r}"
        raise TypeError(message)
    return trap
