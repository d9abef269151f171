"""Root in a user namespace, on both kernels: what Linux lets it do, what not, and with which errno.

The simulated host is of the real one's kind (``Profile.like``), so that docker's commands agree call by call there too.
"""

import itertools
import os
import tempfile
from pathlib import Path

import pytest
import rights

from minidocker.compare import compare
from minidocker.hosts import open_host
from minidocker.linux import (
    MS_BIND,
    O_CREAT,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    S_IFBLK,
    S_IFCHR,
    S_IFIFO,
    S_IFSOCK,
    errno_name,
)
from minidocker.sim import Profile, SimKernel
from minidocker.sim.inode import Change
from minidocker.sim.path import lookup
from minidocker.sim.user_namespace import UNMAPPED

DISK = "/var/lib/docker"
#: An id that no ordinary line of /etc/subuid reaches.
FAR = 5_000_000
OVERFLOW = 65_534
SOMEBODY = 54_321
COMMANDS = Path(__file__).with_name("cow_commands.txt").read_text().split("[cow-tour]\n")[0]
SCRIPTS = [line for line in COMMANDS.splitlines() if line and not line.startswith("#")][:25]

_numbers = itertools.count()

#: What somebody else has in the host's tree: a directory and a file in it, each with its mode.
FOREIGN = {"": 0o755, "/file": 0o644, "/secret": 0o600, "/open": 0o666}


def errno_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except OSError as error:
        return errno_name(error.errno)
    return None


def has_one_id(kernel):
    return isinstance(kernel, SimKernel) or len(kernel.ids["uid_map"]) == 1


@pytest.fixture(scope="module", params=["sim", "real"])
def rootless(request):
    if request.param == "real":
        rights.require("linux", "user-namespaces")
        from minidocker.real import RealKernel

        kernel = RealKernel(rootless=True)
    else:
        kernel = SimKernel(Profile(rootless=True))
    yield kernel
    kernel.close_kernel()


@pytest.fixture
def place(rootless):
    """A new directory of root's own, with a file and a symbolic link."""
    path = f"{DISK}/{next(_numbers)}"
    rootless.mkdir(path)
    rootless.close(rootless.open(f"{path}/file", O_CREAT | O_WRONLY, 0o644))
    rootless.symlink("file", f"{path}/link")
    return path


@pytest.mark.parametrize(
    ("mode", "device", "refusal"),
    [
        (S_IFCHR, 1 << 8 | 3, "EPERM"),
        (S_IFBLK, 8 << 8, "EPERM"),
        (S_IFBLK, 0, "EPERM"),
        (S_IFCHR, 0, None),
        (S_IFIFO, 0, None),
        (S_IFSOCK, 0, None),
    ],
    ids=["null", "disk", "block-0:0", "whiteout", "fifo", "socket"],
)
def test_device_nodes_but_whiteouts_are_refused(rootless, place, mode, device, refusal):
    assert errno_of(rootless.mknod, f"{place}/node", mode | 0o600, device) == refusal


def test_a_name_that_is_taken_is_eexist_before_it_is_refused(rootless, place):
    assert errno_of(rootless.mknod, f"{place}/file", S_IFCHR, 1 << 8 | 3) == "EEXIST"


def test_a_device_of_the_host_is_bound_over_a_file(rootless, place):
    rootless.mount("/dev/null", f"{place}/file", "", MS_BIND)
    fd = rootless.open(f"{place}/file", O_RDWR)
    assert rootless.write(fd, b"gone") == 4
    assert rootless.read(fd, 1) == b""
    rootless.close(fd)
    rootless.umount2(f"{place}/file")


@pytest.mark.parametrize("name", ["trusted.x", "trusted.overlay.opaque"])
def test_trusted_attributes_are_not_for_it(rootless, place, name):
    path = f"{place}/file"
    assert errno_of(rootless.setxattr, path, name, b"y") == "EPERM"
    assert errno_of(rootless.getxattr, path, name) == "ENODATA"
    assert errno_of(rootless.removexattr, path, name) == "EPERM"


@pytest.mark.parametrize("name", ["user.x", "user.overlay.opaque", "security.x"])
def test_other_attributes_are(rootless, place, name):
    rootless.setxattr(f"{place}/file", name, b"y")
    assert rootless.getxattr(f"{place}/file", name) == b"y"
    assert name in rootless.listxattr(f"{place}/file")
    rootless.removexattr(f"{place}/file", name)


