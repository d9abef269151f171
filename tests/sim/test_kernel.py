"""The dispatch: what a listener is told, what the file systems tell of their insides, and what is refused by name."""

import errno

import pytest

from minidocker.kernel import Inner
from minidocker.linux import O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, strerror
from minidocker.sim import Profile, SimKernel


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


@pytest.fixture
def merged(kernel):
    """An overlay over /l with the directory d and the file d/f in it; events are collected in kernel.told."""
    for path in ("/l", "/l/d", "/l/full", "/u", "/w", "/m"):
        kernel.mkdir(path)
    write(kernel, "/l/d/f")
    kernel.mount("overlay", "/m", "overlay", 0, "lowerdir=/l,upperdir=/u,workdir=/w")
    return "/m"


def write(kernel, path, data=b"data"):
    fd = kernel.open(path, O_CREAT | O_WRONLY)
    kernel.write(fd, data)
    kernel.close(fd)


def listen(kernel):
    told = []
    kernel.listener = told.append
    return told


def inner(events):
    return [(told.name, told.path, told.size) for event in events for told in event.inner]


def test_a_host_has_the_usual_directories(kernel):
    assert {"bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"} <= set(kernel.listdir("/"))
    assert kernel.stat("/tmp").st_mode & 0o7777 == 0o1777
    assert kernel.stat("/root").st_uid == 0


def test_an_unknown_call_is_enosys(kernel):
    with pytest.raises(OSError) as caught:
        kernel.syscall("reboot")
    assert caught.value.errno == errno.ENOSYS


def test_errors_name_their_paths_as_os_does(kernel):
    with pytest.raises(FileNotFoundError) as caught:
        kernel.rename("/absent", "/other")
    assert (caught.value.filename, caught.value.filename2) == ("/absent", "/other")
    assert caught.value.strerror == strerror(errno.ENOENT)


def test_a_listener_is_told_of_results_and_errors(kernel):
    events = listen(kernel)
    kernel.mkdir("/tmp/d")
    with pytest.raises(FileExistsError):
        kernel.mkdir("/tmp/d", 0o700)
    first, second = events
    assert (first.task, first.actor, first.name) == ("0", "daemon", "mkdir")
    assert (first.args, first.error) == (("/tmp/d", 0o777), None)
    assert (second.args, second.result, second.error.errno) == (("/tmp/d", 0o700), None, errno.EEXIST)


def test_a_listener_that_fails_breaks_nothing(kernel):
    failure = RuntimeError("the listener's own")

    def listener(event):
        raise failure

    kernel.listener = listener
    kernel.mkdir("/tmp/d")
    assert kernel.listener_error is failure
    assert kernel.listdir("/tmp") == ["d"]


def test_without_a_listener_nothing_is_collected(kernel, merged):
    kernel.chmod(f"{merged}/d/f", 0o600)
    assert kernel.inner is None


def test_a_job_is_not_told(kernel):
    events = listen(kernel)
    assert kernel.job(lambda k, path: k.mkdir(path) or k.listdir("/tmp"), "/tmp/d") == ["d"]
    assert events == []


def test_a_copy_up_tells_each_directory_and_the_bytes(kernel, merged):
    events = listen(kernel)
    kernel.chmod(f"{merged}/d/f", 0o600)
    kernel.chmod(f"{merged}/d/f", 0o644)
    assert events[0].inner == (Inner(name="copy_up", path="/d"), Inner(name="copy_up", path="/d/f", size=4))
    assert events[1].inner == ()


def test_opening_to_truncate_copies_no_bytes(kernel, merged):
    events = listen(kernel)
    kernel.open(f"{merged}/d/f", O_RDWR | O_TRUNC)
    assert inner(events) == [("copy_up", "/d", 0), ("copy_up", "/d/f", 0)]


def test_whiteouts_and_opaque_directories_are_told(kernel, merged):
    events = listen(kernel)
    kernel.rmdir(f"{merged}/full")
    kernel.mkdir(f"{merged}/full")
    kernel.rename(f"{merged}/d/f", f"{merged}/f")
    assert inner(events) == [
        ("whiteout", "/full", 0),
        ("opaque", "/full", 0),
        ("copy_up", "/d", 0),
        ("copy_up", "/d/f", 4),
        ("whiteout", "/d/f", 0),
    ]


def test_an_observed_upper_directory_is_told_and_agrees(kernel, merged):
    kernel.observe("stack", ["/l"], "/u")
    events = listen(kernel)
    kernel.unlink(f"{merged}/d/f")
    assert sorted(events[0].uppers["stack"]) == ["/d", "/d/f"]
    assert events[0].uppers["stack"]["/d/f"] == {"kind": "whiteout"}
    kernel.unobserve("stack")
    kernel.mkdir(f"{merged}/x")
    assert events[1].uppers == {}


def test_lower_layers_never_change(kernel, merged):
    before = [kernel.stat(path) for path in ("/l", "/l/d", "/l/d/f", "/l/full")]
    kernel.truncate(f"{merged}/d/f", 1)
    kernel.rename(f"{merged}/d/f", f"{merged}/full/f")
    kernel.chmod(f"{merged}/d", 0o700)
    kernel.setxattr(f"{merged}/full", "user.x", b"1")
    assert [kernel.stat(path) for path in ("/l", "/l/d", "/l/d/f", "/l/full")] == before
    assert kernel.listxattr("/l/full") == []
    fd = kernel.open("/l/d/f", O_RDONLY)
    assert kernel.read(fd, 9) == b"data"


@pytest.mark.parametrize(
    "option", ["index=on", "xino=on", "xino=auto", "metacopy=on", "nfs_export=on", "uuid=on", "default_permissions"]
)
def test_options_that_are_not_modelled_are_refused_by_name(kernel, option):
    for path in ("/l", "/u", "/w", "/m"):
        kernel.mkdir(path)
    with pytest.raises(OSError, match=option.split("=", maxsplit=1)[0]) as caught:
        kernel.mount("overlay", "/m", "overlay", 0, f"lowerdir=/l,upperdir=/u,workdir=/w,{option}")
    assert caught.value.errno == errno.EINVAL


def test_colons_and_commas_in_paths_are_escaped(kernel):
    for path in ("/a:b", "/c,d", "/u", "/w", "/m", "/a:b/one", "/c,d/two"):
        kernel.mkdir(path)
    kernel.mount("overlay", "/m", "overlay", 0, r"lowerdir=/a\:b:/c\,d,upperdir=/u,workdir=/w")
    assert sorted(kernel.listdir("/m")) == ["one", "two"]


def test_time_begins_when_the_profile_says():
    boot_ns = 1_900_000_000_000_000_000
    kernel = SimKernel(Profile(boot_ns=boot_ns))
    for path in ("/", "/etc", "/dev/null", "/var/lib/docker"):
        assert 0 <= kernel.stat(path).st_mtime_ns - boot_ns < 10**9
    fd = kernel.open("/proc/uptime", 0)
    assert float(kernel.read(fd, 100).split()[0]) < 1
    kernel.poll(5.0)
    fd = kernel.open("/proc/uptime", 0)
    assert 5 <= float(kernel.read(fd, 100).split()[0]) < 6
    kernel.close_kernel()
