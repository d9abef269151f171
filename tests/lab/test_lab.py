"""Lab: docker on either kernel or both, its output and trace, what it says where a kernel is missing, its end."""

import os
import pathlib
import subprocess
import sys

import pytest
import rights
from lab.labs import agreed, real

from minidocker.lab import Lab
from minidocker.lab import lab as lab_module
from minidocker.lab.display import Slot
from minidocker.lab.image import base_layers, layer_tar

APPEND = "run --name web lab sh -c 'echo more >> /etc/motd; cat /etc/motd; cat /nothing'"


def test_a_command_gives_output_exit_code_and_trace(lab):
    ran = lab.docker(APPEND)
    assert ran.stdout == "Welcome to the lab.\nmore\n"
    assert "/nothing" in ran.stderr
    assert ran.exit_code == 1
    assert {"copy_up", "write", "execve", "mount", "clone"} <= {step.call for step in ran.trace.steps}
    assert ran.trace.kernel["kind"] == ("real" if lab.kernel == "real" else "sim")
    agreed(lab, ran)


def test_the_word_docker_may_stand_in_front(lab):
    assert lab.docker("docker run --rm lab echo hi").stdout == "hi\n"


def test_commands_follow_each_other_on_one_host(lab):
    lab.docker(APPEND)
    assert lab.docker("diff web").stdout == "C /etc\nC /etc/motd\n"
    assert lab.docker("rm web").stdout == "web\n"
    failed = lab.docker("diff web")
    assert failed.exit_code == 1
    assert "No such container: web" in failed.stderr
    agreed(lab, failed)


def test_an_image_of_layers_has_their_whiteouts_and_opaque_directories(lab):
    lower = {
        "/d/old": "1",
        "/gone": "2",
        "/s": {"symlink": "/d"},
        "/x": {"data": "3", "mode": 0o700, "uid": 5},
        "/y": {"link": "/x"},
    }
    lab.image("made:1", [lower, {"/d/": {"opaque": True}, "/d/new": "4", "/gone": None}])
    ran = lab.docker("run --rm made:1 sh -c 'ls /d /gone; stat -c \"%a %u %h\" /x; cat /y'")
    assert ran.stdout.split() == ["/d:", "new", "700", "5", "2", "3"]
    assert "/gone" in ran.stderr
    agreed(lab, ran)


def test_an_archive_is_loaded_from_a_path_or_bytes(lab, tmp_path):
    from minidocker.base_image import image_archive

    data = image_archive("small:1", *base_layers(), layer_tar({"/hello": "hi\n"}))
    assert lab.load(data, show=False) == ["Loaded image: small:1"]
    (tmp_path / "small.tar").write_bytes(data)
    assert lab.load(tmp_path / "small.tar", show=False) == ["Loaded image: small:1"]
    assert lab.docker("run --rm small:1 cat /hello").stdout == "hi\n"


@pytest.mark.needs("docker-archive")
@pytest.mark.slow
def test_an_image_that_real_docker_saved_is_loaded(lab):
    lab.load(rights.ARCHIVE, show=False)
    ran = lab.docker("run --rm cow-tour:1 cat /keep")
    assert ran.exit_code == 0, ran.stderr
    agreed(lab, ran)


def test_an_images_fingerprint_is_that_of_what_lies_on_the_disk(lab):
    before = lab.fingerprint("lab")
    lab.docker(APPEND)
    assert lab.fingerprint("lab") == before
    kernel = next(iter(lab.hosts.values())).kernel
    kernel.chmod(next(iter(lab.hosts.values())).engine.images.lowers(
        next(iter(lab.hosts.values())).engine.images.find("lab"))[0] + "/etc/motd", 0o600)  # fmt: skip
    assert lab.fingerprint("lab") != before


def test_the_same_seed_gives_the_same_names():
    with Lab("sim", seed=3) as one, Lab("sim", seed=3) as two, Lab("sim", seed=4) as three:
        names = [found.docker("create lab true").stdout for found in (one, two, three)]
    assert names[0] == names[1] != names[2]


def test_an_unknown_kernel_is_refused():
    with pytest.raises(ValueError, match="no kernel 'vm'"):
        Lab("vm")


def test_the_environment_chooses_the_kernel(monkeypatch):
    monkeypatch.setenv("MINIDOCKER_KERNEL", "sim")
    with Lab() as lab:
        assert lab.kernel == "sim"


@pytest.mark.parametrize("wanted", ["real!", "both!"])
def test_without_a_real_kernel_it_says_so_and_simulates(wanted, monkeypatch):
    monkeypatch.setattr(lab_module, "missing_kernel", lambda: "this is plan9, not Linux")
    with Lab(wanted.removesuffix("!")) as lab:
        assert list(lab.hosts) == ["sim"]
        assert "this is plan9, not Linux" in repr(lab)
        assert lab.docker("run --rm lab echo hi").stdout == "hi\n"


@real
def test_after_its_end_nothing_is_left():
    with Lab("real") as lab:
        pid = lab.hosts["real"].kernel.pid
        lab.docker("run -d --name long lab sleep 1000")
        assert pathlib.Path(f"/proc/{pid}").exists()
    assert not pathlib.Path(f"/proc/{pid}").exists()
    lab.close()  # a second time does nothing


@pytest.mark.slow
@real
def test_a_program_that_forgets_to_close_leaves_nothing():
    lines = ["from minidocker.lab import Lab", "lab = Lab('real')", "print(lab.hosts['real'].kernel.pid)"]
    code = "\n".join([*lines, "lab.docker('run -d lab sleep 99')"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=rights.ROOT)
    assert done.stderr == ""
    assert not pathlib.Path(f"/proc/{done.stdout.strip()}").exists()


def test_a_difference_is_told():
    from minidocker.lab.verdict import judge

    with Lab("sim") as left, Lab("sim") as right:
        one, two = (lab.docker(f"run --rm lab echo {word}").trace for lab, word in ((left, "a"), (right, "b")))
        assert left.docker("ps").verdict.ok is None
    verdict = judge("no such key", {"sim": one, "real": two})
    assert verdict.ok is False
    assert "model ≠ kernel ✗" in verdict.badge
    assert "echo b" in str(verdict.difference)


def test_outside_of_a_notebook_the_text_has_all(lab):
    text = repr(lab.docker(APPEND))
    assert text.startswith("$ docker run --name web")
    assert "more" in text
    assert "exit code 1" in text
    assert "steps ·" in text
    assert Slot().fill(None) is None


@pytest.mark.slow
def test_the_lab_needs_nothing_of_jupyter():
    code = """
import sys
for name in ("IPython", "ipywidgets", "anywidget", "matplotlib", "traitlets", "jupyterlab"):
    sys.modules[name] = None
from minidocker.lab import Lab, Quiz, check, facts, measure, predict
with Lab("sim") as lab:
    asked = predict("exit code?", choices=["0", "1"], fact=facts.exit_code)
    ran = lab.docker("run --rm lab false", after=asked)
    asked.commit("1")
    print(ran)
    print(Quiz(lab, 1))
"""
    environ = {**os.environ, "PYTHONPATH": str(rights.ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    assert "✓ As you predicted" in done.stdout
