"""Levels that are played: the learner's words are put into a command or into calls, those run, and what came is judged.

| goal | holds if |
|---|---|
| `stdout` | the last command printed exactly this |
| `exit_code` | it ended with this |
| `shares` | the last container and the named one are in the same namespaces of these kinds, and of no others |
| `percent` | of the CPU that `docker stats` shows a container has between two numbers of per cent |
| `wrote` | some limit was written into a file whose name has this |
| `file` | the answer is a file that got the value of the command's limit |
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from minidocker.lab.facts.containers import cpu_used, limits_written
from minidocker.lab.own_text import OwnText
from minidocker.trace import Trace

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab
    from minidocker.lab.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of an answer: the last run, and the traces of all commands."""

    ran: "Run"
    traces: Sequence[Trace] = ()
    answer: str = ""


#: How a kind is played: lab, the level's data, the answer → the first thing that is wrong, or an empty text.
Play: TypeAlias = "Callable[[Lab, Mapping[str, Any], Any], str]"

#: The kinds of namespaces that two containers may share.
_KINDS: Final = ("mnt", "pid", "uts", "ipc", "net")


def play_flags(lab: "Lab", data: Mapping[str, Any], answer: str) -> str:
    """Run the level's commands with the answer in its place; remove the containers that they made."""
    lines = [*data.get("before", ()), data["command"], *data.get("after", ())]
    traces = []
    try:
        for line in lines:
            ran = lab.docker(line.replace("{answer}", answer), show=False)
            traces.append(ran.trace)
            if ran.exit_code and line is not lines[-1]:
                return ran.stderr.splitlines()[0]
        return _first_wrong(data["goal"], Played(ran=ran, traces=traces, answer=answer))
    finally:
        for name in data.get("names", ()):
            lab.docker(f"rm -f {name}", show=False)


def play_own(lab: "Lab", data: Mapping[str, Any], answer: Any) -> str:
    """Run the level's own calls with the answer in its place."""
    words = answer if isinstance(answer, str) else " | ".join(answer)
    ran = lab.run_own(OwnText("\n".join(data["calls"]).replace("{answer}", words or "0")), None, show=False)
    return _first_wrong(data["goal"], Played(ran=ran))


def play_order(lab: "Lab", data: Mapping[str, Any], answer: Sequence[int]) -> str:
    """Run the shuffled lines in the order of the answer, inside of the function that the level gives."""
    if sorted(answer) != list(range(1, len(data["lines"]) + 1)):
        return f"Give the numbers 1 to {len(data['lines'])}, each once."
    body = [f"    {data['lines'][number - 1]}" for number in answer]
    ran = lab.run_own(OwnText("\n".join([*data["calls"], *body])), None, show=False)
    return _first_wrong(data["goal"], Played(ran=ran))


PLAYED: Final[Mapping[str, Play]] = {"flags": play_flags, "own": play_own, "order": play_order}


def shown(data: Mapping[str, Any]) -> str:
    """Return what a learner is given: commands, calls, and lines with their numbers."""
    lines = [f"docker {line}" for line in (*data.get("before", ()), *filter(None, [data.get("command")]))]
    lines += [f"docker {line}" for line in data.get("after", ())]
    lines += data.get("calls", ())
    return "\n".join([*lines, *(f"{number:3}  {line}" for number, line in enumerate(data.get("lines", ()), 1))])


def _first_wrong(goal: Mapping[str, Any], played: "Played") -> str:
    for name, wanted in goal.items():
        wrong = _CONDITIONS[name](wanted, played)
        if wrong:
            return wrong
    return ""


def _stdout(wanted: str, played: "Played") -> str:
    found = (played.ran.stdout + played.ran.stderr).strip()
    return "" if played.ran.stdout == wanted else f"It says: {found or 'nothing'}"


def _exit_code(wanted: int, played: "Played") -> str:
    said = played.ran.stderr.strip()
    return "" if played.ran.exit_code == wanted else f"It ends with {played.ran.exit_code}, not {wanted}. {said}"


def _shares(wanted: Mapping[str, Any], played: "Played") -> str:
    if played.ran.exit_code:
        return played.ran.stderr.splitlines()[0]
    mine, theirs = _born(played.traces[-1]), _born(played.traces[wanted["with"]])
    common = [kind for kind in _KINDS if mine.get(kind) == theirs.get(kind)]
    return "" if common == wanted["kinds"] else f"They share {', '.join(common) or 'nothing'}."


def _born(trace: Trace) -> Mapping[str, str]:
    """Return the namespaces of the last task of the daemon's that became a program in a trace."""
    steps = [step for step in trace.steps if step.call == "execve" and step.errno is None and step.task.count(".") >= 1]
    spaces: Mapping[str, str] = trace.at(steps[-1].index)["tasks"][steps[-1].task]["namespaces"]
    return spaces


def _percent(wanted: Mapping[str, Sequence[float]], played: Played) -> str:
    used = cpu_used(played.ran.stdout)
    for name, (least, most) in wanted.items():
        if not least <= (part := 100 * used[name] / (sum(used.values()) or 1)) <= most:
            return f"docker stats says {used[name]} % of {name}: {part:.0f} % of what they all have."
    return ""


def _wrote(wanted: str, played: "Played") -> str:
    found = any(wanted in name for name in limits_written(*played.traces))
    return "" if found else f"Nothing was written into a file of {wanted}."


def _file(wanted: str, played: "Played") -> str:
    values = limits_written(*played.traces)
    if played.answer not in values:
        return f"Nothing was written into {played.answer}."
    return "" if values[played.answer] == wanted else f"{played.answer} got {values[played.answer]}."


_CONDITIONS: Final[Mapping[str, Callable[[Any, Played], str]]] = {
    "stdout": _stdout, "exit_code": _exit_code, "shares": _shares, "percent": _percent, "wrote": _wrote, "file": _file,
}  # fmt: skip
