"""Random scripts about namespaces, run on both kernels: the same results, call by call.

``python -m conformance.random_namespaces --seed 1 --count 5000`` (from ``tests/``) tries many, and makes what differs
as small as it can.
"""

import argparse
import itertools
import json
import random
import re
import sys
import time

from conformance import namespace_script
from conformance.outcome import run

from minidocker.linux import (
    CAPABILITIES,
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MNT_DETACH,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    O_CREAT,
    O_WRONLY,
    PR_CAP_AMBIENT,
    PR_CAPBSET_DROP,
    PR_CAPBSET_READ,
    PR_GET_DUMPABLE,
    PR_GET_NO_NEW_PRIVS,
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    PR_SET_NO_NEW_PRIVS,
    S_IFCHR,
    S_IFIFO,
    SIGKILL,
    SIGTERM,
    SIGUSR1,
)
from minidocker.programs import program_file

FIRST = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC
KINDS = {
    "mnt": CLONE_NEWNS, "pid": CLONE_NEWPID, "uts": CLONE_NEWUTS, "ipc": CLONE_NEWIPC, "net": CLONE_NEWNET,
    "user": CLONE_NEWUSER, "cgroup": CLONE_NEWCGROUP, "time": CLONE_NEWTIME,
}  # fmt: skip
NAMES = [*KINDS, "pid_for_children", "time_for_children"]
ALL = (1 << len(CAPABILITIES)) - 1
SOME = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETUID",
    "CAP_SETGID", "CAP_SETPCAP", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_SETFCAP",
]  # fmt: skip
WHOM = ["self", "self", "self", "child", "child", "parent", "init", "nobody"]
FILES = ["a", "b", "d", "e", "e/f", "new", "d/x", "m"]
DIRECTORIES = ["d", "e", "m", "d/s"]
MAPS = [
    "0 0 1", "0 1000 1", "1000 0 1", "0 0 65536", "0 0 10\n10 1000 5", "0 1 1", "5 5 5", "0 0 4294967295", "", "x",
    "0 0 0", "0 0 2\n1 5 1", "0 0 1\n1 1000 1\n2 2000 1", "0 1000 1\n1000 0 1",
]  # fmt: skip


OFFSETS = [
    "monotonic 5 0", "boottime 1000 7", "1 2 3\n7 4 5\n", "7 -1000000000000 0", "boottime 5", "monotonic 1 1000000000",
    "9 1 1", "", "x", "monotonic 1 2\nboottime 3 4\nmonotonic 5 6", "  7\t8  9  more", "1 5 0\n\n",
    "boottime 9999999999 0",
]  # fmt: skip


