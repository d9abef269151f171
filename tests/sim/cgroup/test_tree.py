"""The tree of groups: making, removing, moving tasks, handing controllers down, what /proc says."""

import pytest
from sim_cgroups import ROOT, Files, wait_for_signal

from minidocker.linux import CLONE_NEWCGROUP, CLONE_NEWNS, O_CREAT, O_RDONLY, O_WRONLY, SIGKILL, errno_name
from minidocker.sim import SimKernel
from minidocker.sim.profile import Profile


def refused(call, *args):
    """Return the name of the errno with which a call fails."""
    with pytest.raises(OSError, match="Errno") as caught:
        call(*args)
    return errno_name(caught.value.errno)


def test_a_new_group_is_empty_and_can_be_removed(v2):
    assert v2.mkdir("a") == ""
    assert v2.mkdir("a") == "EEXIST"
    assert v2.read("a/cgroup.procs") == ""
    assert v2.read("a/cgroup.events") == "populated 0\nfrozen 0\n"
    assert v2.read("a/cgroup.type") == "domain\n"
    assert v2.rmdir("a") == ""
    assert v2.rmdir("a") == "ENOENT"


def test_a_group_with_a_task_or_a_group_in_it_stays(v2):
    v2.mkdir("a")
    v2.mkdir("a/b")
    assert v2.rmdir("a") == "EBUSY"
    pid = v2.start(wait_for_signal, group="a/b")
    assert v2.rmdir("a/b") == "EBUSY"
    v2.kernel.kill(pid, SIGKILL)
    v2.kernel.poll(0)
    assert v2.rmdir("a/b") == ""  # a zombie is no task
    assert v2.read(f"{pid}/cgroup", "/proc") == "0::/a/b (deleted)\n"
    v2.kernel.wait4(pid)
    assert v2.rmdir("a") == ""


def test_what_else_cannot_be_done_in_a_group(v2):
    v2.mkdir("a")
    v2.mkdir("a/b")
    k = v2.kernel
    assert refused(k.unlink, f"{ROOT}/a/cgroup.procs") == "EPERM"
    assert refused(k.mknod, f"{ROOT}/a/x") == "EACCES"
    assert refused(k.open, f"{ROOT}/a/x", O_CREAT | O_WRONLY) == "EACCES"
    assert refused(k.symlink, "x", f"{ROOT}/a/x") == "EPERM"
    assert refused(k.mkdir, f"{ROOT}/a/x\ny") == "EINVAL"
    assert refused(k.rename, f"{ROOT}/a/b", f"{ROOT}/a/c") == "EPERM"
    assert refused(k.rmdir, f"{ROOT}/a/cgroup.procs") == "ENOTDIR"
    k.truncate(f"{ROOT}/a/cgroup.procs", 0)
    assert k.stat(f"{ROOT}/a").st_nlink == 3
    assert k.stat(f"{ROOT}/a/cgroup.events").st_mode & 0o777 == 0o444
    assert k.stat(f"{ROOT}/a/cgroup.kill").st_mode & 0o777 == 0o200


def test_v1_groups_can_be_renamed(v1):
    v1.mkdir("cpu/a")
    v1.kernel.rename(f"{ROOT}/cpu/a", f"{ROOT}/cpu/b")
    assert v1.read("cpu/b/cpu.shares") == "1024\n"
    v1.mkdir("cpu/c")
    assert refused(v1.kernel.rename, f"{ROOT}/cpu/b", f"{ROOT}/cpu/c") == "EEXIST"
    assert refused(v1.kernel.rename, f"{ROOT}/cpu/b", f"{ROOT}/cpu/c/b") == "EIO"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("", ""), ("abc", "EINVAL"), ("-1", "EINVAL"), ("999999", "ESRCH"), ("1 1", "EINVAL"), ("99999999999", "EINVAL"),
     (" {pid} \n", ""), ("{hexadecimal}", "")],
)  # fmt: skip
def test_what_is_written_to_procs(v2, text, answer):
    v2.mkdir("a")
    pid = v2.start(wait_for_signal)
    text = text.format(pid=pid, hexadecimal=hex(pid))
    assert v2.write("a/cgroup.procs", text) == answer
    assert v2.read("a/cgroup.procs") == (f"{pid}\n" if not answer and text else "")