@pytest.mark.parametrize(
    ("uid", "gid", "refusal"),
    [
        (0, 0, None), (-1, -1, None), (0, -1, None),
        (FAR, -1, "EINVAL"), (-1, FAR, "EINVAL"), (0, FAR, "EINVAL"), (FAR, FAR, "EINVAL"),
    ],
)  # fmt: skip
def test_owners_are_those_that_are_mapped(rootless, place, uid, gid, refusal):
    assert errno_of(rootless.chown, f"{place}/file", uid, gid) == refusal
    assert errno_of(rootless.lchown, f"{place}/link", uid, gid) == refusal
    fd = rootless.open(f"{place}/file", O_RDONLY)
    assert errno_of(rootless.fchown, fd, uid, gid) == refusal
    rootless.close(fd)


def test_what_is_missing_is_missed_before_the_owner_is_looked_at(rootless, place):
    assert errno_of(rootless.chown, f"{place}/missing", FAR, FAR) == "ENOENT"
    assert errno_of(rootless.fchown, 99, FAR, FAR) == "EBADF"


@pytest.mark.parametrize("call", ["setuid", "seteuid", "setgid", "setegid"])
def test_one_becomes_only_who_is_mapped(rootless, call):
    assert errno_of(getattr(rootless, call), FAR) == "EINVAL"
    assert errno_of(getattr(rootless, call), 0) is None


@pytest.mark.parametrize("groups", [[], [0], [FAR]])
def test_setgroups_is_denied_who_wrote_the_map_himself(rootless, groups):
    if not has_one_id(rootless):
        pytest.skip("newgidmap wrote this map: it leaves setgroups allowed")
    assert errno_of(rootless.setgroups, groups) == "EPERM"


@pytest.mark.parametrize("fstype", ["tmpfs", "proc"])
def test_these_file_systems_can_be_mounted(rootless, place, fstype):
    rootless.mkdir(f"{place}/on")
    rootless.mount(fstype, f"{place}/on", fstype)
    assert rootless.stat(f"{place}/on").st_uid == (root_of_the_machine(rootless) if fstype == "proc" else 0)
    rootless.umount2(f"{place}/on")


def root_of_the_machine(rootless):
    """Return which user the machine's root is in the namespace: proc and sysfs belong to him, whoever mounts them."""
    fd = rootless.open("/proc/self/uid_map", O_RDONLY)
    rows = [list(map(int, row.split())) for row in rootless.read(fd, 4096).decode().splitlines()]
    rootless.close(fd)
    return next((inside for inside, outside, _ in rows if outside == 0), 65534)


def test_the_disk_is_its_own(rootless):
    for path in ("/var/lib", DISK):
        assert (rootless.stat(path).st_uid, rootless.stat(path).st_gid) == (0, 0)
    assert rootless.stat("/proc").st_uid == root_of_the_machine(rootless)


class TestWhatIsSomebodyElses:
    """Files of the host whose owner has no id in the namespace: root's capabilities end there."""

    @pytest.fixture
    def foreign(self, rootless):
        if isinstance(rootless, SimKernel):
            yield self._simulated(rootless)
            return
        rights.require("root")
        with tempfile.TemporaryDirectory(prefix="foreign-") as path:
            for name, mode in FOREIGN.items():
                if name:
                    Path(path + name).touch()
                Path(path + name).chmod(mode)
                os.chown(path + name, SOMEBODY, SOMEBODY)
            yield path

    @staticmethod
    def _simulated(kernel):
        path = f"/tmp/{len(kernel.listdir('/tmp'))}"
        kernel.mkdir(path)
        for name in filter(None, FOREIGN):
            kernel.close(kernel.open(path + name, O_CREAT | O_WRONLY))
        for name, mode in FOREIGN.items():
            found = lookup(kernel.host, path + name)
            found.inode.change(found.dentry, Change(mode=mode, uid=UNMAPPED, gid=UNMAPPED))
        return path

    def test_is_shown_with_the_overflow_id(self, rootless, foreign):
        for name in FOREIGN:
            found = rootless.stat(foreign + name)
            assert (found.st_uid, found.st_gid) == (OVERFLOW, OVERFLOW)

    @pytest.mark.parametrize(
        ("refusal", "call", "name", "args"),
        [
            (None, "listdir", "", ()),
            ("EACCES", "mkdir", "/new", ()),
            ("EACCES", "unlink", "/open", ()),
            ("EPERM", "chmod", "/file", (0o600,)),
            ("EPERM", "chmod", "/open", (0o666,)),
            ("EPERM", "chown", "/file", (0, 0)),
            (None, "chown", "/file", (-1, -1)),
            ("EINVAL", "chown", "/file", (FAR, -1)),
            ("EPERM", "utime", "/file", ((1, 1),)),
            ("EACCES", "utime", "/file", ()),
            (None, "utime", "/open", ()),
            ("EPERM", "utime", "/open", ((1, 1),)),
            ("EACCES", "truncate", "/file", (0,)),
            (None, "truncate", "/open", (0,)),
            (None, "open", "/file", (O_RDONLY,)),
            ("EACCES", "open", "/file", (O_WRONLY,)),
            ("EACCES", "open", "/secret", (O_RDONLY,)),
            ("EACCES", "setxattr", "/file", ("user.x", b"1")),
            (None, "setxattr", "/open", ("user.x", b"1")),
            ("ENODATA", "getxattr", "/file", ("user.x",)),
            ("EACCES", "getxattr", "/secret", ("user.x",)),
        ],
    )
    def test_is_left_alone(self, rootless, foreign, refusal, call, name, args):
        assert errno_of(self._closing(rootless, call), foreign + name, *args) == refusal

    @staticmethod
    def _closing(kernel, call):
        if call == "open":
            return lambda *args: kernel.close(kernel.open(*args))
        return getattr(kernel, call)

    @pytest.mark.parametrize(("name", "readable", "writable"), [("/file", True, False), ("/secret", False, False)])
    def test_access_says_so(self, rootless, foreign, name, readable, writable):
        assert rootless.access(foreign + name, os.R_OK) is readable
        assert rootless.access(foreign + name, os.W_OK) is writable

    def test_can_be_mounted_upon(self, rootless, foreign):
        rootless.mount("x", foreign, "tmpfs")
        rootless.mkdir(f"{foreign}/new")
        rootless.umount2(foreign)


