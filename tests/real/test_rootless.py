"""Rootless: root in a user namespace. What works there, what Linux refuses there, and that a user can do it at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rights import ROOT, missing

from minidocker.linux import CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, MS_BIND, O_CREAT, O_RDONLY, O_WRONLY, S_IFCHR
from minidocker.real import RealKernel, idmap
from tests.real import coroutines, leftovers
from tests.real.coroutines import answer

pytestmark = pytest.mark.needs("linux", "user-namespaces")

DISK = "/var/lib/docker"
USER = 54_321


@pytest.fixture(scope="module")
def rootless():
    """A rootless kernel, started by whoever runs this."""
    if why := missing("user-namespaces"):
        pytest.skip(f"needs user-namespaces: {why}")
    before = leftovers.picture()
    kernel = RealKernel(rootless=True)
    yield kernel
    lab = leftovers.Lab(kernel.pid)
    kernel.close_kernel()
    lab.is_gone(within_s=0)
    leftovers.nothing_more_than(before)


@pytest.fixture
def stack(rootless, request):
    base = f"{DISK}/{request.node.name}"
    for name in ("", "/lower", "/lower/dir", "/upper", "/work", "/merged"):
        rootless.mkdir(base + name)
    layers = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    rootless.mount("overlay", f"{base}/merged", "overlay", 0, f"{layers},index=off,xino=off,metacopy=off,userxattr")
    yield base
    rootless.umount2(f"{base}/merged")


def test_it_is_root_inside_and_the_user_outside(rootless):
    assert rootless.rootless
    assert (rootless.getuid(), rootless.getgid(), rootless.getpid()) == (0, 0, 1)
    assert Path(f"/proc/{rootless.pid}/uid_map").read_text().split()[:2] == ["0", str(os.geteuid())]
    assert rootless.ids["uid_map"][0] == (0, os.geteuid(), 1)


def test_an_overlay_with_userxattr(rootless, stack):
    rootless.rmdir(f"{stack}/merged/dir")
    assert rootless.lstat(f"{stack}/upper/dir").st_rdev == 0
    rootless.mkdir(f"{stack}/merged/dir")
    assert rootless.getxattr(f"{stack}/upper/dir", "user.overlay.opaque") == b"y"


@pytest.mark.parametrize("option", ["redirect_dir=on", "metacopy=on"])
def test_options_that_do_not_go_with_userxattr_are_einval(rootless, option):
    base = f"{DISK}/{option}"
    for name in ("", "/lower", "/upper", "/work", "/merged"):
        rootless.mkdir(base + name)
    layers = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    with pytest.raises(OSError, match="Invalid argument"):
        rootless.mount("overlay", f"{base}/merged", "overlay", 0, f"{layers},userxattr,{option}")


def test_device_nodes_are_refused_and_can_be_bound(rootless):
    with pytest.raises(PermissionError):
        rootless.mknod(f"{DISK}/null", S_IFCHR | 0o666, 1 << 8 | 3)
    rootless.mknod(f"{DISK}/whiteout", S_IFCHR, 0)
    rootless.close(rootless.open(f"{DISK}/bound", O_CREAT | O_WRONLY))
    rootless.mount("/dev/null", f"{DISK}/bound", "", MS_BIND)
    fd = rootless.open(f"{DISK}/bound", O_RDONLY)
    assert rootless.read(fd, 1) == b""
    rootless.close(fd)
    rootless.umount2(f"{DISK}/bound")


def test_ids_that_are_not_mapped_are_einval(rootless):
    rootless.mkdir(f"{DISK}/owned")
    if len(rootless.ids["uid_map"]) == 1:
        with pytest.raises(OSError, match="Invalid argument"):
            rootless.chown(f"{DISK}/owned", 5, 5)
    else:
        rootless.chown(f"{DISK}/owned", 5, 5)


def test_containers_namespaces_and_pivot_root(rootless):
    place = f"{DISK}/root"
    for name in ("", "/proc", "/etc"):
        rootless.mkdir(place + name)
    found = answer(rootless, coroutines.pivots, place, flags=CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS)
    assert found == {"names": ["etc", "proc"], "pids": ["1"], "pid": 1}


AS_A_USER = """
import os, sys
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
sys.path[:0] = sys.argv[2:]
from minidocker.real import RealKernel, probe
from tests.real import coroutines
report = probe.probe()
assert report.usable, report
assert report.rootless and "userxattr" in report.overlay, report
kernel = RealKernel()
for name in ("root", "root/proc"):
    kernel.mkdir("/var/lib/docker/" + name)
print(kernel.getuid(), kernel.ids["uid_map"][0])
found = coroutines.answer(kernel, coroutines.pivots, "/var/lib/docker/root", flags=0x20000 | 0x20000000)
print(found["names"], found["pid"])
try:
    kernel.mkdir("/etc/not-mine")
except PermissionError:
    print("refused")
"""


def python_for_everybody() -> str:
    """A Python that other users may run too: the tests' own can lie in root's home."""
    for python in (sys.executable, *filter(None, map(shutil.which, ("/usr/bin/python3", "/usr/local/bin/python3")))):
        check = "import os, sys; os.setuid(54321); os.execv(sys.argv[1], [sys.argv[1], '-c', sys.argv[2]])"
        good = f"import sys; sys.path[:0] = [{str(ROOT)!r}]; import minidocker.real; assert sys.version_info >= (3, 11)"
        done = subprocess.run([sys.executable, "-c", check, python, good], capture_output=True, check=False)
        if done.returncode == 0:
            return python
    return pytest.skip("needs python-for-everybody: no Python >= 3.11 and no clone that another user may read")


@pytest.mark.needs("root")
def test_a_user_without_any_rights_can_do_it():
    command = [python_for_everybody(), "-I", "-c", AS_A_USER, str(USER), str(ROOT), str(ROOT / "tests")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.stderr == ""
    assert done.stdout == f"0 (0, {USER}, 1)\n['proc'] 1\nrefused\n"


class TestIds:
    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        file = tmp_path / "subuid"
        monkeypatch.setattr(idmap, "_SETTERS", {"uid_map": ("true", str(file)), "gid_map": ("true", str(file))})
        return file

    def test_by_number_and_by_name(self, files):
        files.write_text("somebody:1:2\nroot:100000:65536\n77:200000:1000\n")
        assert idmap.subordinate("uid_map", 0) == (100_000, 65_536)
        assert idmap.subordinate("uid_map", 77) == (200_000, 1000)
        assert idmap.subordinate("uid_map", 78) is None

    @pytest.mark.parametrize("text", ["", "root\n", "root:x:y\n", "root:100000:0\n", "# a comment\n"])
    def test_lines_that_give_nothing(self, files, text):
        files.write_text(text)
        assert idmap.subordinate("uid_map", 0) is None

    def test_no_file(self, files):
        assert idmap.subordinate("uid_map", 0) is None
