"""Explain, continued: one sentence why for calls that isolate and limit, and where each is documented.

Namespaces, capabilities, control groups, networks, memory and System V IPC. The words of files and mounts are in
:mod:`minidocker.explain`.
"""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from minidocker import linux
from minidocker.cgroup_table import MEMBERS, ROOT, split
from minidocker.kernel import Inner, SyscallEvent
from minidocker.namespace_table import KINDS

CGROUP_V2: Final = "Documentation/admin-guide/cgroup-v2.rst"
CGROUP_V1: Final = "Documentation/admin-guide/cgroup-v1"

#: Sentences that need nothing but the call's name.
WHY: Final[Mapping[str, str]] = {
    "sethostname": "The name belongs to the UTS namespace: whoever is in another one keeps theirs.",
    "setdomainname": "The NIS domain name belongs to the UTS namespace, as the host name does.",
    "gethostname": "What the UTS namespace of the caller is called.",
    "setuid": "From now on the task is this user; a root that becomes another user loses its capabilities.",
    "setgid": "From now on the task is in this group.",
    "setgroups": "The supplementary groups: without this call the daemon's would stay.",
    "seteuid": "Checks of permission ask for this user from now on; the real one can come back.",
    "capget": "Which of root's powers the task has.",
    "capset": "Root's powers are single bits: from now on the task has these, and cannot take others back.",
    "seccomp": "A filter that each further call of the task and its children must pass. It can never be taken off.",
    "pidfd_open": "A descriptor of the task itself: its number cannot come to mean another.",
    "msgget": "A message queue by its key, in the caller's IPC namespace: the same key elsewhere is another queue.",
    "msgsnd": "A message joins the queue; the kernel keeps it until somebody takes it.",
    "msgrcv": "A message leaves the queue.",
    "msgctl": "The queue is removed, at once, whoever still uses it.",
    "shmget": "A segment of memory by its key, in the caller's IPC namespace.",
    "shmat": "The segment appears in the task's own memory.",
    "shmdt": "The segment leaves the task's memory; it exists on until it is removed.",
    "shmctl": "The segment is removed once nobody has it attached.",
    "munmap": "The pages are free again, and no longer charged to the control group.",
    "newlink": "A new network device in the caller's network namespace. It is down, and has no address.",
    "dellink": "The device is gone; of a veth pair both ends go.",
    "getlink": "The devices of the caller's network namespace: those of others are not to be seen.",
    "newaddr": "The device answers to this address; its network is now reached through it.",
    "deladdr": "The address is taken away, and with it its network's route.",
    "getaddr": "The addresses of the caller's network namespace.",
    "newroute": "Packets for these addresses go this way.",
    "delroute": "Packets for these addresses no longer go this way.",
    "getroute": "The routes of the caller's network namespace.",
    "getneigh": "Whose hardware address ARP has learnt.",
    "socket": "A new socket. It belongs to the caller's network namespace for good, wherever it is passed to.",
    "bind": "The socket has this address and port now: nobody else in this network namespace can have them.",
    "listen": "The socket takes connections from now on.",
    "accept4": "A connection becomes a descriptor of its own.",
    "connect": "The two kernels shake hands: SYN, SYN and ACK, ACK. For a datagram socket only the address is noted.",
    "sendto": "The bytes leave as packets, by the route that leads to the address.",
    "recvfrom": "What has arrived, and from whom.",
    "shutdown": "One direction of the connection is closed; the other side reads its end.",
    "sched_getaffinity": "The processors that the task may run on.",
    "process_vm_readv": "Memory of a task is read: one's own, or that of another whom one might trace.",
    "process_vm_writev": "Memory of a task is written: one's own, or that of another whom one might trace.",
}

#: What a new namespace of a kind means.
_NEW: Final[Mapping[str, str]] = {
    "user": "its root has power only within",
    "mnt": "its mounts are its own",
    "pid": "its first task is number 1",
    "uts": "it has a host name of its own",
    "ipc": "its queues and shared memory are its own",
    "net": "it has no network device but a loopback that is down",
    "cgroup": "its control group looks like the root",
    "time": "its clocks since the start of the machine are its own",
}

