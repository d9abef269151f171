"""The notebooks of the lab as data: their files and code cells, read with the standard library alone."""

import json
import os
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ANSWERS = pathlib.Path(__file__).with_name("answers.json")
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
