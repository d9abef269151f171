"""The shell and the programs do what busybox's do: the same output, exit code and tree, for each case of two files.

Cases are separated by lines of ``%%``; each is what ``sh -c`` gets. The first line of a file says what it is.
"""

from pathlib import Path

import pytest
from programs.places import BUSYBOX, by_busybox

HERE = Path(__file__).parent


def cases(name):
    text = (HERE / name).read_text()
    return [case.strip("\n") for case in text.split("\n%%\n")][1:]


@pytest.mark.skipif(BUSYBOX is None, reason="needs busybox (Debian: busybox-static) to compare with")
@pytest.mark.parametrize("script", cases("shell_cases.txt") + cases("program_cases.txt"))
def test_as_busybox(kernel_place, script):
    argv = ("sh", "-c", script, "sh")
    assert kernel_place.run(argv) == by_busybox(argv)