#: What is written to a file of a control group, and what it does.
_FILES: Final[Mapping[str, str]] = {
    "memory.max": "More memory than this the group never has: pages are reclaimed, and then the OOM killer comes.",
    "memory.low": "So much memory is left to the group when others press; it is no limit.",
    "memory.high": "Beyond this the group is slowed down and its pages reclaimed, but nobody is killed.",
    "memory.swap.max": "So much of the group's memory may be swapped out.",
    "memory.oom.group": "When the OOM killer comes, it takes all tasks of the group, or only one.",
    "cpu.max": "Quota and period, in microseconds: when the quota is used up, the group waits for the next period.",
    "cpu.weight": "The group's share when processors are wanted by more than one; alone it may have them all.",
    "cpuset.cpus": "The processors that the group's tasks may run on.",
    "cpuset.mems": "The memory nodes that the group's tasks may have memory of.",
    "pids.max": "No more tasks than this: the next clone fails with EAGAIN.",
    "cgroup.freeze": "1 stops every task of the group where it stands, 0 lets them go on.",
    "cgroup.kill": "Every task of the group is killed, those in groups below it too.",
    "cgroup.subtree_control": "The groups below get these controllers, and with them their files.",
    "memory.limit_in_bytes": "More memory than this the group never has; beyond it the OOM killer comes.",
    "memory.soft_limit_in_bytes": "When memory is short, groups above this are reclaimed first; it is no limit.",
    "memory.memsw.limit_in_bytes": "Memory and swap together are never more than this.",
    "memory.oom_control": "Whether the OOM killer comes, or tasks at the limit wait.",
    "cpu.shares": "The group's share when processors are wanted by more than one; alone it may have them all.",
    "cpu.cfs_quota_us": "So many microseconds of processor a period; -1 is no limit.",
    "cpu.cfs_period_us": "The period, in microseconds, that the quota counts for.",
    "freezer.state": "FROZEN stops every task of the group where it stands, THAWED lets them go on.",
    "uid_map": "Which users inside are which users outside. Written once; without it everybody inside is nobody.",
    "gid_map": "Which groups inside are which groups outside. Written once.",
    "timens_offsets": "By so much the clocks of a new time namespace are ahead: to be said before anybody is in it.",
    "setgroups": "deny: inside, setgroups(2) is refused, so that nobody drops a group that takes rights away.",
}

_ERRORS: Final[Mapping[tuple[str, str], str]] = {
    ("clone", "EAGAIN"): "The pids controller refuses: the group has as many tasks as pids.max allows.",
    ("clone", "ENOMEM"): "The PID namespace has lost its init: nobody can be born there any more.",
    ("clone", "EPERM"): "New namespaces need CAP_SYS_ADMIN; only a new user namespace is everybody's.",
    ("unshare", "EPERM"): "New namespaces need CAP_SYS_ADMIN; only a new user namespace is everybody's.",
    ("setns", "EPERM"): "To join a namespace one needs CAP_SYS_ADMIN, in one's own user namespace and in its owner.",
    ("setns", "EINVAL"): "This namespace cannot be joined from here, or the descriptor leads to another kind.",
    ("mount", "EPERM"): "To mount one needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace.",
    ("mount", "ENOENT"): "There is no such file here: nothing to mount, or nothing to mount over.",
    ("mount", "ENOTDIR"): "A file is not mounted over a directory, nor a directory over a file.",
    ("sethostname", "EPERM"): "The host name needs CAP_SYS_ADMIN in the owner of the UTS namespace.",
    ("mknod", "EPERM"): "Device nodes need CAP_MKNOD in the outermost user namespace.",
    ("kill", "EPERM"): "The task belongs to another user, and the caller lacks CAP_KILL.",
    ("kill", "ESRCH"): "No task has this number in the caller's PID namespace.",
    ("socket", "EPERM"): "A raw socket needs CAP_NET_RAW.",
    ("bind", "EACCES"): "Ports below 1024 need CAP_NET_BIND_SERVICE.",
    ("bind", "EADDRINUSE"): "Somebody in this network namespace has the port already.",
    ("connect", "ECONNREFUSED"): "The other side answered with RST: nobody listens at that port.",
    ("connect", "ENETUNREACH"): "No route of this network namespace leads there.",
    ("sendto", "ENETUNREACH"): "No route of this network namespace leads there.",
    ("connect", "EHOSTUNREACH"): "Nobody answers to ARP for that address.",
    ("newlink", "EPERM"): "Links need CAP_NET_ADMIN in the owner of the network namespace.",
    ("capset", "EPERM"): "A capability that is not permitted any more cannot be taken back.",
    ("mmap", "ENOMEM"): "There is no room for so much memory.",
    ("msgrcv", "ENOMSG"): "No message is waiting in this IPC namespace's queue.",
    ("msgget", "ENOENT"): "This IPC namespace has no queue of that key.",
    ("shmget", "ENOENT"): "This IPC namespace has no segment of that key.",
}

