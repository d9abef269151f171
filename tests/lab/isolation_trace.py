"""A run with everything that isolates and limits, told to a recorder by hand: namespaces, groups, a network, states."""

from typing import Any

from minidocker import linux
from minidocker.kernel import Inner, SyscallEvent
from minidocker.recorder import Recorder
from minidocker.trace import Trace

WEB, DB = "4f1c9d0a77e2" + "0" * 52, "b2817c55aa01" + "1" * 52
ALL = (
    linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET
    | linux.CLONE_NEWCGROUP
)  # fmt: skip


class Teller:
    """Tells a recorder of calls, as a kernel would."""

    def __init__(self, **kernel: Any) -> None:
        """Begin."""
        self.recorder = Recorder({"kind": "sim", "release": "6.18.44", "rootless": False, "overlay": [], **kernel})

    def call(
        self, name: str, *args: Any, task: str = "0", actor: str = "daemon", result: Any = None, **more: Any
    ) -> None:
        """Tell of one call."""
        fields = {"kwargs": {}, "uppers": {}, **more}
        self.recorder(SyscallEvent(task=task, actor=actor, name=name, args=args, result=result, **fields))

    def write(self, path: str, data: bytes, **more: Any) -> None:
        """Tell of a file that is opened, written and closed."""
        self.call("open", path, linux.O_WRONLY, result=9, **more)
        self.call("write", 9, data, result=len(data), **more)
        self.call("close", 9, **more)

    def read(self, path: str, data: bytes, **more: Any) -> None:
        """Tell of a file that is opened, read and closed."""
        self.call("open", path, linux.O_RDONLY, result=9, **more)
        self.call("read", 9, 4096, result=data, **more)
        self.call("close", 9, **more)

    def container(self, name: str, ident: str, status: str, **more: Any) -> None:
        """Tell that the engine has put a container into a state."""
        row = {"id": ident, "image": "lab", "command": ["sh"], "status": status, "stack": name, **more}
        self.recorder.operation(f"{name} is {status}", "The engine says so.", {("containers", name): row})

    def start(self, name: str, ident: str, pid: int, number: int, address: str, veth: str) -> None:
        """Tell of a container's start, from its control group to its program."""
        line, group, merged = (
            f"0.{number}",
            f"/sys/fs/cgroup/docker/{ident}",
            f"/var/lib/docker/overlay2/{ident}/merged",
        )
        self.container(name, ident, "created")
        self.call("mount", "overlay", merged, "overlay", 0, f"upperdir=/var/lib/docker/overlay2/{ident}/diff")
        self.call("clone", len, result=pid, kwargs={"flags": ALL}, pids=(pid, 1), child=line)
        self.call("mkdir", group, 0o755)
        self.write(f"{group}/memory.max", b"67108864")
        self.write(f"{group}/cpu.weight", b"%d" % (100 * number))
        self.write(f"{group}/pids.max", b"20")
        self.write(f"{group}/cgroup.procs", b"%d" % pid)
        self.call("open", f"/proc/{pid}/ns/net", linux.O_RDONLY, result=5)
        self.call("open", "/proc/self/ns/net", linux.O_RDONLY, result=6)
        self.call("newlink", veth, "veth", kwargs={"peer": "eth0", "netns": 5, "address": ""})
        self.call("setlink", veth, kwargs={"up": True, "master": "docker0"})
        self.call("setns", 5, linux.CLONE_NEWNET)
        self.call("newaddr", "eth0", address)
        self.call("setlink", "eth0", kwargs={"up": True})
        self.call("setlink", "lo", kwargs={"up": True})
        self.call("newroute", "default", kwargs={"gateway": "172.17.0.1", "link": ""})
        self.call("setns", 6, linux.CLONE_NEWNET)
        self.call("close", 5)
        self.call("close", 6)
        inside = {"task": line, "actor": "init"}
        self.call("mount", merged, merged, "", linux.MS_BIND | linux.MS_REC, "", **inside)
        self.call("mount", "proc", f"{merged}/proc", "proc", 0, "", **inside)
        self.call("chdir", merged, **inside)
        self.call("pivot_root", ".", ".", **inside)
        self.call("umount2", ".", linux.MNT_DETACH, **inside)
        self.call("mount", "/proc/sys", "/proc/sys", "", linux.MS_BIND | linux.MS_REC, "", **inside)
        self.call(
            "mount", "/proc/sys", "/proc/sys", "", linux.MS_BIND | linux.MS_REMOUNT | linux.MS_RDONLY, "", **inside
        )
        self.call("sethostname", ident[:12], **inside)
        self.call("capset", 0xA80425FB, 0xA80425FB, 0, **inside)
        self.call("execve", "/bin/sh", ["sh"], {}, **inside)
        self.container(name, ident, "running")


