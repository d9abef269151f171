"""Facts of containers: who sees whom, what a limit came to, how a program ended."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from minidocker.lab.facts.fact import Fact, FactOf
from minidocker.trace import Trace


def pid_in_ps(program: str) -> FactOf:
    """Return the fact of which number a program has in the output of ``ps -o pid,comm``: 1, 2 or another one."""

    def fact(ran: Any) -> Fact:
        numbers = [line.split()[0] for line in ran.stdout.splitlines() if line.split()[1:2] == [program]]
        found = numbers[0] if numbers else "none"
        return Fact(value=found if found in ("1", "2") else "another one", why=f"ps says {', '.join(numbers)}.")

    return fact


def joined_lines(runs: Any) -> Fact:
    """What several commands printed, one after the other: ``"1, 0, 1"``."""
    return Fact(value=", ".join(ran.stdout.strip() for ran in runs))


def differing_lines(names: Sequence[str]) -> FactOf:
    """Return the fact of which lines of two outputs differ: one of the names, by its place, ``both`` or ``nothing``."""

    def fact(runs: Any) -> Fact:
        one, other = (ran.stdout.splitlines() for ran in runs)
        found = [name for name, left, right in zip(names, one, other, strict=True) if left != right]
        return Fact(value=found[0] if len(found) == 1 else "both" if found else "nothing", why=f"{one} and {other}.")

    return fact


def still_runs(name: str) -> FactOf:
    """Return the fact of whether a container runs at the end of a command, or with which code it exited."""

    def fact(ran: Any) -> Fact:
        row = ran.trace.at(len(ran.trace) - 1)["containers"][name]
        running = row["status"] == "running"
        return Fact(value="it runs on" if running else f"it exits with {row.get('exit_code')}")

    return fact


def who_has_mount(target: str, containers: Mapping[str, str]) -> FactOf:
    """Return the fact of who has something mounted at a place: words → a container's name, or "" for the daemon."""

    def fact(ran: Any) -> Fact:
        state = ran.trace.at(len(ran.trace) - 1)
        owners = {word: _mounts_of(state, name) for word, name in containers.items()}
        having = [word for word, space in owners.items() if target in state["mounts"].get(space, {})]
        return Fact(value=having, why="; ".join(f"{word}: {space}" for word, space in owners.items()) + ".")

    return fact


def _mounts_of(state: Mapping[str, Any], container: str) -> str:
    """Return the mount namespace of a container's first task, or of the daemon."""
    return str(_first_task(state, container)["namespaces"]["mnt"])


def _first_task(state: Mapping[str, Any], container: str) -> Mapping[str, Any]:
    """Return the row of a container's first task, known by its control groups or its host name; "" is the daemon."""
    tasks: Mapping[str, Any] = state["tasks"]
    if not container:
        return dict(tasks["0"])
    number = state["containers"][container]["id"]
    mine = (
        row
        for row in tasks.values()
        if any(path.endswith(number) for path in row.get("cgroups", {}).values())
        or state["namespaces"].get(row["namespaces"]["uts"], {}).get("hostname") == number[:12]
    )
    return dict(next(mine))


def joined_network(owner: str, words: Sequence[str]) -> FactOf:
    """Return the fact of whether ``ip addr`` shows another container's address: the first word, else the second."""

    def fact(ran: Any) -> Fact:
        state = ran.trace.at(len(ran.trace) - 1)
        links = state["links"].get(_first_task(state, owner)["namespaces"]["net"], {})
        theirs = [address for link in links.values() for address in link.get("addresses", ()) if "127." not in address]
        same = bool(theirs) and all(address in ran.stdout for address in theirs)
        return Fact(value=words[0] if same else words[1], why=f"{owner} has {', '.join(theirs)}.")

    return fact


def root_outside(words: Mapping[str, str]) -> FactOf:
    """Return the fact of which id outside is root inside, read in a ``uid_map`` that was printed."""
    return lambda ran: Fact(
        value=words.get(ran.stdout.split()[1], ran.stdout), why=f"The map says {ran.stdout.strip()}."
    )


def last_word(ran: Any) -> Fact:
    """The last word of the output."""
    return Fact(value=ran.stdout.split()[-1])


def cpu_percent(container: str) -> FactOf:
    """Return the fact of what ``docker stats`` says of a container's CPU, in per cent of one processor."""

    def fact(ran: Any) -> Fact:
        percent = cpu_used(ran.stdout)[container]
        return Fact(value=percent, why=f"docker stats says {percent:.2f}%.")

    return fact


def ended(words: Mapping[int, str]) -> FactOf:
    """Return the fact of how a command ended, by its exit code."""
    return lambda ran: Fact(value=words.get(ran.exit_code, f"exit code {ran.exit_code}"))


def says(word: str, yes: str, no: str) -> FactOf:
    """Return the fact of whether the output has a word."""
    return lambda ran: Fact(value=yes if word in ran.stdout + ran.stderr else no, why=ran.stderr.strip())


def changed_line(lines: Collection[str], otherwise: str) -> FactOf:
    """Return the fact of which of these lines the output has, or else a word for none."""
    return lambda ran: Fact(value=next((line for line in ran.stdout.splitlines() if line in lines), otherwise))


def ended_soon(container: str, yes: str, no: str) -> FactOf:
    """Return the fact of whether ``docker ps -a`` shows a container as exited."""

    def fact(ran: Any) -> Fact:
        line = next(line for line in ran.stdout.splitlines() if line.endswith(container))
        return Fact(value=yes if "Exited" in line else no, why=re.sub(r" {2,}", "  ", line))

    return fact


# reading what ran


def cpu_used(stats: str) -> dict[str, float]:
    """Return what ``docker stats`` has printed of the CPU, by container, in per cent of one processor."""
    rows = [line.split() for line in stats.splitlines()[1:]]
    return {row[1]: float(row[2].rstrip("%")) for row in rows}


def limits_written(*traces: Trace) -> dict[str, str]:
    """Return what was last written into files of control groups, by the files' names."""
    changes = (change for trace in traces for step in trace.steps for change in step.changes if change.new)
    found = (c for c in changes if c.path[0] == "cgroups" and c.path[2:3] == ("files",) and len(c.path) > 3)
    return {change.path[3]: str(change.new) for change in found}
