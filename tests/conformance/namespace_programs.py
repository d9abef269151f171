"""What the tasks of test_tasks.py do about namespaces, as task_programs.py has the rest."""

from conformance.task_programs import error_of, execute, exit_with, pause_for_ever, read_file, say, write_file

from minidocker.linux import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MNT_DETACH,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    O_CLOEXEC,
    O_RDONLY,
    SIGKILL,
    SIGTERM,
    SIGUSR1,
    WNOHANG,
)

# PID namespaces


async def pids_inside(k):
    await say(k, await k.getpid(), await k.getppid())
    child = await k.clone(say_pids)
    await k.wait4(child)
    nested = await k.clone(say_pids, flags=CLONE_NEWPID)
    await k.wait4(nested)
    await say(k, child, nested)
    return 0


async def say_pids(k):
    await say(k, await k.getpid(), await k.getppid())
    return 0


async def init_is_protected(k):
    child = await k.clone(kill_init)
    await say(k, (await k.wait4(child))[1])
    return 7


async def kill_init(k):
    for signum in (SIGTERM, SIGKILL, SIGUSR1):
        await say(k, await error_of(k.kill(1, signum)))
    return 0


async def init_with_a_handler(k):
    seen = []
    await k.signal(SIGTERM, seen.append)
    await k.kill(1, SIGTERM)
    await k.getpid()
    await say(k, seen)
    return 0


async def init_that_leaves(k):
    for _ in range(3):
        await k.clone(pause_for_ever)
    return 9


async def outer(k):
    """From outside: SIGTERM leaves an init without a handler alone, SIGKILL ends it and all others."""
    reading, writing = await k.pipe2()
    init = await k.clone(inner_init, reading, writing, flags=CLONE_NEWPID)
    await k.close(writing)
    await say(k, await k.read(reading, 5))
    await k.kill(init, SIGTERM)
    await k.sleep(0.02)
    await say(k, await k.wait4(init, WNOHANG))
    await k.kill(init, SIGKILL)
    await say(k, (await k.wait4(init))[1])
    await say(k, await k.read(reading, 1), "once all inside are gone")
    return 0


async def inner_init(k, reading, writing):
    await k.close(reading)
    await k.clone(pause_for_ever)
    await k.write(writing, b"ready")
    await pause_for_ever(k)
    return 0


async def unshare_pid(k):
    await k.unshare(CLONE_NEWPID)
    await say(k, await k.getpid() == 1, await error_of(k.unshare(CLONE_NEWPID)))
    child = await k.clone(say_pids)
    await k.wait4(child)
    await say(k, await error_of(k.clone(say_pids)))
    return 0


# UTS and MNT namespaces


async def uts(k):
    before = await k.gethostname()
    child = await k.clone(rename_host, flags=CLONE_NEWUTS)
    await k.wait4(child)
    await say(k, await k.gethostname() == before)
    await k.unshare(CLONE_NEWUTS)
    await k.sethostname("mine")
    child = await k.clone(say_host)
    await k.wait4(child)
    await say(k, await error_of(k.sethostname("x" * 65)))
    return 0


async def rename_host(k):
    await k.sethostname("other")
    await say(k, await k.gethostname())
    return 0


async def say_host(k):
    await say(k, await k.gethostname())
    return 0


async def join_uts(k):
    """setns into a child's UTS namespace."""
    reading, writing = await k.pipe2()
    ready, telling = await k.pipe2()
    child = await k.clone(named_sleeper, reading, writing, telling, flags=CLONE_NEWUTS)
    await k.read(ready, 1)
    own = await k.open("/proc/self/ns/uts", O_RDONLY)
    theirs = await k.open(f"/proc/{child}/ns/uts", O_RDONLY)
    await say(k, (await k.fstat(own)).st_ino == (await k.fstat(theirs)).st_ino)
    await say(k, await error_of(k.setns(theirs, CLONE_NEWPID)), await error_of(k.setns(reading)))
    await k.setns(theirs, CLONE_NEWUTS)
    await say(k, await k.gethostname())
    await say(k, await k.readlink("/proc/self/ns/uts") == await k.readlink(f"/proc/{child}/ns/uts"))
    await k.close(writing)
    await k.wait4(child)
    return 0


async def named_sleeper(k, reading, writing, telling):
    await k.sethostname("joined")
    await k.close(writing)
    await k.write(telling, b"!")
    await k.read(reading, 1)
    return 0


