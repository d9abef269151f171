"""The set-up scripts: quick when done, plain when a machine lacks what they need."""

import subprocess
import sys

import pytest
from rights import ROOT

SCRIPTS = ["check", "lab", "machine", "pyodide", "test"]


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import environment

    return environment


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_can_be_run(name):
    script = ROOT / "scripts" / name
    assert script.stat().st_mode & 0o111
    compile(script.read_text(), str(script), "exec")


def test_an_old_python_looks_for_a_newer_one_and_says_so(environment, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer"):
        environment.ready()


def test_a_set_up_that_is_done_starts_nothing(environment, monkeypatch, tmp_path):
    python, stamp = tmp_path / "python", tmp_path / "stamp"
    python.touch()
    stamp.write_text(environment._stamp())
    monkeypatch.setattr(environment, "PYTHON", python)
    monkeypatch.setattr(environment, "STAMP", stamp)
    monkeypatch.setattr(subprocess, "call", lambda *_: pytest.fail("a command was started"))
    assert environment.ready() == python


def test_a_changed_lock_is_installed(environment, monkeypatch, tmp_path):
    python, stamp = tmp_path / "python", tmp_path / "stamp"
    python.touch()
    stamp.write_text("of an older uv.lock")
    monkeypatch.setattr(environment, "PYTHON", python)
    monkeypatch.setattr(environment, "STAMP", stamp)
    steps = []
    monkeypatch.setattr(environment, "_create", lambda: steps.append("create"))
    monkeypatch.setattr(environment, "_install", lambda: steps.append("install"))
    environment.ready()
    assert steps == ["create", "install"]
    assert stamp.read_text() == environment._stamp()


def test_the_set_up_can_be_read_by_an_old_python(environment):
    import ast

    for name in ("environment.py", *SCRIPTS):
        ast.parse((ROOT / "scripts" / name).read_text(), feature_version=(3, 7))
