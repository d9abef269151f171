"""Tasks: a coroutine driven in a cloned process, its descriptors, children, exit; and the namespaces it is in."""

import os

import pytest

from minidocker.linux import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MS_BIND,
    O_CLOEXEC,
    O_NONBLOCK,
    SIGABRT,
    SIGKILL,
    SIGPIPE,
    exit_status,
)
from tests.real import coroutines
from tests.real.coroutines import answer, finish, run, start, until_output

pytestmark = pytest.mark.needs("linux")


class TestEnds:
    def test_what_main_returns_is_the_exit_code(self, kernel):
        assert run(kernel, coroutines.exits, 7) == (b"", 7 << 8)
        assert run(kernel, coroutines.exits, 256 + 3) == (b"", 3 << 8)

    def test_exit_ends_at_once(self, kernel):
        assert run(kernel, coroutines.exits_by_call, 5) == (b"", 5 << 8)

    def test_a_mistake_in_a_program_is_an_abort_with_its_traceback(self, kernel):
        output, status = run(kernel, coroutines.raises)
        assert status & 0x7F == SIGABRT
        assert b"ValueError: a mistake in a program" in output

    def test_so_it_is_for_the_init_of_a_pid_namespace_that_no_signal_of_its_own_kills(self, kernel):
        output, status = run(kernel, coroutines.raises, flags=CLONE_NEWPID)
        assert exit_status(status) == 128 + SIGABRT
        assert b"ValueError" in output

    def test_killed(self, kernel):
        pid, end = start(kernel, coroutines.sleeper)
        kernel.kill(pid, SIGKILL)
        assert finish(kernel, pid, end) == (b"", SIGKILL)

    def test_a_zombie_stays_until_it_is_waited_for_and_is_told_once(self, kernel):
        pid = kernel.clone(coroutines.exits, 3, fds={})
        assert [(event.kind, event.pid) for event in kernel.poll(5)] == [("exited", pid)]
        assert kernel.poll(0) == []
        kernel.kill(pid, 0)
        assert kernel.wait4(-1) == (pid, 3 << 8)
        with pytest.raises(ProcessLookupError):
            kernel.kill(pid, 0)
        with pytest.raises(ChildProcessError):
            kernel.wait4(pid)

    def test_waiting_for_who_lives_is_eagain_not_a_wait(self, kernel):
        pid = kernel.clone(coroutines.sleeper, fds={})
        with pytest.raises(BlockingIOError):
            kernel.wait4(pid, 0)
        assert kernel.wait4(pid, 1) == (0, 0)
        kernel.kill(pid, SIGKILL)
        assert [event.pid for event in kernel.poll(5)] == [pid]
        assert kernel.wait4(pid) == (pid, SIGKILL)

    def test_orphans_are_reaped_by_the_helper(self, kernel):
        run(kernel, coroutines.orphans)
        from tests.real.leftovers import eventually

        assert eventually(lambda: [name for name in kernel.listdir("/proc") if name.isdigit()] == ["1"])


class TestDescriptors:
    def test_a_child_has_those_that_it_is_given(self, kernel):
        found = answer(kernel, coroutines.descriptors, fds={7: 0})
        assert [fd for fd in found["open"] if fd < 200] == [0, 1, 2, 7]  # 0 is the listing itself
        assert found["next"] == [0, 3, 4]

    def test_of_the_labs_own_only_the_channel_of_its_reports(self, kernel):
        assert len([fd for fd in answer(kernel, coroutines.descriptors)["open"] if fd >= 200]) == 1

    def test_without_a_choice_all_of_the_hosts_side(self, kernel):
        end, other = kernel.pipe2(0)
        kernel.watch(end)
        kernel.dup2(other, 1)
        pid = kernel.clone(coroutines.descriptors)
        kernel.dup2(0, 1)
        kernel.close(other)
        output, _ = finish(kernel, pid, end)
        import json

        found = json.loads(output)
        assert [fd for fd in found["open"] if fd < 200] == [0, 1, 2, 3, 4, 5]

    def test_one_that_is_not_open_is_ebadf(self, kernel):
        for fd in (77, 200, 201):
            with pytest.raises(OSError, match="Bad file descriptor"):
                kernel.clone(coroutines.exits, 0, fds={1: fd})

    def test_swapped_numbers(self, kernel):
        first, second = kernel.pipe2(O_CLOEXEC), kernel.pipe2(O_CLOEXEC)
        kernel.write(first[1], b"in")
        kernel.close(first[1])
        pid = kernel.clone(coroutines.copies, fds={0: first[0], 1: second[1], first[0]: second[1], second[1]: first[0]})
        kernel.close(first[0])
        kernel.close(second[1])
        kernel.watch(second[0])
        assert finish(kernel, pid, second[0]) == (b"in", 0)

    def test_a_childs_ends_wait_though_the_hosts_do_not(self, kernel):
        end, other = kernel.pipe2(O_CLOEXEC | O_NONBLOCK)
        pid, out = start(kernel, coroutines.copies, fds={0: end})
        kernel.close(end)
        assert kernel.poll(0.02) == []
        kernel.write(other, b"late")
        assert until_output(kernel, out) == b"late"
        kernel.close(other)
        assert finish(kernel, pid, out) == (b"", 0)

    def test_much_output(self, kernel):
        output, status = run(kernel, coroutines.floods, 3_000_000)
        assert (len(output), status) == (3_000_000, 0)


