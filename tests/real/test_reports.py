"""What tasks tell the helper arrives as it was; and whatever the bytes are, nothing but a report ever does."""

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.linux import SIGKILL
from minidocker.real import reports, wire
from minidocker.real.direct import OWN_FDS, stat_of
from minidocker.real.helper import MOST_CHANNELS
from minidocker.real.host import Host
from minidocker.real.reports import BadReport, Writer, decode
from minidocker.real.steps import Channel
from minidocker.real.tasks import ORPHANED
from tests.real import coroutines
from tests.real.coroutines import run, start, until_output

pytestmark = pytest.mark.needs("linux")

scalars = st.none() | st.booleans() | st.integers(-(2**128) + 1, 2**128 - 1) | st.floats(allow_nan=False) | st.binary()
texts = st.text(st.characters(exclude_characters="\0")) | st.text(st.characters(categories=["Cs"]))
keys = st.integers() | st.binary() | texts
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


def frame(name="getpid", args=(), kwargs=None, ok=True, value=None, kind="step"):
    return Writer("cat", name, args, kwargs or {}).frame(kind, ok, value)


def raw(value, blobs=b""):
    """A frame of any JSON at all."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("<II", len(text) + len(blobs), len(text)) + text + blobs


class TestGood:
    @given(st.lists(values, max_size=4), st.dictionaries(texts, values, max_size=2), values)
    def test_values_arrive_as_they_were(self, args, kwargs, value):
        got = decode(frame("open", args, kwargs, value=value))
        assert (got.kind, got.actor, got.name, got.args, got.kwargs) == ("step", "cat", "open", tuple(args), kwargs)
        assert got.answer == (True, value)
        assert repr(got.answer[1]) == repr(value)  # True is not 1, a tuple no list

    def test_stats_functions_and_enumerations(self):
        found = stat_of(os.stat("/"))
        got = decode(frame("clone", (raw, signal.SIGTERM), value=found))
        assert wire.unpack(got.answer[1]) == found
        name, number = wire.unpack(got.args)
        assert (name.__qualname__, number) == ("raw", 15)

    def test_errors(self):
        error = OSError(errno.EXDEV, "Invalid cross-device link", "/a\udcff", None, b"/b")
        error.add_note("a note")
        ok, value = decode(frame(ok=False, value=wire.pack_error(error))).answer
        got = wire.unpack_error(value)
        assert (ok, got.errno, got.filename, got.filename2) == (False, errno.EXDEV, "/a\udcff", b"/b")
        assert got.__notes__ == ["a note"]

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            (b"x" * (5 << 20), "<5242880 bytes>"),
            ("x" * (5 << 20), "<a text of 5242880>"),
            ([0] * (1 << 20), "<1048576 values>"),
            (dict.fromkeys(range(5000)), "<5000 entries>"),
            (1 << 200, "<a number of 201 bits>"),
            ("\0stat", r"'\x00stat'"),
        ],
    )
    def test_what_is_too_much_is_told_by_its_size(self, value, told):
        whole = frame("write", (1, value), value=3)
        assert len(whole) < reports.MOST_BYTES
        (_, shown) = wire.unpack(decode(whole).args)
        if isinstance(value, bytes):
            assert (shown[:8], len(shown)) == (value[:8], len(value))
        else:
            assert shown.strip("<>") == told.strip("<>")

    def test_what_is_too_deep_too(self):
        value = []
        for _ in range(5000):
            value = [value]
        decode(frame(args=(value,), value=value))

    def test_a_mebibyte_is_told_whole(self):
        data = os.urandom(1 << 20)
        assert decode(frame("write", (1, data), value=1 << 20)).args == (1, data)


GOOD = ["step", "cat", "getpid", [], None, True, 7]


def with_(place, value):
    return [*GOOD[:place], value, *GOOD[place + 1 :]]


class TestBad:
    def test_the_good_one(self):
        assert decode(raw(GOOD)).answer == (True, 7)

    @pytest.mark.parametrize(
        "value",
        [
            *([], {}, 1, None, [GOOD], GOOD[:-1], [*GOOD, 1], {"t": GOOD}),
            *(with_(0, kind) for kind in ("stop", 1, None, [], {"t": []})),
            *(with_(1, actor) for actor in (1, None, "x" * 65, [])),
            *(with_(2, name) for name in (1, None, "x" * 65, "", "a b", "__import__('os')", [])),
            *(
                with_(3, args)
                for args in (1, None, "x", {"t": []}, ["\0stat"], ["\0stat", 1], ["\0what"], ["\0repr", 1])
            ),
            *(with_(3, [inner]) for inner in ({"t": ["\0callable", 1, 2]}, {"t": ["\0stat"]}, {"x": 1}, {}, {"t": 1})),
            *(
                with_(3, [inner])
                for inner in ({"b": 1}, {"b": -1}, {"b": "1"}, {"b": True}, {"s": 9}, {"b": 0, "s": 0})
            ),
            *(with_(3, [{"d": pairs}]) for pairs in (1, [1], [[1]], [[1, 2, 3]], [[[], 1]], [[None, 1]], [[1.5, 1]])),
            with_(3, [{"d": [[number, 0] for number in range(2000)]}]),
            *(with_(4, kwargs) for kwargs in ([], 1, {"d": [[1, 2]]})),
            *(with_(5, ok) for ok in (1, 0, None, "x", False)),
            with_(6, [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]),
            b"[" * 100_000,
            b'{"t":' * 100_000,
            b"[" + b"0," * 300_000 + b"0]",
            b"1" * 5000,
            b"\xff",
            b"",
            json.dumps(GOOD).encode() + b" ",
        ],
    )
    def test_is_refused(self, value):
        with pytest.raises(BadReport):
            decode(raw(value))

    @pytest.mark.parametrize(
        "error",
        [
            {"t": ["SystemExit", ["x"], []]},
            {"t": ["OSError", "x", "y", None, None, []]},
            {"t": ["OSError", 1, "y", [], None, []]},
            {"t": ["OSError", 1, "y", None, None, [1]]},
            {"t": ["OSError", 1, "y", None, None]},
            None,
        ],
    )
    def test_errors_that_are_none(self, error):
        with pytest.raises(BadReport):
            decode(raw([*with_(5, False)[:-1], error]))

    def test_blobs_that_do_not_fit(self):
        assert decode(raw(with_(3, [{"b": 2}]), b"xy")).args == (b"xy",)
        for blobs in (b"x", b"xyz", b""):
            with pytest.raises(BadReport):
                decode(raw(with_(3, [{"b": 2}]), blobs))
        with pytest.raises(BadReport):
            decode(raw(with_(3, [{"s": 2}]), b"\xff\xfe"))

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data):
        with pytest.raises(BadReport):
            decode(data)

    @given(st.binary(max_size=60), st.binary(max_size=60))
    def test_any_bytes_behind_a_good_head(self, text, blobs):
        with pytest.raises(BadReport):
            decode(raw(text, blobs))

    @settings(max_examples=300)
    @given(st.data())
    def test_a_good_frame_with_a_changed_byte_is_good_or_bad_and_nothing_else(self, data):
        whole = bytearray(
            frame("open", ("/a", b"xy", {"a": (1, "\udcff")}), {"mode": [1]}, value=stat_of(os.stat("/")))
        )
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        _as_the_lab_sees_it(bytes(whole))

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\0stat", "\0repr"]),
        lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from("tbsdx"), inner, max_size=2),
        max_leaves=30,
    )

    @given(st.lists(json_values, min_size=5, max_size=5), st.sampled_from(sorted(reports.KINDS)), st.booleans())
    def test_any_json(self, parts, kind, ok):
        args, kwargs, value = parts[0], parts[1], parts[2]
        _as_the_lab_sees_it(raw([kind, "cat", "open", args if isinstance(args, list) else [args], kwargs, ok, value]))


def _as_the_lab_sees_it(data):
    """Decode, and do with a good report what the helper and the lab do with it."""
    try:
        got = decode(data)
    except BadReport:
        return
    ok, value = got.answer
    wire.decode(wire.encode(tuple(got)))
    for part in got.args, got.kwargs, value if ok else None:
        wire.unpack(part)
    if not ok:
        wire.unpack_error(value)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    channel = Channel(ours, "0.7")
    yield channel, theirs
    channel.close()
    theirs.close()


class TestChannel:
    def test_frames_in_pieces(self, pair):
        channel, theirs = pair
        whole = frame(args=("/a",)) + frame(args=("/b",))
        found = []
        for byte in whole[:-1]:
            theirs.send(bytes([byte]))
            found += [report.args for report in channel.reports()]
        assert found == [("/a",)]
        assert list(channel.reports()) == []
        theirs.send(whole[-1:])
        assert [report.args for report in channel.reports()] == [("/b",)]
        theirs.close()
        with pytest.raises(wire.Gone):
            list(channel.reports())

    def test_four_gigabytes_are_not_waited_for(self, pair):
        channel, theirs = pair
        theirs.send(b"\xff\xff\xff\xff")
        with pytest.raises(BadReport):
            list(channel.reports())

    def test_one_who_does_not_wait_for_his_answer(self, pair):
        channel, theirs = pair
        theirs.send(frame())
        assert len(list(channel.reports())) == 1
        channel.unanswered = True
        theirs.send(frame())
        with pytest.raises(BadReport):
            list(channel.reports())

    def test_nothing_to_read_and_no_room_to_answer_do_not_wait(self, pair):
        channel, _ = pair
        assert list(channel.reports()) == []
        for _ in range(5000):
            channel.acknowledge()

    def test_too_many_descriptors(self, pair):
        channel, theirs = pair
        before = len(os.listdir("/proc/self/fd"))
        end, other = os.pipe()
        socket.send_fds(theirs, [b"x"], [end] * 253)
        with pytest.raises(BadReport):
            list(channel.reports())
        channel.close()
        os.close(end)
        os.close(other)
        assert len(os.listdir("/proc/self/fd")) == before - 1

    def test_a_channel_that_is_none(self, pair):
        channel, theirs = pair
        end, other = os.pipe()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for fd in (end, udp.fileno()):
            socket.send_fds(theirs, [frame("clone", kind="clone")], [fd])
            assert len(list(channel.reports())) == 1
            with pytest.raises(BadReport):
                channel.child()
        with pytest.raises(BadReport):
            channel.child()
        udp.close()
        os.close(end)
        os.close(other)

    def test_lines_are_the_helpers_to_give(self, pair):
        channel, theirs = pair
        made = []
        for _ in range(2):
            ours, other = socket.socketpair()
            socket.send_fds(theirs, [frame("clone", kind="clone")], [ours.fileno()])
            list(channel.reports())
            made.append(channel.child())
            assert channel.pidfd() is None
            ours.close()
            other.close()
        assert [(child.line, child.family) for child in made] == [("0.7.1", "0.7"), ("0.7.2", "0.7")]
        assert made[0].sock.fileno() != made[1].sock.fileno()
        for child in made:
            child.close()

    def test_a_pidfd_for_each_message_is_not_kept(self, pair):
        """SO_PASSPIDFD on a channel whose other copy its sender has kept: the kernel would add a descriptor to each."""
        channel, theirs = pair
        try:
            channel.sock.setsockopt(socket.SOL_SOCKET, 76, 1)
        except OSError:
            pytest.skip("needs Linux 6.5: SO_PASSPIDFD")
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(BadReport):
            _talk(channel, theirs)
        channel.close()
        assert len(os.listdir("/proc/self/fd")) == before - 1

    @pytest.mark.slow
    def test_a_socket_that_lingers_does_not_make_its_close_wait(self, pair):
        channel, theirs = pair
        listener = socket.create_server(("127.0.0.1", 0))
        full = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        full.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
        full.setblocking(False)
        with pytest.raises(BlockingIOError):
            _fill(full.send, b"x" * (1 << 20))
        theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [full.fileno()]))])
        full.close()
        list(channel.reports())  # one byte: no frame yet
        signal.alarm(20)
        channel.close()
        signal.alarm(0)
        peer.close()
        listener.close()


def _talk(channel, theirs):
    for _ in range(9):
        theirs.send(frame())
        list(channel.reports())


def _fill(write, *args):
    while True:
        write(*args)


def own_channel() -> int:
    return max(
        fd for fd in map(int, os.listdir("/proc/self/fd")) if fd >= OWN_FDS and os.path.exists(f"/proc/self/fd/{fd}")
    )


async def babbles(k, data: bytes, fds: int) -> int:
    """Say any bytes on the channel to the helper, with any descriptors, as a program that has taken it would."""
    sock = socket.socket(fileno=own_channel())
    ends = os.pipe()
    socket.send_fds(sock, [data], [ends[0]] * fds)
    sock.settimeout(5)
    return 3 if sock.recv(1) else 4


async def floods_reports(k) -> int:
    """Report without waiting for answers, for as long as somebody listens."""
    os.set_blocking(fd := own_channel(), True)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    whole = frame(args=("x" * 1000,))
    try:
        while True:
            wire.write(fd, whole)
    except OSError:
        return 5


async def breeds(k, count: int) -> int:
    """Tell of many children that there are not, each with a channel."""
    sock = socket.socket(fileno=own_channel())
    kept = []
    for _ in range(count):
        ours, theirs = socket.socketpair()
        socket.send_fds(sock, [frame("clone", kind="clone")], [ours.fileno()])
        sock.recv(1)
        ours.close()
        kept.append(theirs)
    await k.write(1, b"!")
    await k.sleep(30)
    return 0


async def own_descriptors(k) -> int:
    await coroutines.say(k, sorted(fd for fd in map(int, await k.listdir("/proc/self/fd")) if fd >= OWN_FDS))
    return 0


async def writes_to_the_shared_page(k) -> int:
    """Try to make the page that says "report" writable, as a program that ptraces a task could have it do."""
    await coroutines.say(k, _made_writable())
    return 0


def _made_writable():
    libc = ctypes.CDLL(None, use_errno=True)
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "memfd:tracing" in line:
            begin = ctypes.c_void_p(int(line.split("-")[0], 16))
            failed = libc.mprotect(begin, ctypes.c_size_t(4096), 3)
            found.append([line.split()[1], ctypes.get_errno() if failed else 0])
    return found


NONSENSE = {
    "marshal": b"\x09\0\0\0" + b"\xe3" + bytes(12),
    "four gigabytes": b"\xff\xff\xff\xff",
    "empty": bytes(8),
    "json": raw([1]),
    "deep": raw(b"[" * 60_000),
    "clone without a channel": frame("clone", kind="clone"),
    "of the daemon": raw(with_(2, "0")),
}


class TestHelper:
    @pytest.mark.parametrize("listens", [False, True])
    @pytest.mark.parametrize("name", NONSENSE)
    def test_lives_on(self, kernel, name, listens):
        told = []
        kernel.listener = told.append if listens else None
        other, end = start(kernel, coroutines.names_itself_and_waits, "other", flags=0x04000000)
        until_output(kernel, end)
        pid = kernel.clone(babbles, NONSENSE[name], 0, fds={})
        assert _status(kernel, pid) >> 8 == (ORPHANED if listens else 4)  # the channel was closed
        assert run(kernel, coroutines.exits, 9) == (b"", 9 << 8)
        kernel.kill(other, SIGKILL)
        assert _status(kernel, other) == SIGKILL
        kernel.close(end)

    @pytest.mark.parametrize("count", [1, 2, 3, 253])
    def test_descriptors_that_are_no_channels(self, kernel, count):
        before = len(os.listdir(f"/proc/{kernel.pid}/fd"))
        pid = kernel.clone(babbles, frame("clone", kind="clone"), count, fds={})
        assert _status(kernel, pid) >> 8 == 4
        assert len(os.listdir(f"/proc/{kernel.pid}/fd")) == before

    @pytest.mark.slow
    def test_a_flood_does_not_fill_its_memory(self, kernel):
        kernel.listener = lambda event: None
        pid = kernel.clone(floods_reports, fds={})
        assert _status(kernel, pid, quiet=True) >> 8 == ORPHANED
        with open(f"/proc/{kernel.pid}/statm") as file:
            assert int(file.read().split()[1]) * 4096 < 200 << 20
        assert run(kernel, coroutines.exits, 9) == (b"", 9 << 8)

    @pytest.mark.slow
    def test_one_family_does_not_take_all_descriptors(self, kernel):
        before = len(os.listdir(f"/proc/{kernel.pid}/fd"))
        soft, _ = resource.prlimit(kernel.pid, resource.RLIMIT_NOFILE)
        most = max(MOST_CHANNELS, (soft - OWN_FDS) // 8)
        pid, end = start(kernel, breeds, most + 100)
        until_output(kernel, end)
        assert most <= len(os.listdir(f"/proc/{kernel.pid}/fd")) - before <= most + 3
        assert run(kernel, coroutines.exits, 9) == (b"", 9 << 8)
        kernel.kill(pid, SIGKILL)
        assert _status(kernel, pid) == SIGKILL
        kernel.close(end)
        assert run(kernel, coroutines.exits, 9) == (b"", 9 << 8)
        assert len(os.listdir(f"/proc/{kernel.pid}/fd")) == before

    def test_a_task_has_one_descriptor_of_the_labs(self, kernel):
        found = coroutines.answer(kernel, own_descriptors)
        assert len(found) == 1

    def test_a_task_cannot_write_what_says_report(self, kernel):
        assert coroutines.answer(kernel, writes_to_the_shared_page) == [["r--s", errno.EACCES]]


def _status(kernel, pid, *, quiet=False):
    """Wait for a child; return its status. ``quiet``: leave the steps untaken for a while first."""
    import time

    if quiet:
        time.sleep(1)
    while True:
        events = kernel.poll(10)
        assert events, "nothing happened for ten seconds"
        if any(event.pid == pid for event in events):
            return kernel.wait4(pid, 0)[1]


class TestPipes:
    """A container's program can open the other side of its own standard streams."""

    def test_one_that_somebody_emptied_is_not_waited_for(self, monkeypatch):
        host = Host()
        end, other = host.sys_pipe2(0)
        monkeypatch.setattr("minidocker.real.host._ready", lambda fd, event: True)
        with pytest.raises(BlockingIOError):
            host.sys_read(end, 10)
        host.sys_write(other, b"abc")
        assert host.sys_read(end, 10) == b"abc"
        with pytest.raises(BlockingIOError):
            _fill(host.sys_write, other, b"x" * 4096)
        host.sys_close(end)
        host.sys_close(other)
        os.close(host.news.fileno())
