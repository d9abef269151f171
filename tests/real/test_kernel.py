"""The plain face: a call is what os does on this machine, results and errors alike."""

import os
import socket
import stat
import sys
import threading
from pathlib import Path

import pytest
from rights import ROOT

from minidocker import linux
from minidocker.kernel import Stat
from minidocker.linux import (
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_NONBLOCK,
    O_PATH,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    S_IFCHR,
    S_IFIFO,
)
from minidocker.real import RealKernel
from minidocker.real.own import OWN_FDS
from minidocker.streams import take_news
from tests.real.leftovers import eventually

pytestmark = pytest.mark.needs("linux")


def code(call, *args, **kwargs) -> str:
    """The name of the errno that a call raises."""
    with pytest.raises(OSError) as caught:
        call(*args, **kwargs)
    return linux.errno_name(caught.value.errno)


def repeat(call) -> None:
    """Call a hundred thousand times: an error ends that."""
    for _ in range(100_000):
        call()


def test_writes_and_reads_a_file(kernel, place):
    fd = kernel.open(f"{place}/a", O_RDWR | O_CREAT, 0o640)
    assert fd == 3
    assert kernel.write(fd, b"hello") == 5
    assert kernel.lseek(fd, 1, 0) == 1
    assert kernel.read(fd, 3) == b"ell"
    kernel.ftruncate(fd, 2)
    assert kernel.fstat(fd).st_size == 2
    kernel.fsync(fd)
    kernel.close(fd)
    kernel.truncate(f"{place}/a", 7)
    found = kernel.stat(f"{place}/a")
    assert isinstance(found, Stat)
    assert (found.st_size, stat.filemode(found.st_mode)) == (7, "-rw-r-----")


def test_names(kernel, place):
    kernel.mkdir(f"{place}/d", 0o700)
    kernel.close(kernel.open(f"{place}/f", O_CREAT | O_WRONLY))
    kernel.link(f"{place}/f", f"{place}/g")
    kernel.symlink("g", f"{place}/s")
    kernel.rename(f"{place}/f", f"{place}/d/f")
    assert sorted(kernel.listdir(place)) == ["d", "g", "s"]
    assert kernel.readlink(f"{place}/s") == "g"
    assert kernel.stat(f"{place}/s").st_nlink == 2
    assert stat.S_ISLNK(kernel.lstat(f"{place}/s").st_mode)
    assert stat.S_ISLNK(kernel.stat(f"{place}/s", follow_symlinks=False).st_mode)
    kernel.unlink(f"{place}/d/f")
    kernel.rmdir(f"{place}/d")
    assert kernel.stat(f"{place}/g").st_nlink == 1


def test_a_link_to_a_symlink_links_the_symlink(kernel, place):
    kernel.symlink("nowhere", f"{place}/s")
    kernel.link(f"{place}/s", f"{place}/t")
    kernel.link(f"{place}/s", f"{place}/u", follow_symlinks=False)
    assert kernel.readlink(f"{place}/t") == kernel.readlink(f"{place}/u") == "nowhere"


