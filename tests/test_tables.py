"""The state's tables, from system calls told by hand: namespaces, mounts, control groups, links."""

import errno

import pytest

from minidocker import linux
from minidocker.compare import compare
from minidocker.kernel import Inner, SyscallEvent
from minidocker.netlink import Link
from minidocker.recorder import Recorder
from minidocker.state import Change, empty_state, shared

ALL = (
    linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET
    | linux.CLONE_NEWCGROUP
)  # fmt: skip
GROUP = "/sys/fs/cgroup/docker/abc"


class Story:
    """A recorder that is told of calls, and the state after them."""

    def __init__(self, **kernel):
        self.recorder = Recorder({"kind": "test", **kernel})
        self.recorder.command("docker run lab")

    def call(self, name, *args, task="0", actor="sh", result=None, **fields):
        kwargs = fields.pop("kwargs", {})
        self.recorder(
            SyscallEvent(
                task=task, actor=actor, name=name, args=args, kwargs=kwargs, result=result, **{"uppers": {}, **fields}
            )
        )

    def clone(self, flags=0, *, task="0", pids=(), child="", result=None, fds=None):
        kwargs = {"flags": flags, "fds": fds}
        self.call("clone", len, task=task, result=result or pids[-1], kwargs=kwargs, pids=pids, child=child)

    def set_clocks(self, data, *, result):
        """The first child makes a time namespace, and says how far its clocks are ahead."""
        self.call("unshare", linux.CLONE_NEWTIME, task="0.1")
        self.call("open", "/proc/self/timens_offsets", linux.O_WRONLY, task="0.1", result=3)
        self.call("write", 3, data, task="0.1", result=result)

    def trace(self):
        return self.recorder.cut("docker run lab")

    @property
    def state(self):
        trace = self.trace()
        self.recorder.command("docker again")
        return trace.at(len(trace) - 1)


def test_a_clone_makes_the_namespaces_that_its_flags_name():
    story = Story()
    story.clone(ALL, pids=(7, 1))
    state = story.state
    assert set(state["tasks"]["0.1"]["namespaces"].values()) == {
        "user:1", "mnt:2", "pid:2", "uts:2", "ipc:2", "net:2", "cgroup:2", "time:1",
    }  # fmt: skip
    assert state["namespaces"]["pid:2"] == {"kind": "pid", "parent": "pid:1", "owner": "user:1"}
    assert state["tasks"]["0.1"]["pids"] == [7, 1]
    assert state["links"]["net:2"] == {"lo": {"kind": "loopback", "up": False, "addresses": []}}


def test_a_user_namespace_owns_what_is_made_with_it():
    story = Story()
    story.clone(linux.CLONE_NEWUSER | linux.CLONE_NEWUTS, pids=(7,))
    story.call("open", "/proc/7/uid_map", linux.O_WRONLY, result=3)
    story.call("write", 3, b"0 1000 1\n", result=9)
    state = story.state
    assert state["namespaces"]["uts:2"]["owner"] == "user:2"
    assert state["namespaces"]["user:2"] == {"kind": "user", "parent": "user:1", "uid_map": [[0, 1000, 1]]}


def test_a_time_namespace_is_for_the_children_and_for_what_is_executed():
    story = Story()
    story.clone(pids=(7,))
    story.set_clocks(b"7 1000 0\n1 -5 0\n", result=16)
    story.clone(task="0.1", pids=(8,))
    state = story.state
    assert state["namespaces"]["time:2"] == {"kind": "time", "owner": "user:1", "boottime": 1000, "monotonic": -5}
    first, child = state["tasks"]["0.1"], state["tasks"]["0.1.1"]
    assert (first["namespaces"]["time"], first["time_for_children"]) == ("time:1", "time:2")
    assert (child["namespaces"]["time"], child.get("time_for_children")) == ("time:2", None)
    story.call("execve", "/bin/sleep", ["sleep"], {}, task="0.1")
    first = story.state["tasks"]["0.1"]
    assert (first["namespaces"]["time"], first.get("time_for_children")) == ("time:2", None)


