"""A task that does what a script says about namespaces, ids, capabilities and mounts, and tells each result.

A script is a list of ``[operation, argument, …]``, JSON's values all. ``clone`` has a child's script, and the child is
waited for at once; ``hold`` has a child's and then the parent's, which runs while the child lives and does nothing. So
nothing depends on whose turn it is. Results are written to descriptor ``REPORT``.
"""

from minidocker.kernel import Capabilities
from minidocker.linux import (
    CAPABILITIES,
    IPC_NOWAIT,
    IPC_RMID,
    MNT_DETACH,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    MS_REMOUNT,
    O_CLOEXEC,
    O_CREAT,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
    PR_CAPBSET_READ,
    S_IFMT,
    SIGKILL,
    errno_name,
)

REPORT = 60
FIELDS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "NSpid", "PPid")


class State:
    """What a task knows: the directory of its case, the child that it holds, the namespaces that it has open."""

    def __init__(self, directory, child=0, fds=()):
        self.directory = directory
        self.child = child
        self.fds = list(fds)
        self.is_held = False
        self.killed = {}
        self.objects = []
        self.addresses = []

    def copy(self):
        twin = State(self.directory, 0, self.fds)
        twin.objects, twin.addresses = [*self.objects], [*self.addresses]
        return twin

    def object(self, which):
        return self.objects[which % len(self.objects)] if self.objects else 7

    def address(self, which):
        return self.addresses[which % len(self.addresses)] if self.addresses else 4096

    def path(self, name):
        return name if name.startswith("/proc") else f"{self.directory}/{name}"

    async def pid(self, k, whom):
        if whom == "self":
            return await k.getpid()
        if whom == "parent":
            return await k.getppid() or 30000
        return {"child": self.child or 30000, "init": 1, "nobody": 30000}[whom]

    async def proc(self, k, whom, name):
        return f"/proc/{'self' if whom == 'self' else await self.pid(k, whom)}/{name}"


async def begin(k, script, directory):
    """Be the first task: with a proc of its own, a name, and what will be read as the report."""
    await k.dup2(1, REPORT)
    await k.mount("none", "/", "", MS_REC | MS_PRIVATE)
    await k.mount("proc", "/proc", "proc")
    await k.sethostname("start")
    return await follow(k, script, State(directory))


async def follow(k, script, state):
    """Do what the script says, and report each result."""
    for number, (operation, *arguments) in enumerate(script):
        try:
            result = await OPERATIONS[operation](k, state, *arguments)
        except OSError as error:
            result = errno_name(error.errno)
        shown = [argument for argument in arguments if not isinstance(argument, list)]
        await k.write(REPORT, f"{await k.getpid()} {number} {operation} {shown}: {result}\n".encode())
    return len(script)


async def clone(k, state, flags, script):
    child = await k.clone(follow, script, state.copy(), flags=flags)
    return child, await reap(k, child)


async def reap(k, child):
    while True:
        try:
            return await k.wait4(child)
        except InterruptedError:
            continue


async def hold(k, state, flags, script, meanwhile):
    ready, telling = await k.pipe2(O_CLOEXEC)
    waiting, releasing = await k.pipe2(O_CLOEXEC)
    child = await k.clone(held, script, state.copy(), telling, waiting, (ready, releasing), flags=flags)
    await k.close(telling)
    await k.close(waiting)
    await k.read(ready, 1)
    outer, state.child = state.child, child
    await follow(k, meanwhile, state)
    state.child = outer
    await k.close(ready)
    await k.close(releasing)
    return child, state.killed.pop(child, None) or await reap(k, child)


async def held(k, script, state, telling, waiting, others):
    for fd in others:
        await k.close(fd)
    state.is_held = True
    await follow(k, script, state)
    await k.write(telling, b"!")
    await k.read(waiting, 1)
    return 7


async def unshare(k, state, flags):
    return await k.unshare(flags)


async def open_ns(k, state, whom, name):
    fd = await k.open(await state.proc(k, whom, f"ns/{name}"), O_RDONLY | O_CLOEXEC)
    state.fds.append(fd)
    return "open"


async def pidfd(k, state, whom):
    state.fds.append(await k.pidfd_open(await state.pid(k, whom)))
    return "open"


async def setns(k, state, which, nstype):
    if not state.fds:
        return "nothing open"
    return await k.setns(state.fds[which % len(state.fds)], nstype)


async def read_ns(k, state, whom, name):
    return await k.readlink(await state.proc(k, whom, f"ns/{name}"))


