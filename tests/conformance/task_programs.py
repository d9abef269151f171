"""What the tasks of test_tasks.py do: coroutines that both kernels can start, so functions of a module.

Each writes what it saw to its standard output; the cases say what that must be. Namespaces: namespace_programs.py.
"""

from minidocker.linux import (
    MS_PRIVATE,
    MS_REC,
    O_CLOEXEC,
    O_CREAT,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    SIG_IGN,
    SIGCHLD,
    SIGKILL,
    SIGPIPE,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    WNOHANG,
    errno_name,
)


async def say(k, *values):
    """Write a line."""
    await k.write(1, (" ".join(map(str, values)) + "\n").encode())


async def error_of(call):
    """Return the name of the error that a call ends with, or what it returns."""
    try:
        return await call
    except OSError as error:
        return errno_name(error.errno)


async def read_all(k, fd):
    data = b""
    while part := await k.read(fd, 65536):
        data += part
    return data


async def read_file(k, path):
    fd = await k.open(path, O_RDONLY)
    try:
        return (await read_all(k, fd)).decode()
    finally:
        await k.close(fd)


async def write_file(k, path, data, mode=0o644):
    fd = await k.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
    await k.write(fd, data)
    await k.close(fd)


async def exit_with(k, code):
    return code


async def call_exit(k, code):
    await k.exit(code)
    await say(k, "never")
    return 99


async def wrong_arguments(k, directory):
    """A mistake that is none of Linux's comes back to the program, which goes on."""
    for call in (lambda: k.chmod(directory, "rwx"), lambda: k.mkdir(directory, mode=None)):
        try:
            await call()
        except TypeError:
            await say(k, "TypeError")
    await say(k, await error_of(k.kill(1 << 80, 9)), await error_of(k.execve("/a", ["a\0b"], {})))
    return 0


# children and their ends


async def parent(k, codes):
    pids = [await k.clone(exit_with, code) for code in codes]
    for pid in pids:
        found, status = await k.wait4(pid)
        await say(k, found == pid, status)
    await say(k, await error_of(k.wait4(-1)))
    return 0


async def wait_for_any(k):
    pids = {await k.clone(exit_with, code): code for code in (1, 2, 3)}
    while pids:
        pid, status = await k.wait4(-1)
        await say(k, pids.pop(pid) == status >> 8)
    return 0


async def wait_nohang(k):
    reading, writing = await k.pipe2()
    child = await k.clone(read_then_exit, reading, writing)
    await k.close(reading)
    await say(k, await k.wait4(child, WNOHANG))
    await k.write(writing, b"go")
    pid, status = await k.wait4(child)
    await say(k, pid == child, status)
    await say(k, await error_of(k.wait4(child, WNOHANG)))
    await say(k, await error_of(k.wait4(1 << 20)))
    return 0


async def read_then_exit(k, reading, writing):
    await k.close(writing)
    await k.read(reading, 2)
    return 6


async def orphan_maker(k):
    """A middle task ends before its child: the child's parent is then the namespace's init, which is this one."""
    reading, writing = await k.pipe2()
    middle = await k.clone(middle_task, reading, writing)
    await k.wait4(middle)
    await k.close(reading)
    await k.write(writing, b"go")
    pid, status = await k.wait4(-1)
    await say(k, pid != middle, status >> 8)
    return 0


async def middle_task(k, reading, writing):
    await k.clone(orphan, reading, writing)
    return 0


async def orphan(k, reading, writing):
    await k.close(writing)
    await k.read(reading, 2)
    return 40 + await k.getppid()


async def children_ignored(k):
    """With SIGCHLD ignored, children leave no zombie (wait(2), NOTES)."""
    await k.signal(SIGCHLD, SIG_IGN)
    await k.clone(exit_with, 3)
    await say(k, await error_of(k.wait4(-1)))
    return 0


# pipes


async def pipeline(k, size):
    reading, writing = await k.pipe2()
    child = await k.clone(pipe_writer, reading, writing, size)
    await k.close(writing)
    data = await read_all(k, reading)
    pid, status = await k.wait4(child)
    await say(k, len(data), data == bytes(size), pid == child, status >> 8)
    return 0


async def pipe_writer(k, reading, writing, size):
    await k.close(reading)
    return 0 if await k.write(writing, bytes(size)) == size else 1


async def broken_pipe(k):
    """Without a handler SIGPIPE kills; ignored, the write fails with EPIPE."""
    reading, writing = await k.pipe2()
    await k.close(reading)
    child = await k.clone(write_there, writing)
    _, status = await k.wait4(child)
    await say(k, status == SIGPIPE)
    await k.signal(SIGPIPE, SIG_IGN)
    await say(k, await error_of(k.write(writing, b"x")))
    return 0


async def write_there(k, writing):
    await k.write(writing, b"x")
    return 0