def test_a_new_time_namespace_begins_with_the_offsets_of_the_old_one():
    story = Story()
    story.clone(pids=(7,))
    story.set_clocks(b" 7\t100  9  more\n1 2 3\n1 4 5", result=22)
    story.clone(linux.CLONE_NEWTIME, task="0.1", pids=(8,))
    rows = story.state["namespaces"]
    assert rows["time:3"] == rows["time:2"] == {"kind": "time", "owner": "user:1", "boottime": 100, "monotonic": 2}


def test_unshare_of_pids_is_for_the_children_and_nested():
    story = Story()
    story.clone(linux.CLONE_NEWPID, pids=(7, 1))
    story.call("unshare", linux.CLONE_NEWPID | linux.CLONE_NEWUTS, task="0.1")
    story.clone(task="0.1", pids=(8, 2, 1), result=2)
    state = story.state
    assert state["tasks"]["0.1"]["namespaces"]["pid"] == "pid:2"
    assert state["tasks"]["0.1"]["pid_for_children"] == "pid:3"
    assert state["tasks"]["0.1.1"]["namespaces"]["pid"] == "pid:3"
    assert state["namespaces"]["pid:3"]["parent"] == "pid:2"
    story.call("kill", 2, linux.SIGTERM, task="0.1")
    assert story.trace().steps[-1].like == "kill(0.1.1, SIGTERM)"


def test_setns_joins_and_a_descriptor_keeps_a_namespace_alive():
    story = Story()
    story.clone(linux.CLONE_NEWNET, pids=(7,))
    story.call("open", "/proc/7/ns/net", linux.O_RDONLY | linux.O_CLOEXEC, result=5)
    story.call("exit", 0, task="0.1")
    story.call("wait4", 7, 0, result=(7, 0))
    assert "net:2" in story.state["namespaces"]
    story.call("setns", 5, linux.CLONE_NEWNET)
    trace = story.trace()
    assert trace.steps[-1].text == "setns(5<net:2>, CLONE_NEWNET)"
    assert trace.at(len(trace) - 1)["tasks"]["0"]["namespaces"]["net"] == "net:2"


def test_a_namespace_goes_with_the_last_that_holds_it():
    story = Story()
    story.clone(linux.CLONE_NEWNET | linux.CLONE_NEWNS, pids=(7,))
    story.call("open", "/proc/7/ns/net", linux.O_RDONLY, result=5)
    story.call("mount", "tmpfs", "/tmp", "tmpfs", 0, "", task="0.1")
    story.call("exit", 0, task="0.1")
    story.call("wait4", 7, 0, result=(7, 0))
    state = story.state
    assert "mnt:2" not in state["namespaces"]
    assert "mnt:2" not in state["mounts"]
    story.call("close", 5)
    state = story.state
    assert "net:2" not in state["namespaces"]
    assert "net:2" not in state["links"]


def test_a_pidfd_joins_several_at_once():
    story = Story()
    story.clone(ALL, pids=(7, 1))
    story.call("pidfd_open", 7, 0, result=4)
    story.clone(pids=(8,))
    story.call("setns", 4, linux.CLONE_NEWNET | linux.CLONE_NEWPID, task="0")
    trace = story.trace()
    assert trace.steps[-1].text == "setns(4<pid:0.1>, CLONE_NEWPID|CLONE_NEWNET)"
    row = trace.at(len(trace) - 1)["tasks"]["0"]
    assert (row["namespaces"]["net"], row["namespaces"]["pid"], row["pid_for_children"]) == ("net:2", "pid:1", "pid:2")


def test_the_host_name_belongs_to_the_namespace_and_is_copied():
    story = Story()
    story.clone(linux.CLONE_NEWUTS, pids=(7,))
    story.call("sethostname", "web", task="0.1")
    story.call("unshare", linux.CLONE_NEWUTS, task="0.1")
    story.call("open", "/proc/7/ns/uts", linux.O_RDONLY, result=3)
    state = story.state
    assert state["namespaces"]["uts:3"]["hostname"] == "web"
    assert "hostname" not in state["namespaces"]["uts:1"]
    assert "uts:2" not in state["namespaces"]


