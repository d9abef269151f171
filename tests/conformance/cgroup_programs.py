"""What the tasks of test_cgroups.py do: coroutines that both kernels can start, so functions of a module."""

import errno

from minidocker.linux import MAP_POPULATE, SIG_DFL, SIGTERM, errno_name
from tests.conformance.task_programs import read_file, say


async def live(k):
    """Live until a signal ends it."""
    while True:
        try:
            await k.pause()
        except OSError as error:
            if error.errno != errno.EINTR:
                raise


async def spin(k):
    """Use a processor."""
    while True:
        await k.sched_yield()


async def fork(k, number):
    """Start so many children that live, say what came of each, and end."""
    for _ in range(number):
        try:
            await say(k, "child", bool(await k.clone(live)))
        except OSError as error:
            await say(k, errno_name(error.errno))
    return 0


async def parent(k):
    """Have a child that lives, too."""
    await k.clone(live)
    await live(k)


async def leave_a_zombie(k):
    """Have a child that has ended, and that nobody waits for."""
    reading, writing = await k.pipe2(0)
    await k.clone(end, reading, writing)
    await k.close(writing)
    await k.read(reading, 1)
    await live(k)


async def end(k, reading, writing):
    """End."""
    return 0


async def hold(k, *sizes):
    """Map memory, so many bytes in each call, say so, and live."""
    for size in sizes:
        await k.mmap(size, MAP_POPULATE)
        await say(k, "mapped")
    await live(k)


async def map_and_unmap(k, size):
    """Map memory and give it back."""
    await k.munmap(await k.mmap(size, MAP_POPULATE), size)
    await say(k, "unmapped")
    await live(k)


async def catch_term(k):
    """Say when SIGTERM came."""
    caught: list[int] = []
    await k.signal(SIGTERM, caught.append)
    await say(k, "ready")
    while not caught:
        try:
            await k.pause()
        except OSError as error:
            if error.errno != errno.EINTR:
                raise
    await k.signal(SIGTERM, SIG_DFL)
    await say(k, "caught")
    return 0


async def own_groups(k):
    """Say in which groups it is, as it sees that itself."""
    await say(k, await read_file(k, "/proc/self/cgroup"))
    return 0
