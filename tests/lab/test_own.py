"""A learner's own calls: as written on both kernels, and with each line left out they fail as Linux does."""

import re

import pytest
from lab.labs import opened, real
from rights import ROOT

from minidocker.compare import compare
from minidocker.lab.own import Own
from minidocker.lab.own_text import OwnText

LESSON = ROOT / "notebooks" / "09-a-container-from-nothing.py"

#: Whose turn it is, what the host itself has in /bin, or how soon Linux notices that a cable is dead (up to a second),
#: decides what happens without these.
OPEN = ("await k.read(3, 1)", 'await k.pivot_root(".", ".")', 'await k.setlink("own0", up=True)')


def lesson() -> OwnText:
    """The functions of lesson 09, as they stand in its cell."""
    cell = re.search(r"# %%\n(async def outside.*?)\nmine = ", LESSON.read_text("utf-8"), re.DOTALL)
    return OwnText(cell[1].strip())


TEXT = lesson()
LINES = [line for line in TEXT.lines if line.function != "write" and line.text not in OPEN]
QUICK = [line for line in LINES if "write(gate" not in line.text]


async def hello(k):
    """Say so."""
    await k.write(1, b"hello\n")
    return 3


async def fails(k):
    await k.mkdir("/var/lib/new")
    await k.mkdir("/var/lib/new")


async def mistaken(k):
    await k.write(1, unknown)  # noqa: F821  a learner's mistake


def test_they_run_as_written(lab):
    ran = lab.calls(hello).run()
    assert (ran.stdout, ran.exit_code) == ("hello\n", 3)
    assert ran.verdict.ok is not False, ran.verdict.difference


def test_a_call_that_fails_is_told_with_its_line(lab):
    ran = lab.calls(fails).run()
    assert ran.stderr == 'line 2: await k.mkdir("/var/lib/new")\n  EEXIST (File exists)\n'
    assert ran.exit_code == 1


def test_so_is_a_mistake(lab):
    ran = lab.calls(mistaken).run()
    assert ran.stderr == "line 1: await k.write(1, unknown)\n  NameError: name 'unknown' is not defined\n"


def test_each_run_has_a_new_machine(lab):
    own = lab.calls(fails)
    assert compare(own.run().trace, own.run().trace) is None


def test_only_async_functions_with_a_text_are_taken(lab):
    with pytest.raises(ValueError, match="not an async function"):
        lab.calls(len)


def test_lines_are_numbered_and_left_out():
    text = OwnText('async def f(k):\n    """Doc."""\n    await k.a()\n    await k.b(\n        1,\n    )\n    return 1')
    assert [(line.number, line.text.splitlines()[0]) for line in text.lines] == [
        (1, "await k.a()"), (2, "await k.b("), (3, "return 1"),
    ]  # fmt: skip
    assert "k.b" not in text.without("k.b").source
    with pytest.raises(LookupError):
        text.without("k.")


def test_the_lessons_container_has_all_to_itself(lab):
    ran = Own(lab, TEXT).run(show=False)
    assert "not its own" not in ran.stdout
    assert [line for line in ran.stdout.splitlines() if ":" not in line] == [
        "outside can be reached", "it may not mount", "tasks are limited", "outside is called host",
    ]  # fmt: skip
    assert ran.verdict.ok is not False, ran.verdict.difference


@pytest.mark.slow
@real
@pytest.mark.parametrize("line", QUICK, ids=lambda line: f"{line.number}: {line.text[:40]}")
def test_each_line_left_out_fails_as_on_linux(line):
    with opened("both") as lab:
        ran = Own(lab, TEXT.without(line.number)).run(show=False)
    assert ran.verdict.ok, ran.verdict.difference


@pytest.mark.slow
@real
@pytest.mark.parametrize("kind", ["NS", "PID", "UTS", "IPC", "NET"])
def test_each_namespace_left_out_is_missed_as_on_linux(kind):
    with opened("both") as lab:
        ran = Own(lab, OwnText(TEXT.source.replace(f"CLONE_NEW{kind}", "0"))).run(show=False)
    assert ran.verdict.ok, ran.verdict.difference


def test_who_waits_for_ever_is_ended(monkeypatch):
    monkeypatch.setattr("minidocker.lab.own.PATIENCE_S", 0.3)
    with opened("sim") as lab:
        ran = Own(lab, TEXT.without("write(gate")).run(show=False)
    assert ran.exit_code == 137
    assert "who waits there" in ran.hint