def test_zero_is_the_writer_itself(v2):
    v2.mkdir("a")
    assert v2.write("a/cgroup.procs", "0 ") == ""
    assert v2.read("self/cgroup", "/proc") == "0::/a\n"
    assert v2.read("a/cgroup.procs") == "1\n"
    assert v2.write("cgroup.procs", "1") == ""


def test_a_child_is_in_its_parents_group(v2):
    v2.mkdir("a")

    async def parent(k):
        await k.clone(wait_for_signal)
        await wait_for_signal(k)

    pid = v2.start(parent, group="a")
    v2.kernel.poll(0)
    assert v2.read("a/cgroup.procs") == f"{pid}\n{pid + 1}\n"


def test_files_of_a_removed_group(v2):
    v2.mkdir("a")
    fd = v2.kernel.open(f"{ROOT}/a/cgroup.events", O_RDONLY)
    v2.kernel.chdir(f"{ROOT}/a")
    v2.rmdir("a")
    assert refused(v2.kernel.read, fd, 10) == "ENODEV"
    assert v2.kernel.listdir(".") == []
    assert refused(v2.kernel.mkdir, "x") == "ENOENT"
    assert refused(v2.kernel.stat, "cgroup.procs") == "ENOENT"


def test_a_file_is_read_anew_from_its_start(v2):
    v2.mkdir("a")
    k = v2.kernel
    fd = k.open(f"{ROOT}/a/cgroup.procs", O_RDONLY)
    assert k.read(fd, 100) == b""
    pid = v2.start(wait_for_signal, group="a")
    assert k.read(fd, 1) == str(pid).encode()[:1]
    assert k.read(fd, 100) == str(pid).encode()[1:] + b"\n"
    assert k.read(fd, 100) == b""
    k.lseek(fd, 0, 0)
    assert k.read(fd, 100) == f"{pid}\n".encode()


def test_controllers_are_handed_down(v2):
    assert v2.read("cgroup.controllers") == "cpuset cpu memory pids\n"
    v2.mkdir("a")
    assert v2.read("a/cgroup.controllers") == "\n"
    assert v2.read("a/memory.max") == "ENOENT"
    assert v2.write("cgroup.subtree_control", "+memory +pids") == ""
    assert v2.read("cgroup.subtree_control") == "memory pids\n"
    assert v2.read("a/memory.max") == "max\n"
    v2.write("a/pids.max", 7)
    assert v2.write("a/cgroup.subtree_control", "+cpu") == "ENOENT"
    assert v2.write("a/cgroup.subtree_control", "+pids") == ""
    assert v2.write("cgroup.subtree_control", "-pids") == "EBUSY"
    assert v2.write("a/cgroup.subtree_control", "-pids") == ""
    assert v2.write("cgroup.subtree_control", "-pids") == ""
    assert v2.read("a/pids.max") == "ENOENT"
    v2.write("cgroup.subtree_control", "+pids")
    assert v2.read("a/pids.max") == "max\n"


@pytest.mark.parametrize("text", ["+foo", "-foo", "memory", "+", "+cpuacct"])
def test_words_that_subtree_control_does_not_know(v2, text):
    assert v2.write("cgroup.subtree_control", text) == "EINVAL"


