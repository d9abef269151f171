"""docker's commands over both kernels: the same words, the same exit codes, the same things left."""

import pytest

from minidocker.linux import O_RDONLY
from minidocker.monitor import Null


def mounts(host):
    fd = host.kernel.open("/proc/self/mountinfo", O_RDONLY)
    text = b""
    while data := host.kernel.read(fd, 1 << 16):
        text += data
    host.kernel.close(fd)
    return text.decode().count("/merged")


def test_output_and_exit_code(host):
    outcome = host.docker("run --rm lab sh -c 'echo out; echo err >&2; exit 7'")
    assert (outcome.stdout, outcome.stderr, outcome.exit_code) == ("out\n", "err\n", 7)


def test_large_output_is_whole(host):
    outcome = host.docker("run --rm lab seq 1 30000")
    assert outcome.stdout == "".join(f"{number}\n" for number in range(1, 30001))


def test_environment_and_directory(host):
    outcome = host.docker("run --rm -e A=1 -e B -w /tmp/new lab sh -c 'echo $A; pwd; env'")
    lines = outcome.stdout.splitlines()
    assert lines[:2] == ["1", "/tmp/new"]
    assert {"HOME=/root", "A=1"} < set(lines)
    assert any(line.startswith("HOSTNAME=") for line in lines)
    assert not any(line.startswith("B=") for line in lines)


def test_the_container_is_alone(host):
    outcome = host.docker("run --name alone lab sh -c 'echo $$; hostname; ls /proc | grep -c ^[0-9]; ls /var/lib'")
    container = host.engine.find("alone")
    # The shell is 1; ls and grep are its children, and nobody else is there.
    pid, hostname, processes, *rest = outcome.stdout.splitlines()
    assert (pid, hostname, rest) == ("1", container.id[:12], [])
    assert int(processes) <= 3


def test_states(host):
    host.docker("create --name web lab sh -c 'exit 3'")
    container = host.engine.find("web")
    assert container.status == "created"
    host.docker("start web")
    assert host.docker("wait web").stdout == "3\n"
    assert (container.status, container.exit_code) == ("exited", 3)
    assert "Exited (3)" in host.docker("ps -a").stdout
    assert "web" not in host.docker("ps").stdout


def test_running_killed_removed(host):
    assert host.docker("run -d --name sleeper lab sleep 1000").exit_code == 0
    assert "Up " in host.docker("ps").stdout
    refused = host.docker("rm sleeper")
    assert refused.exit_code == 1
    assert "container is running: stop the container before removing or force remove" in refused.stderr
    host.docker("kill sleeper")
    assert host.docker("wait sleeper").stdout == "137\n"
    assert host.docker("rm sleeper").stdout == "sleeper\n"
    assert host.docker("logs sleeper").stderr == "Error response from daemon: No such container: sleeper\n"


def test_starting_a_running_container_changes_nothing(host):
    host.docker("run -d --name sleeper lab sleep 1000")
    assert host.docker("start sleeper").stdout == "sleeper\n"
    assert mounts(host) == 1
    assert host.docker("rm -f sleeper").stdout == "sleeper\n"
    assert mounts(host) == 0


def test_after_a_kill_it_is_dead(host):
    for number in range(10):
        host.docker(f"run -d --name victim{number} lab sleep 1000")
        host.docker(f"kill victim{number}")
        assert host.engine.find(f"victim{number}").status == "exited"


def test_another_signal_is_only_sent(host):
    host.docker(
        ["run", "-d", "--name", "trap", "lab", "sh", "-c", "trap 'echo got; exit 5' USR1; while :; do sleep 0.05; done"]
    )
    for _ in range(100):
        host.engine.pump(0.05)
        if host.engine.find("trap").status == "exited":
            break
        host.docker("kill -s USR1 trap")
    assert set(host.docker("logs trap").stdout.split()) == {"got"}
    assert host.docker("wait trap").stdout == "5\n"


def test_detached_with_rm_goes_when_it_ends(host):
    name = host.docker("run -d --rm --name brief lab true").stdout
    assert len(name) == 65
    for _ in range(100):
        if "brief" not in host.engine.containers:
            break
        host.engine.pump(0.1)
    assert "brief" not in host.docker("ps -a").stdout
    assert mounts(host) == 0


def test_several_containers_at_once(host):
    host.docker("create --name aa lab true")
    host.docker("create --name bb lab true")
    outcome = host.docker("rm aa nosuch bb")
    assert outcome.stdout == "aa\nbb\n"
    assert outcome.stderr == "Error response from daemon: No such container: nosuch\n"
    assert outcome.exit_code == 1


def test_a_container_that_could_not_start_is_still_created(host):
    outcome = host.docker("run -d --name never lab no-such-program")
    assert outcome.exit_code == 127
    assert outcome.stdout == f"{host.engine.find('never').id}\n"
    assert host.engine.find("never").status == "created"
    assert not any("exited" in step.text for step in outcome.trace.steps if step.depth == 1)
    assert host.docker("rm never").exit_code == 0


@pytest.mark.parametrize(("line", "code"), [("", 0), ("run 'x", 2), ("docker", 0), ("run --help", 0)])
def test_odd_lines_are_answered(host, line, code):
    outcome = host.docker(line)
    assert outcome.exit_code == code
    assert outcome.stdout or outcome.stderr
    assert len(outcome.trace) == 1


def test_an_exited_container_starts_again_with_what_it_wrote(host):
    host.docker("create --name again lab sh -c 'echo x >> /n; wc -l < /n'")
    for count in (1, 2, 3):
        host.docker("start again")
        host.docker("wait again")
        assert host.docker("logs again").stdout.split()[-1] == str(count)


