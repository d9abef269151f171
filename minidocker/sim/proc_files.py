"""What the files of proc say, in the formats of proc(5). Each function takes a :class:`View` and returns the text."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from minidocker.linux import SIG_IGN
from minidocker.sim import id_map, proc_sysvipc
from minidocker.sim.cgroup.freezer import BY_V1
from minidocker.sim.cgroup.namespace import cgroup, cgroups
from minidocker.sim.net.ipv4 import TTL
from minidocker.sim.net.ports import FIRST, LAST
from minidocker.sim.path import Location, path_of
from minidocker.sim.refuse import refuse
from minidocker.sim.sparse import PAGE

if TYPE_CHECKING:
    from minidocker.sim.kernel import SimKernel
    from minidocker.sim.mount import Mount
    from minidocker.sim.pid_namespace import PidNamespace
    from minidocker.sim.task import Task

#: Clock ticks a second (sysconf(_SC_CLK_TCK)).
TICKS: Final = 100
STATES: Final = {"R": "R (running)", "D": "D (disk sleep)", "S": "S (sleeping)", "T": "T (stopped)", "Z": "Z (zombie)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Who looks (reader) at what (subject, a task) through which PID namespace: that of the proc mount."""

    reader: "Task"
    subject: "Task"
    pids: "PidNamespace"

    @property
    def kernel(self) -> "SimKernel":
        """The kernel."""
        return self.reader.kernel


def state(task: "Task") -> str:
    """Return a task's state as ps shows it: R, S, T or Z; what v2 froze sleeps, what v1 froze is D."""
    if not task.alive:
        return "Z"
    if task.signals.stopped:
        return "T"
    if task.frozen:
        return "D" if task.frozen & BY_V1 else "S"
    return "S" if task.wait is not None and not task.queued else "R"


def _parent_pid(view: View) -> int:
    parent = view.subject.parent
    return view.pids.number(parent) if parent else 0


def _group(view: View) -> int:
    """Return the process group and session: all tasks are in the host's, which reads 0 where that is out of sight."""
    return view.pids.number(view.kernel.host)


def stat(view: View) -> str:
    """Return ``/proc/PID/stat``: 52 fields, of which what is not counted here is 0."""
    task = view.subject
    ahead_ns = view.reader.ns.time.offsets["boottime"]
    start = (task.started_ns - view.kernel.booted_ns + ahead_ns) * TICKS // 1_000_000_000
    group = _group(view)
    head = f"{view.pids.number(task)} ({task.comm}) {state(task)} {_parent_pid(view)} {group} {group} 0 -1 0"
    tick = 1_000_000_000 // TICKS
    times = f"0 0 0 0 {task.user_ns // tick} {task.system_ns // tick} 0 0 20 0 1 0"
    exit_code = task.status or 0
    return f"{head} {times} {max(0, start)} " + "0 " * 29 + f"{exit_code}\n"


def status(view: View) -> str:
    """Return ``/proc/PID/status``: name, state, ids, and pids in each namespace from the reader's inwards."""
    task, creds, user = view.subject, view.subject.creds, view.reader.creds.user
    pid = view.pids.number(task)
    signals = task.signals
    rows: list[tuple[str, object]] = [
        ("Name", task.comm),
        ("Umask", f"{task.fs.umask:04o}"),
        ("State", STATES[state(task)]),
        ("Tgid", pid),
        ("Ngid", 0),
        ("Pid", pid),
        ("PPid", _parent_pid(view)),
        ("TracerPid", 0),
        ("Uid", "\t".join(str(user.shown_uid(uid)) for uid in (creds.uid, creds.euid, creds.suid, creds.euid))),
        ("Gid", "\t".join(str(user.shown_gid(gid)) for gid in (creds.gid, creds.egid, creds.sgid, creds.egid))),
        ("FDSize", max(64, 1 << max(task.files.files, default=0).bit_length())),
        ("Groups", " ".join(str(user.shown_gid(gid)) for gid in creds.groups)),
        ("NStgid", _inwards(view)),
        ("NSpid", _inwards(view)),
        *((("VmRSS", f"{task.memory.resident * PAGE >> 10:>8} kB"),) if task.alive else ()),
        ("Threads", 1),
        ("SigPnd", _mask(signals.pending)),
        ("SigBlk", _mask(set())),
        ("SigIgn", _mask({number for number, handler in signals.handlers.items() if handler == SIG_IGN})),
        ("SigCgt", _mask({number for number, handler in signals.handlers.items() if callable(handler)})),
        ("CapInh", f"{creds.inheritable:016x}"),
        ("CapPrm", f"{creds.permitted:016x}"),
        ("CapEff", f"{creds.effective:016x}"),
        ("CapBnd", f"{creds.bounding:016x}"),
        ("CapAmb", f"{creds.ambient:016x}"),
        ("NoNewPrivs", int(creds.no_new_privs)),
        ("Seccomp", 2 if task.seccomp else 0),
        ("Seccomp_filters", task.seccomp.count if task.seccomp else 0),
    ]
    return "".join(f"{name}:\t{value}\n" for name, value in rows)