class TestOverlay:
    """With ``userxattr`` all is as ever; without, overlayfs does without its marks, and what needs one fails."""

    @pytest.fixture
    def mounted(self, rootless, place):
        for name in ("lower", "lower/dir", "lower/dir2", "lower/full", "upper", "work", "merged"):
            rootless.mkdir(f"{place}/{name}")
        for name in ("lower/file", "lower/full/name"):
            rootless.close(rootless.open(f"{place}/{name}", O_CREAT | O_WRONLY, 0o644))
        layers = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"

        def mount(options):
            rootless.mount("overlay", f"{place}/merged", "overlay", 0, ",".join(filter(None, (layers, options))))
            return f"{place}/merged"

        yield mount
        errno_of(rootless.umount2, f"{place}/merged")

    @staticmethod
    def marks(kernel, path):
        return sorted(kernel.listxattr(path))

    @pytest.mark.parametrize(
        ("options", "refusal"),
        [
            ("", None),
            ("index=off,xino=off,metacopy=off", None),
            ("redirect_dir=nofollow", None),
            ("redirect_dir=off", "EPERM"),
            ("redirect_dir=follow", "EPERM"),
            ("redirect_dir=on", "EPERM"),
            ("volatile", None),
            ("userxattr", None),
            ("userxattr,redirect_dir=nofollow", None),
            ("userxattr,redirect_dir=off", "EINVAL"),
            ("userxattr,redirect_dir=follow", "EINVAL"),
            ("userxattr,redirect_dir=on", "EINVAL"),
        ],
    )
    def test_options(self, mounted, options, refusal):
        assert errno_of(mounted, options) == refusal

    @pytest.mark.parametrize(
        ("options", "shown"),
        [("", "redirect_dir=nofollow,uuid=null"), ("userxattr", "redirect_dir=nofollow,uuid=on,userxattr")],
    )
    def test_what_became_of_them_is_shown(self, rootless, place, mounted, options, shown):
        mounted(options)
        fd = rootless.open("/proc/mounts", O_RDONLY)
        text = b""
        while data := rootless.read(fd, 1 << 16):
            text += data
        rootless.close(fd)
        row = next(line for line in text.decode().splitlines() if f"{place}/merged" in line.split()[1])
        assert row.split()[3].endswith(f"workdir={place}/work,{shown}")

    def test_marks_are_user_ones(self, rootless, place, mounted):
        merged = mounted("userxattr")
        rootless.rmdir(f"{merged}/dir")
        rootless.mkdir(f"{merged}/dir")
        rootless.chmod(f"{merged}/file", 0o600)
        assert self.marks(rootless, f"{place}/upper/dir") == ["user.overlay.opaque"]
        assert self.marks(rootless, f"{place}/upper/file") == ["user.overlay.origin"]
        assert self.marks(rootless, f"{place}/upper") == ["user.overlay.impure", "user.overlay.uuid"]

    def test_marks_of_others_are_escaped(self, rootless, place, mounted):
        merged = mounted("userxattr")
        rootless.setxattr(f"{merged}/file", "user.overlay.z", b"1")
        assert rootless.listxattr(f"{merged}/file") == ["user.overlay.z"]
        assert "user.overlay.overlay.z" in self.marks(rootless, f"{place}/upper/file")

    def test_a_directory_with_whiteouts_goes(self, rootless, mounted):
        merged = mounted("userxattr")
        rootless.unlink(f"{merged}/full/name")
        rootless.rmdir(f"{merged}/full")
        assert sorted(rootless.listdir(merged)) == ["dir", "dir2", "file"]

    def test_without_marks_there_are_none(self, rootless, place, mounted):
        merged = mounted("")
        rootless.chmod(f"{merged}/file", 0o600)
        rootless.unlink(f"{merged}/file")
        rootless.mkdir(f"{merged}/dir/new")
        for name in ("", "/dir", "/dir/new"):
            assert self.marks(rootless, f"{place}/upper{name}") == []
        assert rootless.lstat(f"{place}/upper/file").st_mode & S_IFCHR

    def test_without_marks_no_directory_comes_over_a_whiteout(self, rootless, place, mounted):
        merged = mounted("")
        rootless.rmdir(f"{merged}/dir")
        assert errno_of(rootless.mkdir, f"{merged}/dir") == "EIO"
        assert errno_of(rootless.stat, f"{merged}/dir") == "ENOENT"
        assert rootless.lstat(f"{place}/upper/dir").st_rdev == 0

    def test_without_marks_no_directory_with_whiteouts_goes(self, rootless, place, mounted):
        merged = mounted("")
        rootless.unlink(f"{merged}/full/name")
        assert errno_of(rootless.rmdir, f"{merged}/full") == "EIO"
        assert rootless.listdir(f"{place}/upper/full") == ["name"]
        rootless.mkdir(f"{merged}/new")
        assert errno_of(rootless.rename, f"{merged}/new", f"{merged}/full") == "EIO"

    @pytest.mark.parametrize("target", ["dir2", "dir/new"])
    def test_without_marks_no_directory_moves_into_a_merged_one(self, rootless, mounted, target):
        merged = mounted("")
        rootless.mkdir(f"{merged}/new")
        assert errno_of(rootless.rename, f"{merged}/new", f"{merged}/{target}") == "EXDEV"

    @pytest.mark.parametrize("options", ["", "userxattr"])
    def test_no_device_and_no_whiteout_in_it(self, rootless, mounted, options):
        merged = mounted(options)
        assert errno_of(rootless.mknod, f"{merged}/null", S_IFCHR, 1 << 8 | 3) == "EPERM"
        assert errno_of(rootless.mknod, f"{merged}/whiteout", S_IFCHR, 0) == "EPERM"
        assert errno_of(rootless.chown, f"{merged}/file", FAR, FAR) == "EINVAL"


