"""Recordings: found by what was said before, never by chance; and still what a real kernel does."""

import json
from importlib.resources import files

import pytest
import rights
from lab.labs import opened, real

from minidocker.lab import Lab, measure, recordings
from minidocker.trace import Trace

pytest.importorskip("IPython", reason="needs the lab's packages: notebooks run in IPython")


@pytest.fixture
def tape(monkeypatch):
    monkeypatch.setattr(recordings, "tape", {})
    return recordings.tape


def document(name):
    return json.loads((files(recordings.__name__) / f"{name}.json").read_text("utf-8"))


def test_a_key_depends_on_all_that_was_said():
    keys = {
        recordings.History(*start).add(*said) for start in (("a",), ("b",)) for said in (("x",), ("y",), ("x", "y"))
    }
    assert len(keys) == 6
    assert recordings.History("a").add("x") == recordings.History("a").add("x")


@real
def test_what_is_recorded_is_found_again(tape, monkeypatch):
    with opened("real") as lab:
        union = lab.union([{"/a": "never recorded elsewhere"}])
        union.unlink("/a")
        lab.docker("run --rm lab echo never recorded elsewhere")
    stored = json.loads(json.dumps(recordings.to_json(tape)))
    monkeypatch.setattr(recordings, "tape", None)
    monkeypatch.setattr(recordings, "_all", lambda: [stored])
    with opened("sim") as lab:
        union = lab.union([{"/a": "never recorded elsewhere"}])
        union.unlink("/a")
        assert union.verdict.ok
        assert "recorded on Linux" in union.verdict.badge
        assert lab.docker("run --rm lab echo never recorded elsewhere").verdict.ok
        assert lab.docker("run --rm lab echo never recorded elsewhere").verdict.ok is None, (
            "the second time is another history"
        )


@real
def test_a_wrong_model_would_be_noticed(tape, monkeypatch):
    with opened("real") as lab:
        lab.docker("run --rm lab sh -c 'rm /etc/motd'")
    [(key, trace)] = tape.items()
    steps = [step for step in trace.steps if step.call != "whiteout"]
    wrong = recordings.to_json({key: Trace.from_json({**trace.to_json(), "steps": [step.to_json() for step in steps]})})
    monkeypatch.setattr(recordings, "tape", None)
    monkeypatch.setattr(recordings, "_all", lambda: [wrong])
    with Lab("sim") as lab:
        assert lab.docker("run --rm lab sh -c 'rm /etc/motd'").verdict.ok is False


@pytest.mark.slow
@real
@pytest.mark.parametrize("name", ["00-start", "04-union-file-system", "05-copy-on-write"])
def test_the_recordings_are_still_what_the_kernel_does(name, monkeypatch, capsys):
    import lessons

    monkeypatch.chdir(lessons.FOLDER)
    now = lessons.record(lessons.FOLDER / f"{name}.ipynb")
    assert lessons.different(recordings.from_json(document(name)), now) == "", "run scripts/record"


def test_recordings_tell_nothing_of_the_machine():
    for file in files(recordings.__name__).iterdir():
        if file.name.endswith(".json"):
            text = file.read_text("utf-8")
            assert str(rights.ROOT) not in text
            assert "python" not in text.lower()
            for kernel in json.loads(text).get("kernels", ()):
                assert set(kernel["release"]) <= set("0123456789.")


def test_what_was_measured_ships_and_says_so():
    with opened("sim") as lab:
        for table in (measure.first_write(lab), measure.page_cache(lab)):
            assert table.rows
            assert "recorded on Linux" in table.source


@pytest.mark.slow
@real
def test_the_first_open_copies_and_the_second_does_not():
    with opened("real") as lab:
        table = measure.first_write(lab, sizes_mb=(8,))
        first, second = (int(cell.split()[0].replace(",", "")) for cell in table.rows[0][1:])
        assert first > 4 * second
        assert "measured now" in table.source
        rows = measure.page_cache(lab, containers=4, size_mb=8).rows
        assert int(rows[1][1].split()[0]) > int(rows[0][1].split()[0])