def _inwards(view: View) -> str:
    numbers = [space.number(view.subject) for space in view.subject.ns.pid.around() if space.level >= view.pids.level]
    return "\t".join(map(str, reversed(numbers)))


def _mask(signals: set[int]) -> str:
    return f"{sum(1 << number - 1 for number in signals):016x}"


def _strings(texts: list[str]) -> str:
    return "".join(text + "\0" for text in texts)


def cmdline(view: View) -> str:
    """Return ``/proc/PID/cmdline``: the arguments, each ended by a zero byte; nothing for a zombie."""
    return _strings(view.subject.argv) if view.subject.alive else ""


def environ(view: View) -> str:
    """Return ``/proc/PID/environ``: what execve was given, each ended by a zero byte."""
    return _strings([f"{name}={value}" for name, value in view.subject.environ.items()]) if view.subject.alive else ""


def oom_score_adj(view: View) -> str:
    """Return ``/proc/PID/oom_score_adj``: what makes the OOM killer choose it sooner, or later."""
    return f"{view.subject.oom_score_adj}\n"


def comm(view: View) -> str:
    """Return ``/proc/PID/comm``: the program's name."""
    return view.subject.comm + "\n"


def _escape(text: str) -> str:
    """Write what would break a line of fields in octal, as seq_path() does."""
    for character in "\\ \t\n":
        text = text.replace(character, f"\\{ord(character):03o}")
    return text


def _visible(view: View) -> "list[tuple[Mount, str]]":
    """Return the mounts of the subject's namespace that lie below its root, with their mount points seen from there."""
    mounts = view.subject.ns.mnt.mounts() if view.subject.alive else []
    places = [(mount, path_of(view.subject, Location(mount, mount.root))) for mount in mounts]
    return [(mount, path) for mount, path in places if path is not None]


def mounts(view: View) -> str:
    """Return ``/proc/PID/mounts``, in the format of fstab(5)."""
    lines = []
    for mount, path in _visible(view):
        fields = (_escape(mount.superblock.source), _escape(path), mount.superblock.fstype, ",".join(mount.options()))
        lines.append(" ".join(fields) + " 0 0\n")
    return "".join(lines)


def mountinfo(view: View) -> str:
    """Return ``/proc/PID/mountinfo``: ids, device, root within the file system, mount point, options, propagation."""
    return "".join(_mountinfo_line(view.reader, mount, path) for mount, path in _visible(view))


def _root_of(reader: "Task", mount: "Mount") -> str:
    """Return which part of the file system a mount shows; one that was removed is marked so (show_mountinfo)."""
    root = mount.root
    gone = root.parent is not root and not root.hashed and root.superblock.fstype != "nsfs"
    return mount.superblock.path_of(root, reader) + ("//deleted" if gone else "")


def _mountinfo_line(reader: "Task", mount: "Mount", path: str) -> str:
    block = mount.superblock
    ids = f"{mount.id} {mount.parent.id if mount.parent else mount.id} {block.device >> 8}:{block.device & 0xFF}"
    places = f"{_escape(_root_of(reader, mount))} {_escape(path)} {','.join(mount.own_options())}"
    peers = [f"shared:{mount.group.id}"] if mount.group else []
    peers += [f"master:{mount.master.id}"] if mount.master else []
    whole = ",".join(["ro" if block.readonly else "rw", *block.options()])
    return f"{ids} {places} {''.join(peer + ' ' for peer in peers)}- {block.fstype} {_escape(block.source)} {whole}\n"


def uptime(view: View) -> str:
    """Return ``/proc/uptime``: seconds since the start, and 0.00 for the idle ones, which are not counted.

    It is CLOCK_BOOTTIME, as the reader's time namespace has it.
    """
    now_ns = view.kernel.clock.now_ns() - view.kernel.booted_ns + view.reader.ns.time.offsets["boottime"]
    return f"{now_ns / 1e9:.2f} 0.00\n"


