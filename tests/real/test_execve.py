"""execve: a lab program's file replaces the coroutine, any other is the kernel's to run; the errors are execve(2)'s."""

import errno
import json
import shutil

import pytest

from minidocker.linux import CLONE_NEWNS, CLONE_NEWPID, O_CLOEXEC, O_CREAT, O_WRONLY, SIGKILL
from minidocker.programs import program_file
from minidocker.real import RealKernel
from tests.real import coroutines
from tests.real.coroutines import answer, run

pytestmark = pytest.mark.needs("linux")

BUSYBOX = shutil.which("busybox")
needs_busybox = pytest.mark.needs("busybox")


def put(kernel, path: str, content: bytes, mode: int = 0o755) -> str:
    """Make an executable."""
    fd = kernel.open(path, O_CREAT | O_WRONLY, mode)
    while content:
        content = content[kernel.write(fd, content) :]
    kernel.close(fd)
    return path


def put_busybox(kernel, path: str) -> str:
    """Copy the host's busybox to a path in the lab."""
    with open(BUSYBOX, "rb") as file:
        return put(kernel, path, file.read())


class TestLabPrograms:
    def test_the_file_says_which(self, kernel, place):
        echo = put(kernel, f"{place}/say", program_file("echo"))
        assert run(kernel, coroutines.becomes, echo, ["say", "a", "b"], {}) == (b"a b\n", 0)

    def test_its_exit_code_is_the_tasks(self, kernel, place):
        false = put(kernel, f"{place}/false", program_file("false"))
        assert run(kernel, coroutines.becomes, false, ["false"], {}) == (b"", 1 << 8)

    def test_after_pivot_root_too(self, kernel, place):
        for name in ("proc", "bin"):
            kernel.mkdir(f"{place}/{name}")
        put(kernel, f"{place}/bin/ls", program_file("ls"))
        found = run(kernel, pivots_and_becomes, place, "/bin/ls", ["ls", "/"], flags=CLONE_NEWNS | CLONE_NEWPID)
        assert found == (b"bin\nproc\n", 0)

    def test_a_script_runs_its_interpreter(self, kernel, place):
        put(kernel, f"{place}/echo", program_file("echo"))
        script = put(kernel, f"{place}/script", f"#! {place}/echo -n  two words \nrest".encode())
        output, _ = run(kernel, coroutines.becomes, script, ["ignored", "more"], {})
        assert output.decode() == f"-n  two words {script} more\n"

    def test_ps_shows_it_by_its_own_name_and_arguments(self, kernel, place):
        sh = put(kernel, f"{place}/a-shell-with-a-long-name", program_file("sh"))
        script = "echo $(cat /proc/$$/comm); cat /proc/$$/cmdline; cat /proc/self/cmdline >/dev/null"
        put(kernel, f"{place}/cat", program_file("cat"))
        output, status = run(kernel, coroutines.becomes, sh, ["sh", "-c", script], {"PATH": place})
        assert output.decode() == "a-shell-with-a-\n" + "".join(word + "\0" for word in ("sh", "-c", script))
        assert status == 0

    @pytest.mark.needs("root")
    def test_a_user_can_open_its_own_descriptors_by_proc(self, kernel, place):
        sh = put(kernel, f"{place}/sh", program_file("sh"))
        kernel.chmod("/var/lib/docker", 0o711)
        found = run(kernel, becomes_a_users, sh, ["sh", "-c", "echo through > /proc/self/fd/1"])
        kernel.chmod("/var/lib/docker", 0o710)
        assert found == (b"through\n", 0)

    def test_an_unknown_one_is_enoent(self, kernel, place):
        path = put(kernel, f"{place}/x", program_file("no-such-program"))
        assert answer(kernel, coroutines.becomes, path, ["x"], {}) == ["FileNotFoundError", errno.ENOENT, path]

    def test_descriptors_marked_close_on_exec_are_closed(self, kernel, place):
        ls = put(kernel, f"{place}/ls", program_file("ls"))
        path = put(kernel, f"{place}/file", b"")
        output, _ = run(kernel, coroutines.becomes_with_descriptors, ls, ["ls", "/proc/self/fd"], path)
        numbers = sorted(int(line) for line in output.split() if int(line) < 200)
        assert numbers == [0, 1, 2, 3]  # 3 is ls's own


