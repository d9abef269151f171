"""No program of the lab imports a module once it runs: in a container there is no file of the host's to import from."""

import os
import sys

import pytest
import rights
from programs.places import Place
from programs.test_cases import cases

DATES = (
    "touch -d '2020-01-02 03:04:05' f; touch -t 202001020304.05 g; touch -t 2001020304 h; touch -d @7 i; touch -d x j; "
    "date -d 2020-01-02 +%c%x%X%j%U%p; date -R; ls -l; ls --full-time; stat f; find . -newer f; sleep 0.001"
)


class NoMore:
    """In sys.meta_path: says on standard error what was looked for, and does not have it."""

    def find_spec(self, name, path=None, target=None):
        """Refuse a module."""
        os.write(2, f"imported too late: {name}\n".encode())
        raise ModuleNotFoundError(name)


async def enter_without_imports(k, directory, argv, environ):
    """Become a program, with no module to be found from now on."""
    sys.meta_path.insert(0, NoMore())
    await k.chdir(directory)
    await k.umask(0o022)
    await k.execve(f"{environ['PATH']}/{argv[0]}", argv, environ)


async def imports_late(k, directory, argv, environ):
    """Do what is forbidden."""
    sys.meta_path.insert(0, NoMore())
    import this  # noqa: F401  nobody has imported it before

    return 0


@pytest.fixture(scope="module")
def place():
    """The real kernel: each task is a process, whose imports are its own."""
    rights.require("root")
    from minidocker.real import RealKernel

    kernel = RealKernel()
    yield Place(kernel)
    kernel.close_kernel()


@pytest.mark.real
@pytest.mark.parametrize("script", [DATES, *cases("program_cases.txt"), *cases("shell_cases.txt")])
def test_a_program_imports_nothing_late(place, script):
    result = place.run(("sh", "-c", script, "sh"), main=enter_without_imports)
    assert "imported too late" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.real
def test_a_late_import_would_be_seen(place):
    assert "imported too late: this" in place.run(("true",), main=imports_late).stderr
