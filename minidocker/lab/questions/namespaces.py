"""Questions about namespaces: a child with some of its own does a few things; who sees what of them?"""

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from minidocker.lab.display import Shown
from minidocker.lab.own import Own
from minidocker.lab.own_text import OwnText
from minidocker.lab.questions.question import Question, at_step, mixed
from minidocker.trace import Step

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab

#: What a child does: each is seen, or not, by who is outside.
_CASE: Final = """
async def outside(k):
    await k.mkdir("/var/lib/m")
    child = await k.clone(inside, flags={flags})
    await k.wait4(child)
    await k.gethostname()
    await k.listdir("/var/lib/m")

async def inside(k):
    await k.getpid()
    await k.sethostname("inside")
    await k.mount("none", "/var/lib/m", "tmpfs")
    await k.mkdir("/var/lib/m/new")
    await k.getlink()
"""

_FLAGS: Final = ("CLONE_NEWNS", "CLONE_NEWPID", "CLONE_NEWUTS", "CLONE_NEWIPC", "CLONE_NEWNET")

_KINDS: Final = ("mnt", "pid", "uts", "ipc", "net")


def ask(lab: "Lab", draw: random.Random, kind: int) -> Iterator[Question]:
    """Yield a question of a kind, by its number, about a new child."""
    flags = sorted(draw.sample(_FLAGS, draw.randint(1, 4)), key=_FLAGS.index)
    ran = Own(lab, OwnText(_CASE.replace("{flags}", " | ".join(flags)).strip())).run(show=False)
    maker = (_pid, _hostname, _flags, _shared, _mounted)[kind % 5]
    yield maker(draw, flags, Shown(ran.trace, ran.verdict))


def _pid(_: random.Random, flags: Sequence[str], shown: Shown) -> Question:
    step = _step(shown, "getpid")
    pids = shown.trace.at(step.index)["tasks"][step.task]["pids"]
    return _question(
        "pid", flags, "The child calls getpid(). What is the result?", ("0", "1", "the same number that outside sees"),
        "1" if pids[-1] == 1 and len(pids) > 1 else "the same number that outside sees", shown, step,
    )  # fmt: skip


def _hostname(_: random.Random, flags: Sequence[str], shown: Shown) -> Question:
    step = _step(shown, "gethostname")
    text = (
        'The child calls sethostname("inside"). Outside, the name was "host". What does gethostname() say there then?'
    )
    answer = step.result.strip('"')
    return _question("hostname", flags, text, ("host", "inside", "an empty name"), answer, shown, step)


def _mounted(_: random.Random, flags: Sequence[str], shown: Shown) -> Question:
    step = _step(shown, "listdir")
    text = (
        "The child mounts a tmpfs at /var/lib/m and makes a directory new in it. What does outside see in /var/lib/m?"
    )
    answer = "new" if "new" in step.result else "nothing"
    return _question("mounted", flags, text, ("nothing", "new", "EACCES: it may not look"), answer, shown, step)


def _shared(draw: random.Random, flags: Sequence[str], shown: Shown) -> Question:
    step = _step(shown, "getpid")
    tasks = shown.trace.at(step.index)["tasks"]
    mine, theirs = (tasks[task]["namespaces"] for task in (step.task, tasks[step.task]["parent"]))
    answer = ", ".join(kind for kind in _KINDS if mine[kind] == theirs[kind])
    others = {", ".join(sorted(draw.sample(_KINDS, draw.randint(1, 4)), key=_KINDS.index)) for _ in range(12)} - {
        answer
    }
    choices = mixed(draw, answer, draw.sample(sorted(others), 3))
    return _question("shared", flags, "Which namespaces do child and parent share?", choices, answer, shown, step)


def _flags(draw: random.Random, flags: Sequence[str], shown: Shown) -> Question:
    """Ask backwards: from what is the child's own to the flags."""
    step = _step(shown, "getpid")
    tasks = shown.trace.at(step.index)["tasks"]
    mine, theirs = (tasks[task]["namespaces"] for task in (step.task, tasks[step.task]["parent"]))
    own = ", ".join(kind for kind in _KINDS if mine[kind] != theirs[kind])
    answer = " | ".join(flags)
    others = {" | ".join(sorted(draw.sample(_FLAGS, len(flags)), key=_FLAGS.index)) for _ in range(20)} - {answer}
    return Question(
        kind="flags", given="A child was cloned.", text=f"These namespaces are its own: {own}. With which flags?",
        choices=mixed(draw, answer, draw.sample(sorted(others), min(3, len(others)))), answer=answer,
        why=f"{_step(shown, 'clone').text}.", shown=at_step(shown, step.index),
    )  # fmt: skip


def _question(
    kind: str, flags: Sequence[str], text: str, choices: Sequence[str], answer: str, shown: Shown, step: Step
) -> Question:
    given = f"clone(inside, flags={' | '.join(flags)})"
    why = f"{step.text} = {step.result}. {step.why}"
    return Question(
        kind=kind, given=given, text=text, choices=tuple(choices), answer=answer, why=why,
        shown=at_step(shown, step.index),
    )  # fmt: skip


def _step(shown: Shown, call: str) -> Step:
    return next(step for step in shown.trace.steps if step.call == call and step.task.startswith("0.1"))
