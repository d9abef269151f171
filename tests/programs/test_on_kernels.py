"""What busybox cannot be asked about here: namespaces, mounts, tasks, scripts that come on the standard input."""

import pytest

from minidocker.linux import CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS

ISOLATED = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS


def sh(place, script, stdin=b"", *, flags=0):
    return place.run(("sh", "-c", script), stdin, flags=flags)


def test_mv_between_file_systems_copies_and_removes(kernel_place):
    script = (
        "mount --make-rprivate / 2>/dev/null; mkdir t; mount -t tmpfs none t; mkdir d; "
        "echo a > d/f; ln -s f d/l; chmod 640 d/f; "
        "mv d t && cat t/d/f && ls -l t/d | tail -n +2 | cut -c1-10; readlink t/d/l; ls; touch x t/x; mv t/x x; mv d t"
    )
    result = sh(kernel_place, script, flags=CLONE_NEWNS)
    assert (result.stdout, result.code) == ("a\n-rw-r-----\nlrwxrwxrwx\nf\nt\n", 1)
    assert result.stderr == "mv: can't rename 'd': No such file or directory"
    assert "x" in result.tree


def test_mount_lists_what_it_mounted(kernel_place):
    script = (
        "mount --make-rprivate / 2>/dev/null; mount -t proc proc /proc; mkdir t; mount -t tmpfs -o ro,nosuid lab t; "
        "mount | grep ^lab | cut -d' ' -f 4-5; touch t/x; umount t; umount t; mount -t nosuchfs none t; echo $?"
    )
    result = sh(kernel_place, script, flags=ISOLATED)
    here = "/HERE/t"
    assert result.stdout == "type tmpfs\n255\n"
    assert result.stderr.splitlines() == [
        "touch: t/x: Read-only file system",
        "umount: can't unmount t: Invalid argument",
        "mount: mounting none on t failed: No such device",
    ], here


def test_hostname_in_a_namespace_of_its_own(kernel_place):
    result = sh(kernel_place, "hostname box.lab; hostname; hostname -s; uname -n", flags=ISOLATED)
    assert (result.stdout, result.stderr) == ("box.lab\nbox\nbox.lab\n", "")


def test_ps_shows_a_pid_namespace(kernel_place):
    script = "mount --make-rprivate / 2>/dev/null; mount -t proc proc /proc; echo $$; ps -o pid,comm,args; true"
    result = sh(kernel_place, script, flags=ISOLATED)
    lines = [line.split(None, 2) for line in result.stdout.splitlines()]
    assert lines[:3] == [["1"], ["PID", "COMM", "COMMAND"], ["1", "sh", lines[2][2]]]
    assert [line[1] for line in lines[3:]] == ["ps"]


def test_find_delete(kernel_place):
    result = sh(
        kernel_place, "mkdir -p a/b; touch a/x a/b/y; find a -name '?' -type f -delete; find a; find a -delete; ls"
    )
    assert result.stdout == "a\na/b\n"


def test_what_logic_decides_is_not_evaluated_further(kernel_place):
    assert (
        sh(kernel_place, "echo $((0 && (z=5))) $((1 || (z=5))) $((1 ? 2 : (z=5))) ${z-unset}").stdout == "0 1 2 unset\n"
    )


@pytest.mark.parametrize(
    ("script", "stdout"),
    [
        (b"echo a\necho b", "a\nb\n"),
        (b"cat <<E\nhi\nE\nif true\nthen echo yes\nfi\n", "hi\nyes\n"),
        (b"echo one; exit 3\necho two\n", "one\n"),
    ],
)
def test_commands_on_the_standard_input(kernel_place, script, stdout):
    result = kernel_place.run(("sh",), script)
    assert (result.stdout, result.stderr) == (stdout, "")


def test_input_that_arrives_in_pieces(kernel_place):
    result = sh(
        kernel_place,
        "(printf 'if true; th'; sleep 0.05; printf 'en echo whole; fi\\necho $x'; sleep 0.05; echo y) | sh",
    )
    assert result.stdout == "whole\n\n"


def test_a_large_here_document_is_written_by_a_task(kernel_place):
    lines = "x" * 99 + "\n"
    result = sh(kernel_place, f"wc -c <<E\n{lines * 1000}E\n")
    assert result.stdout == "100000\n"


def test_a_subshell_does_not_change_its_parent(kernel_place):
    inside = "x=2; f() { echo g; }; set -- b c; cd /; umask 0; trap 'echo ends' EXIT; :"
    script = f"x=1; f() {{ echo f; }}; set -- a; ({inside}); echo $x $*; f; pwd; umask"
    result = sh(kernel_place, script)
    assert result.stdout == "ends\n1 a\nf\n/HERE\n0022\n"


def test_a_pipelines_stages_run_side_by_side(kernel_place):
    result = sh(kernel_place, "mkfifo p; (echo x; cat p) | (read a; echo got-$a > p; cat)")
    assert result.stdout == "got-x\n"