async def status(k, state, whom):
    text = await read(k, await state.proc(k, whom, "status"))
    rows = dict(line.split(":", 1) for line in text.splitlines())
    return [rows[name].split() for name in FIELDS]


async def owner(k, state, whom, name):
    found = await k.stat(await state.proc(k, whom, name))
    return found.st_uid, found.st_gid, oct(found.st_mode)


async def read_proc(k, state, whom, name):
    text = await read(k, await state.proc(k, whom, name))
    return "read" if name == "environ" else text.split()


async def read(k, path):
    fd = await k.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    try:
        return (await k.read(fd, 65536)).decode()
    finally:
        await k.close(fd)


async def sysvipc(k, state, kind):
    """What proc says of the objects, without times, and without what is counted when the kernel gets round to it."""
    rows = [line.split() for line in (await read(k, f"/proc/sysvipc/{kind}")).splitlines()]
    kept = [column for column, name in enumerate(rows[0]) if not name.endswith("time") and name not in ("rss", "swap")]
    return [[row[column] for column in kept] for row in rows[1:]]


async def write_proc(k, state, whom, name, text):
    return await write(k, await state.proc(k, whom, name), text.encode())


async def write(k, path, data, flags=0):
    fd = await k.open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | flags, 0o666)
    try:
        return await k.write(fd, data)
    finally:
        await k.close(fd)


async def pids(k, state):
    return sorted(int(name) for name in await k.listdir("/proc") if name.isdecimal())


async def ids(k, state):
    return [await call() for call in (k.getuid, k.geteuid, k.getgid, k.getegid)], await k.getgroups()


async def set_id(k, state, name, number):
    return await getattr(k, name)(number)


async def setgroups(k, state, groups):
    return await k.setgroups(groups)


async def capget(k, state, whom):
    return shown(await k.capget(await state.pid(k, whom)))


def shown(sets: Capabilities):
    return f"{sets.effective:x} {sets.permitted:x} {sets.inheritable:x}"


async def capset(k, state, effective, permitted, inheritable):
    """Keep of the sets what the masks have."""
    now = await k.capget()
    wanted = now.effective & effective, now.permitted & permitted, now.permitted & inheritable
    await k.capset(*wanted)
    return shown(await k.capget())


async def capset_plain(k, state, effective, permitted, inheritable):
    return await k.capset(effective, permitted, inheritable)


async def prctl(k, state, option, *arguments):
    return await k.prctl(option, *arguments)


async def kill(k, state, whom, signum):
    """Send a signal; who dies of it is waited for, so that nothing depends on when."""
    if signum and (whom == "parent" or (whom == "self" and state.is_held) or (whom == "child" and signum != SIGKILL)):
        return "not so that others see when"
    result = await k.kill(await state.pid(k, whom), signum)
    if whom == "child" and signum:
        state.child, killed = 0, state.child
        state.killed[killed] = result = await reap(k, killed)
    return result


async def name_host(k, state, call, name):
    return await getattr(k, call)(name)


async def names(k, state):
    return await k.gethostname(), await k.getdomainname()


async def mkdir(k, state, name, mode):
    return await k.mkdir(state.path(name), mode)


async def make_file(k, state, name):
    return await write(k, state.path(name), b"data", O_CREAT)


async def read_file(k, state, name):
    return await read(k, state.path(name))


async def remove(k, state, name):
    return await k.unlink(state.path(name))


async def chmod(k, state, name, mode):
    return await k.chmod(state.path(name), mode)


async def chown(k, state, name, uid, gid):
    return await k.chown(state.path(name), uid, gid)


async def stat(k, state, name):
    found = await k.stat(state.path(name))
    return oct(found.st_mode & S_IFMT | found.st_mode & 0o7777), found.st_uid, found.st_gid


async def mknod(k, state, name, mode, device):
    return await k.mknod(state.path(name), mode, device)


async def access(k, state, name, mode):
    return await k.access(state.path(name), mode)


async def setxattr(k, state, name, attribute):
    return await k.setxattr(state.path(name), attribute, b"value")


async def listdir(k, state, name):
    return sorted(await k.listdir(state.path(name)))


async def mount(k, state, fstype, name, flags):
    return await k.mount("scratch", state.path(name), fstype, flags)


async def bind(k, state, source, name, flags):
    return await k.mount(state.path(source), state.path(name), "", MS_BIND | flags)


async def bind_ns(k, state, whom, kind, name):
    return await k.mount(await state.proc(k, whom, f"ns/{kind}"), state.path(name), "", MS_BIND)


