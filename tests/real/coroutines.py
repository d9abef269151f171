"""Programs that the tests of the real kernel clone, and how they are run: ``run(kernel, main)`` → output and status."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from minidocker.kernel import Kernel
from minidocker.linux import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MNT_DETACH,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    O_CLOEXEC,
    O_CREAT,
    O_RDONLY,
    O_WRONLY,
    SIG_DFL,
    SIG_IGN,
    SIGCHLD,
    SIGTERM,
    SIGUSR1,
    WNOHANG,
)
from minidocker.system import System


def start(kernel: Kernel, main, *args: Any, flags: int = 0, fds: Mapping[int, int] | None = None) -> tuple[int, int]:
    """Clone main with its descriptors 1 and 2 on a pipe; return its pid and the pipe's end."""
    end, theirs = kernel.pipe2(O_CLOEXEC)
    try:
        pid = kernel.clone(main, *args, flags=flags, fds={1: theirs, 2: theirs, **(fds or {})})
    finally:
        kernel.close(theirs)
    kernel.watch(end)
    return pid, end


def finish(kernel: Kernel, pid: int, end: int) -> tuple[bytes, int]:
    """Read a child's output to its end, wait for it; return both."""
    output, open_, status = b"", True, None
    while open_ or status is None:
        events = kernel.poll(10)
        assert events, "nothing happened for ten seconds"
        for event in events:
            if event.kind == "readable":
                data = kernel.read(end, 1 << 16)
                output += data
                if not data:
                    kernel.close(end)
                    open_ = False
            elif event.pid == pid:
                found, status = kernel.wait4(pid, 0)
                assert found == pid
    return output, status


def run(kernel: Kernel, main, *args: Any, **how: Any) -> tuple[bytes, int]:
    """Run main to its end; return its output and wait4 status."""
    return finish(kernel, *start(kernel, main, *args, **how))


def answer(kernel: Kernel, main, *args: Any, **how: Any) -> Any:
    """Run a main that writes one JSON value, and return that; it must exit with 0."""
    output, status = run(kernel, main, *args, **how)
    assert status == 0, output.decode()
    return json.loads(output)


def until_output(kernel: Kernel, end: int) -> bytes:
    """Wait for a child to write something."""
    assert kernel.poll(10), "no output for ten seconds"
    return kernel.read(end, 1 << 16)


async def say(k: System, value: Any) -> None:
    """Write a value as JSON."""
    await k.write(1, json.dumps(value).encode())


async def exits(k: System, code: int) -> int:
    return code


async def exits_by_call(k: System, code: int) -> int:
    await k.exit(code)
    return 99


async def raises(k: System) -> int:
    message = "a mistake in a program"
    raise ValueError(message)


async def ids(k: System) -> int:
    await say(k, {"pid": await k.getpid(), "ppid": await k.getppid(), "uid": await k.getuid(), "cwd": await k.getcwd()})
    return 0


async def descriptors(k: System) -> int:
    """Which numbers are open, and which a new file gets."""
    names = sorted(map(int, await k.listdir("/proc/self/fd")))
    fd = await k.open("/proc/self/stat", O_RDONLY)
    first, second = await k.pipe2(0)
    await say(k, {"open": names, "next": [fd, first, second]})
    return 0


async def copies(k: System) -> int:
    """Copy input to output to the end."""
    while data := await k.read(0, 1 << 16):
        while data:
            data = data[await k.write(1, data) :]
    return 0


async def floods(k: System, total: int) -> int:
    sent = 0
    while sent < total:
        sent += await k.write(1, b"x" * min(1 << 16, total - sent))
    return 0


async def writes_into_closed_pipe(k: System, ignore: bool) -> int:
    if ignore:
        await k.signal(13, SIG_IGN)
    end, other = await k.pipe2(0)
    await k.close(end)
    try:
        await k.write(other, b"x")
    except BrokenPipeError:
        return 32
    return 0


async def family(k: System) -> int:
    """A child and a grandchild, each with words on one pipe; the order is given by waiting."""
    end, other = await k.pipe2(0)

    async def grandchild(k: System, word: str) -> int:
        await k.write(other, f"{word} {await k.getpid() != await k.getppid()};".encode())
        return 3

    async def child(k: System, word: str) -> int:
        pid = await k.clone(grandchild, "grandchild")
        _, status = await k.wait4(pid, 0)
        await k.write(other, f"{word} {status >> 8};".encode())
        return 4

    pid = await k.clone(child, "child")
    await k.close(other)
    words = b""
    while data := await k.read(end, 100):
        words += data
    found, status = await k.wait4(-1, 0)
    try:
        await k.wait4(-1, WNOHANG)
        childless = False
    except ChildProcessError:
        childless = True
    await say(k, {"words": words.decode(), "same": found == pid, "status": status >> 8, "childless": childless})
    return 0