_MANUAL: Final[Mapping[str, str]] = {
    "newlink": "rtnetlink(7)", "setlink": "rtnetlink(7)", "dellink": "rtnetlink(7)", "getlink": "rtnetlink(7)",
    "newaddr": "rtnetlink(7)", "deladdr": "rtnetlink(7)", "getaddr": "rtnetlink(7)", "newroute": "rtnetlink(7)",
    "delroute": "rtnetlink(7)", "getroute": "rtnetlink(7)", "getneigh": "rtnetlink(7)", "capset": "capabilities(7)",
    "capget": "capabilities(7)", "setdomainname": "setdomainname(2)", "gethostname": "uname(2)", "accept4": "accept(2)",
    "getdomainname": "getdomainname(2)", "recvfrom": "recv(2)", "sendto": "send(2)", "msgsnd": "msgop(2)",
    "msgrcv": "msgop(2)", "shmat": "shmop(2)", "shmdt": "shmop(2)", "process_vm_writev": "process_vm_readv(2)",
    "setsockopt": "socket(7)", "munmap": "mmap(2)",
}  # fmt: skip

_INSIDE: Final[Mapping[str, tuple[str, str]]] = {
    "oom_kill": ("The group's memory is used up and nothing is left to reclaim: the OOM killer takes a task.", "oom"),
    "throttle": ("The quota of this period is used up: the group's tasks wait until the next one.", "fair"),
    "freeze": ("Every task of the group stands still now.", "freezer"),
    "thaw": ("The group's tasks go on where they stood.", "freezer"),
}


def in_cgroups(where: str) -> bool:
    """Is it a path below the root of the control groups?"""
    return f"{where}/".startswith(ROOT + "/")


def why(event: SyscallEvent, where: str) -> str:
    """Return one sentence why a call did what it did, or nothing if that is not for here to say."""
    if event.error is not None:
        name = linux.errno_name(event.error.errno)
        if in_cgroups(where):
            return _refused_in_cgroups(event.name, name)
        if where.startswith("/proc/") and name == "ENOENT":
            return "No such task, or it has no such file."
        return _ERRORS.get((event.name, name), "")
    teller = _TELLERS.get(event.name)
    said = teller(event) if teller else ""
    return said or (_of_path(event.name, where) if where else "") or WHY.get(event.name, "")


def ref(name: str, where: str) -> str:
    """Return where a call is documented, or nothing if its own manual page is the place."""
    if in_cgroups(where):
        v1 = where.removeprefix(ROOT).count("/") > 1 and _is_v1(posixpath.basename(where))
        return CGROUP_V1 if v1 else CGROUP_V2
    if where.startswith("/proc/"):
        if where.endswith("/timens_offsets"):
            return "time_namespaces(7)"
        maps = posixpath.basename(where) in ("uid_map", "gid_map", "setgroups")
        return "user_namespaces(7)" if maps else "namespaces(7)" if "/ns/" in where else "proc(5)"
    return _MANUAL.get(name, "")


def inside(inner: Inner) -> tuple[str, str, dict[str, str]]:
    """Return of something inside the kernel: its text, one sentence why, and where to read on."""
    data = inner.data
    if inner.name == "frame":
        text = f"frame {data.get('link', inner.path)} → {data.get('to', '?')}: {data.get('what', '')}"
        return text, _framed(data), {"linux": "packet(7)", "code": "minidocker/sim/net/softirq.py"}
    sentence, code = _INSIDE.get(inner.name, ("", ""))
    text = f'{inner.name}("{inner.path}")'
    if inner.name == "oom_kill":
        text += _victim(data)
    links = {"linux": CGROUP_V1 if split(inner.path)[0] not in ("", "unified") else CGROUP_V2}
    links |= {"code": f"minidocker/sim/cgroup/{code}.py"} if code else {}
    return text, sentence, links