async def mounts_inside(k, directory):
    await k.mkdir(directory + "/there")
    child = await k.clone(mount_there, directory + "/there", flags=CLONE_NEWNS)
    await k.wait4(child)
    await say(k, await k.listdir(directory + "/there"))
    return 0


async def mount_there(k, path):
    await k.mount("none", "/", "", MS_REC | MS_PRIVATE)
    await k.mount("scratch", path, "tmpfs")
    await write_file(k, path + "/inside", b"")
    await say(k, await k.listdir(path))
    await say(k, [line.split()[2] for line in (await read_file(k, "/proc/self/mounts")).splitlines() if path in line])
    return 0


async def not_root(k):
    await k.setuid(1000)
    for flags in (CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID):
        await say(k, await error_of(k.clone(exit_with, 0, flags=flags)), await error_of(k.unshare(flags)))
    await say(k, await error_of(k.sethostname("x")))
    return 0


async def container(k, directory):
    """What a container's init does: overlay, proc, a bind mount, pivot_root on the spot, and the old root let go."""
    merged = directory + "/merged"
    await k.mount("none", "/", "", MS_REC | MS_PRIVATE)
    data = f"lowerdir={directory}/lower,upperdir={directory}/upper,workdir={directory}/work,index=off,xino=off"
    await k.mount("overlay", merged, "overlay", 0, data)
    await k.mount("proc", merged + "/proc", "proc")
    await k.mount(directory + "/volume", merged + "/volume", "", MS_BIND)
    await k.chdir(merged)
    await k.pivot_root(".", ".")
    await k.umount2(".", MNT_DETACH)
    await k.chdir("/")
    await k.sethostname("inside")
    await say(k, sorted(await k.listdir("/")), await k.getcwd())
    await say(k, await read_file(k, "/etc/motd"), await k.listdir("/volume"))
    await write_file(k, "/etc/motd", b"changed")
    await write_file(k, "/volume/new", b"kept")
    await say(k, await error_of(k.stat(directory)), await k.getpid())
    await say(k, [line.split()[1:3] for line in (await read_file(k, "/proc/mounts")).splitlines()])
    await say(k, [name for name in sorted(await k.listdir("/proc")) if name.isdecimal()])
    child = await k.clone(execute, "/hello", ["hello", "a"], {"X": "1"})
    await say(k, child, (await k.wait4(child))[1] >> 8)
    return 0


async def make_container_files(k, directory):
    for name in ("lower", "upper", "work", "merged", "volume", "lower/etc", "lower/proc", "lower/volume"):
        await k.mkdir(f"{directory}/{name}")
    await write_file(k, directory + "/lower/etc/motd", b"hello")
    await write_file(k, directory + "/lower/hello", b"#!minidocker echo\n", 0o755)
    await write_file(k, directory + "/volume/old", b"")
    return await k.clone(exit_with, 0) and 0


# both


async def join_everything(k):
    """setns into another's PID and mount namespace, as docker exec does."""
    reading, writing = await k.pipe2()
    init = await k.clone(inner_with_mount, reading, writing, flags=CLONE_NEWPID | CLONE_NEWNS)
    await k.close(writing)
    await k.read(reading, 5)
    spaces = [await k.open(f"/proc/{init}/ns/{kind}", O_RDONLY | O_CLOEXEC) for kind in ("pid", "mnt")]
    for fd in spaces:
        await k.setns(fd)
    await say(k, await k.listdir("/tmp"))
    child = await k.clone(say_pids)
    await k.wait4(child)
    await k.kill(init, SIGKILL)
    await k.wait4(init)
    await say(k, await error_of(k.clone(say_pids)))
    return 0


async def inner_with_mount(k, reading, writing):
    await k.mount("none", "/", "", MS_REC | MS_PRIVATE)
    await k.mount("scratch", "/tmp", "tmpfs")
    await write_file(k, "/tmp/only-inside", b"")
    await inner_init(k, reading, writing)
    return 0


async def bind_and_pause(k, directory):
    await k.mount("none", "/", "", MS_REC | MS_PRIVATE)
    await k.mount(directory, "/mnt", "", MS_BIND)
    await write_file(k, "/mnt/inside", b"")
    await k.write(1, b"ready")
    await pause_for_ever(k)
    return 0
