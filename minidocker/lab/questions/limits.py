"""Questions about limits: what a flag writes where, who gets how much, how a program ends that wants more."""

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from minidocker.cgroup_files import files
from minidocker.client import resources
from minidocker.client.flags import parse
from minidocker.lab.display import Shown
from minidocker.lab.facts.containers import cpu_used, limits_written
from minidocker.lab.questions.question import Question, mixed

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab
    from minidocker.lab.run import Run

#: Flags with a value each, whose files are asked for.
_FLAGS: Final = (
    ("--memory", "64m"), ("--memory-reservation", "32m"), ("--pids-limit", "20"), ("--cpu-shares", "512"),
    ("--cpuset-cpus", "0"),
)  # fmt: skip

#: The same, for the files that are to choose from.
_EVERY: Final = resources.of(parse([word for pair in _FLAGS for word in pair], resources.FLAGS))

_SPIN: Final = "sh -c 'while :; do :; done'"


def ask(lab: "Lab", draw: random.Random, kind: int) -> Iterator[Question]:
    """Yield a question of a kind, by its number, about new containers."""
    yield (_file, _memory, _pids, _share, _flag)[kind % 5](lab, draw)


def _file(lab: "Lab", draw: random.Random) -> Question:
    flag, value = draw.choice(_FLAGS)
    return _about_file(lab, draw, flag, value, backwards=False)


def _flag(lab: "Lab", draw: random.Random) -> Question:
    flag, value = draw.choice(_FLAGS)
    return _about_file(lab, draw, flag, value, backwards=True)


def _about_file(lab: "Lab", draw: random.Random, flag: str, value: str, *, backwards: bool) -> Question:
    ran = lab.docker(f"run --rm {flag} {value} lab true", show=False)
    layout = next(iter(lab.hosts.values())).engine.cgroups.layout
    asked = {limit.flag: limit for limit in files(_EVERY, layout)}
    file = next(name for name, text in limits_written(ran.trace).items() if text == asked[flag].value)
    if backwards:
        rest = [name for name, _ in _FLAGS if name != flag]
        text = f"Something was written into {file}. By which flag?"
        return _question("flag", ran, text, flag, draw.sample(rest, 3), draw)
    others = sorted({limit.file for limit in asked.values()} - {file})
    text = f"docker run {flag} {value}: into which file is it written?"
    return _question("file", ran, text, file, draw.sample(others, 3), draw)


def _memory(lab: "Lab", draw: random.Random) -> Question:
    limit, wanted = draw.choice(((16, 48), (200, 24), (24, 48), (256, 32)))
    ran = lab.docker(f"run --rm -m {limit}m lab dd if=/dev/zero of=/dev/null bs={wanted}M count=1", show=False)
    text = f"docker run -m {limit}m … dd with a buffer of {wanted} MB. With which code does it end?"
    return _question(
        "memory", ran, text, str(ran.exit_code), [c for c in ("0", "1", "125", "137") if c != str(ran.exit_code)], draw
    )


def _pids(lab: "Lab", draw: random.Random) -> Question:
    limit, count = draw.choice(((4, 6), (6, 4), (3, 3), (9, 5)))
    words = " ".join(map(str, range(count)))
    ran = lab.docker(
        f"run --rm --pids-limit {limit} lab sh -c 'for i in {words}; do sleep 0.1 & done; wait'", show=False
    )
    answer = "sh cannot fork" if "fork" in ran.stderr else "all of them run"
    text = f"--pids-limit {limit}; a shell starts {count} programs in the background. What happens?"
    return _question(
        "pids",
        ran,
        text,
        answer,
        sorted({"sh cannot fork", "all of them run", "the oldest is killed"} - {answer}),
        draw,
    )


def _share(lab: "Lab", draw: random.Random) -> Question:
    """Ask who gets how much of one processor."""
    one, other = draw.choice(((1024, 1024), (512, 1536), (1024, 3072), (2048, 512)))
    try:
        for name, shares in (("q1", one), ("q2", other)):
            lab.docker(f"run -d --name {name} --cpuset-cpus 0 --cpu-shares {shares} lab {_SPIN}", show=False)
        ran = lab.docker("stats --no-stream q1 q2", show=False)
    finally:
        lab.docker("rm -f q1 q2", show=False)
    percent = cpu_used(ran.stdout)["q1"]
    choices = sorted({20, 25, 50, 75, 80}, key=lambda value: abs(value - percent))
    answer = f"about {choices[0]} %"
    text = f"Two containers spin on one processor, with {one} and {other} shares. What does the first get?"
    return _question("share", ran, text, answer, [f"about {value} %" for value in choices[1:4]], draw)


def _question(kind: str, ran: "Run", text: str, answer: str, others: Sequence[str], draw: random.Random) -> Question:
    why = ran.stdout.strip() or ran.stderr.strip() or f"docker {ran.line}: exit code {ran.exit_code}."
    return Question(
        kind=kind, given="", text=text, choices=mixed(draw, answer, others), answer=answer, why=why,
        shown=Shown(ran.trace, ran.verdict),
    )  # fmt: skip