@pytest.fixture(scope="module")
def hosts():
    rights.require("linux", "user-namespaces")
    real = open_host("real", programs="lab", rootless=True)
    model = open_host("sim", programs="lab", like=real.description)
    yield model, real
    model.close()
    real.close()


@pytest.mark.real
@pytest.mark.needs("linux", "user-namespaces")
class TestDocker:
    """docker's commands, rootless on both kernels, step by step."""

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_agrees_call_by_call(self, hosts, script):
        model, kernel = (host.docker(["run", "--rm", "lab", "sh", "-c", script]).trace for host in hosts)
        difference = compare(model, kernel)
        assert difference is None, str(difference)
        assert [host.kernel.listener_error for host in hosts] == [None, None]
        assert len(model) > 40

    def test_devices_are_the_hosts(self, hosts):
        for host in hosts:
            outcome = host.docker(["run", "--rm", "lab", "sh", "-c", "echo x > /dev/null && stat -c %t:%T /dev/null"])
            assert (outcome.stdout, outcome.stderr) == ("1:3\n", "")

    @pytest.mark.parametrize(("user", "kind"), [(f"{FAR}", "uid"), (f"0:{FAR}", "gid")])
    def test_a_user_that_is_not_mapped(self, hosts, user, kind):
        words = f"docker: Error response from daemon: cannot set {kind} to unmapped user in user namespace"
        model, kernel = (host.docker(["run", "--rm", "--user", user, "lab", "true"]) for host in hosts)
        assert compare(model.trace, kernel.trace) is None
        assert kernel.stderr.splitlines()[0] == words
        assert kernel.exit_code == 125

    def test_root_by_name(self, hosts):
        model, kernel = (host.docker(["run", "--rm", "--user", "0", "lab", "id", "-u"]) for host in hosts)
        assert compare(model.trace, kernel.trace) is None
        assert (kernel.stdout, kernel.exit_code) == ("0\n", 0)

    def test_the_description_says_which_ids_there_are(self, hosts):
        model, real = hosts
        assert model.description["rootless"] is real.description["rootless"] is True
        assert real.description["ids"]["uid_map"][0] == [0, os.geteuid(), 1]
        assert model.kernel.host.creds.user.uid_map[0] == (0, os.geteuid(), 1)
        assert model.kernel.host.creds.user.setgroups is real.description["ids"]["setgroups"]
