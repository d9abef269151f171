"""Each notebook runs from top to bottom in Jupyter, on both kernels, with a learner's answers."""

import jupytext
import lessons
import nbclient
import nbformat
import pytest

REAL = [pytest.param(name, marks=pytest.mark.needs("root")) for name in ("real", "both")]
each = pytest.mark.parametrize("path", lessons.NOTEBOOKS, ids=[path.stem for path in lessons.NOTEBOOKS])


def execute(path, kernel, monkeypatch):
    for name, value in lessons.environ(kernel).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    return notebook


# Jupyter's own packages warn on some platforms (tornado's event loop, a socket left to the garbage collector).
@pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")
@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.notebooks
@pytest.mark.parametrize("kernel", ["sim", *REAL])
@each
def test_a_notebook_runs(path, kernel, monkeypatch):
    notebook = execute(path, kernel, monkeypatch)
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert ran
    assert all(cell.execution_count for cell in ran)


@each
def test_a_notebook_is_its_percent_script(path):
    script = path.with_suffix(".py")
    assert script.exists(), f"jupytext --set-formats ipynb,py:percent {path.name}"
    paired = jupytext.read(script)
    expected = [(cell.cell_type, cell.source) for cell in paired.cells]
    assert [(cell["cell_type"], lessons.source(cell)) for cell in lessons.cells(path)] == expected


@pytest.mark.parametrize("script", sorted(lessons.FOLDER.glob("[0-9]*.py")), ids=lambda script: script.stem)
def test_a_percent_script_has_its_notebook(script):
    assert script.with_suffix(".ipynb") in lessons.NOTEBOOKS


@each
def test_a_notebook_is_kept_without_outputs(path):
    for cell in lessons.cells(path):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@each
def test_a_cell_has_at_most_ten_lines_of_logic(path):
    for text in lessons.code(path):
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if not text.startswith("%%"):
            assert len(lines) <= 10, text