class Maker:
    """Makes scripts by a seeded random generator."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def script(self, depth=0):
        length = self.random.randint(1, 7 if depth else 9)
        return [self.operation(depth) for _ in range(length)]

    def operation(self, depth):
        r = self.random
        if depth < 3 and r.random() < (0.30 if depth else 0.4):
            if r.random() < 0.5:
                return ["clone", self.flags(), self.script(depth + 1)]
            return ["hold", self.flags(), self.script(depth + 1), self.script(depth + 1)]
        return getattr(self, r.choice(SIMPLE))()

    def flags(self):
        r = self.random
        if r.random() < 0.35:
            return 0
        kinds = r.choices([*KINDS], weights=[3, 3, 2, 1, 0.2, 5, 1, 2], k=r.randint(1, 3))
        return sum(KINDS[kind] for kind in set(kinds))

    def one_of(self, *options):
        return self.random.choice(options)

    def cap(self):
        return 1 << CAPABILITIES[self.random.choice(SOME)]

    def mask(self):
        r = self.random
        return r.choice(
            [ALL, 0, ALL & ~self.cap(), self.cap(), self.cap() | self.cap(), ALL & ~self.cap() & ~self.cap()]
        )

    def uid(self):
        return self.random.choice([0, 0, 1, 5, 1000, 1000, 2000, 70000])

    def unshare(self):
        return ["unshare", self.flags()]

    def open_ns(self):
        return ["open_ns", self.one_of(*WHOM), self.one_of(*NAMES)]

    def pidfd(self):
        return ["pidfd", self.one_of(*WHOM)]

    def setns(self):
        return ["setns", self.random.randrange(4), self.one_of(0, 0, self.flags())]

    def read_ns(self):
        return ["read_ns", self.one_of(*WHOM), self.one_of(*NAMES)]

    def status(self):
        return ["status", self.one_of(*WHOM)]

    def owner(self):
        return ["owner", self.one_of(*WHOM), self.one_of("status", "ns", "fd", "uid_map", "", "ns/user")]

    def read_proc(self):
        names = ("uid_map", "gid_map", "setgroups", "environ", "cmdline", "comm", "timens_offsets")
        return ["read_proc", self.one_of(*WHOM), self.one_of(*names)]

    def map_ids(self):
        return [
            "write_proc",
            self.one_of("self", "child", "child"),
            self.one_of("uid_map", "gid_map"),
            self.one_of(*MAPS),
        ]

    def deny_groups(self):
        return [
            "write_proc",
            self.one_of("self", "child"),
            "setgroups",
            self.one_of("deny", "deny", "allow", "x", "deny\n"),
        ]

    def offsets(self):
        whom, text = self.one_of("self", "self", "child", "parent"), self.one_of(*OFFSETS)
        return ["write_proc", whom, "timens_offsets", text]

    def pids(self):
        return ["pids"]

    def ids(self):
        return ["ids"]

    def set_id(self):
        return ["set_id", self.one_of("setuid", "seteuid", "setgid", "setegid"), self.uid()]

    def setgroups(self):
        return ["setgroups", [self.uid() for _ in range(self.random.randrange(3))]]

    def capget(self):
        return ["capget", self.one_of(*WHOM)]

    def capset(self):
        return [self.one_of("capset", "capset", "capset_plain"), self.mask(), self.mask(), self.one_of(0, self.mask())]

    def prctl(self):
        number = CAPABILITIES[self.random.choice(SOME)]
        return ["prctl", *self.one_of(
            (PR_SET_KEEPCAPS, 1), (PR_SET_KEEPCAPS, 1), (PR_SET_NO_NEW_PRIVS, 1), (PR_GET_NO_NEW_PRIVS,),
            (PR_CAPBSET_DROP, number), (PR_CAPBSET_READ, number), (PR_CAPBSET_READ, 99), (PR_SET_DUMPABLE, 1),
            (PR_SET_DUMPABLE, 0), (PR_GET_DUMPABLE,), (PR_CAP_AMBIENT, self.one_of(1, 2, 2, 3), number, 0, 0),
            (PR_CAP_AMBIENT, 4, 0, 0, 0),
        )]  # fmt: skip

    def kill(self):
        return ["kill", self.one_of(*WHOM), self.one_of(0, 0, SIGTERM, SIGUSR1, SIGKILL)]

    def name_host(self):
        return ["name_host", self.one_of("sethostname", "setdomainname"), self.one_of("one", "two", "", "x" * 65)]

    def name_by_proc(self):
        return ["write_proc", "self", self.one_of("../sys/kernel/hostname", "../sys/kernel/domainname"), "three\n"]

    def names(self):
        return ["names"]

    def mkdir(self):
        return ["mkdir", self.one_of(*FILES), self.one_of(0o755, 0o700, 0o777)]

    def make_file(self):
        return ["make_file", self.one_of(*FILES)]

    def read_file(self):
        return ["read_file", self.one_of(*FILES)]

    def remove(self):
        return ["remove", self.one_of(*FILES)]

    def chmod(self):
        return ["chmod", self.one_of(*FILES), self.one_of(0o644, 0o600, 0o4755, 0o2755, 0o1777, 0)]

    def chown(self):
        return ["chown", self.one_of(*FILES), self.one_of(-1, self.uid()), self.one_of(-1, self.uid())]

    def stat(self):
        return ["stat", self.one_of(*FILES)]

    def mknod(self):
        return ["mknod", self.one_of(*FILES), self.one_of(S_IFCHR | 0o666, S_IFIFO | 0o600), self.one_of(0, 1 << 8 | 3)]

    def access(self):
        return ["access", self.one_of(*FILES), self.one_of(1, 2, 4, 7, 0)]

    def setxattr(self):
        return ["setxattr", self.one_of(*FILES), self.one_of("user.x", "trusted.x", "security.x")]

    def listdir(self):
        return ["listdir", self.one_of(*DIRECTORIES)]

    def mount(self):
        flags = self.one_of(0, 0, MS_RDONLY, MS_NODEV | MS_NOSUID)
        if self.random.random() < 0.3:
            return ["mount", self.one_of("proc", "proc", "nonsense"), "p", flags]
        return ["mount", "tmpfs", self.one_of(*DIRECTORIES), flags]

    def bind(self):
        return ["bind", self.one_of(*DIRECTORIES, "a"), self.one_of(*DIRECTORIES, "b"), self.one_of(0, MS_REC)]

    def bind_ns(self):
        return ["bind_ns", self.one_of("self", "child"), self.one_of(*KINDS), self.one_of("a", "b", "d", "n")]

    def remount(self):
        return ["remount", self.one_of(*DIRECTORIES, "p"), self.one_of(0, MS_BIND, MS_BIND | MS_RDONLY)]

    def propagation(self):
        return ["propagation", self.one_of(*DIRECTORIES), self.one_of(MS_SHARED, MS_SHARED, MS_PRIVATE, MS_SLAVE)]

    def umount(self):
        return ["umount", self.one_of(*DIRECTORIES, "a", "b", "p", "n"), self.one_of(0, 0, MNT_DETACH)]

    def mounts(self):
        return ["mounts"]

    def msgget(self):
        return ["msgget", self.one_of(0, 5, 5, 6), self.one_of(0o1600, 0o1600, 0o1666, 0o3600, 0o600, 0)]

    def msgsnd(self):
        return ["msgsnd", self.random.randrange(3), self.one_of(1, 2, 3, 0), self.one_of(0, 1, 10, 8192, 8193), 0]

    def msgrcv(self):
        flags = self.one_of(0, 0, 0o10000, 0o20000)
        return ["msgrcv", self.random.randrange(3), self.one_of(0, 5, 9000, -1), self.one_of(0, 0, 1, 2, -2, -9), flags]

    def ipc_remove(self):
        return ["ipc_remove", self.one_of("msgctl", "shmctl"), self.random.randrange(3)]

    def shmget(self):
        return [
            "shmget",
            self.one_of(0, 5, 5),
            self.one_of(0, 1, 5000, 9000),
            self.one_of(0o1600, 0o1666, 0o600, 0o3600),
        ]

    def shmat(self):
        return ["shmat", self.random.randrange(3), self.one_of(0, 0, 0o10000)]

    def shmdt(self):
        return ["shmdt", self.random.randrange(3)]

    def vm_read(self):
        name = self.one_of("vm_read", "vm_write")
        offset = self.one_of(0, 0, 100, 4090)  # within the first page: what lies behind the last is each kernel's own
        return [name, self.one_of(*WHOM), self.random.randrange(3), offset, self.one_of(0, 1, 5)]

    def sysvipc(self):
        return ["sysvipc", self.one_of("msg", "shm")]

    def execve(self):
        return ["execve", "grep", [self.one_of("Cap", "Uid", "NoNew"), "/proc/self/status"]]

    def exit(self):
        return ["exit", self.one_of(0, 3)]


#: How often each is made, beside the two that have scripts of their own.
SIMPLE = [
    name
    for name, weight in {
        "unshare": 7, "open_ns": 4, "pidfd": 2, "setns": 7, "read_ns": 4, "status": 5, "owner": 2, "read_proc": 3,
        "map_ids": 8, "deny_groups": 2, "offsets": 4, "pids": 2, "ids": 4, "set_id": 6, "setgroups": 2, "capget": 3,
        "capset": 3, "prctl": 4, "kill": 3, "name_host": 2, "name_by_proc": 1, "names": 2, "mkdir": 2, "make_file": 3,
        "read_file": 3, "remove": 1, "chmod": 2, "chown": 4, "stat": 4, "mknod": 2, "access": 2, "setxattr": 2,
        "listdir": 1, "mount": 5, "bind": 3, "bind_ns": 1, "remount": 2, "propagation": 3, "umount": 3, "mounts": 4,
        "msgget": 3, "msgsnd": 2, "msgrcv": 2, "ipc_remove": 1, "shmget": 2, "shmat": 3, "shmdt": 1, "vm_read": 3,
        "sysvipc": 2, "execve": 1, "exit": 1,
    }.items()
    for _ in range(weight)
]  # fmt: skip

NUMBERS = itertools.count()
TRIES = 4
_NAMESPACE = re.compile(r"\b(mnt|pid|uts|ipc|net|user|cgroup|time):\[(\d+)\]")


def prepare(kernel, directory):
    """Make the files of a case."""
    kernel.mkdir(directory)
    for name, mode in (("", 0o777), ("/d", 0o777), ("/e", 0o755), ("/m", 0o755), ("/p", 0o755)):
        if name:
            kernel.mkdir(directory + name)
        kernel.chmod(directory + name, mode)
    files = {"a": b"0123456789", "b": b"secret", "e/f": b"f", "grep": program_file("grep")}
    for name, data in files.items():
        fd = kernel.open(f"{directory}/{name}", O_CREAT | O_WRONLY, 0o755)
        kernel.write(fd, data)
        kernel.close(fd)
    kernel.chown(directory + "/b", 1000, 1000)
    kernel.chmod(directory + "/b", 0o600)
    kernel.chown(directory + "/m", 1000, 1000)


def report(kernel, script):
    """Run a script on a kernel, and return what it reported: namespaces by the order in which they were seen."""
    directory = f"/var/lib/docker/case{next(NUMBERS):06}"
    prepare(kernel, directory)
    try:
        outcome = run(kernel, namespace_script.begin, script, directory, flags=FIRST, timeout_s=3.0)
    except AssertionError as error:  # nothing happens any more
        return [str(error)[-1000:]], -1
    seen = {}
    text = _NAMESPACE.sub(lambda found: f"{found[1]}:[{seen.setdefault(found[0], len(seen))}]", outcome.output)
    lines = [line for line in text.splitlines() if re.match(r"\d+ \d+ |Cap|Uid|NoNew", line)]
    return lines, outcome.status


def difference(kernels, script):
    """Run a script on both kernels, and return the first lines that differ, or None.

    Linux gives the number of a namespace that has ended to a new one, if it is quick enough: who reads both numbers
    takes them for one namespace. So what differs has to differ again.
    """
    differs = [_difference(kernels, script)]
    while differs[-1] and len(differs) < TRIES:
        differs.append(_difference(kernels, script))
    return differs[-1]


def _difference(kernels, script):
    (mine, my_status), (its, its_status) = (report(kernel, script) for kernel in kernels)
    for one, other in itertools.zip_longest(mine, its):
        if one != other:
            return f"sim:  {one}\nreal: {other}"
    return None if my_status == its_status else f"sim ends with {my_status:#x}, real with {its_status:#x}"


def shrink(kernels, script):
    """Return the smallest script found that still differs."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(script):
            if difference(kernels, candidate):
                script, smaller = candidate, True
                break
    return script


