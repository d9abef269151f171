"""Tasks, pipes, signals, namespaces, execve, proc: the same cases on both kernels. What they do: task_programs.py,
namespace_programs.py."""

import contextlib

import pytest
from conformance import namespace_programs, task_programs
from conformance.outcome import finish, run, start

from minidocker.linux import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    O_RDONLY,
    SIGKILL,
    SIGTERM,
    SIGUSR1,
)

NS, PID, UTS = CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS


@pytest.fixture
def directory(kernel):
    """A directory where the engine's own would be."""
    for path in ("/var/lib/docker", "/var/lib/docker/case"):
        with contextlib.suppress(FileExistsError):
            kernel.mkdir(path)
    return "/var/lib/docker/case"


def _program(name):
    return getattr(task_programs, name, None) or getattr(namespace_programs, name)


def check(kernel, name, *args, flags=0, code=0):
    """Run a case of task_programs and return the lines that it wrote."""
    outcome = run(kernel, _program(name), *args, flags=flags)
    assert outcome.code == code, outcome
    return outcome.output.splitlines()


@pytest.mark.parametrize(("code", "status"), [(0, 0), (1, 0x100), (255, 0xFF00), (300, 0x2C00)])
def test_exit_codes(kernel, code, status):
    assert run(kernel, task_programs.exit_with, code).status == status


def test_wrong_arguments_come_back_to_the_program(kernel, directory):
    assert check(kernel, "wrong_arguments", directory) == ["TypeError", "TypeError", "EINVAL EINVAL"]


def test_exit_never_returns(kernel):
    assert check(kernel, "call_exit", 258, code=2) == []


def test_wait_for_each_child(kernel):
    assert check(kernel, "parent", [1, 2, 0]) == ["True 256", "True 512", "True 0", "ECHILD"]


def test_wait_for_any_child(kernel):
    assert check(kernel, "wait_for_any") == ["True"] * 3


def test_wait_with_wnohang(kernel):
    assert check(kernel, "wait_nohang") == ["(0, 0)", "True 1536", "ECHILD", "ECHILD"]


def test_orphans_become_inits_children(kernel):
    assert check(kernel, "orphan_maker", flags=PID) == ["True 41"]


def test_children_of_who_ignores_sigchld_leave_no_zombie(kernel):
    assert check(kernel, "children_ignored") == ["ECHILD"]


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 1_000_000])
def test_a_pipe_between_children(kernel, size):
    assert check(kernel, "pipeline", size) == [f"{size} True True 0"]


def test_a_pipe_that_nobody_reads(kernel):
    assert check(kernel, "broken_pipe") == ["True", "EPIPE"]


def test_a_pipe_that_does_not_wait(kernel):
    lines = check(kernel, "nonblocking_pipe")
    assert lines == ["EAGAIN", "EAGAIN 65536", "EAGAIN", "4096 4096", "65536 b''"]


def test_a_fifo(kernel, directory):
    assert check(kernel, "fifo", directory) == ["ENXIO", "b'through the fifo'", "b''", "b'itself'"]


def test_a_child_shares_the_offset(kernel, directory):
    assert check(kernel, "shared_offset", directory) == ["b'one '", "b'two '", "b'three'"]


def test_a_child_starts_with_chosen_descriptors(kernel, directory):
    assert check(kernel, "chosen_descriptors", directory) == ["EBADF EBADF EBADF", "from five", "EBADF"]


def test_descriptors_that_execve_closes(kernel, directory):
    lines = check(kernel, "close_on_exec", directory)
    assert [line for line in lines if line == "kept"] == ["kept"] * 2
    assert len(lines) == 3
    assert "No such file or directory" in "".join(lines)


def test_signals_with_handlers(kernel):
    assert check(kernel, "handled") == ["0", "[10]", "True", "1 [10]"]


@pytest.mark.parametrize("call", ["read", "sleep", "pause", "wait4"])
def test_a_handler_interrupts_what_waits(kernel, call):
    assert check(kernel, "interrupted", call) == ["EINTR True"]


@pytest.mark.parametrize("signum", [SIGTERM, SIGKILL, SIGUSR1])
def test_signals_without_handlers_kill(kernel, signum):
    assert check(kernel, "killed_child", signum) == [f"True {signum}"]


def test_errors_of_kill_and_signal(kernel):
    lines = check(kernel, "signal_errors")
    assert lines == ["None a zombie can be signalled", "ESRCH ESRCH", "EINVAL None", "EINVAL EINVAL"]


def test_kill_is_for_ones_own(kernel):
    assert check(kernel, "signal_as_nobody", flags=PID) == ["EPERM EPERM", "None 9"]


def test_a_child_has_its_parents_handlers(kernel):
    assert check(kernel, "ignored_signals") == ["True True", "True True"]


def test_pids_inside_and_outside(kernel):
    assert check(kernel, "pids_inside", flags=PID) == ["1 0", "2 1", "1 0", "2 3"]


def test_nobody_inside_can_kill_init(kernel):
    assert check(kernel, "init_is_protected", flags=PID, code=7) == ["None", "None", "None", "0"]


def test_an_init_gets_what_it_handles(kernel):
    assert check(kernel, "init_with_a_handler", flags=PID) == ["[15]"]


def test_the_end_of_init_is_the_end_of_all(kernel):
    assert check(kernel, "init_that_leaves", flags=PID, code=9) == []


def test_init_from_outside(kernel):
    assert check(kernel, "outer") == ["b'ready'", "(0, 0)", "9", "b'' once all inside are gone"]


