"""The calls on links, addresses, routes and neighbours: rtnetlink(7)'s verbs (net/core/rtnetlink.c).

Each speaks of the caller's network namespace. Who changes anything needs CAP_NET_ADMIN in the user namespace that the
network namespace belongs to.
"""

import errno
import hashlib
from typing import TYPE_CHECKING, Final

from minidocker.linux import fail
from minidocker.netlink import Address, Link, Neighbour, Route
from minidocker.sim.capability import capable
from minidocker.sim.net import address as addresses
from minidocker.sim.net import route as routes
from minidocker.sim.net.bridge import Bridge
from minidocker.sim.net.link import NAME_MAX, Dummy
from minidocker.sim.net.link import Link as Device
from minidocker.sim.net.namespace import NetNamespace
from minidocker.sim.net.veth import Veth
from minidocker.sim.nsfs import NamespaceFile
from minidocker.sim.refuse import refuse

if TYPE_CHECKING:
    from minidocker.sim.task import Task

#: The kinds of links that can be made.
_KINDS: Final = ("bridge", "dummy", "veth")


def _ruled(task: "Task") -> NetNamespace:
    """Return the caller's network namespace; EPERM unless it may change it."""
    if not capable(task, task.ns.net.owner, "CAP_NET_ADMIN"):
        fail(errno.EPERM)
    return task.ns.net


def _target(task: "Task", fd: int) -> NetNamespace:
    """Return the network namespace of a descriptor: EBADF, EINVAL if it is none, EPERM."""
    file = task.files.get(fd)
    if not isinstance(file, NamespaceFile) or not isinstance(file.namespace, NetNamespace):
        fail(errno.EINVAL)
    if not capable(task, file.namespace.owner, "CAP_NET_ADMIN"):
        fail(errno.EPERM)
    return file.namespace