def test_orphans_go_to_the_init_of_their_pid_namespace():
    story = Story()
    story.clone(linux.CLONE_NEWPID, pids=(7, 1))
    story.clone(task="0.1", pids=(8, 2))
    story.clone(task="0.1.1", pids=(9, 3))
    story.call("exit", 0, task="0.1.1")
    story.call("wait4", -1, 0, task="0.1", result=(2, 0))
    assert story.state["tasks"]["0.1.1.1"]["parent"] == "0.1"
    story.call("execve", "/bin/ls", ["ls"], {}, task="0.1.1.1")
    story.call("exit", 0, task="0.1.1.1")
    story.call("wait4", -1, 0, task="0.1", result=(3, 0))
    assert set(story.state["tasks"]) == {"0", "0.1"}


def test_the_end_of_init_is_the_end_of_all_in_its_namespace():
    story = Story()
    story.clone(linux.CLONE_NEWPID, pids=(7, 1))
    story.clone(task="0.1", pids=(8, 2))
    story.call("wait4", -1, 0, result=(7, 9))
    assert set(story.state["tasks"]) == {"0"}


@pytest.mark.parametrize(
    ("flags", "seen", "said"),
    [
        (linux.MS_SHARED, True, "shared:1"),
        (linux.MS_PRIVATE, False, None),
        (linux.MS_SLAVE, True, "master:1"),
    ],
)
def test_who_sees_a_mount_that_another_makes(flags, seen, said):
    story = Story()
    story.call("mount", "", "/", "", linux.MS_SHARED | linux.MS_REC, "")
    story.clone(linux.CLONE_NEWNS, pids=(7,))
    story.call("mount", "", "/", "", flags | linux.MS_REC, "", task="0.1")
    story.call("mount", "tmpfs", "/mnt", "tmpfs", 0, "")
    story.call("mount", "tmpfs", "/srv", "tmpfs", 0, "", task="0.1")
    mounts = story.state["mounts"]
    assert mounts["mnt:2"]["/"].get("propagation") == said
    assert ("/mnt" in mounts["mnt:2"]) == seen
    assert ("/srv" in mounts["mnt:1"]) == (flags == linux.MS_SHARED)
    story.call("umount2", "/mnt", 0)
    assert "/mnt" not in story.state["mounts"]["mnt:2"]


def test_in_another_user_namespace_shared_mounts_only_receive():
    story = Story()
    story.call("mount", "", "/", "", linux.MS_SHARED | linux.MS_REC, "")
    story.clone(linux.CLONE_NEWNS | linux.CLONE_NEWUSER, pids=(7,))
    assert story.state["mounts"]["mnt:2"]["/"]["propagation"] == "master:1"


def write(story, path, data, **fields):
    story.call("open", path, linux.O_WRONLY, result=9, **fields)
    story.call("write", 9, data, result=len(data), **fields)
    story.call("close", 9, **fields)


def test_a_control_group_is_made_limited_entered_frozen_and_removed():
    story = Story()
    story.clone(pids=(7,))
    story.call("mkdir", GROUP, 0o755)
    write(story, f"{GROUP}/memory.max", b"67108864")
    write(story, f"{GROUP}/cgroup.procs", b"7\n")
    write(story, f"{GROUP}/cgroup.freeze", b"1")
    state = story.state
    assert state["cgroups"][GROUP] == {"files": {"memory.max": "67108864", "cgroup.freeze": "1"}, "frozen": True}
    assert state["tasks"]["0.1"]["cgroups"] == {"": GROUP}
    write(story, "/sys/fs/cgroup/cgroup.procs", b"7")
    story.call("rmdir", GROUP)
    state = story.state
    assert "cgroups" not in state["tasks"]["0.1"]
    assert state["cgroups"] == {}