def test_diff(host):
    # Real Docker 26 tells the same of these commands, in an order of its own.
    script = "echo new > /new; rm /etc/group; echo more >> /etc/passwd; mkdir /d; mv /d /e"
    host.docker(["run", "--name", "cow", "lab", "sh", "-c", script])
    assert host.docker("diff cow").stdout == "A /e\nC /etc\nD /etc/group\nC /etc/passwd\nA /new\n"


def test_diff_of_an_opaque_directory_tells_what_it_hides(host):
    host.docker(["run", "--name", "cow", "lab", "sh", "-c", "rm -r /etc; mkdir /etc; echo x > /etc/passwd"])
    lines = host.docker("diff cow").stdout.splitlines()
    assert "C /etc" in lines
    assert "C /etc/passwd" in lines
    assert "D /etc/group" in lines


def test_two_containers_of_one_image_do_not_see_each_others_writes(host):
    host.docker("run --name one lab sh -c 'echo mine > /etc/motd'")
    assert "mine" not in host.docker("run --rm lab cat /etc/motd").stdout


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("run --rm lab no-such-program", 127, 'exec: "no-such-program": executable file not found in $PATH: unknown'),
        ("run --rm lab /bin/bash", 127, 'exec: "/bin/bash": stat /bin/bash: no such file or directory: unknown'),
        ("run --rm lab /etc/passwd", 126, 'exec: "/etc/passwd": permission denied: unknown'),
        ("run --rm lab /etc", 126, 'exec: "/etc": permission denied: unknown'),
        ("run nosuch:1", 125, "Unable to find image 'nosuch:1' locally"),
        ("run --rm Bad", 125, "docker: invalid reference format: repository name (library/Bad) must be lowercase"),
        ("run --rm -w rel lab true", 125, "the working directory 'rel' is invalid, it needs to be an absolute path"),
        ("run --rm -w /etc/passwd lab true", 125, "Cannot mkdir: /etc/passwd is not a directory"),
        ("run --rm -u nope lab true", 125, "unable to find user nope: no matching entries in passwd file"),
        ("run --name ! lab true", 125, "Invalid container name (!), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        ("run --it lab", 125, "unknown flag: --it"),
        ("run -d -name web lab", 125, "unknown shorthand flag: 'n' in -name"),
        ("run -e =x lab true", 125, 'invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x'),
        ("run -p 80 lab true", 125, "minidocker does not have --publish yet"),
        ("run", 125, "docker: 'docker run' requires at least 1 argument"),
        ("frob", 1, "docker: unknown command: docker frob"),
        ("kill -s NOPE web", 1, "Error response from daemon: No such container: web"),
        ("diff nope", 1, "Error response from daemon: No such container: nope"),
    ],
)
def test_what_is_wrong_is_said_in_dockers_words(host, command, code, words):
    before = dict(host.engine.containers)
    outcome = host.docker(command)
    assert outcome.exit_code == code
    assert words in outcome.stderr
    assert mounts(host) == 0
    if "--rm" in command:
        assert host.engine.containers == before


def test_a_name_is_given_once(host):
    host.docker("create --name dup lab true")
    outcome = host.docker("create --name dup lab true")
    assert outcome.exit_code == 1
    assert 'The container name "/dup" is already in use by container' in outcome.stderr


def test_a_program_for_another_machine(host):
    header = r"\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0"
    script = f"printf '{header}' > /arm; dd if=/dev/zero bs=1k count=1 >> /arm 2>/dev/null; chmod +x /arm"
    host.docker(["run", "--name", "maker", "lab", "sh", "-c", f"{script}; exec /arm"])
    container = host.engine.find("maker")
    assert container.exit_code == 126, container.output("stderr")


def test_images(host):
    lines = host.docker("images").stdout.splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert lines[1].startswith("lab          latest    ") or lines[1].split()[:2] == ["lab", "latest"]


def test_nothing_is_mounted_after_a_run_and_something_during(host):
    host.docker("run -d --name busy lab sleep 1000")
    assert mounts(host) == 1
    host.docker("rm -f busy")
    assert mounts(host) == 0


def test_with_no_listener_no_step_is_made(host, monkeypatch):
    made = []

    def note(*_, **fields):
        made.append(fields)

    for module in ("minidocker.sim.kernel", "minidocker.real.kernel"):
        monkeypatch.setattr(f"{module}.SyscallEvent", note)
    monkeypatch.setattr("minidocker.recorder.Step", note)
    monkeypatch.setattr(host.engine, "monitor", Null())
    assert host.client("run --rm lab sh -c 'echo x >> /etc/motd'").exit_code == 0
    assert made == []
    host.kernel.listener = lambda event: None
    host.kernel.getpid()
    host.kernel.listener = None
    assert made[0]["name"] == "getpid"


def test_a_listener_that_fails_breaks_nothing(shared_host):
    class Broken(Exception):
        pass

    def listener(event):
        raise Broken(event.name)

    kernel = shared_host.kernel
    kernel.listener = listener
    try:
        kernel.mkdir("/tmp/listener-test")
        kernel.rmdir("/tmp/listener-test")
        assert isinstance(kernel.listener_error, Broken)
    finally:
        kernel.listener, kernel.listener_error = None, None


def test_a_given_hostname(host):
    outcome = host.docker("run --rm -h web1 lab sh -c 'hostname; echo $HOSTNAME'")
    assert outcome.stdout == "web1\nweb1\n"
