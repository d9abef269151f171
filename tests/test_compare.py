from dataclasses import replace

from minidocker.compare import compare, compared
from minidocker.state import Change
from minidocker.trace import INSIDE, SYSCALL, Step, Trace


def step(index, text, task="0.1", result="0", **fields):
    return Step(
        index=index, depth=SYSCALL, actor="sh", task=task, call=text.split("(")[0], text=text, result=result, **fields
    )


def trace(*steps, **fields):
    numbered = tuple(replace(one, index=index) for index, one in enumerate(steps))
    return Trace(command="docker run", kernel={}, steps=numbered, **fields)


WRITE = step(0, 'write(1, "x")', result="1")
OTHERS = [step(0, "close(1)", task="0.2"), step(0, "close(2)", task="0.2")]
EXIT = step(0, "exit(0)")
END = step(0, "exit(0)", task="0.0")


def test_equal_traces():
    assert compare(trace(WRITE, *OTHERS), trace(WRITE, *OTHERS)) is None


def test_who_runs_first_does_not_matter():
    assert compare(trace(WRITE, *OTHERS), trace(OTHERS[0], WRITE, OTHERS[1])) is None


def test_the_first_step_that_differs_is_told():
    other = replace(WRITE, result="-1 ENOSPC (No space left on device)", errno="ENOSPC")
    difference = compare(trace(*OTHERS, WRITE), trace(*OTHERS, other))
    assert difference.left.text == WRITE.text
    assert difference.right.errno == "ENOSPC"
    assert "ENOSPC" in str(difference)


def test_a_missing_step_is_a_difference():
    difference = compare(trace(*OTHERS, WRITE, WRITE, EXIT), trace(*OTHERS, WRITE, EXIT))
    assert difference.left.text == WRITE.text
    assert difference.right.text == "exit(0)"
    difference = compare(trace(WRITE, EXIT, EXIT), trace(WRITE, EXIT))
    assert difference.left.text == "exit(0)"
    assert difference.right is None


def test_what_happened_inside_is_compared_but_not_how_it_is_known():
    inside = Step(index=0, depth=INSIDE, actor="kernel", task="0.1", call="copy_up", text='copy_up("/a")  5 B')
    assert compare(trace(WRITE, inside), trace(WRITE, replace(inside, observed=True, why="words"))) is None
    assert compare(trace(WRITE, inside, EXIT), trace(WRITE, EXIT)) is not None
    assert compare(trace(WRITE, inside), trace(WRITE, replace(inside, text='copy_up("/a")  6 B'))) is not None


def test_changes_are_compared():
    put = (Change(("uppers", "web", "/a"), None, {"kind": "file", "size": 5}),)
    assert compare(trace(replace(WRITE, changes=put)), trace(WRITE)) is not None


def test_a_pipe_is_a_stream():
    whole = [step(0, 'read(3, "abcdef", 65536)', result="6"), step(0, 'read(3, "", 65536)')]
    pieces = [step(0, 'read(3, "abc", 65536)', result="3"), step(0, 'read(3, "def", 65536)', result="3"), whole[1]]
    assert compare(trace(*whole), trace(*pieces)) is None
    assert compare(trace(*whole), trace(pieces[0], whole[1])) is not None


def test_output_exit_code_and_what_is_left_without_the_calls():
    one = trace(WRITE, stdout="a\n")
    assert compare(one, trace(stdout="a\n"), calls=False) is None
    assert "stdout" in compare(one, trace(stdout="b\n"), calls=False).what
    assert "exit_code" in compare(trace(), trace(exit_code=1), calls=False).what
    left = replace(WRITE, changes=(Change(("uppers", "web"), None, {"/a": {"kind": "file"}}),))
    gone = replace(WRITE, changes=(Change(("uppers", "web"), {"/a": {"kind": "file"}}, None),))
    assert "/a" in compare(trace(left, gone), trace(), calls=False).what


def test_where_a_program_ran_as_itself_only_what_it_led_to_is_compared():
    execve = step(0, 'execve("/bin/sh", ["sh"])')
    model, kernel = trace(execve, WRITE), trace(replace(execve, unseen=True))
    assert compare(model, kernel) is None
    assert "ran as itself" in compared(model, kernel)
    assert compare(trace(execve, WRITE, EXIT), trace(execve, EXIT)) is not None
    assert compared(model, trace(execve)) == "2 steps"


def test_a_killed_task_is_compared_as_far_as_both_came():
    ended = step(0, "wait4(2, 0)", task="0.0", like="0.1 ended: [{WIFSIGNALED(s) && WTERMSIG(s) == SIGPIPE}]")
    assert compare(trace(WRITE, WRITE, ended, END), trace(WRITE, ended, END)) is None
    exited = replace(ended, like="0.1 ended: [{WIFEXITED(s) && WEXITSTATUS(s) == 0}]")
    assert compare(trace(WRITE, WRITE, exited, END), trace(WRITE, exited, END)) is not None


def test_what_only_one_kernel_can_tell_is_left_out():
    frame = Step(index=0, depth=INSIDE, actor="kernel", task="0.1", call="frame", text="frame a → b", simulated=True)
    killed = replace(frame, call="oom_kill", text='oom_kill("/sys/fs/cgroup/docker/a")', simulated=False)
    assert compare(trace(WRITE, frame, killed, EXIT), trace(WRITE, EXIT)) is None


def test_what_is_local_is_neither_compared_nor_told_as_a_difference():
    one = replace(WRITE, changes=(Change(("cgroups", "/g", "usage", "pids.current"), 1, 2),))
    assert compare(trace(one, EXIT), trace(WRITE, EXIT)) is None
    other = replace(one, result="7")
    assert "usage" not in str(compare(trace(one, EXIT), trace(other, EXIT)))


def test_times_that_ping_measured_and_counters_that_were_asked_for():
    ping = [replace(trace(WRITE), stdout=f"seq=0 ttl=64 time={time} ms\n") for time in ("0.004", "12.3")]
    assert compare(*ping) is None
    stats = [replace(trace(WRITE), command="docker stats --no-stream", stdout=f"{n}MiB") for n in (1, 2)]
    assert compare(*stats) is None
    assert compare(*(replace(each, command="docker logs stats") for each in stats)) is not None
