"""stop, restart, top and inspect on both kernels; the states of a container and what each refuses."""

import json

import pytest

from minidocker.linux import SIGKILL
from tests.conformance.docker_host import said

TRAP = ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done"]


def await_output(host, name, text):
    while text not in host.engine.find(name).output("stdout"):
        assert host.engine.pump(5)


def test_stop_asks_first(host):
    said(host, ["run", "-d", "--name", "trap", "lab", *TRAP])
    await_output(host, "trap", b"up\n")
    assert said(host, "stop trap") == "trap\n"
    assert said(host, "logs trap") == "up\nbye\n"
    assert said(host, "inspect --format {{.State.ExitCode}} trap") == "0\n"


def test_stop_kills_who_does_not_answer(host):
    said(host, "run -d --name deaf lab sleep 1000")  # init of a PID namespace has no default actions
    before = host.engine.now_ns()
    assert said(host, "stop -t 1 deaf") == "deaf\n"
    assert 0.9e9 <= host.engine.now_ns() - before <= 9e9
    assert said(host, "inspect -f {{.State.ExitCode}} deaf") == "137\n"
    assert said(host, "stop deaf") == "deaf\n"


def test_stop_with_another_signal(host):
    script = "trap 'exit 4' USR1; echo up; while :; do sleep 0.02; done"
    said(host, ["run", "-d", "--name", "trap", "lab", "sh", "-c", script])
    await_output(host, "trap", b"up\n")
    said(host, "stop -s USR1 trap")
    assert host.engine.find("trap").exit_code == 4


def test_restart(host):
    said(host, "run -d --name again lab sh -c 'echo x >> /n; wc -l < /n; sleep 1000'")
    await_output(host, "again", b"1\n")
    pid = host.engine.find("again").pid
    assert said(host, "restart -t 0 again") == "again\n"
    await_output(host, "again", b"2\n")
    assert host.engine.find("again").status == "running"
    assert host.engine.find("again").pid != pid
    said(host, "create --name made lab sleep 1000")
    assert said(host, "restart made") == "made\n"
    assert host.engine.find("made").status == "running"


def test_an_init_that_passes_signals_on_and_buries_orphans(host):
    said(host, "run -d --name web --init lab sleep 1000")
    lines = [line.split(None, 3)[3] for line in said(host, "exec web ps").splitlines()[1:]]
    assert lines == ["/sbin/docker-init -- sleep 1000", "sleep 1000", "ps"]
    said(host, "stop web")  # sleep is not pid 1 now: SIGTERM means to it what it means to any program
    assert host.engine.find("web").exit_code == 143


def test_an_init_gives_the_exit_code_on(host):
    assert host.docker("run --rm --init lab sh -c 'sleep 0.01 & exit 7'").exit_code == 7
    outcome = host.docker("run --rm --init lab nope")
    assert (outcome.exit_code, "exec nope failed: No such file or directory" in outcome.stderr) == (127, True)


def test_top(host):
    said(host, "run -d --name web lab sh -c 'sleep 1000; true'")
    host.engine.pump(0.05)
    header, first, second = (line.split() for line in said(host, "top web").splitlines())
    assert header == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    pid = host.engine.find("web").pid
    assert (first[0], int(first[1]), int(second[2])) == ("root", pid, pid)
    assert second[7:] == ["sleep", "1000"]
    assert [line.split() for line in said(host, "top web -o pid,comm").splitlines()][:2] == [
        ["PID", "COMMAND"],
        [str(pid), "sh"],
    ]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("top made", "container {made} is not running"),
        ("top nope", "No such container: nope"),
        ("top web -o comm", "Couldn't find PID field in ps output"),
        ("stop nope", "No such container: nope"),
    ],
)
def test_refusals(host, words, answer):
    said(host, "run -d --name web lab sleep 1000")
    said(host, "create --name made lab true")
    outcome = host.docker(words)
    made = host.engine.find("made").id
    assert (outcome.stderr, outcome.exit_code) == (f"Error response from daemon: {answer.format(made=made)}\n", 1)