def _smaller(script):
    for index, operation in enumerate(script):
        yield script[:index] + script[index + 1 :]
        for place, part in enumerate(operation):
            if place and isinstance(part, list) and operation[0] in ("clone", "hold"):
                yield script[:index] + part + script[index + 1 :]
                for less in _smaller(part):
                    yield [*script[:index], [*operation[:place], less, *operation[place + 1 :]], *script[index + 1 :]]


def open_kernels():
    """Return a simulated kernel like the real one, and that."""
    from minidocker.real import RealKernel
    from minidocker.real.probe import describe
    from minidocker.sim import Profile, SimKernel

    real = RealKernel()
    pair = [SimKernel(Profile.like(describe(real))), real]
    for kernel in pair:
        kernel.mount("none", "/", "", MS_REC | MS_PRIVATE)
        kernel.chmod("/var/lib/docker", 0o711)
    return pair


def main():
    """Try many scripts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--stop", type=int, default=1, help="after so many differences")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--script", help="run this one (JSON)")
    arguments = parser.parse_args()
    kernels = open_kernels()
    found = 0
    try:
        if arguments.script:
            script = json.loads(arguments.script)
            for kernel in kernels:
                print(*report(kernel, script)[0], sep="\n", end="\n\n")
            return 0
        for seed in range(arguments.seed, arguments.seed + arguments.count):
            script = Maker(seed).script()
            began = time.monotonic()
            what = difference(kernels, script)
            if arguments.verbose:
                print(seed, round(time.monotonic() - began, 2), file=sys.stderr, flush=True)
            if what:
                small = shrink(kernels, script)
                print(f"seed {seed}\n{json.dumps(small)}\n{difference(kernels, small) or what}\n", flush=True)
                found += 1
                if found >= arguments.stop:
                    break
    finally:
        for kernel in kernels:
            kernel.close_kernel()
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