def test_tasks_do_not_compete_with_groups(v2):
    v2.mkdir("a")
    v2.mkdir("a/b")
    v2.write("cgroup.subtree_control", "+memory +pids")
    pid = v2.start(wait_for_signal, group="a")
    assert v2.write("a/cgroup.subtree_control", "+memory") == "EBUSY"
    assert v2.write("a/b/cgroup.procs", pid) == ""
    assert v2.write("a/cgroup.subtree_control", "+memory") == ""
    assert v2.write("a/cgroup.procs", pid) == "EBUSY"
    assert v2.write("cgroup.procs", pid) == ""  # the root may have both


def test_threaded_controllers_do_no_harm(v2):
    v2.mkdir("a")
    v2.mkdir("a/b")
    v2.write("cgroup.subtree_control", "+pids")
    first, second = (v2.start(wait_for_signal, group="a") for _ in range(2))
    assert v2.write("a/cgroup.subtree_control", "+pids") == ""
    assert v2.write("a/b/cgroup.procs", first) == ""
    assert v2.write("a/cgroup.procs", first) == "EBUSY"
    assert v2.read("a/cgroup.procs") == f"{second}\n"


def test_in_a_hybrid_v2_has_no_controllers(hybrid):
    assert hybrid.read("unified/cgroup.controllers") == "\n"
    assert hybrid.write("unified/cgroup.subtree_control", "+cpu") == "ENOENT"
    assert hybrid.read("self/cgroup", "/proc").splitlines()[-1] == "0::/"
    assert hybrid.read("self/cgroup", "/proc").splitlines()[0] == "7:name=systemd:/"


def test_how_deep_and_how_many(v2):
    v2.mkdir("a")
    for text in ("-1", "-5"):
        assert v2.write("a/cgroup.max.depth", text) == "ERANGE"
    assert v2.write("a/cgroup.max.depth", "x") == "EINVAL"
    v2.write("a/cgroup.max.depth", 1)
    assert v2.mkdir("a/b") == ""
    assert v2.mkdir("a/b/c") == "EAGAIN"
    v2.write("a/cgroup.max.depth", "max")
    v2.write("a/cgroup.max.descendants", 1)
    assert v2.mkdir("a/c") == "EAGAIN"
    assert v2.read("a/cgroup.max.descendants") == "1\n"
    assert v2.keys("cgroup.stat") == {"nr_descendants": 2, "nr_dying_descendants": 0}


def test_two_mounts_are_one_hierarchy(v1):
    k = v1.kernel
    k.mkdir("/tmp/m")
    k.mount("cgroup", "/tmp/m", "cgroup", 0, "pids")
    v1.mkdir("pids/a")
    assert "a" in k.listdir("/tmp/m")
    assert "cgroup /tmp/m cgroup rw,relatime,pids 0 0\n" in v1.read("mounts", "/proc")


@pytest.mark.parametrize(
    ("options", "answer"),
    [("cpu,cpuacct", "EBUSY"), ("foo", "EINVAL"), ("none", "EINVAL"), ("", "EBUSY"), ("all", "EBUSY"),
     ("none,name=lab", ""), ("none,name=systemd", ""), ("name=systemd", ""), ("cpuset,noprefix", "")],
)  # fmt: skip
def test_mounting_v1(v1, options, answer):
    v1.kernel.mkdir("/tmp/m")
    call = (v1.kernel.mount, "cgroup", "/tmp/m", "cgroup", 0, options)
    assert (refused(*call) if answer else call[0](*call[1:])) in (answer, None)


def test_a_read_only_mount_is_read_only_for_itself(v2):
    k = v2.kernel
    k.mkdir("/tmp/m")
    k.mount("cgroup2", "/tmp/m", "cgroup2", 1)
    assert refused(k.mkdir, "/tmp/m/a") == "EROFS"
    assert v2.mkdir("a") == ""


def test_v1_takes_what_v2_does_not_use(v2):
    k = v2.kernel
    k.mkdir("/tmp/m")
    k.mount("cgroup", "/tmp/m", "cgroup", 0, "freezer")
    v2.mkdir("a")
    v2.write("cgroup.subtree_control", "+pids")
    assert refused(k.mount, "cgroup", "/tmp/m", "cgroup", 0, "pids") == "EBUSY"
    k.mount("cgroup", "/tmp/m", "cgroup", 0, "memory")
    assert v2.read("cgroup.controllers") == "cpuset cpu pids\n"