def test_inspect_tells_dockers_json(host):
    said(host, "run -d --name web --memory 64m -e A=1 --cap-add NET_ADMIN lab sleep 1000")
    (told,) = json.loads(said(host, "inspect web"))
    container = host.engine.find("web")
    assert told["Id"] == container.id
    assert told["State"] | {"StartedAt": "", "Pid": 0} == {
        "Status": "running", "Running": True, "Paused": False, "Restarting": False, "OOMKilled": False, "Dead": False,
        "Pid": 0, "ExitCode": 0, "Error": "", "StartedAt": "", "FinishedAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    assert told["State"]["Pid"] == container.pid
    assert (told["Path"], told["Args"], told["Name"]) == ("sleep", ["1000"], "/web")
    assert told["HostConfig"]["CapAdd"] == ["CAP_NET_ADMIN"]
    assert told["HostConfig"]["MaskedPaths"][0] == "/proc/asound"
    assert "A=1" in told["Config"]["Env"]
    assert told["Config"]["Hostname"] == container.id[:12]
    assert told["GraphDriver"]["Data"]["UpperDir"] == container.upper


def test_inspect_by_templates(host):
    said(host, "run -d --name web lab sleep 1000")
    for template, answer in [
        ("{{.State.Running}}", "true"),
        ("{{json .Config.Cmd}} {{.Config.Cmd}} {{index .Config.Cmd 0}}", '["sleep","1000"] [sleep 1000] sleep'),
        ("{{.HostConfig.CapAdd}} {{len .Args}}", "[] 1"),
        ("{{.Name | upper}} {{printf `%s-%d` .Path 3}}", "/WEB sleep-3"),
    ]:
        assert said(host, ["inspect", "-f", template, "web"]) == f"{answer}\n"


@pytest.mark.parametrize(
    ("template", "words", "code"),
    [
        ("{{.Nope}}", '\ntemplate parsing error: template: :1:2: executing "" at <.Nope>: map has no entry', 1),
        ("{{.State.Nope}}", 'template: :1:8: executing "" at <.State.Nope>: map has no entry for key "Nope"', 1),
        ("{{", "template parsing error: template: :1: unclosed action", 64),
        ("{{range .Args}}{{.}}{{end}}", "do not have 'range' yet", 64),
        ("{{frob .Args}}", 'function "frob" not defined', 64),
    ],
)
def test_templates_that_make_no_sense(host, template, words, code):
    said(host, "create --name web lab true")
    outcome = host.docker(["inspect", "-f", template, "web"])
    assert words in outcome.stderr
    assert outcome.exit_code == code


def test_inspect_of_images_and_of_nothing(host):
    (told,) = json.loads(said(host, "inspect lab"))
    assert told["RepoTags"] == ["lab:latest"]
    outcome = host.docker("inspect nope")
    assert (outcome.stdout, outcome.stderr, outcome.exit_code) == ("[]\n", "Error: No such object: nope\n", 1)
    outcome = host.docker("inspect --type container lab")
    assert outcome.stderr == "Error response from daemon: No such container: lab\n"


def test_all_that_a_container_has_made_ends_with_it(host):
    """A control group of its own in its group, and tasks whose ends come together."""
    said(host, "run --rm --privileged --cgroupns private lab mkdir -p /sys/fs/cgroup/pids/of /sys/fs/cgroup/of/its/own")
    assert said(host, "ps -aq") == ""
    said(host, "run -d --name other lab sleep 1000")
    said(host, "run -d --name web --pid host lab sleep 1000")
    said(host, "exec -d web sleep 300")
    web = host.engine.find("web")
    for pid in (web.pid, *(process.pid for process in web.execs)):
        host.kernel.kill(pid, SIGKILL)
    host.advance(0.1)
    assert len(said(host, "ps -q").splitlines()) == 1
    assert said(host, "inspect -f {{.State.ExitCode}} web") == "137\n"
    said(host, "rm web")
