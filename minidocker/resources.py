"""Resources: how much a container may use. Docker's flags as values, and the daemon's checks in its order and words.

A zero (or empty) value means that nothing was said. What the host cannot limit is dropped with a warning, as Docker
does, never silently.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from minidocker.errors import InvalidParameter, UpdateConflict

#: The least memory that a container can be given, in bytes (moby: linuxMinMemory).
LEAST_MEMORY: Final = 6 << 20

#: The period of the CPU quota unless another is given, in microseconds.
PERIOD_US: Final = 100_000

_GIGA: Final = 1_000_000_000
_PERIODS_US: Final = range(1_000, 1_000_001)
_LEAST_QUOTA_US: Final = 1_000
_LAST_CPU: Final = 8192
_UNITS: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_FLOAT: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
_RATIONAL: Final = re.compile(r"[+-]?(\d+/\d+|(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?)", re.IGNORECASE)
_OCTAL: Final = re.compile(r"([+-]?)0(_?[0-7]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a container may use, by the names of Docker's ``HostConfig``. Memory in bytes, times in microseconds."""

    memory: int = 0
    memory_reservation: int = 0
    """The soft limit: what is left to it when memory is short."""
    memory_swap: int = 0
    """Memory and swap together; -1 is no limit."""
    nano_cpus: int = 0
    """Processors, in billionths: ``--cpus 1.5`` is 1,500,000,000."""
    cpu_shares: int = 0
    """Its weight where processors are short; a container that says nothing has 1024."""
    cpu_period: int = 0
    cpu_quota: int = 0
    """How long it may run in each period, on all processors together; -1 is no limit."""
    cpuset_cpus: str = ""
    """The processors that it may run on, as ``0-3,7``."""
    pids_limit: int | None = None
    """How many tasks it may have; 0 is no limit, None says nothing."""

    @property
    def quota_us(self) -> int:
        """The quota for each period: what was given, or what the number of processors comes to."""
        return self.nano_cpus * PERIOD_US // _GIGA if self.nano_cpus else self.cpu_quota

    @property
    def period_us(self) -> int:
        """The period: what was given, or Docker's where a number of processors was."""
        return PERIOD_US if self.nano_cpus else self.cpu_period


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What a host can limit (moby: sysinfo)."""

    memory: bool = True
    swap: bool = True
    reservation: bool = True
    cpu_shares: bool = True
    cpu_quota: bool = True
    cpuset: bool = True
    pids: bool = True
    freezer: bool = True
    cpus: int = 1
    """How many processors there are."""
    cpuset_cpus: str = "0"
    """Which of them can be asked for."""


# what the client parses


def parse_bytes(text: str) -> int:
    """Return a number of bytes written as ``64m``, ``1.5GiB`` or ``512`` (github.com/docker/go-units); ValueError."""
    number = text[: max(map(text.rfind, "0123456789. ")) + 1]
    if not number:
        raise ValueError(f"invalid size: '{text}'")
    suffix, number = text[len(number) :].lower(), number.removesuffix(" ")
    if not _FLOAT.fullmatch(number):
        raise ValueError(f'strconv.ParseFloat: parsing "{number}": invalid syntax')
    if number.startswith("-") and float(number):
        raise ValueError(f"invalid size: '{text}'")
    unit, rest = suffix[:1], suffix[1:]
    if suffix not in ("", "b") and not (unit in _UNITS and rest in ("", "b", "ib")):
        raise ValueError(f"invalid suffix: '{suffix}'")
    return _int64(float(number) * _UNITS.get(unit, 1))


def parse_swap(text: str) -> int:
    """Return a number of bytes, or -1 for no limit; ValueError."""
    return -1 if text == "-1" else parse_bytes(text)


def parse_cpus(text: str) -> int:
    """Return a number of processors in billionths: ``1.5``, ``1/2`` (Go's big.Rat); ValueError."""
    from fractions import Fraction  # noqa: PLC0415  half a megabyte that the helper, which imports this, never needs

    try:
        cpus = Fraction(text) if _RATIONAL.fullmatch(text) else None
    except ZeroDivisionError:
        cpus = None
    if cpus is None:
        raise ValueError(f"failed to parse {text} as a rational number")
    nano = cpus * _GIGA
    if nano.denominator != 1:
        raise ValueError("value is too precise")
    return int(nano)


def parse_int(text: str) -> int:
    """Return a whole number of 64 bits, also as ``0x10`` or ``010`` (Go's strconv.ParseInt); ValueError."""
    try:
        number = int(text, 8) if _OCTAL.fullmatch(text) else int(text if text == text.strip() else "", 0)
    except ValueError:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def parse_cpus_list(text: str) -> set[int]:
    """Return the processors of a list such as ``0-3,7``; ValueError."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or int(last or first) < int(first):
            raise ValueError(f"invalid format: {text}")
        if int(last or first) > _LAST_CPU:
            raise ValueError(f"value of out range, maximum is {_LAST_CPU}")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _int64(number: float) -> int:
    """Return a float as Go converts it on x86-64: what does not fit becomes the least number."""
    return int(number) if number < 1 << 63 else -(1 << 63)


# what the daemon checks


def check(wanted: Resources, host: Support, *, update: bool = False) -> tuple[Resources, list[str]]:
    """Return what can be had of what is wanted, and warnings of what cannot; InvalidParameter for what makes no sense.

    The order is the daemon's (moby, verifyPlatformContainerResources): memory, pids, processors.
    """
    warnings: list[str] = []
    wanted = _check_memory(wanted, host, warnings, update=update)
    if wanted.pids_limit is not None and not host.pids:
        if wanted.pids_limit > 0:
            warnings.append(_cannot("PIDs limit capabilities", "PIDs limit discarded."))
        wanted = replace(wanted, pids_limit=None)
    wanted = _check_cpu(wanted, host, warnings)
    return _check_cpuset(wanted, host, warnings), warnings


def _check_memory(wanted: Resources, host: Support, warnings: list[str], *, update: bool) -> Resources:
    if wanted.memory != 0 and wanted.memory < LEAST_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB", hint="-m 6m is the least.")
    if wanted.memory > 0 and not host.memory:
        warnings.append(_cannot("memory limit capabilities", "Limitation discarded."))
        wanted = replace(wanted, memory=0, memory_swap=-1)
    if wanted.memory > 0 and wanted.memory_swap != -1 and not host.swap:
        warnings.append(_cannot("swap limit capabilities", "Memory limited without swap."))
        wanted = replace(wanted, memory_swap=-1)
    if 0 < wanted.memory_swap < wanted.memory:
        raise InvalidParameter(
            "Minimum memoryswap limit should be larger than memory limit, see usage",
            hint="--memory-swap is memory and swap together.",
        )
    if wanted.memory == 0 and wanted.memory_swap > 0 and not update:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if wanted.memory_reservation > 0 and not host.reservation:
        warnings.append(_cannot("memory soft limit capabilities", "Limitation discarded."))
        wanted = replace(wanted, memory_reservation=0)
    if 0 < wanted.memory_reservation < LEAST_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if 0 < wanted.memory < wanted.memory_reservation:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")
    return wanted


def _check_cpu(wanted: Resources, host: Support, warnings: list[str]) -> Resources:
    if wanted.nano_cpus > 0 and wanted.cpu_period > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if wanted.nano_cpus > 0 and wanted.cpu_quota > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if wanted.nano_cpus > 0 and not host.cpu_quota:
        raise InvalidParameter(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted"
        )
    if not 0 <= wanted.nano_cpus <= host.cpus * _GIGA:
        raise InvalidParameter(
            f"Range of CPUs is from 0.01 to {host.cpus}.00, as there are only {host.cpus} CPUs available"
        )
    if wanted.cpu_shares > 0 and not host.cpu_shares:
        warnings.append(_cannot("CPU shares", "Shares discarded."))
        wanted = replace(wanted, cpu_shares=0)
    if (wanted.cpu_period or wanted.cpu_quota) and not host.cpu_quota:
        warnings.append("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.")
        wanted = replace(wanted, cpu_period=0, cpu_quota=0)
    if wanted.cpu_period and wanted.cpu_period not in _PERIODS_US:
        raise InvalidParameter(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
            hint="--cpu-period is in microseconds.",
        )
    if 0 < wanted.cpu_quota < _LEAST_QUOTA_US:
        raise InvalidParameter(
            "CPU cfs quota can not be less than 1ms (i.e. 1000)", hint="--cpu-quota is in microseconds."
        )
    return wanted


def _check_cpuset(wanted: Resources, host: Support, warnings: list[str]) -> Resources:
    if not wanted.cpuset_cpus:
        return wanted
    if not host.cpuset:
        warnings.append(_cannot("cpuset", "Cpuset discarded."))
        return replace(wanted, cpuset_cpus="")
    try:
        asked = parse_cpus_list(wanted.cpuset_cpus)
    except ValueError as error:
        raise InvalidParameter(f"Invalid value {wanted.cpuset_cpus} for cpuset cpus: {error}") from None
    if not asked <= parse_cpus_list(host.cpuset_cpus):
        raise InvalidParameter(
            f"Requested CPUs are not available - requested {wanted.cpuset_cpus}, available: {host.cpuset_cpus}"
        )
    return wanted


def _cannot(what: str, consequence: str) -> str:
    return f"Your kernel does not support {what} or the cgroup is not mounted. {consequence}"


def adapt(resources: Resources) -> Resources:
    """Return what a new container gets: with memory as much swap again, and no limit of tasks for 0 and -1."""
    if resources.memory > 0 and resources.memory_swap == 0:
        resources = replace(resources, memory_swap=2 * resources.memory)
    if resources.pids_limit is not None and resources.pids_limit <= 0:
        resources = replace(resources, pids_limit=None)
    return resources


def merged(now: Resources, wanted: Resources, container_id: str) -> Resources:
    """Return what a container has after an update; UpdateConflict where the two do not go together (docker update)."""
    for conflict in _conflicts(now, wanted):
        raise UpdateConflict(container_id, conflict)
    said = {name: value for name in Resources.__slots__ if (value := getattr(wanted, name))}
    if wanted.pids_limit is not None:
        said["pids_limit"] = max(0, wanted.pids_limit)
    return replace(now, **said)


def _conflicts(now: Resources, wanted: Resources) -> Iterator[str]:
    sets: Sequence[tuple[str, str, int, int]] = (
        ("Nano CPUs", "CPU Period", wanted.nano_cpus, now.cpu_period),
        ("Nano CPUs", "CPU Quota", wanted.nano_cpus, now.cpu_quota),
        ("CPU Period", "NanoCPUs", wanted.cpu_period, now.nano_cpus),
        ("CPU Quota", "NanoCPUs", wanted.cpu_quota, now.nano_cpus),
    )
    for new, old, asked, have in sets:
        if asked > 0 and have > 0:
            yield f"Conflicting options: {new} cannot be updated as {old} has already been set"
    if wanted.memory and wanted.memory > now.memory_swap and wanted.memory_swap == 0:
        yield (
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
