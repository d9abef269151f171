"""Cables: what the daemon asks of the kernel to plug a container in, and out again.

Each function is a few calls and nothing else. They take a kernel's plain calls, so that they can also run close to it,
in one round trip (:meth:`Kernel.job`).
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from minidocker.kernel import Kernel
from minidocker.linux import CLONE_NEWNET, O_CLOEXEC, O_RDONLY, O_WRONLY

_FORWARD: Final = "/proc/sys/net/ipv4/ip_forward"

#: What Docker sets in the network namespaces of containers (moby, WithSysctls): who is no root there may listen on all
#: ports, and may ping without a raw socket. The latter not in a user namespace, which does not have all these groups.
_PORTS: Final = ("/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0")
_PING: Final = ("/proc/sys/net/ipv4/ping_group_range", b"0 2147483647")


def make_bridge(kernel: Kernel, name: str, mac: str, address: str, broadcast: str) -> None:
    """Make a bridge that is a link of the host's own, too, and have the host pass packets on (as dockerd does)."""
    with suppress(FileExistsError):
        kernel.newlink(name, "bridge", address=mac)
    with suppress(FileExistsError):
        kernel.newaddr(name, address, broadcast=broadcast)
    kernel.setlink(name, up=True)
    _set(kernel, _FORWARD, b"1")


def lay(
    kernel: Kernel, pid: int, veth: str, bridge: str, mac: str, address: str, broadcast: str, gateway: str, first: bool
) -> int:
    """Lay a veth pair from a bridge into a task's network namespace, and make its far end eth0, with an address.

    Return a descriptor that holds the namespace, for :func:`pull`. ``first``: the container's user namespace is the
    first one.
    """
    theirs = _open(kernel, pid)
    try:
        kernel.newlink(veth, "veth", peer="eth0", netns=theirs)
        kernel.setlink(veth, master=bridge, up=True)
        with _inside(kernel, theirs):
            _begin(kernel, first)
            kernel.newaddr("eth0", address, broadcast=broadcast)
            kernel.setlink("eth0", up=True, address=mac)
            kernel.newroute("default", gateway=gateway)
    except BaseException:
        kernel.close(theirs)
        raise
    return theirs


def pull(kernel: Kernel, veth: str, namespace: int | None) -> None:
    """Pull a cable out: switch its near end off, and let go of the namespace, with which Linux removes both ends.

    When Linux does that is its own affair, and until then the far end would answer for an address that another
    container may have by now. (dockerd deletes the link. Linux then waits for all its processors, some 20 ms.) There
    may be no cable any more, or not yet: root in a container can delete its end, and a start can fail.
    """
    try:
        kernel.setlink(veth, up=False)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
    finally:
        if namespace is not None:
            kernel.close(namespace)


def switch_loopback_on(kernel: Kernel, pid: int, first: bool) -> None:
    """Switch on the loopback of a task's network namespace, which begins with it switched off."""
    with _held(kernel, pid) as theirs, _inside(kernel, theirs):
        _begin(kernel, first)


def _begin(kernel: Kernel, first: bool) -> None:
    """Make of the network namespace that we are in what every container's is."""
    kernel.setlink("lo", up=True)
    for path, value in (_PORTS, _PING)[: 1 + first]:
        _set(kernel, path, value)


def _set(kernel: Kernel, path: str, value: bytes) -> None:
    """Write a setting of the network namespace that we are in (proc_sys_net(5))."""
    fd = kernel.open(path, O_WRONLY | O_CLOEXEC)
    kernel.write(fd, value)
    kernel.close(fd)


@contextmanager
def _held(kernel: Kernel, task: int | str) -> Iterator[int]:
    """Hold a task's network namespace open, by a descriptor."""
    fd = _open(kernel, task)
    try:
        yield fd
    finally:
        kernel.close(fd)


def _open(kernel: Kernel, task: int | str) -> int:
    return kernel.open(f"/proc/{task}/ns/net", O_RDONLY | O_CLOEXEC)


@contextmanager
def _inside(kernel: Kernel, namespace: int) -> Iterator[None]:
    """Be in a network namespace for a while (setns(2))."""
    with _held(kernel, "self") as own:
        kernel.setns(namespace, CLONE_NEWNET)
        try:
            yield
        finally:
            kernel.setns(own, CLONE_NEWNET)
