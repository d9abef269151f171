"""Each notebook runs from top to bottom in Jupyter, on both kernels, with a learner's answers."""

import itertools
import json
import re

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
    try:
        return executed(path)
    except RuntimeError as error:
        # On a loaded machine Jupyter's own kernel can abort inside libzmq while it starts, before any cell has run.
        if "Kernel didn't respond" not in str(error):
            raise
        return executed(path)


def executed(path):
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = nbclient.NotebookClient(
        notebook, timeout=180, startup_timeout=60, kernel_name="python3", resources=resources
    )
    client.execute()
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
        own = re.sub(r"^async def .*\n(?:(?: .*)?\n)*", "", text + "\n", flags=re.MULTILINE)  # what lab.calls is about
        lines = [line for line in own.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if not text.startswith("%%"):
            assert len(lines) <= 10, text


def gated(cell) -> bool:
    """Whether a cell's output waits for an answer: it names a prediction, or comes behind one in the lab's queue."""
    return "after=" in cell.source or "@lab.after(" in cell.source


@pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")
@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.notebooks
@each
def test_nothing_is_revealed_before_an_answer(path, monkeypatch):
    answered = execute(path, "sim", monkeypatch)
    monkeypatch.setattr(lessons, "environ", lambda kernel: {"MINIDOCKER_KERNEL": kernel, "MINIDOCKER_ANSWERS": ""})
    locked = execute(path, "sim", monkeypatch)
    pairs = [(one, other) for one, other in zip(locked.cells, answered.cells, strict=True) if gated(one)]
    assert pairs
    for before, after in pairs:
        shown = outcome(before)
        assert "Locked" in shown or "waits for the answer" in shown
        assert "predicted" in outcome(after), "with an answer it is revealed"
        assert "predicted" not in shown
        assert "steps" not in shown.replace("The steps appear", "")
    states = locked.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    kept = [state["state"] for state in states if "locked" in state["state"]]
    assert sum(state["locked"] for state in kept) >= len(pairs)
    assert all(state["trace"] == {} for state in kept if state["locked"]), (
        "a locked stepper has no trace in the browser"
    )


def outcome(cell) -> str:
    """All that a cell's output says, in text and HTML."""
    data = [output.get("data", {}) for output in cell.outputs]
    return "".join(text for bundle in data for kind, text in bundle.items() if kind.startswith("text/"))


@pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")
@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.notebooks
@pytest.mark.parametrize("kernel", [pytest.param("both", marks=pytest.mark.needs("root"))])
@each
def test_the_model_is_the_kernel_wherever_a_lesson_says_so(path, kernel, monkeypatch):
    notebook = execute(path, kernel, monkeypatch)
    shown = "".join(outcome(cell) for cell in notebook.cells if cell.cell_type == "code")
    assert "model = kernel ✓" in shown
    assert "model ≠ kernel" not in shown


@pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")
@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.notebooks
@each
def test_without_widgets_there_are_pictures(path, monkeypatch, tmp_path):
    (tmp_path / "startup.py").write_text("import sys\nsys.modules['anywidget'] = sys.modules['ipywidgets'] = None\n")
    config = tmp_path / "ipython_kernel_config.py"
    config.write_text(f"c.InteractiveShellApp.exec_files = [{str(tmp_path / 'startup.py')!r}]\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    (tmp_path / "profile_default").mkdir()
    config.rename(tmp_path / "profile_default" / config.name)
    notebook = execute(path, "sim", monkeypatch)
    bundles = [output.get("data", {}) for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not any("widget-view" in kind for bundle in bundles for kind in bundle)
    assert sum("data:image/svg+xml;base64," in bundle.get("text/html", "") for bundle in bundles) >= 5


@each
def test_what_explains_an_answer_is_folded_away(path):
    """Under a gated cell the prose that tells the outcome is closed until the reader opens it."""
    for cell, below in itertools.pairwise(lessons.cells(path)):
        if cell["cell_type"] == "code" and "after" in lessons.source(cell) and below["cell_type"] == "markdown":
            text = lessons.source(below)
            assert text.startswith(("<details>", "## ", "| ")), text[:80]


@each
def test_each_question_has_a_name_and_an_answer_for_ci(path):
    given = json.loads(lessons.ANSWERS.read_text("utf-8"))[path.stem]
    asked = [name for text in lessons.code(path) for name in re.findall(r'name="([^"]+)"', text)]
    assert sorted(asked) == sorted(given)


@each
def test_a_lesson_has_the_shape_of_a_lesson(path):
    prose = "\n".join(lessons.source(cell) for cell in lessons.cells(path) if cell["cell_type"] == "markdown")
    for part in ("**", "## Vary one thing", "## Level", "## Where this is in Linux", "five questions"):
        assert part.lower() in prose.lower(), part
    assert "?" in prose[:400], "it opens with a question"