def timens_offsets(view: View) -> str:
    """Return ``/proc/PID/timens_offsets``: of the time namespace in which its children will be."""
    return view.subject.ns.time_for_children.show() if view.subject.alive else ""


def version(view: View) -> str:
    """Return ``/proc/version``."""
    return f"Linux version {view.kernel.profile.release} (minidocker, simulated in Python) #1\n"


def hostname(view: View) -> str:
    """Return ``/proc/sys/kernel/hostname``: that of the reader's UTS namespace."""
    return view.reader.ns.uts.hostname + "\n"


def domainname(view: View) -> str:
    """Return ``/proc/sys/kernel/domainname``: that of the reader's UTS namespace."""
    return view.reader.ns.uts.domainname + "\n"


def uid_map(view: View) -> str:
    """Return ``/proc/PID/uid_map``: first number inside, first number as the reader's namespace has it, how many."""
    return id_map.show(view.subject.creds.user, view.reader.creds.user, "uid")


def gid_map(view: View) -> str:
    """Return ``/proc/PID/gid_map``."""
    return id_map.show(view.subject.creds.user, view.reader.creds.user, "gid")


def setgroups(view: View) -> str:
    """Return ``/proc/PID/setgroups``: ``allow`` or ``deny``."""
    return "allow\n" if view.subject.creds.user.setgroups else "deny\n"


def ostype(view: View) -> str:
    """Return ``/proc/sys/kernel/ostype``."""
    return "Linux\n"


def osrelease(view: View) -> str:
    """Return ``/proc/sys/kernel/osrelease``."""
    return view.kernel.profile.release + "\n"


def ip_forward(view: View) -> str:
    """Return ``/proc/sys/net/ipv4/ip_forward``: does the reader's network namespace pass packets on?"""
    return f"{view.reader.ns.net.forwarding:d}\n"


def meminfo(view: View) -> str:
    """Return ``/proc/meminfo``: the memory is what the disk, a tmpfs, is made of; nothing else takes any."""
    total = view.kernel.profile.disk_bytes >> 10
    root = view.kernel.host.fs.root.mount.superblock
    free = getattr(root, "free_pages", total >> 2) << 2
    return f"MemTotal:{total:>15} kB\nMemFree:{free:>16} kB\nMemAvailable:{free:>11} kB\n"


def not_modelled(view: View) -> NoReturn:
    """Refuse to say what only a real machine has to say (ENOSYS)."""
    refuse(errno.ENOSYS, "does not model what this file says")


Text = Callable[[View], str]

#: The files of ``/proc/PID``, with their modes.
OF_TASK: Final[dict[str, tuple[int, Text]]] = {
    "stat": (0o444, stat),
    "status": (0o444, status),
    "cmdline": (0o444, cmdline),
    "comm": (0o644, comm),
    "mounts": (0o444, mounts),
    "mountinfo": (0o444, mountinfo),
    "environ": (0o400, environ),
    "uid_map": (0o644, uid_map),
    "gid_map": (0o644, gid_map),
    "setgroups": (0o644, setgroups),
    "timens_offsets": (0o644, timens_offsets),
    "cgroup": (0o444, cgroup),
    "oom_score_adj": (0o644, oom_score_adj),
}
#: The files of the system, with their modes.
OF_SYSTEM: Final[dict[str, tuple[int, Text]]] = {
    "uptime": (0o444, uptime),
    "version": (0o444, version),
    "meminfo": (0o444, meminfo),
    "cgroups": (0o444, cgroups),
    "sysvipc/msg": (0o444, proc_sysvipc.msg),
    "sysvipc/sem": (0o444, proc_sysvipc.sem),
    "sysvipc/shm": (0o444, proc_sysvipc.shm),
    "sys/kernel/hostname": (0o644, hostname),
    "sys/kernel/domainname": (0o644, domainname),
    "sys/kernel/ostype": (0o444, ostype),
    "sys/kernel/osrelease": (0o444, osrelease),
    "sys/net/ipv4/ip_default_ttl": (0o444, lambda _: f"{TTL}\n"),
    "sys/net/ipv4/ip_forward": (0o644, ip_forward),
    "sys/net/ipv4/ip_local_port_range": (0o444, lambda _: f"{FIRST}\t{LAST}\n"),
    "sys/net/ipv4/ping_group_range": (0o644, lambda view: "{}\t{}\n".format(*view.reader.ns.net.ping_groups)),
    "sys/net/ipv4/ip_unprivileged_port_start": (0o644, lambda view: f"{view.reader.ns.net.unprivileged_port}\n"),
}
