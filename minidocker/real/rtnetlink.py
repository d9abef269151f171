"""rtnetlink(7) on a plain socket: messages by pyroute2's codec, one request and its answers at a time.

Of pyroute2 only ``pyroute2.netlink`` is loaded, which packs and unpacks messages: 10 ms and 1.2 MB. Its front
(``IPRoute``) would bring asyncio, ssl and multiprocessing along (400 ms and 27 MB), and the helper clones, so it has to
keep one thread. For the same reason the messages are declared here, with the attributes that the port has, and not
taken from ``pyroute2.netlink.rtnl``, whose ``ifinfmsg`` knows sixteen kinds of links more.
"""

import errno
import socket
import struct
import sys
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec
from typing import Any, Final

from minidocker.linux import fail

if "pyroute2" not in sys.modules and (_spec := find_spec("pyroute2")):
    sys.modules["pyroute2"] = module_from_spec(_spec)  # the package, without what its __init__ would import

from pyroute2.netlink import nla, nlmsg

RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_SETLINK: Final = 19
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22
RTM_NEWROUTE: Final = 24
RTM_DELROUTE: Final = 25
RTM_GETROUTE: Final = 26
RTM_GETNEIGH: Final = 30

_NLM_F_REQUEST: Final = 1
_NLM_F_ACK: Final = 4
_NLM_F_DUMP_INTR: Final = 0x10
_NLM_F_DUMP: Final = 0x300
_NLM_F_CREATE_EXCL: Final = 0x600
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3

#: struct nlmsghdr: length, type, flags, sequence number, port.
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_TYPE: Final = 0x3FFF
_BUFFER: Final = 1 << 16

_IFINFOMSG: Final = (
    ("family", "B"), ("__align", "x"), ("ifi_type", "H"), ("index", "i"), ("flags", "I"), ("change", "I"),
)  # fmt: skip


class LinkMessage(nlmsg):
    """struct ifinfomsg and its attributes (linux/if_link.h)."""

    fields = _IFINFOMSG
    nla_map = (
        (1, "IFLA_ADDRESS", "l2addr"),
        (3, "IFLA_IFNAME", "asciiz"),
        (4, "IFLA_MTU", "uint32"),
        (5, "IFLA_LINK", "uint32"),
        (6, "IFLA_QDISC", "asciiz"),
        (10, "IFLA_MASTER", "uint32"),
        (18, "IFLA_LINKINFO", "info"),
        (23, "IFLA_STATS64", "stats"),
        (28, "IFLA_NET_NS_FD", "uint32"),
    )

    class info(nla):  # noqa: N801  pyroute2 finds it by the map's word
        """What kind of link it is."""

        nla_map = ((1, "IFLA_INFO_KIND", "asciiz"), (2, "IFLA_INFO_DATA", "veth"))

        class veth(nla):  # noqa: N801
            """The other end of a pair (linux/veth.h)."""

            nla_map = ((1, "VETH_INFO_PEER", "peer"),)

            class peer(nla):  # noqa: N801
                """It is described by a struct ifinfomsg, too."""

                fields = _IFINFOMSG
                nla_map = ((3, "IFLA_IFNAME", "asciiz"), (28, "IFLA_NET_NS_FD", "uint32"))

    class stats(nla):  # noqa: N801
        """The beginning of struct rtnl_link_stats64."""

        fields = (("rx_packets", "Q"), ("tx_packets", "Q"), ("rx_bytes", "Q"), ("tx_bytes", "Q"))


class AddressMessage(nlmsg):
    """struct ifaddrmsg (linux/if_addr.h)."""

    fields = (("family", "B"), ("prefixlen", "B"), ("flags", "B"), ("scope", "B"), ("index", "I"))
    nla_map = ((1, "IFA_ADDRESS", "ip4addr"), (2, "IFA_LOCAL", "ip4addr"), (4, "IFA_BROADCAST", "ip4addr"))