def isolation_trace() -> Trace:
    """Return the trace: two containers, one of them nested, pinged, paused and killed for memory."""
    tell = Teller()
    tell.recorder.command("docker run --name web -m 64m lab sh", "The client sends the command to the daemon.")
    tell.call("newlink", "docker0", "bridge", kwargs={"peer": "", "address": ""})
    tell.call("newaddr", "docker0", "172.17.0.1/16")
    tell.call("setlink", "docker0", kwargs={"up": True})
    tell.start("web", WEB, 7, 1, "172.17.0.2/16", "veth4f1c")
    tell.start("db", DB, 12, 2, "172.17.0.3/16", "vethb281")
    group = f"/sys/fs/cgroup/docker/{WEB}"
    tell.read(f"{group}/memory.current", b"1294336\n")
    tell.read(f"{group}/pids.current", b"1\n")
    sh = {"task": "0.1", "actor": "sh"}
    tell.call("unshare", linux.CLONE_NEWPID | linux.CLONE_NEWUTS, **sh)
    tell.call("clone", len, result=2, pids=(15, 2, 1), child="0.1.1", **sh)
    ping = {"task": "0.1.1", "actor": "ping"}
    tell.call("execve", "/bin/ping", ["ping", "172.17.0.3"], {}, task="0.1.1", actor="sh")
    tell.call("socket", linux.AF_INET, linux.SOCK_RAW, linux.IPPROTO_ICMP, result=3, **ping)
    tell.call("sendto", 3, b"\x08\0", ("172.17.0.3", 0), result=2, inner=tuple(_frames()), **ping)
    tell.call("exit", 0, **ping)
    tell.call("wait4", -1, 0, result=(2, 0), **sh)
    tell.write(f"{group}/cgroup.freeze", b"1")
    tell.container("web", WEB, "paused")
    tell.write(f"{group}/cgroup.freeze", b"0")
    tell.container("web", WEB, "running")
    tell.read(f"{group}/memory.current", b"62914560\n")
    kill = {"task": "0.1", "name": "sh", "limit": 67108864, "usage": 67108864}
    oom = Inner(name="oom_kill", path=f"/docker/{WEB}", data=kill)
    tell.call("mmap", 1 << 26, linux.MAP_POPULATE, result=1 << 40, inner=(oom,), **sh)
    tell.call("wait4", 7, linux.WNOHANG, result=(7, 9))
    tell.container("web", WEB, "exited", exit_code=137, oom_killed=True)
    last = {"task": "0.2", "actor": "sh"}
    tell.call("unshare", linux.CLONE_NEWTIME, **last)
    tell.write("/proc/self/timens_offsets", b"7 1000 0", **last)
    tell.call("clone", len, result=2, pids=(16, 2), child="0.2.1", **last)
    return tell.recorder.cut("docker run --name web -m 64m lab sh", "", "", 137)


def many_trace(containers: int = 12, rounds: int = 40) -> Trace:
    """Return a long trace of many containers, whose counters move at each step."""
    tell = Teller()
    tell.recorder.command("docker compose up", "Many at once.")
    tell.call("newlink", "docker0", "bridge", kwargs={"peer": "", "address": ""})
    idents = [f"{number:012x}" + "e" * 52 for number in range(1, containers + 1)]
    for number, ident in enumerate(idents, 1):
        tell.start(f"c{number}", ident, 10 * number, number, f"172.17.0.{number + 1}/16", f"veth{number:04}")
    for turn in range(rounds):
        for number, ident in enumerate(idents, 1):
            group = f"/sys/fs/cgroup/docker/{ident}"
            tell.read(f"{group}/memory.current", b"%d\n" % (1 << 20 | turn << 14 | number))
    return tell.recorder.cut("docker compose up")


def _frames() -> list[Inner]:
    echo = "IP 172.17.0.2 > 172.17.0.3: ICMP echo"
    hops = (
        ("eth0", "veth4f1c", "", "ARP, Request who-has 172.17.0.3 tell 172.17.0.2, length 28"),
        ("veth4f1c", "vethb281", "docker0", "ARP, Request who-has 172.17.0.3 tell 172.17.0.2, length 28"),
        ("vethb281", "eth0", "", "ARP, Request who-has 172.17.0.3 tell 172.17.0.2, length 28"),
        ("eth0", "vethb281", "", "ARP, Reply 172.17.0.3 is-at 02:42:ac:11:00:03, length 28"),
        ("eth0", "veth4f1c", "", f"{echo} request, id 1, seq 1, length 64"),
    )
    return [
        Inner(name="frame", path=link, simulated=True, data={"link": link, "to": to, "via": via, "what": what})
        for link, to, via, what in hops
    ]
