"""Row D4, call by call: the same commands on both kernels, every step compared, with the lab's own programs."""

from pathlib import Path

import pytest
import rights

from minidocker.compare import compare
from minidocker.hosts import open_host

SCRIPTS, TOUR_SCRIPTS = (
    [line for line in part.splitlines() if line and not line.startswith("#")]
    for part in Path(__file__).with_name("cow_commands.txt").read_text().split("[cow-tour]\n")
)
SAVED = rights.ARCHIVE

pytestmark = [pytest.mark.real, pytest.mark.needs("root")]


@pytest.fixture(scope="module")
def hosts():
    real = open_host("real", programs="lab")
    pair = [open_host("sim", like=real.description), real]
    if SAVED.exists():
        for host in pair:
            assert host.docker(["load", "-i", str(SAVED)]).exit_code == 0
    yield pair
    for host in pair:
        host.close()


def agree(hosts, image, script):
    model, kernel = (host.docker(["run", "--rm", image, "sh", "-c", script]) for host in hosts)
    difference = compare(model.trace, kernel.trace)
    assert difference is None, str(difference)
    assert [host.kernel.listener_error for host in hosts] == [None, None]
    assert len(model.trace) > 40


def test_there_are_enough():
    assert len(SCRIPTS) >= 25
    assert len(TOUR_SCRIPTS) >= 10


@pytest.mark.parametrize("script", SCRIPTS)
def test_on_the_labs_image(hosts, script):
    agree(hosts, "lab", script)


@pytest.mark.needs("docker-archive")
@pytest.mark.parametrize("script", [*SCRIPTS, *TOUR_SCRIPTS])
def test_on_an_image_that_real_docker_saved(hosts, script):
    agree(hosts, "cow-tour:1", script)
