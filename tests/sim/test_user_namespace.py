"""The ids of a rootless simulated host."""

import pytest

from minidocker.sim import Profile, SimKernel

#: What newuidmap writes for a user with a line in /etc/subuid.
WIDE = ((0, 1000, 1), (1, 100_000, 65_536))


@pytest.fixture
def wide():
    return SimKernel(Profile(rootless=True, uid_map=WIDE, gid_map=WIDE, setgroups=True))


def test_an_ordinary_users_root_owns_the_labs_disk_only():
    kernel = SimKernel(Profile(rootless=True))
    shown = {path: (kernel.stat(path).st_uid, kernel.stat(path).st_gid) for path in ("/", "/dev/null", "/var/lib")}
    assert shown == {"/": (65_534, 65_534), "/dev/null": (65_534, 65_534), "/var/lib": (0, 0)}
    with pytest.raises(PermissionError):
        kernel.mkdir("/etc/not-mine")
    with pytest.raises(PermissionError):
        kernel.listdir("/root")
    kernel.mkdir("/tmp/mine")
    assert kernel.stat("/tmp/mine").st_uid == 0


def test_the_hosts_root_keeps_its_tree_in_a_namespace():
    kernel = SimKernel(Profile(rootless=True, uid_map=((0, 0, 1),), gid_map=((0, 0, 1),)))
    kernel.mkdir("/etc/mine")
    assert kernel.stat("/dev/null").st_uid == 0


def test_root_outside_can_be_somebody_inside():
    kernel = SimKernel(Profile(rootless=True, uid_map=((0, 1000, 1), (7, 0, 1)), gid_map=((0, 1000, 1),)))
    assert (kernel.stat("/etc").st_uid, kernel.stat("/etc").st_gid) == (7, 65_534)
    with pytest.raises(PermissionError):
        kernel.mkdir("/etc/not-mine")  # the capability takes both, owner and group


@pytest.mark.parametrize("number", [1, 5, 65_536])
def test_subordinate_ids_are_to_be_had(wide, number):
    wide.mkdir("/var/lib/owned")
    wide.chown("/var/lib/owned", number, number)
    assert wide.stat("/var/lib/owned").st_uid == number
    wide.setgroups([number])
    assert wide.getgroups() == [number]
    wide.setegid(number)
    wide.seteuid(number)
    assert wide.geteuid() == number


def test_the_first_id_beyond_is_not(wide):
    wide.mkdir("/var/lib/owned")
    for call in (
        lambda: wide.chown("/var/lib/owned", 65_537, -1),
        lambda: wide.setgroups([65_537]),
        lambda: wide.setuid(65_537),
    ):
        with pytest.raises(OSError, match="Invalid argument"):
            call()


def test_like_a_description():
    ids = {"uid_map": [[0, 77, 1]], "gid_map": [[0, 78, 1]], "setgroups": False, "groups": [65_534]}
    profile = Profile.like({"kind": "real", "release": "6.1", "machine": "aarch64", "rootless": True, "ids": ids})
    assert (profile.release, profile.machine, profile.rootless) == ("6.1", "aarch64", True)
    assert (profile.uid_map, profile.gid_map) == (((0, 77, 1),), ((0, 78, 1),))
    assert SimKernel(profile).getgroups() == [65_534]


def test_like_a_root_is_what_a_host_is_anyway():
    profile = Profile.like({"rootless": False, "release": Profile().release})
    assert profile == Profile()
    kernel = SimKernel(profile)
    kernel.setxattr("/etc", "trusted.x", b"1")
    kernel.chown("/etc", 5_000_000, 5_000_000)
    assert kernel.stat("/etc").st_uid == 5_000_000