def test_delegation(v2):
    """Who owns a group's directory and cgroup.procs makes groups in it, but moves nobody in from outside."""
    v2.mkdir("a")
    k = v2.kernel
    inside, outside = v2.start(wait_for_signal, group="a"), v2.start(wait_for_signal)
    for name in ("", "/cgroup.procs", "/cgroup.subtree_control"):
        k.chown(f"{ROOT}/a{name}", 1000, 1000)
    k.seteuid(1000)
    assert v2.mkdir("x") == "EACCES"
    assert v2.mkdir("a/b") == ""
    assert v2.write("a/b/cgroup.procs", inside) == ""
    assert v2.write("a/b/cgroup.procs", outside) == "EACCES"
    assert v2.write("a/cgroup.procs", inside) == ""
    k.seteuid(0)
    assert k.stat(f"{ROOT}/a/b/cgroup.procs").st_uid == 1000


def test_a_profile_without_control_groups():
    kernel = SimKernel(Profile(cgroups="none"))
    assert Files(kernel).read("self/cgroup", "/proc") == ""
    assert kernel.listdir(ROOT) == []
    kernel.close_kernel()


def test_a_child_that_begins_in_a_group(v2):
    v2.mkdir("a")
    k = v2.kernel
    fd = k.open(f"{ROOT}/a", O_RDONLY)
    pid = k.clone(wait_for_signal, cgroup=fd)
    assert v2.read("a/cgroup.procs") == f"{pid}\n"
    v2.mkdir("a/b")
    v2.write("cgroup.subtree_control", "+memory +pids")
    v2.write("a/pids.max", 1)
    with pytest.raises(BlockingIOError):
        k.clone(wait_for_signal, cgroup=fd)
    assert refused(lambda: k.clone(wait_for_signal, cgroup=k.open("/tmp", O_RDONLY))) == "EBADF"
    v2.write("a/b/cgroup.procs", pid)
    v2.write("a/cgroup.subtree_control", "+memory")
    assert refused(lambda: k.clone(wait_for_signal, cgroup=fd)) == "EBUSY"


def test_a_cgroup_namespace(v2):
    """Paths begin at its root, what lies outside is shown so, and a mount shows nothing above."""
    v2.mkdir("a")
    v2.mkdir("a/b")
    v2.mkdir("c")
    k = v2.kernel
    inside, outside = v2.start(wait_for_signal, group="a/b"), v2.start(wait_for_signal, group="c")
    v2.write("a/cgroup.procs", 1)
    k.unshare(CLONE_NEWNS | CLONE_NEWCGROUP)
    assert v2.read("self/cgroup", "/proc") == "0::/\n"
    assert v2.read(f"{inside}/cgroup", "/proc") == "0::/b\n"
    assert v2.read(f"{outside}/cgroup", "/proc") == "0::/../c\n"
    k.mount("cgroup2", "/mnt", "cgroup2")
    assert "b" in k.listdir("/mnt")
    assert "c" not in k.listdir("/mnt")
    k.mkdir("/mnt/d")
    assert "d" in k.listdir(f"{ROOT}/a")
    assert refused(k.mount, "cgroup", "/tmp", "cgroup", 0, "none,name=new") == "EPERM"


def test_without_delegation_there_is_none_for_the_rootless():
    kernel = SimKernel(Profile(rootless=True))
    files = Files(kernel)
    assert kernel.listdir(ROOT) == []
    assert files.read("self/cgroup", "/proc") == "0::/\n"
    kernel.umount2(ROOT)
    assert files.mkdir("a") == "EACCES"
    assert files.write("cgroup.procs", 1) == "EACCES"
    kernel.close_kernel()
