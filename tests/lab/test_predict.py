"""Predict: nothing runs before an answer, grades come from what ran, answers come from a file."""

import json

import pytest
from lab.labs import opened

from minidocker.lab import facts, predict
from minidocker.lab.prediction import ANSWERS, number_of
from minidocker.lab.questions import Quiz
from minidocker.lab.run import Unanswered

TRUE, FALSE = "run --rm lab true", "run --rm lab false"


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.delenv(ANSWERS, raising=False)
    with opened("sim") as found:
        yield found


def code(name="code", **more):
    return predict("Which exit code?", choices=["0", "1"], fact=facts.exit_code, name=name, **more)


def test_before_an_answer_nothing_runs(lab):
    asked = code()
    ran = lab.docker("run --name x1 lab true", after=asked)
    assert not ran.done
    assert lab.hosts["sim"].engine.containers == {}
    for name in ("stdout", "stderr", "exit_code", "trace", "hint"):
        with pytest.raises(Unanswered, match="commit an answer"):
            getattr(ran, name)
    assert "Locked" in repr(ran)


def test_an_answer_makes_it_run_and_grades_it(lab):
    asked = code()
    ran = lab.docker(FALSE, after=asked)
    asked.commit("0")
    assert ran.exit_code == 1
    assert "✗ Not as you predicted. You said: 0 · it is: 1" in repr(ran)
    assert "exit(1)" in repr(ran)


def test_the_grade_follows_what_ran_not_a_key(lab):
    grades = []
    for line in (TRUE, FALSE):
        asked = code(name=line)
        ran = lab.docker(line, after=asked)
        asked.commit("0")
        grades.append("✓" in repr(ran).split("steps")[0])
    assert grades == [True, False]


def test_an_answer_is_committed_once(lab):
    asked = code()
    asked.commit("1")
    with pytest.raises(ValueError, match="once"):
        asked.commit("0")
    assert asked.given == "1"
    assert lab.docker(TRUE, after=asked).exit_code == 0


@pytest.mark.parametrize(
    ("kind", "answer"),
    [({"choices": ["a", "b"]}, "c"), ({"several": ["a", "b"]}, ["c"]), ({"several": ["a", "b"]}, "ab"),
     ({"number": "bytes"}, "many"), ({"number": "bytes"}, ""), ({}, " "), ({"choices": ["a"]}, "")],
)  # fmt: skip
def test_what_is_no_answer_is_refused_and_stays_locked(lab, kind, answer):
    asked = predict("?", **kind)
    ran = lab.docker(TRUE, after=asked)
    with pytest.raises(ValueError, match=r"choose|number|say"):
        asked.commit(answer)
    assert not asked.committed
    assert not ran.done


def test_several_and_text_and_numbers():
    several = predict("?", several=["a", "b", "c"])
    several.commit(["c", "a"])
    assert several.right(["a", "c"])
    assert not several.right(["a"])
    none = predict("?", several=["a"], name="none")
    none.commit([])
    assert none.right([])
    text = predict("text?")
    text.commit("  Two  words ")
    assert text.right("two words")
    near = predict("near?", number="bytes", within=0.1)
    near.commit("1 MB")
    assert near.right(1_050_000)
    assert not near.right(1_200_000)


@pytest.mark.parametrize(
    ("said", "number"),
    [("4096", 4096), ("4,096", 4096), ("4 kB", 4000), ("1.5MB", 1_500_000), (7, 7), ("1_000", 1000), ("0.5", 0.5)],
)
def test_numbers_as_people_write_them(said, number):
    assert number_of(said) == number


def test_what_comes_later_waits_and_keeps_its_order(lab):
    one, two = code("one"), code("two")
    first = lab.docker("run --name c1 lab true", after=one)
    second = lab.docker("rm c1")
    third = lab.docker("run --name c1 lab false", after=two)
    two.commit("1")
    assert [run.done for run in (first, second, third)] == [False, False, False]
    one.commit("0")
    assert [run.exit_code for run in (first, second, third)] == [0, 0, 1]


