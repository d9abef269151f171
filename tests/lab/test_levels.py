"""Levels: each solution reaches its goal, other right ways too, near misses don't; on each kernel."""

import contextlib

import pytest
from lab.labs import agreed, opened

from minidocker.lab import levels

NAMES = levels.names()


def play(level, way):
    """Do what a way says, whatever the kernel says to it, and give the verdict of the level."""
    if level.kind == "calls":
        union = level.start()
        for name, *args in way:
            with contextlib.suppress(OSError):
                getattr(union, name)(*args)
        agreed(level.lab, union)
    if level.kind == "step":
        ran = level.command()
        agreed(level.lab, ran)
        return level.check(next(step.index + 1 for step in ran.trace.steps if step.text == way))
    return level.check(way)


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_reaches_the_goal_in_the_fewest(name, lab):
    found = play(lab.level(name), lab.level(name).solution())
    assert found.ok, found
    assert "would do" not in repr(found)


@pytest.mark.parametrize("name", NAMES)
def test_other_right_ways_pass(name, lab):
    for way in lab.level(name).data["also"]:
        assert play(lab.level(name), way).ok, way


@pytest.mark.parametrize("name", NAMES)
def test_near_misses_fail_and_say_what_is_wrong(name, lab):
    near = lab.level(name).data["near"]
    assert near
    for way in near:
        found = play(lab.level(name), way)
        assert found.ok is False, way
        assert repr(found).splitlines()[1].strip()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_done_is_not_there(name):
    with opened("sim") as lab:
        level = lab.level(name)
        assert not level.check()
        if level.kind == "calls":
            level.start()
            assert not level.check()


@pytest.mark.parametrize("name", NAMES)
def test_a_level_shows_neither_hint_nor_solution(name):
    with opened("sim") as lab:
        level = lab.level(name)
        shown = repr(level) + level._repr_html_()
        assert level.data["hint"] not in shown
        assert repr(level.solution()) not in shown
        assert level.data["title"] in shown
        assert level.data["hint"] == level.hint().text


def test_a_longer_way_is_told_that_fewer_would_do():
    with opened("sim") as lab:
        level = lab.level("05-a-given-upper")
        assert "2 would do" in repr(play(level, level.data["also"][1]))


def test_looking_is_free():
    with opened("sim") as lab:
        level = lab.level("05-a-given-upper")
        union = level.start()
        union.listdir("/")
        union.read_text("/a")
        union.stat("/a")
        union.unlink("/a")
        union.chmod("/d/x", 0o600)
        assert "2 calls" in repr(level.check())


def test_starting_again_begins_anew():
    with opened("sim") as lab:
        level = lab.level("05-a-given-upper")
        level.start().unlink("/b")
        assert play(level, level.solution()).ok


def test_an_unknown_level_says_which_there_are():
    with opened("sim") as lab, pytest.raises(KeyError, match="05-opaque"):
        lab.level("nothing")