@needs_busybox
class TestOtherPrograms:
    def test_an_elf_file_is_run_by_the_kernel(self, kernel, place):
        busybox = put_busybox(kernel, f"{place}/busybox")
        output, status = run(kernel, coroutines.becomes, busybox, ["sh", "-c", "echo $0 $A; exit 3"], {"A": "b"})
        assert (output, status) == (b"sh b\n", 3 << 8)

    def test_it_has_no_descriptor_of_the_labs(self, kernel, place):
        busybox = put_busybox(kernel, f"{place}/busybox")
        output, _ = run(kernel, coroutines.becomes_with_descriptors, busybox, ["ls", "/proc/self/fd"], busybox)
        assert sorted(map(int, output.split())) == [0, 1, 2, 3]

    def test_what_closes_on_exec_is_closed_while_it_runs(self, kernel, place):
        busybox = put_busybox(kernel, f"{place}/busybox")
        reading, writing = kernel.pipe2(O_CLOEXEC)
        pid = kernel.clone(coroutines.becomes, busybox, ["sleep", "100"], {}, fds={3: writing})
        kernel.close(writing)
        kernel.watch(reading)
        assert [event.fd for event in kernel.poll(5)] == [reading]
        assert kernel.read(reading, 1) == b""
        kernel.close(reading)
        kernel.kill(pid, SIGKILL)
        assert kernel.poll(5)[0].pid == pid

    def test_handled_signals_are_default_again_and_none_is_blocked(self, kernel, place):
        busybox = put_busybox(kernel, f"{place}/busybox")
        output, _ = run(kernel, coroutines.becomes_with_signals, busybox, ["grep", "Sig", "/proc/self/status"])
        masks = dict(line.split(":\t") for line in output.decode().splitlines())
        assert int(masks["SigBlk"], 16) == int(masks["SigCgt"], 16) == 0
        assert int(masks["SigIgn"], 16) == 1 << 10 - 1  # SIGUSR1

    def test_its_usual_signals_are_default(self, kernel, place):
        busybox = put_busybox(kernel, f"{place}/busybox")
        output, _ = run(kernel, coroutines.becomes, busybox, ["grep", "SigIgn", "/proc/self/status"], {})
        assert int(output.split()[1], 16) == 0

    def test_a_script_of_its_is_run_by_the_kernel(self, kernel, place):
        put_busybox(kernel, f"{place}/busybox")
        script = put(kernel, f"{place}/script", f"#!{place}/busybox sh\necho script $1\n".encode())
        assert run(kernel, coroutines.becomes, script, ["x", "arg"], {}) == (b"script arg\n", 0)

    def test_a_refused_one_leaves_the_task_as_it_was(self, kernel, place):
        elf = bytearray(b"\x7fELF\x02\x01\x01" + bytes(57))
        elf[16:20] = b"\x02\x00\xb7\x00"  # for aarch64
        path = put(kernel, f"{place}/other", bytes(elf))
        found = answer(kernel, handles_and_becomes, path)
        assert found == ["OSError", errno.ENOEXEC, path, [10]]


class TestErrors:
    @pytest.mark.parametrize(
        ("content", "mode", "number"),
        [
            (b"no format", 0o755, errno.ENOEXEC),
            (b"", 0o755, errno.ENOEXEC),
            (b"#!\n", 0o755, errno.ENOEXEC),
            (program_file("true"), 0o644, errno.EACCES),
            (b"#!/no/such/interpreter\n", 0o755, errno.ENOENT),
        ],
    )
    def test_what_cannot_be_run(self, kernel, place, content, mode, number):
        path = put(kernel, f"{place}/x", content, mode)
        assert answer(kernel, coroutines.becomes, path, ["x"], {})[1:] == [number, path]

    def test_what_is_no_file(self, kernel, place):
        kernel.symlink("loop", f"{place}/loop")
        wanted = {place: errno.EACCES, f"{place}/no": errno.ENOENT, f"{place}/loop": errno.ELOOP}
        for path, number in wanted.items():
            assert answer(kernel, coroutines.becomes, path, ["x"], {})[1:] == [number, path]

    def test_scripts_that_run_scripts(self, kernel, place):
        put(kernel, f"{place}/0", program_file("echo"))
        for number in range(1, 8):
            put(kernel, f"{place}/{number}", f"#!{place}/{number - 1}\n".encode())
        output, _ = run(kernel, coroutines.becomes, f"{place}/5", ["x"], {})
        assert output.decode().split() == [f"{place}/{number}" for number in range(1, 6)]
        assert answer(kernel, coroutines.becomes, f"{place}/6", ["x"], {})[1] == errno.ELOOP

    def test_too_long(self, kernel, place):
        path = put(kernel, f"{place}/x", program_file("true"))
        assert answer(kernel, coroutines.becomes, path, ["x", "y" * 131_072], {})[1] == errno.E2BIG


@needs_busybox
def test_the_labs_program_can_stand_in_for_an_elf_file():
    kernel = RealKernel(programs="lab")
    try:
        place = "/var/lib/docker"
        put_busybox(kernel, f"{place}/busybox")
        kernel.symlink("busybox", f"{place}/echo")
        kernel.symlink("busybox", f"{place}/free")
        assert run(kernel, coroutines.becomes, f"{place}/echo", ["echo", "a"], {}) == (b"a\n", 0)
        assert run(kernel, coroutines.becomes, f"{place}/busybox", ["busybox", "echo", "b"], {}) == (b"b\n", 0)
        assert answer(kernel, coroutines.becomes, f"{place}/free", ["free"], {})[1] == errno.ENOSYS
    finally:
        kernel.close_kernel()


async def pivots_and_becomes(k, root: str, path: str, argv: list[str]) -> int:
    await k.mount("", "/", "", 0x4000 | 1 << 18)
    await k.mount(root, root, "", 0x1000)
    await k.chdir(root)
    await k.pivot_root(".", ".")
    await k.umount2(".", 2)
    await k.chdir("/")
    await k.execve(path, argv, {})
    return 0


async def becomes_a_users(k, path: str, argv: list[str]) -> int:
    await k.fchown(1, 1000, 1000)
    await k.setgid(1000)
    await k.setuid(1000)
    await k.execve(path, argv, {})
    return 0


async def handles_and_becomes(k, path: str) -> int:
    """After a refused execve the handlers are still there."""
    seen: list[int] = []
    await k.signal(10, seen.append)
    try:
        await k.execve(path, ["x"], {})
    except OSError as error:
        await k.kill(await k.getpid(), 10)
        await k.getpid()
        found = [type(error).__name__, error.errno, error.filename, seen]
        await k.write(1, json.dumps(found).encode())
    return 0
