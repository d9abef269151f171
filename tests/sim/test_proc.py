"""proc: what only the simulator can be asked about. The rest: tests/conformance."""

import errno

import pytest
from conformance import task_programs
from conformance.outcome import run

from minidocker import programs
from minidocker.linux import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MS_BIND,
    MS_SHARED,
    O_CREAT,
    O_RDONLY,
    O_TRUNC,
    O_WRONLY,
    SIGKILL,
)
from minidocker.sim import SimKernel


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


def read(kernel, path):
    fd = kernel.open(path, O_RDONLY)
    text = b"".join(iter(lambda: kernel.read(fd, 1000), b"")).decode()
    kernel.close(fd)
    return text


def raises(number, call, *args):
    with pytest.raises(OSError) as caught:
        call(*args)
    assert caught.value.errno == number


@pytest.fixture
def cat(kernel):
    """A container's cat that waits: its pid outside."""
    fd = kernel.open("/bin/cat", O_CREAT | O_WRONLY, 0o755)
    kernel.write(fd, programs.program_file("cat"))
    kernel.close(fd)
    reading, _writing = kernel.pipe2()
    kernel.mkdir("/root/new dir")

    async def become(k):
        await k.chdir("/root/new dir")
        await k.execve("/bin/cat", ["cat", "-"], {"A": "b", "C": "d e"})

    pid = kernel.clone(become, flags=CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS, fds={0: reading, 7: reading})
    kernel.poll()
    return pid


def test_a_tasks_files(kernel, cat):
    where = f"/proc/{cat}/"
    assert read(kernel, where + "comm") == "cat\n"
    assert read(kernel, where + "cmdline") == "cat\0-\0"
    assert read(kernel, where + "environ") == "A=b\0C=d e\0"
    assert kernel.readlink(where + "exe") == "/bin/cat"
    assert kernel.readlink(where + "cwd") == "/root/new dir"
    assert kernel.readlink(where + "root") == "/"
    assert kernel.listdir(where + "fd") == ["0", "7"]
    assert kernel.readlink(where + "fd/0") == f"pipe:[{kernel.stat(where + 'fd/7').st_ino}]"
    status = dict(line.split(":\t") for line in read(kernel, where + "status").splitlines())
    assert status["Name"] == "cat"
    assert status["NSpid"] == f"{cat}\t1"
    assert status["State"] == "S (sleeping)"
    assert status["CapEff"] == "000001ffffffffff"
    fields = read(kernel, where + "stat").split()
    assert fields[:4] == [str(cat), "(cat)", "S", "1"]
    assert len(fields) == 52


def test_a_zombies_files(kernel, cat):
    kernel.kill(cat, SIGKILL)
    kernel.poll()
    where = f"/proc/{cat}/"
    assert read(kernel, where + "stat").split()[1:3] == ["(cat)", "Z"]
    assert read(kernel, where + "cmdline") == read(kernel, where + "environ") == read(kernel, where + "mounts") == ""
    raises(errno.ENOENT, kernel.readlink, where + "exe")
    assert "uts" in kernel.listdir(where + "ns")
    raises(errno.ENOENT, kernel.readlink, where + "ns/uts")
    assert kernel.readlink(where + "ns/user") == kernel.readlink("/proc/self/ns/user")
    kernel.wait4(cat)
    raises(errno.ENOENT, kernel.listdir, where)


def test_a_directory_that_is_held_while_its_task_goes(kernel, cat):
    kernel.chdir(f"/proc/{cat}")
    assert read(kernel, "comm") == "cat\n"
    kernel.kill(cat, SIGKILL)
    kernel.poll()
    kernel.wait4(cat)
    assert kernel.listdir(".") == []
    raises(errno.ENOENT, kernel.open, "comm", O_RDONLY)


def test_self_is_the_reader(kernel):
    async def look(k):
        text = await task_programs.read_file(k, "/proc/self/stat")
        return int(text.split()[0]) == await k.getpid()

    assert kernel.readlink("/proc/self") == "1"
    assert run(kernel, look).code == 1


def test_outside_of_the_namespace_there_is_no_self(kernel):
    """A proc of the outer namespace still shows outer numbers to who is inside; an inner one knows nobody outside."""

    async def mount_and_wait(k):
        await k.mount("proc", "/mnt", "proc")
        await task_programs.say(k, await k.readlink("/proc/self"), await k.readlink("/mnt/self"))
        await task_programs.pause_for_ever(k)

    pid = kernel.clone(mount_and_wait, flags=CLONE_NEWPID, fds={1: kernel.open("/tmp/out", O_CREAT | O_WRONLY)})
    kernel.poll()
    assert read(kernel, "/tmp/out") == f"{pid} 1\n"
    raises(errno.ENOENT, kernel.readlink, "/mnt/self")
    assert [name for name in kernel.listdir("/mnt") if name.isdecimal()] == ["1"]


def test_names_at_the_root(kernel):
    names = kernel.listdir("/proc")
    assert {"1", "self", "mounts", "uptime", "version", "meminfo", "sys"} <= set(names)
    assert kernel.listdir("/proc/sys/kernel") == ["hostname", "domainname", "ostype", "osrelease"]
    for name in ("0", "01", "-1", "2", "٣", "x"):
        raises(errno.ENOENT, kernel.stat, f"/proc/{name}")


def test_numbers_of_inodes_stay(kernel, cat):
    paths = ["/proc/self", "/proc/1", f"/proc/{cat}", f"/proc/{cat}/stat", f"/proc/{cat}/fd", f"/proc/{cat}/ns"]
    numbers = [kernel.lstat(path).st_ino for path in paths]
    assert numbers == [kernel.lstat(path).st_ino for path in paths]
    assert len(set(numbers)) == len(paths)
    assert len({kernel.lstat(path).st_dev for path in paths}) == 1


