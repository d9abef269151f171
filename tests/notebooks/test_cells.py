"""Each notebook's cells run on the simulated kernel in this very Python, with no Linux below it in Pyodide."""

import lessons
import pytest

pytest.importorskip("IPython", reason="needs the lab's packages: notebooks run in IPython")


@pytest.fixture
def shell(monkeypatch):
    for name, value in lessons.environ("sim").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(lessons.FOLDER)
    shell = lessons.new_shell()
    yield shell
    type(shell).clear_instance()


@pytest.mark.slow
@pytest.mark.parametrize("path", lessons.NOTEBOOKS, ids=[path.stem for path in lessons.NOTEBOOKS])
def test_a_notebooks_cells_run(path, shell, capsys):
    for text in lessons.code(path):
        result = shell.run_cell(text)
        if not result.success:
            pytest.fail(f"{text}\n\n{capsys.readouterr().out[-3000:]}")
    assert "model ≠ kernel" not in capsys.readouterr().out, "the recordings are those of another model: scripts/record"