def test_on_the_old_layout_each_hierarchy_has_its_own_group():
    story = Story(cgroups="v1")
    story.clone(pids=(7,))
    for controller, name, value in (("memory", "memory.limit_in_bytes", b"1"), ("cpu,cpuacct", "cpu.shares", b"512")):
        group = f"/sys/fs/cgroup/{controller}/docker/abc"
        story.call("mkdir", group, 0o755)
        write(story, f"{group}/{name}", value)
        write(story, f"{group}/cgroup.procs", b"7")
    story.clone(task="0.1", pids=(8,), result=8)
    expected = {"memory": "/sys/fs/cgroup/memory/docker/abc", "cpu,cpuacct": "/sys/fs/cgroup/cpu,cpuacct/docker/abc"}
    assert story.state["tasks"]["0.1.1"]["cgroups"] == expected


def test_a_group_seen_from_within_a_cgroup_namespace_is_the_same_group():
    story = Story()
    story.clone(pids=(7,))
    story.call("mkdir", GROUP, 0o755)
    write(story, f"{GROUP}/cgroup.procs", b"7")
    story.call("unshare", linux.CLONE_NEWCGROUP | linux.CLONE_NEWNS, task="0.1")
    story.call("mount", "cgroup", "/sys/fs/cgroup", "cgroup2", 0, "", task="0.1")
    story.call("mkdir", "/sys/fs/cgroup/mine", 0o755, task="0.1")
    assert set(story.state["cgroups"]) == {GROUP, f"{GROUP}/mine"}


def test_a_group_bound_into_a_tree_is_the_same_group_and_a_tmpfs_is_none():
    story = Story(cgroups="v1")
    story.clone(linux.CLONE_NEWNS, pids=(7,))
    group = "/sys/fs/cgroup/memory/docker/abc"
    story.call("mkdir", group, 0o755)
    story.call("mount", group, "/m/sys/fs/cgroup/memory", "", linux.MS_BIND, "", task="0.1")
    story.call("chdir", "/m", task="0.1")
    story.call("mount", "tmpfs", "/m/sys/fs/cgroup/pids", "tmpfs", 0, "", task="0.1")
    story.call("pivot_root", ".", ".", task="0.1")
    story.call("mkdir", "/sys/fs/cgroup/memory/mine", 0o755, task="0.1")
    story.call("mkdir", "/sys/fs/cgroup/pids/mine", 0o755, task="0.1")
    assert set(story.state["cgroups"]) == {group, f"{group}/mine"}


def test_counters_are_local_and_settings_are_not():
    story = Story()
    story.call("mkdir", GROUP, 0o755)
    for name, said in (
        ("memory.current", b"4096\n"),
        ("memory.max", b"max\n"),
        ("cpu.stat", b"usage_usec 12\nuser_usec 3\n"),
    ):
        story.call("open", f"{GROUP}/{name}", linux.O_RDONLY, result=9)
        story.call("read", 9, 99, result=said)
        story.call("close", 9)
    trace = story.trace()
    reads = [step for step in trace.steps if step.call == "read"]
    assert [step.local for step in reads] == [True, False, True]
    assert reads[0].like == "read(9) from a control group"
    assert trace.at(len(trace) - 1)["cgroups"][GROUP]["usage"] == {"memory.current": 4096, "cpu.stat": 12}


def test_an_oom_kill_is_told_by_one_kernel_and_seen_in_a_file_on_the_other():
    told, seen = Story(), Story()
    data = {"task": "0.1", "name": "stress", "limit": 4096, "usage": 4096}
    for story in (told, seen):
        story.call("mkdir", GROUP, 0o755)
        write(story, f"{GROUP}/memory.max", b"4096")
        inner = (Inner(name="oom_kill", path=GROUP, data=data),) if story is told else ()
        story.call("mmap", 4096, linux.MAP_POPULATE, result=1 << 30, inner=inner)
        story.call("open", f"{GROUP}/memory.events", linux.O_RDONLY, result=9)
        story.call("read", 9, 99, result=b"low 0\nmax 3\noom 1\noom_kill 1\n")
    one, other = told.trace(), seen.trace()
    assert (
        [step.call for step in one.steps].count("oom_kill")
        == [step.call for step in other.steps].count("oom_kill")
        == 1
    )
    assert "stress" in next(step.text for step in one.steps if step.call == "oom_kill")
    assert next(step for step in other.steps if step.call == "oom_kill").observed
    assert compare(one, other) is None
    assert one.steps[-1].digest == other.steps[-1].digest


