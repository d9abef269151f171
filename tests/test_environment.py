"""The ways to set up the lab agree: uv.lock, pyproject.toml, environment.yml (conda, Binder) and Pyodide's list."""

import re
import subprocess
import tomllib

import pytest
from rights import ROOT

CONDA_NAMES = {"matplotlib-base": "matplotlib"}
COMPILED = {"hypothesis"}
"""What Pyodide takes in an older version, because newer ones are compiled."""


def locked() -> dict[str, str]:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {package["name"]: package["version"] for package in packages}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}


def conda_pins() -> dict[str, str]:
    found = re.findall(r"^ +- ([\w-]+)={1,2}([\w.]+)$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    return {CONDA_NAMES.get(name, name): version for name, version in found}


def test_conda_pins_are_the_locks():
    pins = conda_pins()
    assert pins.pop("python") == "3.12"
    assert pins == {name: version for name, version in locked().items() if name in pins}


def test_conda_pins_all_that_pyproject_names():
    table = project()
    wanted = names(table["project"]["dependencies"])
    extras = table["project"]["optional-dependencies"]
    wanted |= names([*extras["lab"], *extras["real"]]) | names(table["dependency-groups"]["dev"])
    assert wanted == conda_pins().keys() - {"python"}


def test_pyodides_packages_are_the_locks():
    lines = (ROOT / "tests/pyodide/requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: version for name, version in pins.items() if name not in COMPILED} == {
        name: version for name, version in locked().items() if name in pins and name not in COMPILED
    }


def test_the_lock_names_no_private_index():
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_the_lock_is_that_of_pyproject():
    done = subprocess.run(["uv", "lock", "--check", "--offline"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode and "offline" in done.stderr.lower():
        pytest.skip("uv's cache is too empty to check the lock without a network")
    assert done.returncode == 0, done.stderr
