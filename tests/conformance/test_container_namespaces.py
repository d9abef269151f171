"""Which namespaces a container gets, shares and joins, on both kernels; Docker's words where that cannot be."""

import pytest

from minidocker.compare import compare
from tests.conformance.docker_host import namespace, own_namespace, said

OWN = ("mnt", "pid", "uts", "ipc", "net")


def test_a_container_has_namespaces_of_its_own(host):
    said(host, "run -d --name one lab sleep 1000")
    said(host, "run -d --name two lab sleep 1000")
    for kind in OWN:
        numbers = {own_namespace(host, kind), namespace(host, "one", kind), namespace(host, "two", kind)}
        assert len(numbers) == 3, kind


@pytest.mark.parametrize("kind", ["pid", "uts", "ipc"])
def test_what_is_the_hosts(host, kind):
    said(host, f"run -d --name web --{kind} host lab sleep 1000")
    assert namespace(host, "web", kind) == own_namespace(host, kind)
    others = [other for other in OWN if other != kind]
    assert all(namespace(host, "web", other) != own_namespace(host, other) for other in others)


def test_the_pid_namespace_of_another(host):
    said(host, "run -d --name web lab sleep 1000")
    lines = said(host, "run --rm --pid container:web lab ps").splitlines()
    assert [line.split(None, 3)[3] for line in lines] == ["COMMAND", "sleep 1000", "ps"]
    said(host, "run -d --name guest --pid container:web lab sleep 2000")
    assert namespace(host, "guest", "pid") == namespace(host, "web", "pid")
    assert own_namespace(host, "pid_for_children") == own_namespace(host, "pid") != namespace(host, "web", "pid")
    said(host, "kill web")
    assert host.engine.wait(host.engine.find("guest")) == 137  # whose init is gone, it is gone with it


def test_the_ipc_namespace_of_another(host):
    said(host, "run -d --name giver --ipc shareable lab sleep 1000")
    said(host, "run -d --name taker --ipc container:giver lab sleep 1000")
    assert namespace(host, "taker", "ipc") == namespace(host, "giver", "ipc")


def test_shared_memory_of_another(host):
    said(host, "run -d --name giver --ipc shareable lab sleep 1000")
    said(host, "exec giver sh -c 'echo mine > /dev/shm/x'")
    assert said(host, "run --rm --ipc container:giver lab cat /dev/shm/x") == "mine\n"
    assert host.docker("run --rm lab ls /dev/shm").stdout == ""


def groups(text):
    """Return the paths in /proc/PID/cgroup of the hierarchies that limit memory."""
    rows = [line.split(":", 2) for line in text.splitlines()]
    return [path for _, names, path in rows if "memory" in names.split(",") or not names][:1]


def test_the_cgroup_namespace(host):
    """Docker's default: private on version 2, the host's on version 1."""
    has_v2_alone = host.engine.cgroups.layout.kind == "v2"
    for mode, private in (("", has_v2_alone), ("--cgroupns private", True), ("--cgroupns host", False)):
        said(host, f"run -d --name web -m 64m {mode} lab sleep 1000")
        (path,) = groups(said(host, "exec web cat /proc/self/cgroup"))
        assert path == ("/" if private else f"/docker/{host.engine.find('web').id}")
        assert (namespace(host, "web", "cgroup") != own_namespace(host, "cgroup")) == private
        said(host, "rm -f web")


def test_its_control_groups_can_be_read_and_not_changed(host):
    name = "memory.max" if host.engine.cgroups.layout.kind == "v2" else "memory/memory.limit_in_bytes"
    script = f"cat /sys/fs/cgroup/{name}; echo 1 > /sys/fs/cgroup/{name}"
    outcome = host.docker(["run", "--rm", "-m", "64m", "lab", "sh", "-c", script])
    assert outcome.stdout == f"{64 << 20}\n"
    assert outcome.stderr == f"sh: can't create /sys/fs/cgroup/{name}: Read-only file system\n"


def test_ipc_none_has_no_shm(host):
    outcome = host.docker("run --rm --ipc none lab ls /dev/shm")
    assert outcome.exit_code == 1
    assert outcome.stderr == "ls: /dev/shm: No such file or directory\n"


def test_names(host):
    script = "hostname; echo $HOSTNAME"
    assert said(host, ["run", "--rm", "-h", "a.b", "lab", "sh", "-c", script]) == "a.b\na.b\n"
    assert said(host, "run --rm --domainname d.org lab cat /proc/sys/kernel/domainname") == "d.org\n"


def test_the_hosts_name(host):
    assert said(host, "run --rm --uts host lab hostname") == f"{host.kernel.gethostname()}\n"


NOT_SHARED = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
WRONG = [
    ("--pid bogus", "docker: --pid: invalid PID mode"),
    ("--pid container:", "docker: --pid: invalid PID mode"),
    ("--uts container:web", "docker: --uts: invalid UTS mode"),
    ("--userns private", "docker: --userns: invalid USER mode"),
    ("--cgroupns bogus", "docker: --cgroupns: invalid CGROUP mode"),
    ("--ipc bogus", "docker: Error response from daemon: invalid IPC mode: bogus"),
    ("--hostname x --uts host", "docker: Error response from daemon: conflicting options: hostname and the UTS mode"),
    ("--pid container:none", "docker: Error response from daemon: No such container: none"),
    (
        "--pid container:made",
        "docker: Error response from daemon: failed to join PID namespace: container {made} is not running",
    ),
    (
        "--ipc container:web",
        f"docker: Error response from daemon: failed to join IPC namespace: container {{web}}: {NOT_SHARED}",
    ),
]


@pytest.mark.parametrize(("flags", "words"), WRONG)
def test_what_cannot_be_is_said_in_dockers_words(host, flags, words):
    said(host, "run -d --name web lab sleep 1000")
    said(host, "create --name made lab true")
    ids = {name: host.engine.find(name).id for name in ("web", "made")}
    outcome = host.docker(f"run --rm {flags} lab true")
    assert outcome.exit_code == 125
    assert outcome.stderr.splitlines()[0] == words.format(**ids)
    assert set(host.engine.containers) == {"web", "made"}


@pytest.mark.needs("root")
@pytest.mark.real
@pytest.mark.parametrize(
    "line",
    ["run --rm lab true", "run --rm --read-only --tmpfs /t lab ls /t", "run --rm --uts host --ipc host lab true"],
)
def test_the_traces_agree(line, labs_pair):
    sim, real = labs_pair
    assert compare(sim.docker(line).trace, real.docker(line).trace) is None
