"""The notebooks of the lab as data: their files and code cells, read with the standard library alone."""

import json
import os
import pathlib
from unittest import mock

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ANSWERS = FOLDER / "answers.json"
"""What a learner would answer, by notebook and question: predict(…) takes it from $MINIDOCKER_ANSWERS."""


def cells(path: pathlib.Path) -> list[dict]:
    """The cells of a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell: dict) -> str:
    """A cell's text; the file may hold it as lines."""
    return "".join(cell["source"])


def code(path: pathlib.Path) -> list[str]:
    """The text of each code cell."""
    return [source(cell) for cell in cells(path) if cell["cell_type"] == "code"]


def environ(kernel: str) -> dict[str, str]:
    """The environment that makes a notebook run on a kernel, with a learner's answers given."""
    return {"MINIDOCKER_KERNEL": kernel, "MINIDOCKER_ANSWERS": os.fspath(ANSWERS)}


def new_shell():
    """An IPython without a front end, a history or threads."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False  # no database, no thread
    InteractiveShell.clear_instance()
    return InteractiveShell.instance(config=config)


def run(path: pathlib.Path, shell) -> None:
    """Run a notebook's code cells in a shell; the first one that fails ends it."""
    for text in code(path):
        result = shell.run_cell(text)
        if not result.success:
            raise AssertionError(f"{path.stem}: this cell fails:\n{text}") from (
                result.error_in_exec or result.error_before_exec
            )


def record(path: pathlib.Path) -> dict:
    """Run a notebook on this machine's kernel; the trace of all that it did, by recording key."""
    from minidocker.lab import recordings

    recordings.tape = tape = {}
    try:
        with mock.patch.dict(os.environ, environ("real")):
            shell = new_shell()
            run(path, shell)
            shell.user_ns["lab"].close()
    finally:
        recordings.tape = None
    return tape


def different(recorded: dict, now: dict) -> str:
    """Say how recorded traces differ from those of now; an empty text if they do not."""
    from minidocker.compare import compare

    if recorded.keys() != now.keys():
        return f"{len(recorded.keys() ^ now.keys())} traces are in one of them only: the notebook has changed"
    found = (compare(trace, now[key]) for key, trace in recorded.items())
    return next((str(difference) for difference in found if difference is not None), "")
