"""The recorder, fed with events by hand: what it makes of them without any kernel."""

import errno

from minidocker import linux
from minidocker.kernel import Inner, SyscallEvent
from minidocker.recorder import Recorder


def event(name, *args, task="0.1", actor="sh", **fields):
    fields = {"kwargs": {}, "uppers": {}, **fields}
    return SyscallEvent(task=task, actor=actor, name=name, args=args, **fields)


FILE = {"kind": "file", "mode": 0o644, "uid": 0, "gid": 0, "size": 5}
DIR = {"kind": "dir", "mode": 0o755, "uid": 0, "gid": 0}


def started():
    recorder = Recorder({"kind": "test"})
    recorder.command("docker run lab", "why")
    recorder.operation("mount", "why")
    recorder.stack("web", ["sha256:top"], "/merged", {})
    recorder(
        event(
            "clone", len, task="0", actor="daemon", kwargs={"flags": linux.CLONE_NEWNS | linux.CLONE_NEWPID}, result=7
        )
    )
    return recorder


def test_what_the_kernel_did_inside_follows_its_call_with_its_own_changes():
    recorder = started()
    inner = (Inner(name="copy_up", path="/d/f", size=5), Inner(name="copy_up", path="/d"))
    recorder(event("open", "/d/f", linux.O_WRONLY, 0, result=3, inner=inner, uppers={"web": {"/d": DIR, "/d/f": FILE}}))
    *_, call, first, second = recorder.cut("docker run lab").steps
    assert (call.call, call.changes) == ("open", ())
    assert [step.text for step in (first, second)] == ['copy_up("/d")  0 B', 'copy_up("/d/f")  5 B']
    assert first.changes[0].path == ("uppers", "web", "/d")
    assert second.changes[0].path == ("uppers", "web", "/d/f")
    assert "5 bytes" in call.why


def test_a_failed_call_changes_nothing_and_names_its_errno():
    recorder = started()
    recorder(event("rename", "/d", "/e", error=OSError(errno.EXDEV, "Invalid cross-device link")))
    step = recorder.cut("docker run lab").steps[-1]
    assert (step.errno, step.changes) == ("EXDEV", ())
    assert step.result == "-1 EXDEV (Invalid cross-device link)"


def test_tasks_appear_become_programs_end_and_are_reaped():
    recorder = started()
    recorder(event("execve", "/bin/sh", ["sh"], {}, actor="init"))
    recorder(event("clone", len, result=2))
    recorder(event("exit", 3, task="0.1.1"))
    recorder(event("wait4", -1, 0, result=(2, 3 << 8)))
    trace = recorder.cut("docker run lab")
    states = [trace.at(index)["tasks"] for index in range(len(trace))]
    assert states[-1]["0.1"]["name"] == "sh"
    assert states[-2]["0.1.1"]["status"] == "zombie"
    assert states[-2]["0.1.1"]["exit_code"] == 3
    assert "0.1.1" not in states[-1]
    assert states[-1]["0.1"]["namespaces"] == {
        "user": "user:1", "mnt": "mnt:2", "pid": "pid:2", "uts": "uts:1", "ipc": "ipc:1", "net": "net:1",
        "cgroup": "cgroup:1", "time": "time:1",
    }  # fmt: skip
    assert trace.steps[-1].like == "0.1.1 ended: [{WIFEXITED(s) && WEXITSTATUS(s) == 3}]"


def test_mounts_are_followed_through_pivot_root():
    recorder = started()
    for call in (
        ("mount", "/m", "/m", "", linux.MS_BIND, ""),
        ("mount", "proc", "/m/proc", "proc", 0, ""),
        ("chdir", "/m"),
        ("pivot_root", ".", "."),
        ("umount2", ".", linux.MNT_DETACH),
    ):
        recorder(event(*call, actor="init"))
    trace = recorder.cut("docker run lab")
    mounts = trace.at(len(trace) - 1)["mounts"]["mnt:2"]
    assert {target: mount["fstype"] for target, mount in mounts.items()} == {"/": "bind", "/proc": "proc"}


def test_the_next_trace_begins_where_the_last_one_ended():
    recorder = started()
    first = recorder.cut("one")
    recorder.command("docker ps")
    second = recorder.cut("two")
    assert second.initial == first.at(len(first) - 1)
    assert len(second) == 1


def test_an_id_is_shown_by_its_first_digits():
    recorder = started()
    recorder(event("mkdir", "/var/lib/docker/overlay2/" + "0123456789abcdef" * 4 + "/diff", 0o755))
    assert recorder.cut("x").steps[-1].text == 'mkdir("/var/lib/docker/overlay2/0123456789ab…/diff", 0755)'
