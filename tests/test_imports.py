"""What `import minidocker` loads, and what its rooms may import: the engine and the simulator know the port alone."""

import ast
import pathlib
import subprocess
import sys

import pytest
from rights import ROOT

PACKAGE = ROOT / "minidocker"
HEAVY = {"IPython", "anywidget", "asyncio", "ctypes", "ipywidgets", "jupyterlab", "matplotlib", "pyfakefs", "pyroute2"}
HOST = {"ctypes", "os", "posix", "pyroute2", "shutil", "socket", "subprocess", "tempfile", "threading"}
ROOMS = {"": HOST | HEAVY, "programs": HOST | HEAVY, "sim": HOST | HEAVY - {"pyfakefs"}}
"""The rooms that stand above the port or are a kernel in Python, and what each may not import."""


def modules(room: str) -> list[pathlib.Path]:
    folder = PACKAGE / room
    return sorted(folder.glob("*.py") if not room else folder.rglob("*.py"))


def imported(path: pathlib.Path) -> set[str]:
    """Each module that a file imports anywhere, by its first name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


CASES = [(path, banned) for room, banned in ROOMS.items() for path in modules(room)]


@pytest.mark.parametrize(("path", "banned"), CASES, ids=[str(path.relative_to(PACKAGE)) for path, _ in CASES])
def test_a_module_asks_the_port_and_not_the_host(path, banned):
    assert imported(path) & banned == set()


def test_the_check_sees_an_import_inside_a_function(tmp_path):
    source = tmp_path / "module.py"
    source.write_text("def f():\n    import os.path\n    from socket import AF_INET\n")
    assert imported(source) == {"os", "socket"}


def loaded(statement: str) -> set[str]:
    """The modules that a fresh Python has after a statement and had not before it."""
    program = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_minidocker_loads_nothing_heavy():
    assert "minidocker" in loaded("import minidocker")
    assert loaded("import minidocker") & HEAVY == set()
