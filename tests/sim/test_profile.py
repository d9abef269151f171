"""Profiles: a simulated host is of the kind that a real one is described to be."""

import pytest

from minidocker.hosts import open_host
from minidocker.sim.profile import Profile

#: What an ordinary desktop has of the things that a container is denied.
DESKTOP = ["/proc/asound/", "/proc/kcore", "/proc/scsi/", "/proc/sys/", "/proc/sysrq-trigger", "/sys/firmware/"]


@pytest.fixture
def desktop():
    host = open_host("sim", like={"pseudo": DESKTOP})
    yield host
    host.close()


def test_it_has_what_a_container_is_denied_there(desktop):
    assert {"asound", "kcore", "scsi", "sys", "sysrq-trigger"} <= set(desktop.kernel.listdir("/proc"))
    assert not {"acpi", "keys", "timer_list"} & set(desktop.kernel.listdir("/proc"))


def test_a_container_is_denied_it(desktop):
    run = desktop.docker("run --rm lab sh -c 'ls /proc/scsi; wc -c < /proc/kcore; echo b > /proc/sysrq-trigger'")
    assert run.stdout == "0\n"
    assert "Read-only file system" in run.stderr


def test_what_a_description_does_not_say_is_as_always():
    assert Profile.like({"release": "6.1.0"}) == Profile(release="6.1.0")
