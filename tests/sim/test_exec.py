"""execve: what only the simulator can be asked about. The rest: tests/conformance."""

import errno

import pytest
from conformance import task_programs
from conformance.outcome import run

from minidocker import programs
from minidocker.linux import CLONE_NEWNS, MS_NOEXEC, O_CREAT, O_RDONLY, O_WRONLY
from minidocker.sim import SimKernel
from minidocker.sim.profile import Profile


@pytest.fixture
def kernel():
    kernel = SimKernel()
    yield kernel
    kernel.close_kernel()


def elf(machine=62, order="little"):
    """The first bytes of a 64-bit ELF file for a machine."""
    data = 2 if order == "big" else 1
    return (
        b"\x7fELF\x02" + bytes([data, 1]) + bytes(9) + (2).to_bytes(2, order) + machine.to_bytes(2, order) + bytes(44)
    )


def plant(kernel, path, data, mode=0o755):
    fd = kernel.open(path, O_CREAT | O_WRONLY, mode)
    kernel.write(fd, data)
    kernel.close(fd)


def execute(kernel, path, *argv, environ=None):
    return run(kernel, task_programs.execute, path, [path, *argv], environ or {})


def test_an_elf_file_is_the_program_of_its_name(kernel):
    plant(kernel, "/bin/echo", elf())
    assert execute(kernel, "/bin/echo", "hello").output == "hello\n"
    kernel.symlink("echo", "/bin/say")
    assert execute(kernel, "/bin/say", "hello").output == "hello\n"


def test_busybox(kernel):
    plant(kernel, "/bin/busybox", elf())
    kernel.link("/bin/busybox", "/bin/echo")
    kernel.symlink("/bin/busybox", "/bin/true")
    assert execute(kernel, "/bin/busybox", "echo", "one").output == "one\n"
    assert execute(kernel, "/bin/echo", "two").output == "two\n"
    assert execute(kernel, "/bin/true").code == 0
    outcome = run(kernel, task_programs.execute, "/bin/busybox", ["echo", "three"])
    assert outcome.output == "three\n"


@pytest.mark.parametrize(("path", "argv", "name"), [("/bin/nginx", [], "nginx"), ("/bin/busybox", ["vi"], "vi")])
def test_a_program_that_the_lab_does_not_have_is_refused_by_name(kernel, path, argv, name):
    plant(kernel, path, elf())
    refused = []

    async def attempt(k):
        try:
            await k.execve(path, [path, *argv], {})
        except OSError as error:
            refused.append(error)
        return 0

    assert run(kernel, attempt).code == 0
    assert refused[0].errno == errno.ENOSYS
    assert f"the lab has no program named '{name}'" in refused[0].strerror


@pytest.mark.parametrize(
    ("machine", "header", "runs"),
    ids=["x86_64", "foreign", "aarch64", "foreign to arm", "s390x", "other order"],
    argvalues=[
        ("x86_64", elf(62), True),
        ("x86_64", elf(183), False),
        ("aarch64", elf(183), True),
        ("aarch64", elf(62), False),
        ("s390x", elf(22, "big"), True),
        ("x86_64", elf(62, "big"), False),
    ],
)
def test_a_program_for_another_machine(machine, header, runs):
    kernel = SimKernel(Profile(machine=machine))
    plant(kernel, "/bin/echo", header)
    assert execute(kernel, "/bin/echo", "x").output == ("x\n" if runs else "ENOEXEC\n")
    kernel.close_kernel()


def test_the_task_becomes_the_program(kernel):
    plant(kernel, "/bin/cat", programs.program_file("cat"))
    told = []
    kernel.listener = lambda event: told.append((event.actor, event.name, event.result))

    async def become(k):
        await k.chdir("/tmp")
        await k.execve("/bin/../bin/cat", ["cat", "/proc/self/stat", "-"], {"A": "1"})

    reading, writing = kernel.pipe2()
    pid = kernel.clone(become, fds={0: reading, 1: 1})
    kernel.poll()
    task = kernel.host.ns.pid.find(pid)
    assert (task.name, task.argv, task.environ) == ("cat", ["cat", "/proc/self/stat", "-"], {"A": "1"})
    assert kernel.readlink(f"/proc/{pid}/exe") == "/bin/cat"
    assert kernel.readlink(f"/proc/{pid}/cwd") == "/tmp"
    kernel.close(writing)
    kernel.listener = None
    assert ("init", "execve", None) in told
    assert ("cat", "execve", None) not in told


def test_a_failed_execve_changes_nothing(kernel):
    async def attempt(k):
        seen = []
        await k.signal(10, seen.append)
        fd = await k.open("/tmp", O_RDONLY | 0o2000000)
        await task_programs.error_of(k.execve("/nowhere", ["x"], {}))
        await k.fstat(fd)
        return 7 if await k.signal(10, 0) == seen.append else 1

    assert run(kernel, attempt).code == 7


def test_others_need_the_right_to_execute(kernel):
    plant(kernel, "/bin/echo", programs.program_file("echo"), 0o744)

    async def attempt(k):
        await k.setuid(1000)
        return await task_programs.execute(k, "/bin/echo", ["echo"])

    assert run(kernel, attempt).output == "EACCES\n"


def test_noexec(kernel):
    async def attempt(k):
        await k.mount("none", "/mnt", "tmpfs", MS_NOEXEC)
        await task_programs.write_file(k, "/mnt/echo", programs.program_file("echo"), 0o755)
        return await task_programs.execute(k, "/mnt/echo", ["echo"])

    assert run(kernel, attempt, flags=CLONE_NEWNS).output == "EACCES\n"


def test_a_lab_program_that_does_not_exist(kernel):
    plant(kernel, "/bin/x", b"#!minidocker no-such-program\n")
    assert execute(kernel, "/bin/x").output == "ENOENT\n"


def test_scripts_five_deep_and_no_deeper(kernel):
    plant(kernel, "/bin/echo", programs.program_file("echo"))
    interpreter = "/bin/echo"
    for depth in range(1, 7):
        path = f"/tmp/{depth}"
        plant(kernel, path, f"#!{interpreter}\n".encode())
        interpreter = path
    assert execute(kernel, "/tmp/5").output == "/tmp/1 /tmp/2 /tmp/3 /tmp/4 /tmp/5\n"
    assert execute(kernel, "/tmp/6").output == "ELOOP\n"


def test_a_long_name_is_cut_as_in_comm(kernel):
    plant(kernel, "/bin/a-very-long-name-indeed", programs.program_file("true"))
    told = []
    kernel.listener = lambda event: told.append((event.actor, event.name))
    execute(kernel, "/bin/a-very-long-name-indeed")
    assert ("a-very-long-nam", "exit") in told


def test_descriptors_that_close(kernel):
    plant(kernel, "/bin/cat", programs.program_file("cat"))

    async def become(k):
        reading, _writing = await k.pipe2(0o2000000)
        await k.dup2(reading, 9)
        await k.execve("/bin/cat", ["cat"], {})

    reading, _writing = kernel.pipe2()
    pid = kernel.clone(become, fds={0: reading})
    kernel.poll()
    assert sorted(map(int, kernel.listdir(f"/proc/{pid}/fd"))) == [0, 9]
