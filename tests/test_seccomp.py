"""The default policy, asked as the kernel's filter would be."""

import pytest

from minidocker import seccomp
from minidocker.capabilities import DEFAULT
from minidocker.errors import InvalidParameter
from minidocker.linux import CLONE_NEWNS, CLONE_NEWUSER


def policy(*more, arch="amd64", release="6.18"):
    return seccomp.resolve(seccomp.DEFAULT, caps=(*DEFAULT, *more), arch=arch, release=release)


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("read", (), 0),
        ("mknod", (), 0),
        ("chroot", (), 0),
        ("ptrace", (), 0),
        ("mount", (), 1),
        ("unshare", (), 1),
        ("keyctl", (), 1),
        ("add_key", (), 1),
        ("bpf", (), 1),
        ("kexec_load", (), 1),
        ("open_by_handle_at", (), 1),
        ("io_uring_setup", (), 1),
        ("userfaultfd", (), 1),
        ("clone", (17,), 0),
        ("clone", (17 | CLONE_NEWNS,), 1),
        ("clone", (17 | CLONE_NEWUSER,), 1),
        ("clone3", (), 38),
        ("socket", (2, 1, 0), 0),
        ("socket", (40, 1, 0), 1),
        ("personality", (0xFFFFFFFF,), 0),
        ("personality", (0x0040000,), 1),
        ("arch_prctl", (), 0),
        ("no_such_call", (), 1),
    ],
)
def test_default(name, args, expected):
    assert seccomp.verdict(policy(), name, args) == expected


def test_a_capability_opens_what_needs_it():
    more = policy("CAP_SYS_ADMIN")
    assert [seccomp.verdict(more, name, (CLONE_NEWNS,)) for name in ("mount", "unshare", "clone", "clone3")] == [0] * 4
    assert seccomp.verdict(policy("CAP_SYSLOG"), "syslog", ()) == 0
    assert seccomp.verdict(more, "reboot", ()) == 1


def test_an_old_kernel_and_another_machine():
    assert seccomp.verdict(policy(release="4.4.0-generic"), "ptrace", ()) == 1
    assert seccomp.verdict(policy(arch="arm64"), "arch_prctl", ()) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{}]}'])
def test_what_is_no_profile(text):
    with pytest.raises(InvalidParameter, match="Decoding seccomp profile failed"):
        seccomp.parse(text)
