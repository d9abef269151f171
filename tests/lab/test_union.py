"""Union: given layers mounted, calls on them, the growing trace, on either kernel and on both."""

import errno

import pytest
from lab.labs import agreed, opened

from minidocker.compare import compare
from minidocker.linux import O_CREAT, O_RDONLY, O_RDWR
from minidocker.state import revert
from minidocker.trace import Trace

LAYERS = [
    {
        "/a": "one",
        "/d/x": "1",
        "/d/y": "2",
        "/old/z": "3",
        "/link": {"symlink": "/d/x"},
        "/up": {"symlink": "../../../a"},
    },
    {"/a": None, "/d/": {}, "/old/": {"opaque": True}, "/p": {"data": "secret", "mode": 0o600, "uid": 7, "gid": 8}},
]


@pytest.fixture
def union(lab):
    made = lab.union(LAYERS)
    yield made
    agreed(lab, made)


def test_the_merged_view_is_that_of_the_layers(union):
    assert union.tree() == {
        "/d/": {}, "/d/x": "1", "/d/y": "2", "/link": {"symlink": "/d/x"}, "/old/": {},
        "/up": {"symlink": "../../../a"}, "/p": {"data": "secret", "mode": 0o600, "uid": 7, "gid": 8},
    }  # fmt: skip
    assert union.upper == {}


def test_a_lower_layer_lies_as_it_was_given(union):
    assert union.lower(2) == dict(sorted({**LAYERS[1], "/d/": {}}.items()))
    before = union.fingerprint()
    union.write_text("/d/x", "new")
    union.unlink("/d/y")
    assert union.fingerprint() == before


def test_calls_are_steps(union):
    steps = len(union.trace)
    union.append_text("/d/x", "more")
    texts = [step.text.split("  ")[0] for step in union.trace.steps[steps:]]
    opened_at = 'open("/d/x", O_WRONLY|O_CREAT|O_APPEND, 0644)'
    assert texts == [opened_at, 'copy_up("/d")', 'copy_up("/d/x")', 'write(3, "more")', "close(3)"]
    assert union.upper == {"/d/": {}, "/d/x": "1more"}
    assert union.read_text("/d/x") == "1more"


def test_a_failed_call_is_a_step_and_names_the_learners_paths(union):
    with pytest.raises(OSError, match="/d") as caught:
        union.rename("/d", "/e")
    assert (caught.value.errno, caught.value.filename, caught.value.filename2) == (errno.EXDEV, "/d", "/e")
    assert union.trace.steps[-1].errno == "EXDEV"


def test_every_kind_of_call(union):
    union.mkdir("/n")
    union.rename("/d/x", "/n/x")
    union.link("/n/x", "/n/l")
    union.symlink("x", "/n/s")
    union.chmod("/n/x", 0o640)
    union.chown("/p", 1, 2)
    union.truncate("/n/x", 0)
    union.utime("/n/x", ns=(1, 2))
    union.setxattr("/n/x", "trusted.k", b"v")
    assert union.getxattr("/n/x", "trusted.k") == b"v"
    assert union.readlink("/n/s") == "x"
    assert sorted(union.listdir("/n")) == ["l", "s", "x"]
    assert union.stat("/n/x").st_mtime_ns == 2
    union.unlink("/n/l")
    union.rmdir("/old")
    told = {"data": "secret", "mode": 0o600, "uid": 1, "gid": 2}
    assert union.upper == {
        "/d/": {}, "/d/x": None, "/n/": {}, "/n/s": {"symlink": "x"}, "/n/x": {"data": "", "mode": 0o640},
        "/old": None, "/p": told,
    }  # fmt: skip


def test_descriptors_are_kept_apart_and_shared(union):
    one = union.open("/n", O_RDWR | O_CREAT, 0o644)
    two = union.open("/d/x", O_RDONLY)
    assert union.write(one, b"abc") == 3
    assert union.lseek(one, 0, 0) == 0
    assert (union.read(one, 9), union.read(two, 9)) == (b"abc", b"1")
    union.close(one)
    with pytest.raises(OSError, match="Bad file descriptor"):
        union.read(one, 1)
    union.close(two)


def test_an_absolute_link_leads_inside_never_to_the_host(union):
    assert union.read_text("/link") == "1"
    assert union.stat("/link").st_size == 1
    assert union.lstat("/link").st_size == len("/d/x")
    union.symlink("/etc", "/trap")
    with pytest.raises(FileNotFoundError):
        union.write_text("/trap/passwd", "evil")
    with pytest.raises(FileNotFoundError):
        union.read_text("/../../../../etc/passwd")
    union.symlink("/loop", "/loop")
    with pytest.raises(OSError, match="Too many levels"):
        union.read_text("/loop")


def test_the_trace_is_a_trace(union):
    union.append_text("/d/x", "more")
    union.unlink("/d/y")
    trace = union.trace
    assert [step.index for step in trace.steps] == list(range(len(trace)))
    assert Trace.from_json(trace.to_json()) == trace
    state = trace.at(len(trace) - 1)
    assert set(state["uppers"]["stack"]) == {"/d", "/d/x", "/d/y"}
    for step in reversed(trace.steps):
        state = revert(state, step.changes)
    assert state == trace.initial


def test_two_stacks_know_nothing_of_each_other(lab):
    one, two = lab.union(LAYERS), lab.union(LAYERS)
    one.write_text("/new", "1")
    assert two.upper == {}
    assert [step.text for step in one.trace.steps[:2]] == [step.text for step in two.trace.steps[:2]]
    one.unmount()
    two.write_text("/new", "2")
    assert two.upper == {"/new": "2"}


def test_a_large_file_is_told_by_its_size(lab):
    union = lab.union([{"/big": {"size": 70_000}}])
    union.chmod("/big", 0o600)
    told = union.upper["/big"]
    assert (told["size"], told["mode"]) == (70_000, 0o600)
    agreed(lab, union)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"a": "x"}, "begins with /"),
        ({"/a/../b": "x"}, "has no .."),
        ({"/a": {"kind": "fifo"}}, "kind means nothing here"),
        ({"/d/": "x"}, "a directory's value is a dictionary"),
    ],
)
def test_what_no_layer_can_have_is_refused_in_plain_words(layer, words):
    with opened("sim") as lab, pytest.raises(ValueError, match=words):
        lab.union([layer])


def test_an_empty_stack_and_a_call_on_the_task_are_refused():
    with opened("sim") as lab:
        with pytest.raises(ValueError, match="at least one layer"):
            lab.union([])
        with pytest.raises(ValueError, match="chdir"):
            lab.union([{}]).chdir("/")


def test_descriptors_have_numbers_of_their_own_whatever_else_is_open(lab):
    one, two = lab.union(LAYERS), lab.union(LAYERS)
    assert [one.open("/d/x", O_RDONLY), one.open("/d/y", O_RDONLY), two.open("/p", O_RDONLY)] == [3, 4, 3]
    before = lab.docker("run --rm lab true").trace
    one.close(3)
    assert one.dup(4) == 3
    assert one.read(3, 9) == b"2"
    with opened("sim") as other:
        assert compare(other.docker("run --rm lab true").trace, before) is None