def test_mounts(kernel):
    kernel.mkdir("/mnt/a b")
    kernel.mount("the source", "/mnt/a b", "tmpfs", 0, "size=4k")
    kernel.mount("/mnt/a b", "/home", "", MS_BIND)
    kernel.mount("none", "/home", "", MS_SHARED)
    assert read(kernel, "/proc/mounts") == read(kernel, "/proc/self/mounts")
    lines = read(kernel, "/proc/mounts").splitlines()
    assert lines[0].split()[1:3] == ["/", "tmpfs"]
    assert lines[-2:] == [
        r"the\040source /mnt/a\040b tmpfs rw,relatime,size=4k 0 0",
        "the\\040source /home tmpfs rw,relatime,size=4k 0 0",
    ]
    first, second = (line.split() for line in read(kernel, "/proc/self/mountinfo").splitlines()[-2:])
    assert first[2:] == [first[2], "/", r"/mnt/a\040b", "rw,relatime", "-", "tmpfs", r"the\040source", "rw,size=4k"]
    assert second[6].startswith("shared:")
    ids = {line.split()[0]: line.split()[1] for line in read(kernel, "/proc/self/mountinfo").splitlines()}
    assert ids[first[0]] in ids


def test_mounts_are_those_below_the_tasks_root(kernel):
    async def inside(k):
        await k.mount("/mnt", "/mnt", "", MS_BIND)
        await k.mount("proc", "/mnt/proc", "proc")
        await k.chdir("/mnt")
        await k.pivot_root(".", ".")
        await k.umount2(".", 2)
        lines = (await task_programs.read_file(k, "/proc/mounts")).splitlines()
        await task_programs.say(k, [line.split()[1:3] for line in lines])
        return 0

    kernel.mkdir("/mnt/proc")
    outcome = run(kernel, inside, flags=CLONE_NEWNS | CLONE_NEWPID)
    assert outcome.output == "[['/', 'tmpfs'], ['/proc', 'proc']]\n"


def test_the_system(kernel):
    assert read(kernel, "/proc/sys/kernel/ostype") == "Linux\n"
    assert read(kernel, "/proc/sys/kernel/osrelease") == "6.18\n"
    assert read(kernel, "/proc/version").startswith("Linux version 6.18 ")
    kernel.poll(12.5)
    seconds, _idle = read(kernel, "/proc/uptime").split()
    assert 12.5 <= float(seconds) < 12.6
    before = int(read(kernel, "/proc/meminfo").split()[4])
    fd = kernel.open("/tmp/big", O_CREAT | O_WRONLY)
    kernel.write(fd, bytes(1 << 20))
    assert before - int(read(kernel, "/proc/meminfo").split()[4]) == 1024


def test_the_host_name_is_of_the_readers_namespace(kernel):
    async def inside(k):
        fd = await k.open("/proc/sys/kernel/hostname", O_WRONLY | O_TRUNC)
        await k.write(fd, b"inside\n")
        await task_programs.say(k, await task_programs.read_file(k, "/proc/sys/kernel/hostname"), await k.gethostname())
        return 0

    assert run(kernel, inside, flags=CLONE_NEWUTS).output == "inside\n inside\n"
    assert read(kernel, "/proc/sys/kernel/hostname") == "host\n"


def test_proc_cannot_be_changed(kernel):
    raises(errno.ENOENT, kernel.mkdir, "/proc/x")
    raises(errno.EPERM, kernel.unlink, "/proc/uptime")
    raises(errno.EPERM, kernel.chmod, "/proc/uptime", 0o777)
    fd = kernel.open("/proc/sys/kernel/hostname", O_RDONLY)
    raises(errno.EINVAL, kernel.lseek, fd, 0, 2)
    assert kernel.lseek(fd, 2, 0) == 2
    assert kernel.read(fd, 10) == b"st\n"


def test_others_may_not_look_into_a_task(kernel, cat):
    async def look(k):
        await k.setuid(1000)
        for name in ("cwd", "exe", "fd/0", "ns/pid"):
            await task_programs.say(k, await task_programs.error_of(k.readlink(f"/proc/{cat}/{name}")))
        for name in ("environ", "stat"):
            error = await task_programs.error_of(k.open(f"/proc/{cat}/{name}", O_RDONLY))
            await task_programs.say(k, error if error == "EACCES" else "open")
        return 0

    assert run(kernel, look).output.split() == ["EACCES"] * 5 + ["open"]


def test_a_deleted_working_directory(kernel):
    async def leave(k):
        await k.mkdir("/tmp/gone")
        await k.chdir("/tmp/gone")
        await k.rmdir("/tmp/gone")
        await task_programs.say(k, await k.readlink("/proc/self/cwd"))
        return 0

    assert run(kernel, leave).output == "/tmp/gone (deleted)\n"


def test_reopening_a_file_that_was_unlinked(kernel):
    fd = kernel.open("/tmp/x", O_CREAT | O_WRONLY)
    kernel.write(fd, b"still here")
    kernel.unlink("/tmp/x")
    assert read(kernel, f"/proc/self/fd/{fd}") == "still here"
    assert kernel.readlink(f"/proc/self/fd/{fd}") == "/tmp/x (deleted)"


def test_options_of_the_mount_are_refused_by_name(kernel):
    with pytest.raises(OSError) as caught:
        kernel.mount("proc", "/mnt", "proc", 0, "hidepid=2")
    assert "hidepid=2" in caught.value.strerror