class RouteMessage(nlmsg):
    """struct rtmsg (linux/rtnetlink.h)."""

    fields = (
        ("family", "B"), ("dst_len", "B"), ("src_len", "B"), ("tos", "B"),
        ("table", "B"), ("proto", "B"), ("scope", "B"), ("type", "B"), ("flags", "I"),
    )  # fmt: skip
    nla_map = (
        (1, "RTA_DST", "ip4addr"),
        (4, "RTA_OIF", "uint32"),
        (5, "RTA_GATEWAY", "ip4addr"),
        (7, "RTA_PREFSRC", "ip4addr"),
    )


class NeighbourMessage(nlmsg):
    """struct ndmsg (linux/neighbour.h)."""

    fields = (
        ("family", "B"), ("__pad", "3x"), ("ifindex", "i"), ("state", "H"), ("flags", "B"), ("ndm_type", "B"),
    )  # fmt: skip
    nla_map = ((1, "NDA_DST", "ip4addr"), (2, "NDA_LLADDR", "l2addr"))


def message(kind: type[nlmsg], attributes: dict[str, Any], **fields: Any) -> nlmsg:
    """Return a message: its fields, and the attributes that are not empty."""
    made = kind()
    made.update(fields)
    made["attrs"] = [(name, value) for name, value in attributes.items() if value not in ("", None)]
    return made


def tell(request: nlmsg, type: int, *, create: bool = False) -> None:
    """Have the kernel change something. OSError if it refuses."""
    for _ in _exchange(request, type, _NLM_F_ACK | (_NLM_F_CREATE_EXCL if create else 0)):
        pass


def dump(kind: type[nlmsg], type: int, **fields: Any) -> list[nlmsg]:
    """Return all that the kernel has of a kind, once again if it changed meanwhile."""
    while True:
        found = list(_exchange(message(kind, {}, **fields), type, _NLM_F_DUMP))
        if not any(flags & _NLM_F_DUMP_INTR for flags, _ in found):
            return [_decoded(kind, data) for _, data in found]


def _exchange(request: nlmsg, type: int, flags: int) -> Iterator[tuple[int, bytes]]:
    """Send a request from a socket of the caller's present namespace; yield (flags, message) of the answers."""
    request["header"] = {"type": type, "flags": flags | _NLM_F_REQUEST, "sequence_number": 1, "pid": 0}
    request.encode()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as sock:
        sock.send(request.data)
        while True:
            for kind, answer_flags, data in _messages(sock.recv(_BUFFER)):
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    _check(int.from_bytes(data[_HEADER.size : _HEADER.size + 4], sys.byteorder, signed=True))
                    return
                yield answer_flags, data


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (type, flags, whole message) for what one datagram holds."""
    offset = 0
    while offset < len(data):
        length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
        yield kind, flags, data[offset : offset + length]
        offset += _aligned(length)


def _decoded(kind: type[nlmsg], data: bytes) -> nlmsg:
    """Return a message, read. Attributes of which the port knows nothing are left out first: they cost the most."""
    known = {number for number, _, _ in kind.nla_map}
    start = offset = _HEADER.size + _aligned(struct.calcsize("=" + "".join(form for _, form in kind.fields)))
    kept = [data[:start]]
    while offset + _ATTRIBUTE.size <= len(data):
        length, number = _ATTRIBUTE.unpack_from(data, offset)
        end = offset + _aligned(length)
        if number & _TYPE in known:
            kept.append(data[offset:end].ljust(end - offset, b"\0"))
        offset = end
    whole = bytearray(b"".join(kept))
    struct.pack_into("=I", whole, 0, len(whole))
    made = kind(bytes(whole))
    made.decode()
    return made


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _check(result: int) -> None:
    if result < 0:
        fail(-result)


def index_of(name: str) -> int:
    """Return a link's index in the caller's network namespace (if_nametoindex(3)); ENODEV."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        fail(errno.ENODEV)


def name_of(index: int) -> str:
    """Return the name of a link (if_indextoname(3)), or ``if5`` of one that is in another namespace."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"if{index}"