async def nonblocking_pipe(k):
    reading, writing = await k.pipe2(O_NONBLOCK)
    await say(k, await error_of(k.read(reading, 1)))
    total = 0
    while isinstance(taken := await error_of(k.write(writing, bytes(4096))), int):
        total += taken
    await say(k, taken, total)
    await say(k, await error_of(k.write(writing, bytes(4097))))
    await say(k, len(await k.read(reading, 4096)), await error_of(k.write(writing, bytes(4096))))
    await k.close(writing)
    await say(k, len(await read_all(k, reading)), await k.read(reading, 1))
    return 0


async def fifo(k, directory):
    path = directory + "/fifo"
    await k.mknod(path, 0o010600)
    await say(k, await error_of(k.open(path, O_WRONLY | O_NONBLOCK)))
    child = await k.clone(fifo_writer, path)
    fd = await k.open(path, O_RDONLY)
    await say(k, await read_all(k, fd))
    await k.close(fd)
    await k.wait4(child)
    early = await k.open(path, O_RDONLY | O_NONBLOCK)
    await say(k, await k.read(early, 1))
    both = await k.open(path, O_RDWR)
    await k.write(both, b"itself")
    await say(k, await k.read(early, 100))
    await k.unlink(path)
    return 0


async def fifo_writer(k, path):
    fd = await k.open(path, O_WRONLY)
    await k.write(fd, b"through the fifo")
    await k.close(fd)
    return 0


# descriptors


async def shared_offset(k, directory):
    await write_file(k, directory + "/shared", b"one two three")
    fd = await k.open(directory + "/shared", O_RDONLY)
    await say(k, await k.read(fd, 4))
    child = await k.clone(read_and_say, fd, 4)
    await k.wait4(child)
    await say(k, await k.read(fd, 10))
    return 0


async def read_and_say(k, fd, n):
    await say(k, await k.read(fd, n))
    await k.close(fd)
    return 0


async def chosen_descriptors(k, directory):
    await write_file(k, directory + "/chosen", b"")
    fd = await k.open(directory + "/chosen", O_WRONLY)
    child = await k.clone(look_at_descriptors, fds={1: 1, 5: fd})
    await k.wait4(child)
    await say(k, await read_file(k, directory + "/chosen"))
    await say(k, await error_of(k.clone(exit_with, 0, fds={0: 77})))
    return 0


async def look_at_descriptors(k):
    await say(k, await error_of(k.fstat(0)), await error_of(k.fstat(2)), await error_of(k.fstat(3)))
    await k.write(5, b"from five")
    return 0


async def close_on_exec(k, directory):
    """A program is left with the descriptors that were not opened with O_CLOEXEC; a copy by dup does not have it."""
    await write_file(k, directory + "/cat", b"#!minidocker cat\n", 0o755)
    await write_file(k, directory + "/data", b"kept\n")
    plain, marked = [await k.open(directory + "/data", O_RDONLY | flag) for flag in (0, O_CLOEXEC)]
    copy = await k.dup(marked)
    for fd in (plain, marked, copy):
        child = await k.clone(execute, directory + "/cat", ["cat", f"/proc/self/fd/{fd}"])
        await k.wait4(child)
    return 0


async def execute(k, path, argv, environ=None):
    try:
        await k.execve(path, argv, environ or {})
    except OSError as error:
        await say(k, errno_name(error.errno))
    return 126


# signals


async def handled(k):
    seen = []
    await say(k, await k.signal(SIGUSR1, seen.append))
    await k.kill(await k.getpid(), SIGUSR1)
    await k.getpid()
    await say(k, seen)
    await say(k, await k.signal(SIGUSR1, SIG_IGN) == seen.append)
    await k.kill(await k.getpid(), SIGUSR1)
    await say(k, await k.signal(SIGUSR1, 0), seen)
    return 0


async def interrupted(k, how):
    """A waiting call ends with EINTR when a handler ran."""
    seen = []
    await k.signal(SIGUSR1, seen.append)
    enough, telling = await k.pipe2(O_NONBLOCK)
    reading, _writing = await k.pipe2()
    child = await k.clone(interrupt_parent, enough)
    calls = {
        "read": lambda: k.read(reading, 1),
        "sleep": lambda: k.sleep(60),
        "pause": k.pause,
        "wait4": lambda: k.wait4(child),
    }
    error = await error_of(calls[how]())
    await k.write(telling, b"!")
    while await error_of(k.wait4(child)) == "EINTR":
        pass
    await say(k, error, set(seen) == {SIGUSR1})
    return 0


async def interrupt_parent(k, enough):
    """Signal the parent again and again: nobody knows when it has begun to wait."""
    while await error_of(k.read(enough, 1)) == "EAGAIN":
        await k.kill(await k.getppid(), SIGUSR1)
        await k.sleep(0.02)
    return 0


async def killed_child(k, signum):
    child = await k.clone(pause_for_ever)
    await k.kill(child, signum)
    pid, status = await k.wait4(child)
    await say(k, pid == child, status)
    return 0


async def pause_for_ever(k):
    while True:
        await error_of(k.pause())