def _victim(data: Mapping[str, Any]) -> str:
    who = str(data.get("name") or "")
    limit, usage = data.get("limit"), data.get("usage")
    room = f"{usage} of {limit} bytes used" if usage and limit else f"limit {limit} bytes" if limit else ""
    return "".join(f"  {part}" for part in (who, room) if part)


def _framed(data: Mapping[str, Any]) -> str:
    """Return where a frame is on its way."""
    said = str(data.get("what", ""))
    what = "The question" if "who-has" in said else "The answer" if "is-at" in said else "The frame"
    if data.get("netns") != data.get("to_netns"):
        return f"{what} goes in at one end of the cable and comes out at the other, in another network namespace."
    if data.get("via") and "who-has" in said:
        return f"A question to all: the bridge {data['via']} passes it on to every other port."
    if data.get("via"):
        return f"The bridge {data['via']} looks at the hardware address and passes it on to the port that leads there."
    if data.get("link") == data.get("to"):
        return f"{what} turns round in the loopback device: it never leaves the namespace."
    return f"{what} reaches {data.get('to', 'the next device')}, in the same network namespace."


def _refused_in_cgroups(call: str, name: str) -> str:
    return {
        ("rmdir", "EBUSY"): "The group still has tasks, or groups below it.",
        ("write", "EBUSY"): "A group that hands controllers on has no tasks of its own (no internal processes).",
        ("write", "EINVAL"): "The file does not take this value.",
        ("open", "ENOENT"): "The group has no such file: its controller is not enabled there.",
        ("write", "ENOENT"): "The controller is not to be had here.",
        ("mkdir", "EACCES"): "Groups are made by root, or where a part of the tree was delegated.",
        ("open", "EACCES"): "Limits are set by root, or where a part of the tree was delegated.",
    }.get((call, name), f"cgroupfs refuses: {linux.STRERROR.get(name, name).lower()}.")


def _is_v1(name: str) -> bool:
    return name.startswith(("memory.limit", "memory.soft", "memory.memsw", "memory.usage", "cpu.cfs", "cpu.shares",
                            "cpuacct.", "freezer.", "memory.oom_control")) or name == "tasks"  # fmt: skip


def _of_path(call: str, where: str) -> str:
    """Return what a call means at this path, where it means something of its own."""
    name = posixpath.basename(where)
    if call == "write":
        if name in MEMBERS:
            return "The task of this number moves into the group; what it has used before stays charged where it was."
        return _FILES.get(name, "The group takes this setting." if in_cgroups(where) else "")
    if in_cgroups(where):
        return {
            "mkdir": "A directory of cgroupfs is a control group: its files are there at once.",
            "rmdir": "A group without tasks can go.",
            "open": "A file of cgroupfs is an opening into the kernel: reading asks, writing sets.",
            "read": "The kernel writes the answer while it is read: no disk has this file.",
            "listdir": "The group's files, and the groups below it.",
        }.get(call, "")
    if where.startswith("/proc/"):
        opened = "An open namespace file holds the namespace: setns can join it, and it lives on without any task."
        if call == "open":
            return opened if "/ns/" in where else "A file of /proc is made up by the kernel while it is read."
        return {"read": "What the kernel says at this moment."}.get(call, "")
    if call == "open" and where.startswith(("/dev/", "/sys/")):
        return "A file that no layer has: the kernel itself answers."
    return ""


def _new_namespaces(flags: int) -> str:
    kinds = [kind for flag, kind in KINDS.items() if flags & flag]
    if not kinds:
        return ""
    if len(kinds) == 1:
        return f"a new {kinds[0]} namespace: {_NEW[kinds[0]]}"
    return f"new namespaces ({', '.join(kinds)})"


def _clone(event: SyscallEvent) -> str:
    new = _new_namespaces(event.kwargs.get("flags", 0))
    if not new:
        return (
            "A child task starts: it has copies of the parent's descriptors, and is in the same namespaces, or in "
            "those that the parent has made for its children."
        )
    return f"A child task starts, in {new}. All else it shares with its parent."