def test_a_cell_that_is_run_again_asks_again_and_runs_once(lab):
    stale = code("again")
    lost = lab.docker("run --name c1 lab true", after=stale)
    asked = code("again")
    ran = lab.docker("run --name c1 lab true", after=asked)
    later = lab.docker("ps -aq")
    asked.commit("0")
    assert ran.exit_code == 0
    assert not lost.done
    assert len(later.stdout.split()) == 1


def test_lines_of_ones_own_wait_and_are_graded(lab):
    union = lab.union([{"/a": "one"}])
    asked = predict("Bytes in the upper directory?", number="bytes", fact=facts.upper_bytes)

    @lab.after(asked)
    def later():
        union.chmod("/a", 0o600)
        return union

    assert union.upper == {}
    assert not later.done
    asked.commit(3)
    assert union.upper == {"/a": {"data": "one", "mode": 0o600}}
    assert later.value is union


def test_answers_come_from_a_file(lab, tmp_path, monkeypatch):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({"lesson": {"code": "1"}, "plain": "0"}))
    monkeypatch.setenv(ANSWERS, str(path))
    assert code().given == "1"
    assert code("plain").given == "0"
    assert not code("other").committed
    assert lab.docker(FALSE, after=code()).exit_code == 1


def test_facts_are_read_in_the_trace(lab):
    ran = lab.docker("run --name c1 lab sh -c 'chmod 600 /etc/motd; rm /etc/passwd; mkdir /etc/passwd; mv /nothing /x'")
    size = len("Welcome to the lab.\n")
    assert facts.upper_bytes(ran).value == size
    assert "copy_up" in facts.upper_bytes(ran).because
    assert facts.upper_names(ran).value == ["/etc", "/etc/motd", "/etc/passwd"]
    assert facts.in_upper("/etc/motd")(ran).value == "file"
    assert facts.in_upper("/etc/passwd")(ran).value == "opaque directory"
    assert facts.in_upper("/etc/group")(ran).value == "nothing"
    assert facts.served_by("/etc/motd")(ran).value == "the writable layer"
    assert facts.served_by("/etc/group")(ran).value == "lab:latest · 1"
    assert facts.served_by("/etc/nothing")(ran).value == "none"
    assert facts.result_of("rename")(ran).value == "ENOENT"
    assert "group" in facts.names_in("/etc")(ran).value
    assert facts.agreement(ran).value == "nobody asked"


def test_what_a_removed_container_left_is_still_known(lab):
    ran = lab.docker("run --rm lab sh -c 'echo x > /new'")
    assert facts.upper_names(ran).value == ["/new"]


def test_the_same_command_told_in_two_places_runs_twice(lab):
    one, two = code("one"), code("two")
    first = lab.docker("run --rm lab true", after=one)
    between = lab.docker("run --rm lab true")
    second = lab.docker("run --rm lab true", after=two)
    one.commit("0")
    two.commit("0")
    assert [run.done for run in (first, between, second)] == [True, True, True]


def test_commands_inside_of_what_waits_run_before_what_waits_behind_it(lab):
    one, two = code("one"), code("two")
    made = []

    @lab.after(one)
    def _():
        made.append(lab.docker("run --name c1 lab true", show=False))
        return made[-1]

    last = lab.docker("rm c1", after=two)
    one.commit("0")
    assert made[0].done
    assert not last.done
    two.commit("0")
    assert last.exit_code == 0


def test_a_level_that_needs_the_lab_waits_for_the_questions_above(lab):
    asked = code("above")
    lab.docker("run --rm lab true", after=asked)
    level = lab.level("08-which-file")
    assert level.check("pids.max").ok is None
    assert Quiz(lab, seed=8, about="limits").waits
    asked.commit("0")
    assert level.check("pids.max").ok is True
