"""docker exec on both kernels: what it joins, how it ends, and Docker's words where it cannot begin."""

import pytest

from minidocker.compare import compare
from tests.conformance.docker_host import namespace, said

KINDS = ("mnt", "pid", "uts", "ipc", "net", "cgroup")


def test_it_is_in_the_containers_namespaces(host):
    said(host, "run -d --name web lab sleep 1000")
    lines = said(
        host, ["exec", "web", "sh", "-c", "for k in mnt pid uts ipc net cgroup; do readlink /proc/self/ns/$k; done"]
    )
    assert lines.split() == [namespace(host, "web", kind) for kind in KINDS]
    assert [line.split(None, 3)[3] for line in said(host, "exec web ps").splitlines()[1:]] == ["sleep 1000", "ps"]
    assert said(host, "exec web hostname") == f"{host.engine.find('web').id[:12]}\n"


def test_the_daemon_stays_where_it_was(host):
    said(host, "run -d --name web lab sleep 1000")
    before = [host.kernel.readlink(f"/proc/self/ns/{kind}") for kind in (*KINDS, "pid_for_children")]
    said(host, "exec web true")
    assert host.docker("exec web nope").exit_code == 126
    assert [host.kernel.readlink(f"/proc/self/ns/{kind}") for kind in (*KINDS, "pid_for_children")] == before


def test_environment_user_and_directory(host):
    said(host, "run -d --name web -e A=0 -e B=2 lab sleep 1000")
    script = "echo $A $B; id -un; pwd; echo $HOME"
    assert said(host, ["exec", "-e", "A=1", "-u", "nobody", "-w", "/tmp", "web", "sh", "-c", script]) == (
        "1 2\nnobody\n/tmp\n/home\n"
    )


@pytest.mark.parametrize(("script", "code"), [("exit 5", 5), ("kill -9 $$", 137), ("exit 0", 0)])
def test_exit_codes(host, script, code):
    said(host, "run -d --name web lab sleep 1000")
    assert host.docker(["exec", "web", "sh", "-c", script]).exit_code == code
    assert host.engine.find("web").status == "running"


def test_both_streams(host):
    said(host, "run -d --name web lab sleep 1000")
    outcome = host.docker("exec web sh -c 'echo out; echo err >&2'")
    assert (outcome.stdout, outcome.stderr) == ("out\n", "err\n")
    assert said(host, "logs web") == ""


def test_detached(host):
    said(host, "run -d --name web lab sleep 1000")
    assert said(host, "exec -d web touch /made") == ""
    while host.engine.find("web").execs:
        host.engine.pump(None)
    assert said(host, "exec web ls /made") == "/made\n"


def test_it_ends_with_the_container(host):
    said(host, "run -d --name web lab sleep 1000")
    said(host, "exec -d web sleep 2000")
    (running,) = host.engine.find("web").execs
    said(host, "kill web")
    assert host.engine.wait_exec(running) == 137
    assert not host.engine.find("web").execs


RUNC = "OCI runtime exec failed: exec failed: "
START = f"{RUNC}unable to start container process: "


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("web nope", START + 'exec: "nope": executable file not found in $PATH: unknown'),
        ("web /nope", START + 'exec: "/nope": stat /nope: no such file or directory: unknown'),
        ("web /etc/passwd", START + 'exec: "/etc/passwd": permission denied: unknown'),
        (
            "-w /nope web pwd",
            START + 'chdir to cwd ("/nope") set in config.json failed: no such file or directory: unknown',
        ),
        ("-w rel web pwd", RUNC + "Cwd must be an absolute path: unknown"),
        ("-u nope web true", "unable to find user nope: no matching entries in passwd file"),
        ("-u :nope web true", "unable to find group nope: no matching entries in group file"),
    ],
)
def test_what_cannot_run_is_said_where_the_output_goes(host, words, answer):
    said(host, "run -d --name web lab sleep 1000")
    outcome = host.docker(f"exec {words}")
    assert (outcome.stdout, outcome.stderr, outcome.exit_code) == (f"{answer}\n", "", 126)


def test_what_cannot_be_asked_of_the_daemon(host):
    said(host, "run -d --name web lab sleep 1000")
    said(host, "create --name made lab true")
    made = host.engine.find("made").id
    for words, answer in [
        ("made true", f"container {made} is not running"),
        ("nope true", "No such container: nope"),
        ("-d web nope", START + 'exec: "nope": executable file not found in $PATH: unknown'),
    ]:
        outcome = host.docker(f"exec {words}")
        assert (outcome.stderr, outcome.exit_code) == (f"Error response from daemon: {answer}\n", 1)


def test_the_traces_agree(labs_pair):
    sim, real = labs_pair
    for line in ("run -d --name web lab sleep 1000", "exec -e A=1 web sh -c 'echo $A > /a'", "rm -f web"):
        assert compare(sim.docker(line).trace, real.docker(line).trace) is None
