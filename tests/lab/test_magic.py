"""Magic: %docker and %%docker, their lines taken as they are."""

import pytest

pytest.importorskip("IPython", reason="needs the lab's packages: magics are IPython's")


@pytest.fixture
def shell(monkeypatch):
    import lessons

    monkeypatch.setenv("MINIDOCKER_KERNEL", "sim")
    shell = lessons.new_shell()
    shell.run_line_magic("load_ext", "minidocker.lab")
    yield shell
    if "lab" in shell.user_ns:
        shell.user_ns["lab"].close()
    type(shell).clear_instance()


def test_a_line_runs_a_command(shell):
    assert shell.run_line_magic("docker", "run --rm lab echo hi").stdout == "hi\n"


def test_it_uses_the_notebooks_lab(shell):
    shell.run_cell("from minidocker.lab import Lab\nlab = Lab('sim', seed=5)\nmine = lab")
    shell.run_cell("%docker run --name ab lab true")
    assert list(shell.user_ns["mine"].hosts["sim"].engine.containers) == ["ab"]


def test_dollars_and_braces_are_left_alone(shell):
    shell.user_ns["x"] = "python"
    shell.run_cell("ran = %docker run --rm -e x=shell lab sh -c 'echo $x {x} ${x}'")
    assert shell.user_ns["ran"].stdout == "shell {x} shell\n"


def test_a_cell_has_a_command_a_line(shell):
    shell.run_cell("%%docker\nrun --name ab lab true\n\n# a comment\nrun --name cd lab \\\n  sh -c 'exit 3'\n")
    containers = shell.user_ns["lab"].hosts["sim"].engine.containers
    assert {name: container.exit_code for name, container in containers.items()} == {"ab": 0, "cd": 3}


def test_a_failed_command_does_not_end_the_cell(shell):
    assert shell.run_line_magic("docker", "run lab nothing").exit_code == 127