def test_a_frame_is_shown_and_not_compared():
    one, other = Story(), Story()
    frame = {"link": "eth0", "to": "veth1", "what": "ARP who has 172.17.0.1", "src": "a", "dst": "b"}
    one.call(
        "sendto",
        3,
        b"x",
        ("172.17.0.1", 9),
        result=1,
        inner=(Inner(name="frame", path="eth0", simulated=True, data=frame),),
    )
    other.call("sendto", 3, b"x", ("172.17.0.1", 9), result=1)
    left, right = one.trace(), other.trace()
    assert left.steps[-1].simulated
    assert left.steps[-1].data == {**frame, "netns": "net:1", "to_netns": "net:1"}
    assert compare(left, right) is None
    assert type(left).from_json(left.to_json()).steps[-1] == left.steps[-1]


def test_usage_that_a_kernel_tells_makes_no_step():
    story = Story()
    story.call("mkdir", GROUP, 0o755, inner=(Inner(name="usage", path=GROUP, data={"pids.current": 2}),))
    trace = story.trace()
    assert [step.call for step in trace.steps] == ["docker", "mkdir"]
    assert trace.at(1)["cgroups"][GROUP]["usage"] == {"pids.current": 2}


def test_a_veth_pair_across_two_namespaces_and_a_bridge():
    story = Story()
    story.clone(linux.CLONE_NEWNET, pids=(7,))
    story.call("newlink", "docker0", "bridge", kwargs={"peer": "", "address": ""})
    story.call("newlink", "veth1", "veth", kwargs={"peer": "tmp0", "address": ""})
    story.call("open", "/proc/7/ns/net", linux.O_RDONLY, result=5)
    story.call("setlink", "tmp0", kwargs={"netns": 5, "up": None, "master": None})
    story.call("setlink", "veth1", kwargs={"master": "docker0"})
    story.call("setlink", "tmp0", task="0.1", kwargs={"new_name": "eth0"})
    story.call("newaddr", "eth0", "172.17.0.2/16", task="0.1")
    assert "net:2" not in story.state["routes"]
    story.call("setlink", "eth0", task="0.1", kwargs={"up": True})
    story.call("setlink", "lo", task="0.1", kwargs={"up": True})
    story.call("newroute", "default", task="0.1", kwargs={"gateway": "172.17.0.1", "link": ""})
    state = story.state
    assert state["links"]["net:2"]["eth0"] == {
        "kind": "veth", "up": True, "addresses": ["172.17.0.2/16"], "peer": ["net:1", "veth1"],
    }  # fmt: skip
    assert state["links"]["net:1"]["veth1"] == {
        "kind": "veth", "up": False, "addresses": [], "peer": ["net:2", "eth0"], "master": "docker0",
    }  # fmt: skip
    assert state["links"]["net:2"]["lo"]["addresses"] == ["127.0.0.1/8"]
    assert state["routes"]["net:2"] == {
        "172.17.0.0/16": {"link": "eth0"}, "default": {"link": "eth0", "gateway": "172.17.0.1"},
    }  # fmt: skip
    frame = Inner(name="frame", path="eth0", simulated=True, data={"link": "eth0", "to": "veth1", "netns": 4026532500})
    story.call("sendto", 3, b"x", result=1, inner=(frame,))
    data = story.trace().steps[-1].data
    assert (data["netns"], data["to_netns"]) == ("net:2", "net:1")
    story.recorder.command("docker again")
    story.call("exit", 0, task="0.1")
    story.call("wait4", 7, 0, result=(7, 0))
    story.call("close", 5)
    assert set(story.state["links"]["net:1"]) == {"docker0"}