def test_modes_owners_times_and_attributes(kernel, place):
    path = f"{place}/a"
    kernel.close(kernel.open(path, O_CREAT | O_WRONLY))
    kernel.chmod(path, 0o4755)
    kernel.utime(path, ns=(10, 20_000_000_001))
    found = kernel.stat(path)
    assert (found.st_mode & 0o7777, found.st_atime_ns, found.st_mtime_ns) == (0o4755, 10, 20_000_000_001)
    kernel.utime(path, (1.5, 2.5))
    assert kernel.stat(path).st_mtime == 2.5
    kernel.utime(path)
    assert kernel.stat(path).st_mtime > 1e9
    kernel.chown(path, 0, 0)
    kernel.symlink("a", f"{place}/s")
    kernel.utime(f"{place}/s", ns=(5, 6), follow_symlinks=False)
    assert kernel.lstat(f"{place}/s").st_mtime_ns == 6
    kernel.lchown(f"{place}/s", -1, -1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: trusted attributes")
def test_extended_attributes(kernel, place):
    kernel.setxattr(place, "trusted.one", b"\0\xff")
    kernel.setxattr(place, "trusted.two", b"", linux.XATTR_CREATE)
    assert {"trusted.one", "trusted.two"} <= set(kernel.listxattr(place))
    assert kernel.getxattr(place, "trusted.one", follow_symlinks=False) == b"\0\xff"
    assert code(kernel.setxattr, place, "trusted.two", b"", linux.XATTR_CREATE) == "EEXIST"
    kernel.removexattr(place, "trusted.one")
    assert code(kernel.getxattr, place, "trusted.one") == "ENODATA"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: device nodes")
def test_nodes(kernel, place):
    kernel.mknod(f"{place}/null", S_IFCHR | 0o666, 1 << 8 | 3)
    assert kernel.stat(f"{place}/null").st_rdev == 1 << 8 | 3
    kernel.mknod(f"{place}/whiteout", S_IFCHR, 0)
    assert kernel.stat(f"{place}/whiteout").st_rdev == 0


def test_errors_are_those_of_os(kernel, place):
    with pytest.raises(FileNotFoundError) as missing:
        kernel.rename(f"{place}/no", f"{place}/b")
    assert (missing.value.filename, missing.value.filename2) == (f"{place}/no", f"{place}/b")
    assert missing.value.strerror == "No such file or directory"
    assert code(kernel.open, place, O_WRONLY) == "EISDIR"
    assert code(kernel.mkdir, place) == "EEXIST"
    assert code(kernel.rmdir, "/var/lib/docker") == "ENOTEMPTY"
    assert code(kernel.listdir, "/proc/self/stat") == "ENOTDIR"
    assert code(kernel.read, 99, 1) == "EBADF"
    assert code(kernel.syscall, "no_such_call") == "ENOSYS"
    assert code(kernel.mount, "none", f"{place}/no", "tmpfs") == "ENOENT"
    assert code(kernel.umount2, place) == "EINVAL"
    assert code(kernel.stat, "/a\0b") == "EINVAL"


def test_odd_file_names_cross_the_wire(kernel, place):
    name = os.fsdecode(b"\xff\xfe caf\xc3\xa9\n")
    kernel.mkdir(f"{place}/{name}")
    assert kernel.listdir(place) == [name]


def test_paths_are_the_hosts_but_for_the_labs_disk(kernel, tmp_path):
    (tmp_path / "host").write_text("host's")
    fd = kernel.open(str(tmp_path / "host"), O_RDONLY)
    assert kernel.read(fd, 10) == b"host's"
    kernel.close(fd)
    assert kernel.listdir("/var/lib") == ["docker"]


def test_a_full_disk_is_enospc(kernel, place):
    fd = kernel.open(f"{place}/big", O_CREAT | O_WRONLY)
    assert code(repeat, lambda: kernel.write(fd, b"x" * (1 << 20))) == "ENOSPC"
    kernel.close(fd)
    kernel.unlink(f"{place}/big")


def test_mount_and_umount(kernel, place):
    kernel.mount("tmpfs", place, "tmpfs", linux.MS_NODEV, "size=64k,mode=711")
    assert kernel.stat(place).st_mode & 0o7777 == 0o711
    kernel.mkdir(f"{place}/a")
    assert code(kernel.umount2, f"{place}/a") == "EINVAL"
    kernel.umount2(place)
    assert kernel.listdir(place) == []


def test_the_hosts_mounts_are_not_touched(kernel, place):
    before = Path("/proc/self/mountinfo").read_text()
    kernel.mount("tmpfs", place, "tmpfs")
    kernel.mount(place, "/mnt", "", linux.MS_BIND)
    assert Path("/proc/self/mountinfo").read_text() == before
    kernel.umount2("/mnt")
    kernel.umount2(place)


def test_the_hosts_name_is_not_touched(kernel):
    kernel.sethostname("lab")
    assert kernel.gethostname() == "lab"
    assert os.uname().nodename != "lab"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users")
def test_credentials(kernel, place):
    kernel.chmod(place, 0o700)
    kernel.setegid(1000)
    kernel.seteuid(1000)
    assert (kernel.geteuid(), kernel.getegid(), kernel.getuid()) == (1000, 1000, 0)
    assert code(kernel.mkdir, f"{place}/a") == "EACCES"
    assert kernel.access(place, linux.R_OK) is True  # access asks for the real user
    kernel.seteuid(0)
    kernel.setegid(0)
    kernel.setgroups([5, 6])
    assert sorted(kernel.getgroups()) == [5, 6]
    kernel.setgroups([])


def test_working_directory_and_umask(kernel, place):
    kernel.chdir(place)
    assert kernel.getcwd() == place
    kernel.mkdir("relative")
    assert kernel.listdir() == ["relative"]
    fd = kernel.open("/", O_RDONLY | O_DIRECTORY)
    kernel.fchdir(fd)
    kernel.close(fd)
    assert kernel.getcwd() == "/"
    assert kernel.umask(0o077) == 0o022
    kernel.mkdir(f"{place}/private")
    assert kernel.stat(f"{place}/private").st_mode & 0o777 == 0o700
    assert kernel.umask(0o022) == 0o077


def test_access_never_raises(kernel, place):
    assert kernel.access(place, linux.F_OK) is True
    assert kernel.access(f"{place}/no", linux.F_OK) is False


class TestDescriptors:
    def test_the_lowest_number_is_taken(self, kernel, place):
        numbers = [kernel.open(place, O_RDONLY) for _ in range(3)]
        assert numbers == [3, 4, 5]
        kernel.close(4)
        assert kernel.dup(3) == 4
        assert kernel.dup2(3, 9) == 9
        assert kernel.dup2(9, 9) == 9
        for fd in (3, 4, 5, 9):
            kernel.close(fd)
        assert code(kernel.close, 9) == "EBADF"

    def test_the_labs_own_cannot_be_reached(self, kernel):
        for fd in range(OWN_FDS, OWN_FDS + 20):
            calls = (kernel.close, kernel.dup, kernel.fstat, kernel.fsync, kernel.fchdir, kernel.watch, kernel.setns)
            assert {code(call, fd) for call in calls} == {"EBADF"}
            assert {code(kernel.dup2, 0, fd), code(kernel.dup2, fd, 5), code(kernel.read, fd, 1)} == {"EBADF"}
            assert {code(kernel.write, fd, b"x"), code(kernel.lseek, fd, 0, 0), code(kernel.fchmod, fd, 0)} == {"EBADF"}
        assert kernel.getpid() == 1

    def test_too_many_is_emfile(self, kernel, place):
        opened = []
        assert code(repeat, lambda: opened.append(kernel.open(place, O_RDONLY))) == "EMFILE"
        assert opened == list(range(3, OWN_FDS))
        for fd in opened:
            kernel.close(fd)
        assert kernel.getpid() == 1

    def test_that_goes_for_pipes_too_and_leaves_no_half_pipe(self, kernel):
        opened = []
        assert code(repeat, lambda: opened.extend(kernel.pipe2())) == "EMFILE"
        last = kernel.open("/dev/null", O_RDONLY)
        assert last == opened[-1] + 1 == OWN_FDS - 1
        for fd in [*opened, last]:
            kernel.close(fd)

    def test_an_empty_pipe_is_eagain_not_a_wait(self, kernel):
        end, other = kernel.pipe2(O_CLOEXEC)
        assert code(kernel.read, end, 1) == "EAGAIN"
        assert kernel.read(end, 0) == b""
        assert {code(kernel.read, other, 1), code(kernel.write, end, b"x")} == {"EBADF"}
        assert kernel.write(other, b"x") == 1
        assert kernel.read(end, 9) == b"x"
        kernel.close(other)
        assert kernel.read(end, 9) == b""
        kernel.close(end)

    def test_a_full_pipe_is_eagain_not_a_wait(self, kernel):
        end, other = kernel.pipe2(0)
        sent = []
        assert code(repeat, lambda: sent.append(kernel.write(other, b"x" * 100_000))) == "EAGAIN"
        assert sum(sent) == 65536
        kernel.close(end)
        assert code(kernel.write, other, b"x") == "EPIPE"
        kernel.close(other)

    def test_a_fifo_without_its_other_end_is_eagain_not_a_wait(self, kernel, place):
        fifo = f"{place}/fifo"
        kernel.mknod(fifo, S_IFIFO | 0o600)
        assert code(kernel.open, fifo, O_RDONLY) == "EAGAIN"
        assert code(kernel.open, fifo, O_WRONLY) == "EAGAIN"
        assert code(kernel.open, fifo, O_WRONLY | O_NONBLOCK) == "ENXIO"
        kernel.close(kernel.open(fifo, O_PATH))
        both = kernel.open(fifo, O_RDWR)
        reader, writer = kernel.open(fifo, O_RDONLY), kernel.open(fifo, O_WRONLY)
        assert kernel.write(writer, b"through") == 7
        assert kernel.read(reader, 10) == b"through"
        for fd in (both, reader, writer):
            kernel.close(fd)

    def test_poll_tells_of_data_and_of_the_end(self, kernel):
        end, other = kernel.pipe2(0)
        kernel.watch(end)
        assert kernel.poll(0) == []
        kernel.write(other, b"x")
        assert [(event.kind, event.fd) for event in kernel.poll(5)] == [("readable", end)]
        kernel.read(end, 9)
        assert kernel.poll(0.01) == []
        kernel.close(other)
        assert [event.fd for event in kernel.poll(None)] == [end]
        kernel.close(end)
        assert kernel.poll(None) == []  # nothing can happen any more

    def test_a_closed_descriptor_is_watched_no_more(self, kernel, place):
        end, other = kernel.pipe2(0)
        kernel.watch(end)
        copy = kernel.dup(end)
        kernel.close(end)
        kernel.write(other, b"x")
        assert kernel.poll(0) == []
        again = kernel.open(place, O_RDONLY)
        assert again == end
        assert code(kernel.watch, again) == "EPERM"
        for fd in (copy, other, again):
            kernel.close(fd)

    def test_the_lab_can_give_one_of_its_own(self, kernel, tmp_path):
        (tmp_path / "a").write_bytes(b"given")
        with open(tmp_path / "a", "rb") as file:
            fd = kernel.take(file.fileno())
        assert fd == 3
        assert kernel.read(fd, 10) == b"given"
        kernel.close(fd)

    def test_the_kernel_has_a_descriptor_to_wait_on(self, kernel):
        import select

        end, other = kernel.pipe2(0)
        kernel.watch(end)
        assert select.select([kernel], [], [], 0)[0] == []
        kernel.write(other, b"x")
        assert select.select([kernel], [], [], 5)[0] == [kernel]
        kernel.close(end)
        kernel.close(other)
        assert select.select([kernel], [], [], 0)[0] == []


def count_names(kernel, path: str, more: list[int]) -> dict:
    """A job."""
    kernel.mkdir(f"{path}/made by a job")
    return {"names": kernel.listdir(path), "more": sum(more), "pid": kernel.getpid(), "raw": b"\xff"}


def failing_job(kernel, path: str) -> None:
    kernel.rmdir(path)


def broken_job(kernel) -> None:
    raise KeyError("a mistake")


class TestJobs:
    def test_a_job_is_one_round_trip(self, kernel, place):
        before = kernel._number
        found = kernel.job(count_names, place, [1, 2, 3])
        assert found == {"names": ["made by a job"], "more": 6, "pid": 1, "raw": b"\xff"}
        assert kernel._number == before + 1

    def test_what_it_raises_arrives(self, kernel, place):
        with pytest.raises(FileNotFoundError) as missing:
            kernel.job(failing_job, f"{place}/no")
        assert missing.value.filename == f"{place}/no"
        with pytest.raises(KeyError, match="a mistake") as mistake:
            kernel.job(broken_job)
        assert "broken_job" in "".join(mistake.value.__notes__)

    def test_it_must_be_importable(self, kernel):
        with pytest.raises(ValueError, match="not a function of a module"):
            kernel.job(lambda k: k.getpid())

    def test_much_data(self, kernel, place):
        data = os.urandom(5_000_000)
        assert kernel.job(echoes, data) == data


def echoes(kernel, data: bytes) -> bytes:
    return data


def take(kernel, kind: str, number: int):
    """What is to be done about an event."""
    return kernel.read(number, 100) if kind == "readable" else kernel.wait4(number)


def fail_at(kernel, kind: str, number: int):
    kernel.rmdir("/no/such")


class TestNews:
    @pytest.fixture
    def end(self, kernel):
        """A pipe in which something is."""
        end, other = kernel.pipe2(0)
        kernel.watch(end)
        kernel.write(other, b"x")
        yield end
        kernel.close(end)
        kernel.close(other)

    def test_it_is_attended_to_in_the_round_trip_that_tells_it(self, kernel, end):
        before = kernel._number
        assert [(event.fd, told) for event, told in kernel.attend(5, take)] == [(end, b"x")]
        assert kernel._number == before + 1
        assert kernel.attend(0.01, take) == []

    def test_with_a_listener_each_call_is_told(self, kernel, end):
        heard = []
        kernel.listener = lambda event: heard.append(event.name)
        assert [told for _, told in kernel.attend(5, take)] == [b"x"]
        assert heard == ["read"]

    def test_what_a_child_wrote_comes_before_its_end(self, kernel, end):
        pid = kernel.clone(quick, fds={})
        assert eventually(lambda: kernel.job(state_of, pid) == "Z")
        assert [told for _, told in kernel.attend(5, take)] == [b"x", (pid, 0)]

    def test_who_presses_ctrl_c_while_a_listener_is_told_loses_nothing_that_was_not_done(self, kernel, end):
        second, other = kernel.pipe2(0)
        kernel.watch(second)
        kernel.write(other, b"y")
        kernel.listener = interrupt_once()
        with pytest.raises(KeyboardInterrupt):
            kernel.attend(5, take)
        told = [told for _, told in kernel.attend(5, take_news)] + [told for _, told in kernel.attend(0, take_news)]
        assert [data for data in told if data] in ([b"y"], [b"x"])  # the read whose answer was cut off is lost
        kernel.close(second)
        kernel.close(other)

    def test_an_error_arrives(self, kernel, end):
        with pytest.raises(FileNotFoundError):
            kernel.attend(5, fail_at)
        assert kernel.getpid() == 1

    def test_what_was_done_is_kept_for_who_was_interrupted(self, kernel, end):
        kernel._polled.add(kernel._number + 1)
        kernel._send("poll", "", (5, f"{__name__}:take"), {})
        while not kernel._sock.recv(1, socket.MSG_PEEK):
            pass
        assert kernel.getpid() == 1
        kernel.listener = print
        assert [(event.fd, told) for event, told in kernel.attend(5, take)] == [(end, b"x")]


def interrupt_once():
    """A listener during whose first call Ctrl-C is pressed."""
    presses = [KeyboardInterrupt]

    def listen(event):
        if presses:
            raise presses.pop()

    return listen


async def quick(k):
    return 0


def state_of(kernel, pid: int) -> str:
    """The letter that /proc has for a task's state."""
    fd = kernel.open(f"/proc/{pid}/stat", O_RDONLY)
    try:
        return kernel.read(fd, 1000).decode().rpartition(") ")[2][0]
    finally:
        kernel.close(fd)


@pytest.mark.usefixtures("allowed")
class TestTheHelper:
    def test_it_is_init_of_its_own_world(self, kernel):
        assert kernel.getpid() == 1
        assert [name for name in kernel.listdir("/proc") if name.isdigit()] == ["1"]

    @pytest.mark.needs("root")
    def test_users_may_not_look_into_it(self, kernel):
        assert os.stat(f"/proc/{kernel.pid}/environ").st_uid == 0
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            try:
                os.listdir(f"/proc/{kernel.pid}/fd")
            except PermissionError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0

    @pytest.mark.needs("root")  # a user may not look into a helper, not even into their own
    def test_the_merged_view_is_reachable_from_outside(self, kernel, place):
        kernel.mkdir(f"{place}/seen")
        assert os.listdir(f"/proc/{kernel.pid}/root{place}") == ["seen"]

    def test_a_thread_that_ends_takes_no_kernel_with_it(self):
        made = []
        thread = threading.Thread(target=lambda: made.append(RealKernel()))
        thread.start()
        thread.join()
        try:
            assert made[0].getpid() == 1
        finally:
            made[0].close_kernel()

    def test_a_call_after_the_end_says_so(self):
        kernel = RealKernel()
        kernel.close_kernel()
        with pytest.raises(OSError, match="was closed"):
            kernel.getpid()
        kernel.close_kernel()

    def test_a_helper_that_was_killed_is_reported(self):
        kernel = RealKernel()
        os.kill(kernel.pid, 9)
        with pytest.raises(ConnectionError):
            repeat(kernel.getpid)
        kernel.close_kernel()

    def test_an_interrupted_wait_leaves_the_wire_in_step(self, kernel):
        import _thread

        end, other = kernel.pipe2(0)
        kernel.watch(end)
        keep_waiting = kernel.clone(forever, fds={})
        timer = threading.Timer(0.05, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            kernel.poll(5)
        timer.join()
        assert kernel.getpid() == 1
        kernel.write(other, b"x")
        assert [event.fd for event in kernel.poll(5)] == [end]
        kernel.kill(keep_waiting, 9)
        kernel.close(end)
        kernel.close(other)
        assert [event.pid for event in kernel.poll(5)] == [keep_waiting]
        assert kernel.wait4(keep_waiting) == (keep_waiting, 9)

    def test_it_costs_little_to_import(self):
        import subprocess

        for module, heavy in {"minidocker": "minidocker.real", "minidocker.real": "ctypes"}.items():
            program = f"import sys, {module}; sys.exit({heavy!r} in sys.modules)"
            assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


async def forever(k) -> int:
    await k.sleep(60)
    return 0
