"""A task that does what a script says, call after call, and tells each result: one coroutine for any number of cases.

A script is a list of ``[operation, argument, …]``, JSON's values all. A ``clone`` has a script of its own, and is
waited for at once, so what happens does not depend on whose turn it is. Results are written to descriptor ``REPORT``.
"""

from minidocker.linux import O_NONBLOCK, S_IFMT, SIG_DFL, SIG_IGN, WNOHANG, errno_name

REPORT = 60


async def begin(k, script, directory):
    """Be the first task: take what will be read as the report, and go to a directory of its own."""
    await k.dup2(1, REPORT)
    await k.sethostname("start")
    await k.chdir(directory)
    return await follow(k, script)


async def follow(k, script):
    """Do what the script says, and report each result."""
    for number, (operation, *arguments) in enumerate(script):
        try:
            result = await OPERATIONS[operation](k, *arguments)
        except OSError as error:
            result = errno_name(error.errno)
        line = f"{await k.getpid()} {number} {operation} {arguments if operation != 'clone' else '…'}: {result}\n"
        await k.write(REPORT, line.encode())
    return len(script)


async def pipe(k, flags):
    return await k.pipe2(O_NONBLOCK | flags)


async def dup(k, fd):
    return await k.dup(fd)


async def dup2(k, fd, other):
    return await k.dup2(fd, other)


async def close(k, fd):
    return await k.close(fd)


async def read(k, fd, n):
    return await k.read(fd, n)


async def write(k, fd, n):
    return await k.write(fd, b"w" * n)


async def lseek(k, fd, position, whence):
    return await k.lseek(fd, position, whence)


async def fstat(k, fd):
    status = await k.fstat(fd)
    return oct(status.st_mode & S_IFMT), status.st_size if status.st_mode & S_IFMT == 0o100000 else ""


async def open_(k, path, flags, mode):
    return await k.open(path, flags, mode)


async def mode(k, path):
    return oct((await k.stat(path)).st_mode)


async def mkdir(k, path):
    return await k.mkdir(path)


async def chdir(k, path):
    return await k.chdir(path)


async def getcwd(k):
    return (await k.getcwd()).rpartition("/")[2]


async def umask(k, mask):
    return await k.umask(mask)


def handler(signum):
    """Do nothing: a child has its parent's handlers, and on the simulated kernel its parent's variables too."""


async def signal(k, signum, what):
    old = await k.signal(signum, {"default": SIG_DFL, "ignore": SIG_IGN, "handle": handler}[what])
    return old if isinstance(old, int) else "handler"


async def kill(k, whom, signum):
    pid = {"self": await k.getpid(), "parent": await k.getppid(), "init": 1, "nobody": 30000}[whom]
    result = await k.kill(pid or 30000, signum)
    await k.getpid()  # on its way back a handler ran
    return result


async def clone(k, flags, fds, script):
    chosen = None if fds is None else {int(fd): other for fd, other in fds.items()} | {REPORT: REPORT}
    child = await k.clone(follow, script, flags=flags, fds=chosen)
    while True:
        try:
            return child, await k.wait4(child)
        except InterruptedError:
            continue


async def wait4(k, pid):
    return await k.wait4(pid, WNOHANG)


async def unshare(k, flags):
    return await k.unshare(flags)


async def getppid(k):
    return await k.getppid()


async def sethostname(k, name):
    return await k.sethostname(name)


async def gethostname(k):
    return await k.gethostname()


async def setuid(k, uid):
    return await k.setuid(uid)


async def getuid(k):
    return await k.getuid(), await k.geteuid()


async def mount(k, path):
    return await k.mount("scratch", path, "tmpfs")


async def umount(k, path):
    return await k.umount2(path)


async def listdir(k, path):
    return sorted(await k.listdir(path))


async def execve(k, path, words):
    return await k.execve(path, ["program", *words], {})


async def exit_(k, code):
    return await k.exit(code)


OPERATIONS = {
    "pipe": pipe, "dup": dup, "dup2": dup2, "close": close, "read": read, "write": write, "lseek": lseek,
    "fstat": fstat, "open": open_, "mode": mode, "mkdir": mkdir, "chdir": chdir, "getcwd": getcwd, "umask": umask,
    "signal": signal, "kill": kill, "clone": clone, "wait4": wait4, "unshare": unshare, "getppid": getppid,
    "sethostname": sethostname, "gethostname": gethostname, "setuid": setuid, "getuid": getuid, "mount": mount,
    "umount": umount, "listdir": listdir, "execve": execve, "exit": exit_,
}  # fmt: skip
