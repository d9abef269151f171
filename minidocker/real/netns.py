"""A new network namespace of this machine, made what the port has: IPv4, and for the helper a loopback that is up."""

import os
import socket
import struct
from contextlib import suppress
from fcntl import ioctl
from typing import Final

#: Written, it holds for every link of the writer's namespace, and for those to come (ip-sysctl, disable_ipv6).
_DISABLE_IPV6: Final = "/proc/sys/net/ipv6/conf/all/disable_ipv6"

_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1


def ipv4_only() -> None:
    """Have no IPv6 in the caller's namespace: its links would greet each other unasked, and their counters move."""
    with suppress(OSError):  # a kernel without IPv6, or a /proc that is covered
        fd = os.open(_DISABLE_IPV6, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)


def loopback_up() -> None:
    """Set ``lo`` up (netdevice(7), SIOCSIFFLAGS): the kernel gives it 127.0.0.1/8. It needs nothing but ioctl(2)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