def _unshare(event: SyscallEvent) -> str:
    flags = event.args[0]
    moved = _new_namespaces(flags & ~(linux.CLONE_NEWPID | linux.CLONE_NEWTIME))
    told = [f"The caller moves into {moved}."] if moved else []
    if flags & linux.CLONE_NEWPID:
        told.append("A new PID namespace: the caller itself stays; its next child is the first in there.")
    if flags & linux.CLONE_NEWTIME:
        told.append(
            "A new time namespace: its clocks can be set until somebody is in there, the caller's next child, or the "
            "caller itself once it executes a program."
        )
    return " ".join(told)


def _setns(event: SyscallEvent) -> str:
    kind = KINDS.get(event.args[1] if len(event.args) > 1 else 0)
    if kind == "pid":
        return "The caller's next children are born in that PID namespace; its own number stays what it is."
    return f"The caller joins that {kind} namespace." if kind else "The caller joins the namespaces."


def _prctl(event: SyscallEvent) -> str:
    return {
        linux.PR_CAPBSET_DROP: "Out of the bounding set for good: no execve can give this capability back.",
        linux.PR_CAPBSET_READ: "Is this capability still in the bounding set?",
        linux.PR_SET_NO_NEW_PRIVS: "From now on no execve gives more rights: set-user-ID bits count no more.",
        linux.PR_SET_KEEPCAPS: "The permitted capabilities are to survive the next setuid.",
        linux.PR_CAP_AMBIENT: "Ambient capabilities are those that an execve keeps for who is not root.",
        linux.PR_SET_DUMPABLE: "Whether others of the same user may look into this process.",
    }.get(event.args[0], "")


def _capset(event: SyscallEvent) -> str:
    names = [name.removeprefix("CAP_") for name, bit in linux.CAPABILITIES.items() if event.args[0] & 1 << bit]
    if not names:
        return "The task gives up every capability: root by its number, and nothing more."
    if len(names) == len(linux.CAPABILITIES):
        return "The task has every capability."
    return f"Of root's {len(linux.CAPABILITIES)} powers the task keeps {len(names)}: {', '.join(names)}."


def _setlink(event: SyscallEvent) -> str:
    asked = event.kwargs
    said = {
        "netns": "The device moves into that network namespace: there it is down, and has no address any more.",
        "master": "The device becomes a port of the bridge."
        if asked.get("master")
        else "The device leaves its bridge.",
        "up": "The device is switched on." if asked.get("up") else "The device is switched off.",
        "new_name": "The device is called this from now on.",
        "address": "The device has this hardware address now.",
        "mtu": "Frames of this size at most.",
    }
    told = [
        said[key]
        for key in said
        if (asked.get(key) is not None if key in ("netns", "master", "up") else asked.get(key))
    ]
    return " ".join(told[:2])


def _newlink(event: SyscallEvent) -> str:
    kind: Sequence[Any] = event.args[1:2]
    return {
        "veth": "A cable with two ends: what goes in at one comes out at the other, in whichever namespace that is.",
        "bridge": "A switch in the kernel: it forwards frames between the devices that are its ports.",
    }.get(kind[0] if kind else "", "")


def _mmap(event: SyscallEvent) -> str:
    if len(event.args) > 1 and event.args[1] & linux.MAP_POPULATE:
        return "Every page is touched at once, and charged to the memory control group."
    return "Only addresses: pages are given, and charged, when they are first touched."


def _kill(event: SyscallEvent) -> str:
    if event.args[1] == 0:
        return "Signal 0 is none: it only asks whether there is such a task that one may signal."
    if event.args[0] == 1:
        return "Number 1 of a PID namespace ignores signals from within that it has no handler for, KILL too."
    return ""


_TELLERS: Final[Mapping[str, Callable[[SyscallEvent], str]]] = {
    "clone": _clone, "unshare": _unshare, "setns": _setns, "prctl": _prctl, "capset": _capset, "setlink": _setlink,
    "newlink": _newlink, "mmap": _mmap, "kill": _kill,
}  # fmt: skip