class TestFamily:
    def test_children_and_grandchildren(self, kernel):
        found = answer(kernel, coroutines.family)
        assert found == {"words": "grandchild True;child 3;", "same": True, "status": 4, "childless": True}

    def test_a_child_has_its_own_memory_directory_and_umask(self, kernel):
        assert answer(kernel, coroutines.memory_is_copied) == {"box": ["parent"], "cwd": "/", "umask": 0o022}

    def test_the_hosts_children_are_children_of_pid_1(self, kernel):
        found = answer(kernel, coroutines.ids)
        assert (found["ppid"], found["uid"], found["cwd"]) == (1, 0, "/")
        assert found["pid"] > 1

    def test_main_must_be_importable(self, kernel):
        async def local(k) -> int:
            return 0

        with pytest.raises(ValueError, match="not a function of a module"):
            kernel.clone(local)


class TestNamespaces:
    def test_pid_1_in_a_pid_namespace(self, kernel):
        pid, end = start(kernel, coroutines.ids, flags=CLONE_NEWPID)
        assert pid > 1
        output, _ = finish(kernel, pid, end)
        assert b'"pid": 1, "ppid": 0' in output

    def test_its_end_is_the_end_of_all_in_it(self, kernel):
        pid, end = start(kernel, coroutines.busy, "/var/lib/docker", 1, flags=CLONE_NEWPID | CLONE_NEWNS)
        assert kernel.poll(0.1) == []
        kernel.kill(pid, SIGKILL)
        assert finish(kernel, pid, end) == (b"", SIGKILL)
        assert [name for name in kernel.listdir("/proc") if name.isdigit()] == ["1"]

    def test_a_host_name_of_its_own(self, kernel):
        before = kernel.gethostname()
        assert answer(kernel, coroutines.new_uts, "inside", flags=CLONE_NEWUTS) == "inside"
        assert kernel.gethostname() == before

    def test_unshare(self, kernel):
        assert answer(kernel, coroutines.unshares) == {"name": "unshared", "child": "[1, 0]"}

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a user may not look into a task before its execve")
    def test_setns(self, kernel):
        pid, end = start(kernel, coroutines.names_itself_and_waits, "joined", flags=CLONE_NEWUTS)
        until_output(kernel, end)
        assert answer(kernel, coroutines.joins, pid) == "joined"
        kernel.kill(pid, SIGKILL)
        finish(kernel, pid, end)

    def test_mounts_of_its_own(self, kernel, place):
        assert answer(kernel, coroutines.mounts, place, flags=CLONE_NEWNS) == ["inside"]
        assert kernel.listdir(place) == []

    def test_pivot_root(self, kernel, place):
        for name in ("proc", "etc"):
            kernel.mkdir(f"{place}/{name}")
        found = answer(kernel, coroutines.pivots, place, flags=CLONE_NEWNS | CLONE_NEWPID)
        assert found == {"names": ["etc", "proc"], "pids": ["1"], "pid": 1}

    def test_the_hosts_namespaces_are_not_touched(self, kernel, place):
        kernel.mount(place, place, "", MS_BIND)
        kernel.umount2(place)
        assert all(str(kernel.pid) != name for name in os.listdir("/proc/self/task"))


class TestPipes:
    def test_sigpipe_kills_as_on_any_linux(self, kernel):
        assert run(kernel, coroutines.writes_into_closed_pipe, False) == (b"", SIGPIPE)

    def test_or_is_epipe_when_ignored(self, kernel):
        assert run(kernel, coroutines.writes_into_closed_pipe, True) == (b"", 32 << 8)