@pytest.mark.parametrize(("signum", "code"), [(SIGKILL, 137), (SIGTERM, None)])
def test_the_host_kills_an_init(kernel, signum, code):
    pid, reading = start(kernel, task_programs.pause_for_ever, flags=PID)
    kernel.poll(0.05)
    kernel.kill(pid, signum)
    if code is None:
        assert [event for event in kernel.poll(0.05) if event.kind == "exited"] == []
        kernel.kill(pid, SIGKILL)
    assert finish(kernel, pid, reading).status == SIGKILL


def test_unshare_pid_takes_the_next_child(kernel):
    assert check(kernel, "unshare_pid") == ["False EINVAL", "1 0", "ENOMEM"]


def test_host_names(kernel):
    before = kernel.gethostname()
    assert check(kernel, "uts") == ["other", "True", "mine", "EINVAL"]
    assert kernel.gethostname() == before


def test_setns_into_a_host_name(kernel):
    assert check(kernel, "join_uts") == ["False", "EINVAL EINVAL", "joined", "True"]


def test_mounts_of_a_namespace_are_its_own(kernel, directory):
    assert check(kernel, "mounts_inside", directory) == ["['inside']", "['tmpfs']", "[]"]
    assert kernel.listdir(directory + "/there") == []


def test_setns_into_a_container(kernel):
    assert check(kernel, "join_everything") == ["['only-inside']", "3 0", "ENOMEM"]


def test_namespaces_are_roots_to_make(kernel):
    assert check(kernel, "not_root") == ["EPERM EPERM"] * 3 + ["EPERM"]


def test_a_container_by_hand(kernel, directory):
    run(kernel, namespace_programs.make_container_files, directory)
    lines = check(kernel, "container", directory, flags=PID | NS | UTS)
    assert lines == [
        "['etc', 'hello', 'proc', 'volume'] /",
        "hello ['old']",
        "ENOENT 1",
        "[['/', 'overlay'], ['/proc', 'proc'], ['/volume', 'tmpfs']]",
        "['1']",
        "a",
        "2 0",
    ]
    assert sorted(kernel.listdir(directory + "/upper")) == ["etc"]
    assert sorted(kernel.listdir(directory + "/volume")) == ["new", "old"]
    assert kernel.listdir(directory + "/merged") == []
    fd = kernel.open(directory + "/lower/etc/motd", O_RDONLY)
    assert kernel.read(fd, 100) == b"hello"
    kernel.close(fd)


def test_a_container_seen_from_outside(kernel, directory):
    """The host reaches a task's tree by /proc/PID/root, and its own mounts do not change."""
    kernel.mkdir(directory + "/tree")
    pid, reading = start(kernel, namespace_programs.bind_and_pause, directory + "/tree", flags=PID | NS)
    assert [event.fd for event in kernel.poll(5)] == [reading]
    assert kernel.listdir(f"/proc/{pid}/root/mnt") == ["inside"]
    assert kernel.readlink(f"/proc/{pid}/ns/mnt") != kernel.readlink("/proc/self/ns/mnt")
    assert kernel.readlink(f"/proc/{pid}/ns/uts") == kernel.readlink("/proc/self/ns/uts")
    kernel.kill(pid, SIGKILL)
    assert finish(kernel, pid, reading).status == SIGKILL


def test_what_cannot_be_executed(kernel, directory):
    assert check(kernel, "exec_errors", directory) == [
        "missing ENOENT",
        "text ENOEXEC",
        "empty ENOEXEC",
        "plain EACCES",
        "script ENOENT",
        "loop ELOOP",
        "other ENOEXEC",
        "ring ELOOP",
        "text/below ENOTDIR",
        "(the directory) EACCES",
        ". EACCES",
        "ENOENT ENAMETOOLONG",
        "E2BIG",
    ]


def test_programs_and_scripts(kernel, directory):
    assert check(kernel, "exec_programs", directory) == [
        "three",
        "0",
        f"one two {directory}/script three",
        "0",
        f"one two {directory}/script {directory}/second three",
        "0",
        f"one two {directory}/link three",
        "0",
    ]


def test_proc(kernel):
    assert check(kernel, "proc_views", flags=PID | NS) == [
        "['1', '2'] 2",
        "1 /",
        "S 1 52",
        "S (sleeping) 2 2 1 0\t0\t0\t0 1",
        "True",
        "True",
        "True",
        "ENOENT ENOENT ENOENT",
        "Z",
        "True ENOENT",
        "ENOENT",
    ]


def test_the_calls_of_a_task_are_told(kernel):
    """Each kernel tells the same calls of a task in the same order, and which actor made them."""
    told = []
    kernel.listener = lambda event: told.append((event.task, event.actor, event.name, event.error is None))
    assert check(kernel, "parent", [3]) == ["True 768", "ECHILD"]
    kernel.listener = None
    lines = {line for line, *_ in told}
    assert lines == {"0", "0.1", "0.1.1"}
    assert [call for line, *call in told if line == "0.1"] == [
        ["init", "clone", True],
        ["init", "wait4", True],
        ["init", "write", True],
        ["init", "wait4", False],
        ["init", "write", True],
        ["init", "exit", True],
    ]
    assert [call for line, *call in told if line == "0.1.1"] == [["init", "exit", True]]


def test_the_actor_is_the_program(kernel, directory):
    told = []
    kernel.listener = lambda event: told.append((event.task, event.actor, event.name))
    check(kernel, "exec_programs", directory)
    kernel.listener = None
    assert [call for task, *call in told if task == "0.1.1"] == [
        ["init", "execve"],
        ["echo", "write"],
        ["echo", "exit"],
    ]
