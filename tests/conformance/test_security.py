"""What a container may do, on both kernels: capabilities, the filter of system calls, what it cannot see or change."""

import json

import pytest

from minidocker.capabilities import DEFAULT, mask
from minidocker.compare import compare
from minidocker.linux import ALL_CAPABILITIES
from tests import rights
from tests.conformance.docker_host import said

#: What real Docker 26 shows for these flags: effective and bounding set (ALL stands for what the host has).
DOCKERS = 0xA80425FB
CASES = [
    ("", DOCKERS, DOCKERS),
    ("-u nobody", 0, DOCKERS),
    ("-u 1000:1000", 0, DOCKERS),
    ("--cap-drop all", 0, 0),
    ("--cap-drop ALL --cap-add chown", 1, 1),
    ("--cap-add NET_ADMIN", DOCKERS | 1 << 12, DOCKERS | 1 << 12),
    ("--cap-drop CAP_CHOWN --cap-add chown", DOCKERS, DOCKERS),
    ("--cap-drop chown", DOCKERS & ~1, DOCKERS & ~1),
    ("--cap-add all --cap-drop chown", ALL_CAPABILITIES & ~1, ALL_CAPABILITIES & ~1),
    ("--privileged", ALL_CAPABILITIES, ALL_CAPABILITIES),
    ("--security-opt no-new-privileges", DOCKERS, DOCKERS),
]


def status(host, line, *fields):
    """Return fields of the status of a container's program."""
    rows = dict(row.split(":\t") for row in said(host, f"{line} cat /proc/self/status").splitlines() if ":\t" in row)
    return [rows[field] for field in fields]


def test_the_default_is_dockers():
    assert mask(DEFAULT) == DOCKERS


@pytest.mark.parametrize(("flags", "effective", "bounding"), CASES)
def test_capabilities(host, flags, effective, bounding):
    have = host.kernel.capget().permitted
    found = [int(value, 16) for value in status(host, f"run --rm {flags} lab", "CapEff", "CapPrm", "CapBnd")]
    assert found == [effective & have, effective & have, bounding & have]
    inherited = status(host, f"run --rm {flags} lab", "CapInh", "CapAmb")
    assert [int(value, 16) for value in inherited] == [0, 0]


def test_exec_gets_what_the_container_has_and_privileged_all(host):
    said(host, "run -d --name web --cap-drop all lab sleep 1000")
    have = host.kernel.capget().permitted
    assert status(host, "exec web", "CapEff", "CapBnd") == ["0" * 16, "0" * 16]
    assert int(status(host, "exec --privileged web", "CapEff")[0], 16) == have
    assert status(host, "exec --privileged -u nobody web", "CapEff", "CapBnd") == ["0" * 16, f"{have:016x}"]


@pytest.mark.parametrize(
    ("flags", "no_new", "seccomp"),
    [
        ("", "0", "2"),
        ("--privileged", "0", "0"),
        ("--security-opt seccomp=unconfined", "0", "0"),
        ("--security-opt seccomp=builtin --privileged", "0", "2"),
        ("--security-opt no-new-privileges", "1", "2"),
        ("--security-opt no-new-privileges=false", "0", "2"),
        ("--security-opt apparmor=unconfined --security-opt label=disable", "0", "2"),
    ],
)
def test_filter_and_no_new_privileges(host, flags, no_new, seccomp):
    if "real" in host.description["kind"]:
        rights.require("seccomp")
    said(host, f"run -d --name web {flags} lab sleep 1000")
    for line in ("exec web", f"run --rm {flags} lab"):
        assert status(host, line, "NoNewPrivs", "Seccomp") == [no_new, seccomp]


def test_a_profile_of_ones_own(host, tmp_path):
    if "real" in host.description["kind"]:
        rights.require("seccomp")
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 17}
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    outcome = host.docker(f"run --rm --security-opt seccomp={profile} lab mkdir /d")
    assert (outcome.exit_code, outcome.stderr) == (1, "mkdir: can't create directory '/d': File exists\n")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--cap-add FOO", 'Error response from daemon: invalid CapAdd: unknown capability: "CAP_FOO"'),
        ("--cap-drop foo", 'Error response from daemon: invalid CapDrop: unknown capability: "CAP_FOO"'),
        ("--security-opt foo", 'Invalid --security-opt: "foo"'),
        ("--security-opt foo=bar", 'Error response from daemon: invalid --security-opt 2: "foo=bar"'),
        (
            "--security-opt no-new-privileges:maybe",
            'Error response from daemon: invalid --security-opt 2: "no-new-privileges:maybe"',
        ),
        (
            "--security-opt seccomp=/no/file",
            "opening seccomp profile (/no/file) failed: open /no/file: no such file or directory",
        ),
        ("--tmpfs rel", "Error response from daemon: invalid mount path: 'rel' mount path must be absolute"),
        ("--tmpfs /t:bogus", 'Error response from daemon: invalid tmpfs option "bogus"'),
    ],
)
def test_what_cannot_be_is_said_in_dockers_words(host, flags, words):
    outcome = host.docker(f"run --rm {flags} lab true")
    assert outcome.exit_code == 125
    assert outcome.stderr.splitlines()[0] == f"docker: {words}"


def test_the_devices(host):
    names = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert said(host, "run --rm lab ls /dev").split() == names.split()


def test_what_is_hidden_and_what_is_read_only(host):
    script = "ls /proc/acpi /sys/firmware; wc -c < /proc/keys; echo x > /proc/sys/kernel/hostname; mkdir /sys/x"
    outcome = host.docker(["run", "--rm", "lab", "sh", "-c", script])
    here = host.description.get("pseudo")
    if here is not None and not {"/proc/acpi/", "/proc/keys", "/sys/firmware/"} <= set(here):
        pytest.skip("this host has other things to hide")
    assert outcome.stdout == "/proc/acpi:\n\n/sys/firmware:\n0\n"
    assert "can't create /proc/sys/kernel/hostname: Read-only file system" in outcome.stderr
    assert "can't create directory '/sys/x': Read-only file system" in outcome.stderr


def test_a_read_only_root(host):
    outcome = host.docker(
        ["run", "--rm", "--read-only", "--tmpfs", "/t", "lab", "sh", "-c", "echo 1 > /x; echo 2 > /t/x; cat /t/x"]
    )
    assert outcome.stdout == "2\n"
    assert outcome.stderr == "sh: can't create /x: Read-only file system\n"


@pytest.mark.parametrize("command", ["mount -t tmpfs x /tmp", "umount /proc", "hostname x"])
def test_what_an_ordinary_container_may_not(host, command):
    outcome = host.docker(["run", "--rm", "lab", "sh", "-c", command])
    assert outcome.exit_code == 1
    assert "permi" in outcome.stderr.lower()


def test_what_a_privileged_one_may(host):
    script = "mount -t tmpfs x /tmp && umount /tmp && hostname x && hostname && echo y > /proc/sys/kernel/hostname"
    assert said(host, ["run", "--rm", "--privileged", "lab", "sh", "-c", script]) == "x\n"


@pytest.mark.needs("root")
@pytest.mark.real
@pytest.mark.parametrize(
    "line",
    [
        "run --rm lab mount -t tmpfs x /tmp",
        "run --rm -u nobody lab id",
        "run --rm --privileged lab mount -t tmpfs x /tmp",
        "run --rm --cap-drop all --security-opt no-new-privileges lab ls /",
    ],
)
def test_the_traces_agree(line, labs_pair):
    rights.require("seccomp")
    sim, real = labs_pair
    assert compare(sim.docker(line).trace, real.docker(line).trace) is None