async def signal_errors(k):
    child = await k.clone(exit_with, 0)
    await k.sleep(0.02)
    await say(k, await error_of(k.kill(child, SIGTERM)), "a zombie can be signalled")
    await k.wait4(child)
    await say(k, await error_of(k.kill(child, 0)), await error_of(k.kill(child, SIGTERM)))
    await say(k, await error_of(k.kill(await k.getpid(), 65)), await error_of(k.kill(await k.getpid(), 0)))
    await say(k, await error_of(k.signal(SIGKILL, SIG_IGN)), await error_of(k.signal(0, SIG_IGN)))
    return 0


async def signal_as_nobody(k):
    child = await k.clone(pause_for_ever)
    await k.setuid(1000)
    await say(k, await error_of(k.kill(child, SIGTERM)), await error_of(k.kill(child, 0)))
    own = await k.clone(pause_for_ever)
    await say(k, await error_of(k.kill(own, SIGKILL)), (await k.wait4(own))[1])
    return 0


async def ignored_signals(k):
    """A child has its parent's handlers."""
    seen = []
    await k.signal(SIGUSR1, seen.append)
    await k.signal(SIGUSR2, SIG_IGN)
    for _ in range(2):
        child = await k.clone(signal_oneself, seen)
        await k.wait4(child)
    return 0


async def signal_oneself(k, seen):
    seen.clear()
    for signum in (SIGUSR1, SIGUSR2):
        await k.kill(await k.getpid(), signum)
    await say(k, await k.signal(SIGUSR2, SIG_IGN) == SIG_IGN, seen == [SIGUSR1])
    return 0


# execve


async def exec_errors(k, directory):
    await write_file(k, directory + "/text", b"no magic", 0o755)
    await write_file(k, directory + "/empty", b"", 0o755)
    await write_file(k, directory + "/plain", b"#!minidocker true\n", 0o644)
    await write_file(k, directory + "/script", f"#!{directory}/missing\n".encode(), 0o755)
    await write_file(k, directory + "/loop", f"#!{directory}/loop\n".encode(), 0o755)
    await write_file(
        k, directory + "/other", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xff\xfe" + bytes(44), 0o755
    )
    await k.symlink("ring", directory + "/ring")
    names = ("missing", "text", "empty", "plain", "script", "loop", "other", "ring", "text/below", "", ".")
    for name in names:
        await say(k, name or "(the directory)", await error_of(k.execve(f"{directory}/{name}", ["x"], {})))
    await say(k, await error_of(k.execve("", ["x"], {})), await error_of(k.execve("x" * 300, ["x"], {})))
    await say(k, await error_of(k.execve(directory + "/text", ["x" * 140_000], {})))
    return 0


async def exec_programs(k, directory):
    echo = directory + "/echo"
    await write_file(k, echo, b"#!minidocker echo\n", 0o755)
    await write_file(k, directory + "/script", f"#!{echo}  one two \n".encode(), 0o755)
    await write_file(k, directory + "/second", f"#!{directory}/script\n".encode(), 0o755)
    await k.symlink("script", directory + "/link")
    for name in ("echo", "script", "second", "link"):
        child = await k.clone(execute, f"{directory}/{name}", [name, "three"])
        await say(k, (await k.wait4(child))[1])
    return 0


# proc


async def state_becomes(k, pid, state):
    """Wait until a task has a state, and return its fields of stat from there on."""
    while (fields := (await read_file(k, f"/proc/{pid}/stat")).rpartition(")")[2].split())[0] != state:
        await k.sleep(0.01)
    return fields


async def proc_views(k):
    await k.mount("none", "/", "", MS_REC | MS_PRIVATE)
    await k.mount("proc", "/proc", "proc")
    reading, writing = await k.pipe2()
    child = await k.clone(read_then_exit, reading, writing)
    fields = await state_becomes(k, child, "S")
    await say(k, sorted(name for name in await k.listdir("/proc") if name.isdecimal()), child)
    await say(k, await k.readlink("/proc/self"), await k.readlink(f"/proc/{child}/cwd"))
    await say(k, fields[0], fields[1], len(fields) + 2)
    status = dict(line.split(":\t", 1) for line in (await read_file(k, f"/proc/{child}/status")).splitlines())
    await say(k, *(status[key] for key in ("State", "Tgid", "Pid", "PPid", "Uid", "Threads")))
    own = {int(fd) for fd in await k.listdir(f"/proc/{child}/fd") if int(fd) < 200}  # a driver's own are higher
    await say(k, own == {0, 1, 2, reading})
    await say(k, (await k.readlink(f"/proc/{child}/fd/{reading}")).startswith("pipe:["))
    await say(k, (await k.readlink("/proc/self/ns/pid")) == await k.readlink(f"/proc/{child}/ns/pid"))
    await say(
        k,
        await error_of(k.stat("/proc/999")),
        await error_of(k.mkdir("/proc/x")),
        await error_of(k.open("/proc/x", O_CREAT | O_WRONLY)),
    )
    await k.kill(child, SIGKILL)
    await say(k, (await state_becomes(k, child, "Z"))[0])
    await say(k, await read_file(k, f"/proc/{child}/cmdline") == "", await error_of(k.readlink(f"/proc/{child}/cwd")))
    await k.wait4(child)
    await say(k, await error_of(k.stat(f"/proc/{child}")))
    return 0