async def remount(k, state, name, flags):
    return await k.mount("none", state.path(name), "", MS_REMOUNT | flags)


async def propagation(k, state, name, flags):
    return await k.mount("none", state.path(name), "", flags)


async def umount(k, state, name, flags):
    return await k.umount2(state.path(name), flags)


async def mounts(k, state):
    """The mounts below the case's directory: where, of what type, how, and whether they are shared or slaves."""
    found = []
    for line in (await read(k, "/proc/self/mountinfo")).splitlines():
        front, _, back = line.partition(" - ")
        _, _, _, root, place, options, *peers = front.split()
        if place.startswith(state.directory) and not place.endswith("/proc"):
            kinds = sorted(peer.partition(":")[0] for peer in peers)
            root = root.removeprefix("/var/lib").replace(state.directory.removeprefix("/var/lib"), "").partition(":")[0]
            options = [option for option in options.split(",") if option in ("ro", "rw", "nosuid", "nodev", "noexec")]
            found.append((place.removeprefix(state.directory), root, options, kinds, back.split()[0]))
    return found


async def msgget(k, state, key, flags):
    state.objects.append(await k.msgget(key, flags))
    return state.objects[-1]


async def msgsnd(k, state, which, mtype, length, flags):
    return await k.msgsnd(state.object(which), mtype, b"m" * length, flags | IPC_NOWAIT)


async def msgrcv(k, state, which, size, mtype, flags):
    return await k.msgrcv(state.object(which), size, mtype, flags | IPC_NOWAIT)


async def ipc_remove(k, state, call, which):
    return await getattr(k, call)(state.object(which), IPC_RMID)


async def shmget(k, state, key, size, flags):
    state.objects.append(await k.shmget(key, size, flags))
    return state.objects[-1]


async def shmat(k, state, which, flags):
    state.addresses.append(await k.shmat(state.object(which), flags))
    return "attached"


async def mmap(k, state, length):
    state.addresses.append(await k.mmap(length))
    return "mapped"


async def shmdt(k, state, which):
    return await k.shmdt(state.address(which))


async def munmap(k, state, which, length):
    return await k.munmap(state.address(which), length)


async def vm_read(k, state, whom, which, offset, length):
    data = await k.process_vm_readv(await state.pid(k, whom), state.address(which) + offset, length)
    return len(data), data.strip(b"\0")


async def vm_write(k, state, whom, which, offset, length):
    return await k.process_vm_writev(await state.pid(k, whom), state.address(which) + offset, b"v" * length)


async def execve(k, state, path, words):
    """Become a program, unless that would give root back what only a true execve can give back (real/capability.py)."""
    if state.is_held:
        return "not while somebody waits for what comes then"
    if 0 in (await k.getuid(), await k.geteuid()):
        bounding = sum([await k.prctl(PR_CAPBSET_READ, number) << number for number in CAPABILITIES.values()])
        if bounding & ~(await k.capget()).permitted:
            return "would regain"
    return await k.execve(state.path(path), [path, *words], {})


async def exit_(k, state, code):
    if state.is_held:
        return "not while somebody waits for what comes then"
    return await k.exit(code)


OPERATIONS = {
    "clone": clone, "hold": hold, "unshare": unshare, "open_ns": open_ns, "pidfd": pidfd, "setns": setns,
    "read_ns": read_ns, "status": status, "owner": owner, "read_proc": read_proc, "write_proc": write_proc,
    "pids": pids, "ids": ids, "set_id": set_id, "setgroups": setgroups, "capget": capget, "capset": capset,
    "capset_plain": capset_plain, "prctl": prctl, "kill": kill, "name_host": name_host, "names": names, "mkdir": mkdir,
    "make_file": make_file, "read_file": read_file, "remove": remove, "chmod": chmod, "chown": chown, "stat": stat,
    "mknod": mknod, "access": access, "setxattr": setxattr, "listdir": listdir, "mount": mount, "bind": bind,
    "bind_ns": bind_ns, "remount": remount, "propagation": propagation, "umount": umount, "mounts": mounts,
    "sysvipc": sysvipc,
    "msgget": msgget, "msgsnd": msgsnd, "msgrcv": msgrcv, "ipc_remove": ipc_remove, "shmget": shmget, "shmat": shmat,
    "mmap": mmap, "shmdt": shmdt, "munmap": munmap, "vm_read": vm_read, "vm_write": vm_write,
    "execve": execve, "exit": exit_,
}  # fmt: skip

__all__ = ["MNT_DETACH", "OPERATIONS", "REPORT", "begin", "follow"]