def _made_up(namespace: NetNamespace) -> str:
    """Return an address for a link that nobody gave one: looks random, and is the same in each run."""
    digits = hashlib.sha256(f"link {namespace.softirq.next_number()}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (digits[0] & 0xFC | 2, *digits[1:6]))


def sys_newlink(
    task: "Task", name: str, kind: str, *, peer: str = "", netns: int | None = None, address: str = ""
) -> None:
    """Make a link (RTM_NEWLINK); of a veth, both ends, the other in the namespace of the descriptor ``netns``.

    EADDRNOTAVAIL for an address of a group's, EEXIST, EPERM, EOPNOTSUPP for a kind that is not there.
    """
    namespace = _ruled(task)
    there = namespace if netns is None else _target(task, netns)
    if len(name) > NAME_MAX:
        fail(errno.ERANGE)
    mac = addresses.mac(address) if address else ""
    if kind in _KINDS and mac and (addresses.is_group(mac) or mac == addresses.NO_MAC):
        fail(errno.EADDRNOTAVAIL)
    if name in namespace.by_name:
        fail(errno.EEXIST)
    if kind not in _KINDS:
        refuse(errno.EOPNOTSUPP, f"has no links of kind {kind!r}")
    if kind == "veth":
        _new_pair(namespace, name, mac, there, peer)
    elif kind == "bridge":
        Bridge(namespace, namespace.free_name(name), mac or _made_up(namespace), given=bool(mac))
    else:
        Dummy(namespace, namespace.free_name(name), mac or _made_up(namespace))


def _new_pair(namespace: NetNamespace, name: str, mac: str, there: NetNamespace, peer: str) -> None:
    """Make both ends, the other one first: it has the lower index. If this one cannot be, both are gone again."""
    far = Veth(there, there.free_name(peer or "veth%d"), _made_up(there))
    try:
        near = Veth(namespace, namespace.free_name(name), mac or _made_up(namespace))
    except OSError:
        there.drop(far)
        raise
    near.join(far)


def sys_setlink(
    task: "Task",
    name: str,
    *,
    up: bool | None = None,
    master: str | None = None,
    netns: int | None = None,
    new_name: str = "",
    mtu: int = 0,
    address: str = "",
) -> None:
    """Change a link (RTM_SETLINK), in the order of do_setlink(): what was done before a failure stays done.

    ENODEV; EBUSY for a new name while it is up, before Linux 6.2; EINVAL for a bridge that is to move.
    """
    namespace = _ruled(task)
    link, bridge = namespace.find(name), namespace.find(master) if master else None
    if netns is not None:
        _move(link, _target(task, netns), new_name)
    if address:
        link.set_mac(addresses.mac(address))
    if mtu:
        link.set_mtu(mtu)
    if new_name and new_name != link.name:
        _rename(link, new_name)
    if up is not None:
        link.set_up(up)
    if master is not None:
        _enslave(link, bridge)


def _move(link: Device, target: NetNamespace, new_name: str) -> None:
    """Take a link to another namespace: down, without addresses, with the same index if that is free there."""
    if target is link.namespace:
        return
    if not link.movable:
        fail(errno.EINVAL)
    name = target.free_name(new_name or link.name)
    link.leave_namespace()
    link.namespace, link.name = target, name
    link.index = target.adopt(link, link.index)


def _rename(link: Device, new_name: str) -> None:
    namespace = link.namespace
    if link.up and not namespace.kernel.profile.at_least(6, 2):
        fail(errno.EBUSY)
    name = namespace.free_name(new_name)
    namespace.by_name[name] = namespace.by_name.pop(link.name)
    link.name = name


def _enslave(link: Device, master: Device | None) -> None:
    """Make a link a port of a bridge, or none's; whatever becomes of that, it is its old bridge's no more."""
    if link.master is master:
        return
    if link.master is not None:
        link.master.release(link)
    if isinstance(master, Bridge):
        master.enslave(link)
    elif master is not None:
        fail(errno.EOPNOTSUPP)


def sys_dellink(task: "Task", name: str) -> None:
    """Remove a link; of a veth both ends go (RTM_DELLINK). EOPNOTSUPP for ``lo``."""
    link = _ruled(task).find(name)
    if link is link.namespace.loopback:
        fail(errno.EOPNOTSUPP)
    link.remove()


def sys_getlink(task: "Task") -> list[Link]:
    """Return the links of the caller's network namespace, by index (RTM_GETLINK)."""
    return [link.value() for _, link in sorted(task.ns.net.links.items())]


def sys_newaddr(task: "Task", link: str, address: str, *, broadcast: str = "") -> None:
    """Give a link an address such as ``172.17.0.2/16``, and its network's route (RTM_NEWADDR); EEXIST, ENODEV."""
    namespace = _ruled(task)
    device = namespace.find(link)
    value, prefix = addresses.network(address)
    if broadcast:
        addresses.number(broadcast)
    namespace.add_address(device, addresses.dotted(value), prefix, broadcast)


def sys_deladdr(task: "Task", link: str, address: str) -> None:
    """Take an address away (RTM_DELADDR); EADDRNOTAVAIL."""
    namespace = _ruled(task)
    value, prefix = addresses.network(address)
    namespace.remove_address(namespace.find(link), addresses.dotted(value), prefix)


def sys_getaddr(task: "Task") -> list[Address]:
    """Return the addresses of the caller's network namespace, by link (RTM_GETADDR)."""
    return [
        Address(link=link.name, address=one.text, scope=one.scope, broadcast=one.broadcast)
        for _, link in sorted(task.ns.net.links.items())
        for one in link.addresses
    ]


def sys_newroute(task: "Task", destination: str, *, gateway: str = "", link: str = "") -> None:
    """Add a route to ``10.0.0.0/8`` or ``default`` (RTM_NEWROUTE).

    EEXIST; ENETUNREACH: no link leads to the gateway; ENETDOWN: its link is down; ENODEV: neither gateway nor link;
    EINVAL: an address of a host where a network's should be.
    """
    namespace = _ruled(task)
    net, prefix = addresses.network(destination)
    device = namespace.find(link) if link else None
    if net & ~addresses.mask(prefix):
        fail(errno.EINVAL)
    if gateway:
        device = namespace.routes.gateway_link(gateway, device)
    elif device is None:
        fail(errno.ENODEV)
    if not device.up:
        fail(errno.ENETDOWN)
    scope = "global" if gateway else "link"
    namespace.routes.add_by_call(routes.Route(net=net, prefix=prefix, link=device, gateway=gateway, scope=scope))


def sys_delroute(task: "Task", destination: str, *, gateway: str = "", link: str = "") -> None:
    """Remove a route (RTM_DELROUTE); ESRCH, EINVAL for an address of a host where a network's should be."""
    namespace = _ruled(task)
    net, prefix = addresses.network(destination)
    device = namespace.find(link) if link else None
    if net & ~addresses.mask(prefix):
        fail(errno.EINVAL)
    namespace.routes.remove_by_call(net, prefix, gateway, device)


def sys_getroute(task: "Task") -> list[Route]:
    """Return the main table's routes in the caller's network namespace (RTM_GETROUTE)."""
    return [route.value() for route in task.ns.net.routes.main]


def sys_getneigh(task: "Task") -> list[Neighbour]:
    """Return what ARP has learnt in the caller's network namespace (RTM_GETNEIGH)."""
    return task.ns.net.neighbours.values()