async def memory_is_copied(k: System) -> int:
    """What a child sets in its variables, the parent does not see."""
    box = ["parent"]

    async def child(k: System) -> int:
        box[0] = "child"
        await k.chdir("/tmp")
        await k.umask(0o077)
        return 0

    await k.wait4(await k.clone(child), 0)
    await say(k, {"box": box, "cwd": await k.getcwd(), "umask": await k.umask(0)})
    return 0


async def handler_during(k: System, call: str) -> int:
    """Have SIGTERM end a waiting call: EINTR, and the handler has run by then."""
    seen: list[int] = []
    old = await k.signal(SIGTERM, seen.append)
    end, other = await k.pipe2(0)
    child = await k.clone(sleeper) if call == "wait4" else 0
    if call == "write":
        flags = 1 << 16
        await k.write(other, b"x" * flags)  # a pipe holds no more
    await k.write(1, b"waiting")
    try:
        match call:
            case "sleep":
                await k.sleep(30)
            case "pause":
                await k.pause()
            case "read":
                await k.read(end, 1)
            case "write":
                await k.write(other, b"y")
            case "wait4":
                await k.wait4(child, 0)
        error = ""
    except OSError as caught:
        error = type(caught).__name__
    before = list(seen)
    await k.getpid()
    after = list(seen)
    if child:
        await k.kill(child, 9)
        await k.wait4(child, 0)
    await say(k, {"error": error, "old": old, "before": before, "after": after})
    return 0


async def sleeper(k: System) -> int:
    await k.sleep(30)
    return 0


async def handles_child_ending(k: System) -> int:
    """With a handler of SIGCHLD and of another signal, wait4 still gets the child that ends."""
    seen: list[int] = []
    await k.signal(SIGCHLD, seen.append)
    await k.signal(SIGUSR1, seen.append)
    pid = await k.clone(naps)
    found, status = await k.wait4(pid, 0)
    await k.getpid()
    await say(k, {"same": found == pid, "status": status >> 8, "seen": seen})
    return 0


async def naps(k: System) -> int:
    await k.sleep(0.02)
    return 6


async def handlers_of_children(k: System) -> int:
    """A child has its parent's handlers, and waits with them."""
    seen: list[int] = []
    await k.signal(SIGTERM, seen.append)
    end, other = await k.pipe2(0)

    async def child(k: System) -> int:
        await k.write(other, b"!")
        while not seen:  # the signal may come before the sleep
            with suppress(InterruptedError):
                await k.sleep(0.2)
        return len(seen)

    pid = await k.clone(child)
    await k.read(end, 1)
    await k.kill(pid, SIGTERM)
    _, status = await k.wait4(pid, 0)
    await say(k, {"status": status, "mine": seen})
    return 0


async def signal_returns(k: System) -> int:
    """What signal(2) says it did before."""

    def handler(_: int) -> None:
        """Do nothing."""

    first = await k.signal(SIGTERM, SIG_IGN)
    second = await k.signal(SIGTERM, handler)
    third = await k.signal(SIGTERM, SIG_DFL)
    errors = []
    for signum in (9, 19, 0, 99):
        try:
            await k.signal(signum, handler)
        except OSError as error:
            errors.append(error.errno)
    await say(k, {"was": [first, second, third is handler, await k.signal(SIGTERM, SIG_DFL)], "errors": errors})
    return 0


async def kills_itself(k: System, signum: int) -> int:
    await k.kill(await k.getpid(), signum)
    await k.sleep(0.01)
    return 0


async def handles_own_kill(k: System) -> int:
    """kill(2) of oneself with a handler: it has run when kill returns."""
    seen: list[int] = []
    await k.signal(SIGUSR1, seen.append)
    await k.kill(await k.getpid(), SIGUSR1)
    await k.getpid()
    return len(seen)


async def new_uts(k: System, name: str) -> int:
    await k.sethostname(name)
    await say(k, await k.gethostname())
    return 0


async def unshares(k: System) -> int:
    """A name in a UTS namespace made by unshare, and the first pid in a new PID namespace."""
    await k.unshare(CLONE_NEWUTS | CLONE_NEWPID)
    await k.sethostname("unshared")
    end, other = await k.pipe2(0)

    async def child(k: System) -> int:
        await k.write(other, str([await k.getpid(), await k.getppid()]).encode())
        return 0

    await k.wait4(await k.clone(child), 0)
    await say(k, {"name": await k.gethostname(), "child": (await k.read(end, 100)).decode()})
    return 0


