"""Containers with user namespaces of their own, on both kernels: root inside is nobody outside."""

import pytest
import rights

from minidocker.compare import compare
from minidocker.hosts import open_host
from minidocker.linux import ALL_CAPABILITIES, O_RDONLY
from tests.conformance.docker_host import namespace, own_namespace, said

FIRST = 100_000
AND = "You must run the container in the host namespace when running privileged mode"


@pytest.fixture(scope="module", params=["sim", "real"])
def shared_host(request):
    if request.param == "real":
        rights.require("root")
    host = open_host(request.param, userns_remap=True)
    yield host
    host.close()


def status(host, pid):
    fd = host.kernel.open(f"/proc/{pid}/status", O_RDONLY)
    try:
        text = host.kernel.read(fd, 1 << 16).decode()
    finally:
        host.kernel.close(fd)
    return dict(line.split(":\t") for line in text.splitlines() if ":\t" in line)


def test_root_inside_is_somebody_else_outside(host):
    said(host, "run -d --name web lab sleep 1000")
    container = host.engine.find("web")
    assert said(host, "exec web id").startswith("uid=0(root) gid=0(root)")
    assert set(status(host, container.pid)["Uid"].split()) == {str(FIRST)}
    assert said(host, "exec web cat /proc/self/uid_map").split() == ["0", str(FIRST), "65536"]
    assert namespace(host, "web", "user") != own_namespace(host, "user")


def test_files_of_the_image_and_new_ones_are_roots_inside(host):
    script = "touch /new; chown 7:8 /new; stat -c '%u %g' /etc/passwd /new /etc/hosts /dev/null"
    said(host, ["run", "--name", "web", "lab", "sh", "-c", script])
    container = host.engine.find("web")
    assert container.output("stdout").decode().splitlines() == ["0 0", "7 8", "0 0", "65534 65534"]
    found = host.kernel.stat(f"{container.upper}/new")
    assert (found.st_uid, found.st_gid) == (FIRST + 7, FIRST + 8)


def test_its_capabilities_count_only_within(host):
    script = "grep CapEff /proc/self/status; hostname x; mknod /d c 1 3; echo 1 > /proc/sys/kernel/pid_max"
    outcome = host.docker(["run", "--rm", "--cap-add", "all", "lab", "sh", "-c", script])
    assert outcome.stdout == f"CapEff:\t{ALL_CAPABILITIES:016x}\n"  # also those that the daemon itself lacks
    assert "mknod: /d: Operation not permitted" in outcome.stderr


def test_exec_as_a_user(host):
    said(host, "run -d --name web lab sleep 1000")
    assert said(host, "exec -u nobody web id -u") == "65534\n"


def test_restart_keeps_the_owners(host):
    said(host, "run -d --name web lab sleep 1000")
    said(host, "restart -t 0 web")
    assert said(host, "exec web stat -c %u /etc/hosts") == "0\n"


def test_the_hosts_user_namespace(host):
    said(host, "run -d --name web --userns host lab sleep 1000")
    assert namespace(host, "web", "user") == own_namespace(host, "user")
    assert said(host, "exec web stat -c %u /etc/passwd") == f"{FIRST}\n"  # as in Docker: the layers are shared


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--privileged", f"privileged mode is incompatible with user namespaces.  {AND}"),
        ("--network host", "cannot share the host's network namespace when user namespaces are enabled"),
        ("--pid host", "cannot share the host PID namespace when user namespaces are enabled"),
    ],
)
def test_what_does_not_go_together(host, flags, words):
    outcome = host.docker(f"run --rm {flags} lab true")
    assert outcome.exit_code == 125
    assert outcome.stderr.splitlines()[0] == f"docker: Error response from daemon: {words}"
    assert host.docker(f"run --rm --userns host {flags} lab true").exit_code == 0


@pytest.mark.real
def test_the_traces_agree():
    rights.require("root")
    real = open_host("real", userns_remap=True)
    sim = open_host("sim", like=real.description, userns_remap=True)
    try:
        line = ["run", "--rm", "lab", "sh", "-c", "echo more >> /etc/motd; id"]
        assert compare(sim.docker(line).trace, real.docker(line).trace) is None
    finally:
        sim.close()
        real.close()
