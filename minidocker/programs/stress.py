"""stress: use processors and memory until somebody says stop (stress(1), version 1.0.7, in its words).

``--cpu N`` starts workers that spin, ``--vm N`` workers that take memory, touch it and give it back; ``--timeout`` ends
them by SIGALRM. If a worker ends otherwise, by the OOM killer say, stress kills the others and fails.
"""

import re
from dataclasses import dataclass
from typing import Final

from minidocker.linux import MAP_POPULATE, SIGALRM, SIGCHLD, SIGTERM, WNOHANG, strerror
from minidocker.programs import stdio
from minidocker.system import System

_SIZES: Final = {"b": 0, "k": 10, "m": 20, "g": 30}
_TIMES: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 31556952}
_LONG: Final = {"-c": "--cpu", "-m": "--vm", "-t": "--timeout", "-v": "--verbose", "-q": "--quiet", "-n": "--dry-run"}
#: What an option that takes a value is told in, and what messages call it.
_VALUES: Final = {
    "--cpu": ({}, "number of cpu hogs"), "--vm": ({}, "number of vm hogs"), "--timeout": (_TIMES, "timeout value"),
    "--vm-bytes": (_SIZES, "vm byte value"), "--vm-stride": (_SIZES, "stride value"), "--vm-hang": (_TIMES, "value"),
    "--backoff": ({}, "backoff factor"),
}  # fmt: skip
#: Workers that this program has not: they are refused by name.
_NOT_HERE: Final = ("-i", "--io", "-d", "--hdd", "--hdd-bytes")
_FAILED: Final = 1


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What the options say. ``timeout_s`` 0: no end; ``hang_s`` None: give memory back at once, 0: never."""

    cpu: int = 0
    vm: int = 0
    vm_bytes: int = 256 << 20
    hang_s: int | None = None
    keep: bool = False
    timeout_s: int = 0
    verbose: bool = False
    quiet: bool = False
    dry_run: bool = False


class _Refused(Exception):
    """An option that cannot be; ``line`` is the line of stress.c that says so."""

    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Start the workers, wait for the end, and say how it went."""
    pid = await k.getpid()
    try:
        plan = _parse(argv[1:])
    except _Refused as refused:
        await _say(k, "FAIL", pid, f"({refused.line}) {refused}", error=True)
        return _FAILED
    if plan is None:
        await stdio.write_all(k, stdio.STDOUT, _USAGE.encode())
        return 0
    if not plan.quiet:
        await _say(k, "info", pid, f"dispatching hogs: {plan.cpu} cpu, 0 io, {plan.vm} vm, 0 hdd")
    began = await k.time_ns()
    failed = not plan.dry_run and await _run(k, plan, pid)
    seconds = (await k.time_ns() - began) // 1_000_000_000
    if failed:
        await _say(k, "FAIL", pid, f"(461) failed run completed in {seconds}s", error=True)
        return _FAILED
    if not plan.quiet:
        await _say(k, "info", pid, f"successful run completed in {seconds}s")
    return 0


def _parse(words: list[str]) -> _Plan | None:
    """Return the plan; None if only the help is wanted, or there is nothing to do."""
    plan, rest = _Plan(), list(words)
    while rest:
        given = rest.pop(0)
        option = _LONG.get(given, given)
        if option in ("-?", "--help"):
            return None
        if option in ("--verbose", "--quiet", "--dry-run", "--vm-keep"):
            setattr(plan, option.removeprefix("--vm-").removeprefix("--").replace("-", "_"), True)
        elif option in _VALUES:
            if not rest:
                raise _Refused(167, f"missing argument to option '{option}'")
            _set(plan, option, rest.pop(0))
        elif given in _NOT_HERE:
            raise _Refused(251, f"unrecognized option: {given} (the lab's stress has --cpu and --vm)")
        else:
            raise _Refused(251, f"unrecognized option: {given}")
    return plan if plan.cpu or plan.vm else None


def _set(plan: _Plan, option: str, text: str) -> None:
    units, what = _VALUES[option]
    match = re.fullmatch(r"(-?\d*)(.*)", text, re.DOTALL)
    number, suffix = (match[1], match[2].lower()) if match else ("", text)
    if suffix and suffix not in units:
        raise _Refused(665, f"unrecognized suffix: {match[2] if match else text}")
    value = int(number) if number.lstrip("-") else 0
    if value < 0:
        raise _Refused(171, f"invalid {what}: {text}")
    if suffix:
        value = value << units[suffix] if units is _SIZES else value * units[suffix]
    name = {"--vm-bytes": "vm_bytes", "--vm-hang": "hang_s", "--timeout": "timeout_s"}.get(option, option[2:])
    if hasattr(plan, name):
        setattr(plan, name, value)