def test_the_other_end_may_be_made_elsewhere_at_once():
    story = Story()
    story.clone(linux.CLONE_NEWNET, pids=(7,))
    story.call("open", "/proc/7/ns/net", linux.O_RDONLY, result=5)
    story.call("newlink", "veth1", "veth", kwargs={"peer": "eth0", "netns": 5, "address": "02:42:ac:11:00:09"})
    trace = story.trace()
    links = trace.at(len(trace) - 1)["links"]
    assert trace.steps[-1].text == 'newlink("veth1", "veth", peer="eth0", netns=5<net:2>, address="02:42:ac:11:00:09")'
    assert (links["net:1"]["veth1"]["peer"], links["net:2"]["eth0"]["peer"]) == (["net:2", "eth0"], ["net:1", "veth1"])


def test_a_look_around_finds_links_that_were_there():
    story = Story()
    found = Link(index=2, name="docker0", kind="bridge", address="", mtu=1500, flags=("UP",))
    story.call("getlink", result=[found])
    trace = story.trace()
    assert trace.steps[-1].result == "[docker0 up]"
    assert trace.at(1)["links"]["net:1"]["docker0"] == {"kind": "bridge", "up": True, "addresses": []}


def test_users_and_capabilities():
    story = Story()
    story.clone(pids=(7,))
    chown = 1 << linux.CAPABILITIES["CAP_CHOWN"]
    story.call("capset", chown, chown, 0, task="0.1")
    story.call("prctl", linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, task="0.1", result=0)
    trace = story.trace()
    assert trace.steps[-2].text == "capset({effective=1<<CAP_CHOWN, permitted=1<<CAP_CHOWN, inheritable=0})"
    assert trace.steps[-1].text == "prctl(PR_SET_NO_NEW_PRIVS, 1)"
    row = trace.at(len(trace) - 1)["tasks"]["0.1"]
    assert (row["caps"], row["no_new_privs"], row["uid"]) == (["CAP_CHOWN"], True, 0)
    story.recorder.command("docker again")
    story.call("setuid", 1000, task="0.1")
    row = story.state["tasks"]["0.1"]
    assert (row["uid"], row["caps"]) == (1000, [])


def test_what_is_local_is_left_out_of_a_comparison():
    row = {"name": "sh", "pids": [7, 1]}
    assert shared(Change(("tasks", "0.1", "pids"), None, [7])) is None
    assert shared(Change(("tasks", "0.1"), None, row)) == Change(("tasks", "0.1"), None, {"name": "sh"})
    assert shared(Change(("tasks",), None, {"0.1": row})).new == {"0.1": {"name": "sh"}}
    assert shared(Change(("uppers", "web", "pids"), None, 1)) == Change(("uppers", "web", "pids"), None, 1)
    assert set(empty_state()) >= {"namespaces", "cgroups", "links", "routes"}


def test_paths_of_proc_and_ports_that_a_kernel_chose_are_compared_by_whose_they_are():
    story = Story()
    story.clone(pids=(7,))
    story.call("open", "/proc/7/ns/net", linux.O_RDONLY, result=3)
    story.call("readlink", "/proc/7/ns/net", result="net:[4026532000]")
    story.call("connect", 4, ("172.17.0.2", 40000))
    opened, read, connected = story.trace().steps[-3:]
    assert opened.like == 'open("/proc/0.1/ns/net", O_RDONLY)'
    assert read.local
    assert connected.like.count("htons(PORT)") == 1


def test_a_refused_call_says_what_it_lacked():
    story = Story()
    story.call("unshare", linux.CLONE_NEWNET, error=OSError(errno.EPERM, "?"))
    story.call("clone", len, kwargs={"flags": 0}, error=OSError(errno.EAGAIN, "?"))
    refused, full = story.trace().steps[-2:]
    assert "CAP_SYS_ADMIN" in refused.why
    assert "pids.max" in full.why
