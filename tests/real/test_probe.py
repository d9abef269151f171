"""The probe tries things, and says in words what this host lacks."""

import errno
import os

import pytest

from minidocker.real import probe
from minidocker.sim.profile import Profile
from tests.real import leftovers
from tests.real.conftest import need_kernel

pytestmark = pytest.mark.needs("linux")


def rows(report: probe.Report) -> dict[str, probe.Row]:
    return {row.name: row for row in report.rows}


def test_what_this_host_gives():
    need_kernel()
    before = leftovers.picture()
    report = probe.probe()
    leftovers.nothing_more_than(before)
    assert report.usable
    assert (report.release, report.machine) == (os.uname().release, os.uname().machine)
    assert report.rootless == (os.geteuid() != 0)
    assert {"kernel", "rights", "namespaces", "overlay", "cgroups"} <= set(rows(report))
    assert ("userxattr" in report.overlay) == report.rootless
    assert report.ids >= 1


def test_what_a_trace_says_of_the_kernel():
    said = probe.describe()
    assert said["kind"] == "real"
    assert said["release"] == os.uname().release
    assert said["rootless"] == (os.geteuid() != 0)
    assert "/proc/sys/" in said["pseudo"]
    assert all(os.path.isdir(path) == path.endswith("/") for path in said["pseudo"])
    assert Profile.like(said).pseudo == tuple(said["pseudo"])


def test_a_host_that_refuses_is_told_why(monkeypatch):
    def refuses(**_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(probe, "RealKernel", refuses)
    report = probe.probe()
    assert not report.usable
    assert report.overlay == ()
    assert "EPERM" in rows(report)["namespaces"].detail


@pytest.mark.parametrize(
    ("switch", "value", "words"),
    [
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
        ("kernel.unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0"),
        ("user.max_user_namespaces", "0", "user.max_user_namespaces is 0"),
    ],
)
def test_switches_that_forbid_user_namespaces_are_named(monkeypatch, switch, value, words):
    monkeypatch.setattr(probe, "_sysctl", {switch: value}.get)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert words in probe.why_no_namespaces(PermissionError(errno.EPERM, ""))


@pytest.mark.parametrize(
    ("mounts", "layout"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "v2"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n", "v1"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", "hybrid"),
        ("proc /proc proc rw 0 0\n", "none"),
    ],
)
def test_layouts_of_cgroups(monkeypatch, mounts, layout):
    monkeypatch.setattr(probe, "_read", lambda _: mounts)
    assert probe.cgroup_layout() == layout