async def joins(k: System, pid: int) -> int:
    """Enter another task's UTS namespace."""
    fd = await k.open(f"/proc/{pid}/ns/uts", O_RDONLY | O_CLOEXEC)
    await k.setns(fd, CLONE_NEWUTS)
    await k.close(fd)
    await say(k, await k.gethostname())
    return 0


async def names_itself_and_waits(k: System, name: str) -> int:
    await k.sethostname(name)
    await k.write(1, b"!")
    await k.sleep(30)
    return 0


async def mounts(k: System, place: str) -> int:
    """A tmpfs in a mount namespace of its own."""
    await k.mount("", "/", "", MS_REC | MS_PRIVATE)
    await k.mount("tmpfs", place, "tmpfs", 0, "size=64k,mode=700")
    await k.close(await k.open(f"{place}/inside", O_CREAT | O_WRONLY, 0o600))
    await say(k, await k.listdir(place))
    return 0


async def pivots(k: System, root: str) -> int:
    """Make a directory the root, let go of the host's tree, and look around: no module can be imported any more."""
    await k.mount("", "/", "", MS_REC | MS_PRIVATE)
    await k.mount(root, root, "", MS_BIND | MS_REC)
    await k.mount("proc", f"{root}/proc", "proc", 0)
    await k.chdir(root)
    await k.pivot_root(".", ".")
    await k.umount2(".", MNT_DETACH)
    await k.chdir("/")
    names = sorted(await k.listdir("/"))
    pids = sorted(name for name in await k.listdir("/proc") if name.isdigit())
    await say(k, {"names": names, "pids": pids, "pid": await k.getpid()})
    return 0


async def orphans(k: System) -> int:
    """Leave a child behind."""
    end, other = await k.pipe2(0)

    async def child(k: System) -> int:
        await k.write(other, b"!")
        await k.sleep(0.03)
        return 0

    await k.clone(child)
    await k.read(end, 1)
    return 0


async def becomes(k: System, path: str, argv: list[str], env: dict[str, str]) -> int:
    """execve; say the error if there is one."""
    try:
        await k.execve(path, argv, env)
    except OSError as error:
        await say(k, [type(error).__name__, error.errno, error.filename])
    return 0


async def becomes_with_descriptors(k: System, path: str, argv: list[str], file: str) -> int:
    """execve with one descriptor that closes and one that stays open."""
    stays = await k.open(file, O_RDONLY)
    closes = await k.open(file, O_RDONLY | O_CLOEXEC)
    assert (stays, closes) == (0, 3), (stays, closes)
    await k.execve(path, argv, {})
    return 0


async def becomes_with_signals(k: System, path: str, argv: list[str]) -> int:
    """execve with a handled and an ignored signal."""

    def handler(_: int) -> None:
        """Do nothing."""

    await k.signal(SIGTERM, handler)
    await k.signal(SIGUSR1, SIG_IGN)
    await k.execve(path, argv, {})
    return 0


async def many_calls(k: System, place: str, count: int) -> int:
    for number in range(count):
        await k.mkdir(f"{place}/{number}", 0o755)
    return 0


async def busy(k: System, place: str, seed: int) -> int:
    """Work without end: files, mounts, namespaces, children, pipes."""
    number = 0
    while True:
        number += 1
        directory = f"{place}/{seed}-{number % 7}"
        try:
            await k.mkdir(directory, 0o755)
            await k.mount("tmpfs", directory, "tmpfs", 0, "size=64k")
            fd = await k.open(f"{directory}/file", O_CREAT | O_WRONLY, 0o600)
            await k.write(fd, b"x" * 4096)
            await k.close(fd)
        except OSError:
            await k.umount2(directory, MNT_DETACH)
            await k.rmdir(directory)
        flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS if number % 2 else 0
        pid = await k.clone(busy_child, flags=flags)
        if number % 3:
            await k.wait4(pid, 0)


async def busy_child(k: System) -> int:
    await k.clone(sleeper)
    await k.sleep(0.001)
    return 0


async def runs_away(k: System) -> int:
    """Become another user, and leave children of children behind."""

    async def child(k: System) -> int:
        await k.clone(sleeper)
        return 0

    try:
        await k.setgid(1234)
        await k.setuid(1234)
    except OSError:
        pass
    await k.clone(child)
    await k.sleep(30)
    return 0


def endless_job(kernel: Kernel) -> None:
    """A job that never looks at the wire."""
    number = 0
    while True:
        number += 1