async def _run(k: System, plan: _Plan, pid: int) -> bool:
    """Start the workers and wait for them; tell whether the run failed."""
    arrived: list[int] = []
    await k.signal(SIGCHLD, arrived.append)
    workers = {await k.clone(_cpu): "hogcpu" for _ in range(plan.cpu)}
    workers |= {await k.clone(_vm, plan.vm_bytes, plan.hang_s, plan.keep): "hogvm" for _ in range(plan.vm)}
    if plan.verbose:
        for number, (worker, kind) in enumerate(workers.items(), 1):
            await _say(k, "dbug", pid, f"--> {kind} worker {_of_its_kind(number, plan)} [{worker}] forked")
    if plan.timeout_s and await _sleep(k, plan.timeout_s, arrived):
        for worker in workers:
            await k.kill(worker, SIGALRM)
    return await _reap(k, plan, pid, set(workers))


def _of_its_kind(number: int, plan: _Plan) -> int:
    """Return a worker's number among those that do the same."""
    return number if number <= plan.cpu else number - plan.cpu


async def _sleep(k: System, seconds: int, arrived: list[int]) -> bool:
    """Sleep so long, or until a worker ends; tell whether it was slept through."""
    if arrived:
        return False
    try:
        await k.sleep(seconds)
    except InterruptedError:
        return not arrived
    return True


async def _reap(k: System, plan: _Plan, pid: int, workers: set[int]) -> bool:
    """Wait for all workers. The first one that ends otherwise than by SIGALRM is the end of all."""
    failed = False
    while workers:
        try:
            worker, status = await k.wait4(-1)
        except InterruptedError:
            continue
        workers.discard(worker)
        signal = status & 0x7F
        if signal == SIGALRM or failed:
            if plan.verbose and not failed:
                await _say(k, "dbug", pid, f"<-- worker {worker} signalled normally")
            continue
        failed = True
        how = f"got signal {signal}" if signal else f"returned error {status >> 8}"
        await _say(k, "FAIL", pid, f"(425) <-- worker {worker} {how}", error=True)
        await _say(k, "WARN", pid, "(427) now reaping child worker processes", error=True)
        for other in workers:
            await _end(k, other)
    return failed


async def _end(k: System, worker: int) -> None:
    """Kill a worker; it may be gone already."""
    try:
        await k.kill(worker, SIGTERM)
    except ProcessLookupError:
        await k.wait4(worker, WNOHANG)


async def _cpu(k: System) -> int:
    """Spin."""
    while True:
        await k.sched_yield()


async def _vm(k: System, size: int, hang_s: int | None, keep: bool) -> int:
    """Take memory and touch it, perhaps sleep, and give it back; over and over."""
    while True:
        try:
            address = await k.mmap(size, MAP_POPULATE)
        except OSError as error:
            words = f"(494) hogvm malloc failed: {strerror(error.errno)}"
            await _say(k, "FAIL", await k.getpid(), words, error=True)
            return _FAILED
        if hang_s == 0:
            while True:
                await k.sleep(86400)
        if hang_s:
            await k.sleep(hang_s)
        while keep:
            await k.sched_yield()
        await k.munmap(address, size)
        await k.sched_yield()


async def _say(k: System, kind: str, pid: int, words: str, *, error: bool = False) -> None:
    await stdio.write_all(k, stdio.STDERR if error else stdio.STDOUT, f"stress: {kind}: [{pid}] {words}\n".encode())


_USAGE: Final = """`stress' imposes certain types of compute stress on your system

Usage: stress [OPTION [ARG]] ...
 -?, --help         show this help statement
 -v, --verbose      be verbose
 -q, --quiet        be quiet
 -n, --dry-run      show what would have been done
 -t, --timeout N    timeout after N seconds
 -c, --cpu N        spawn N workers spinning
 -m, --vm N         spawn N workers spinning on mmap()/munmap()
     --vm-bytes B   map B bytes per vm worker (default is 256MB)
     --vm-hang N    sleep N secs before unmapping (default none, 0 is inf)
     --vm-keep      keep memory instead of unmapping and mapping anew

Example: stress --cpu 8 --vm 2 --vm-bytes 128M --timeout 10s

Note: Numbers may be suffixed with s,m,h,d,y (time) or B,K,M,G (size).
"""
