"""Sockets, and what travels between them: the same programs on both kernels.

What a task does alone is in socket_programs.py, what two do over a cable in cable_programs.py.
"""

import contextlib

import pytest
from conformance import cable_programs, socket_programs
from conformance.outcome import run

from minidocker.linux import CLONE_NEWNET


def alone(kernel, name, *args):
    """Run a case in a network namespace of its own, and return the lines that it wrote."""
    outcome = run(kernel, socket_programs.alone, name, *args, flags=CLONE_NEWNET)
    assert outcome.code == 0, outcome
    return outcome.output.splitlines()


def cable(kernel, name, *args):
    """Run a case in two network namespaces that a veth pair joins."""
    outcome = run(kernel, cable_programs.cable, name, *args, flags=CLONE_NEWNET)
    assert outcome.code == 0, outcome
    return outcome.output.splitlines()


def test_kinds_of_sockets(kernel):
    assert [line if line[0] == "E" else "" for line in alone(kernel, "kinds")] == [
        "", "", "EPROTONOSUPPORT", "EPROTONOSUPPORT", "EACCES", "EPROTONOSUPPORT", "", "ESOCKTNOSUPPORT",
        "EINVAL", "EAFNOSUPPORT", "EINVAL",
    ]  # fmt: skip


def test_what_is_no_socket(kernel):
    assert alone(kernel, "not_sockets") == [" ".join(["ENOTSOCK"] * 6)] * 2 + [" ".join(["EBADF"] * 6)]


def test_what_a_socket_is(kernel):
    assert alone(kernel, "what_a_socket_is") == [
        "0o140000 ESPIPE",
        "socket:",
        "('0.0.0.0', 0) ENOTCONN",
        "('127.0.0.1', 7000)",
    ]


def test_bind(kernel):
    assert alone(kernel, "bind") == [
        "EADDRNOTAVAIL", "EINVAL", "EINVAL", "None", "EINVAL",
        "127.0.0.1 EADDRINUSE", "0.0.0.0 EADDRINUSE", "127.0.0.2 None", "True",
    ]  # fmt: skip


def test_ports_and_sockets_that_need_rights(kernel):
    assert alone(kernel, "ports_below_1024") == ["EACCES None", "EPERM"]


def test_nobody_but_root_changes_a_network(kernel):
    assert alone(kernel, "without_rights") == ["EPERM EPERM EPERM EPERM EPERM", "1 1"]


def test_a_port_that_is_remembered(kernel):
    assert alone(kernel, "reuse") == [
        "listening EADDRINUSE", "0 0 EADDRINUSE", "0 1 EADDRINUSE",
        "listening EADDRINUSE", "1 0 EADDRINUSE", "1 1 None",
    ]  # fmt: skip


def test_who_listens(kernel):
    assert alone(kernel, "listen") == ["EINVAL EINVAL", "True", "ENOTCONN EISCONN EINVAL ENOTCONN", "EPIPE"]


def test_who_is_not_connected(kernel):
    assert alone(kernel, "not_connected") == [
        "ENOTCONN ENOTCONN",
        "EPIPE EPIPE",
        "ENOTCONN EINVAL",
        "ECONNREFUSED ENETUNREACH",
        "ENETUNREACH 0.0.0.0 True",
        "('127.0.0.1', 7000)",
    ]


def test_a_connection_from_hello_to_goodbye(kernel):
    assert alone(kernel, "talk") == [
        "('127.0.0.1', 7000) True",
        "EISCONN EINVAL",
        "5 6",
        "(b'hell', None) b'o world'",
        "4 (b'well', None)",
        "b'' b'' EPIPE",
        "4 b'last'",
        "b'' b''",
    ]


def test_the_other_end_is_gone(kernel):
    assert alone(kernel, "peer_is_gone") == ["1", "EPIPE [13]", "b'' b''"]


def test_the_other_end_never_read(kernel):
    assert alone(kernel, "closed_with_unread_data") == ["b'still read'", "ECONNRESET b'' EPIPE [13]"]


def test_a_full_backlog(kernel):
    assert alone(kernel, "backlog") == ["None None EALREADY"]


def test_who_does_not_wait(kernel):
    assert alone(kernel, "nonblocking") == [
        "EINPROGRESS None EISCONN",
        "EAGAIN EAGAIN",
        "EINPROGRESS ECONNREFUSED EINPROGRESS",
    ]


@pytest.mark.parametrize("size", [1, 65535, 1_000_000])
def test_much_arrives_whole_and_in_order(kernel, size):
    assert alone(kernel, "much", size) == [f"b'{size} True'", "b''"]


def test_who_waits_is_woken(kernel):
    assert alone(kernel, "a_reader_who_waits") == ["b'late'"]


def test_who_waits_no_longer_than_it_said(kernel):
    assert alone(kernel, "timeouts") == ["EAGAIN True", "EAGAIN True"]


def test_a_handler_ends_the_waiting(kernel):
    assert alone(kernel, "interrupted") == ["EINTR [10]"]


def test_the_end_of_a_task_closes_its_sockets(kernel):
    assert alone(kernel, "exit_closes") == ["b'bye' b''"]


def test_datagrams(kernel):
    assert alone(kernel, "datagrams") == [
        "EINVAL EADDRINUSE",
        "7 0",
        "b'one' 127.0.0.1 True b''",
        "EDESTADDRREQ EINVAL",
        "EMSGSIZE",
        "65507 65507",
        "ENETUNREACH EOPNOTSUPP",
        "EOPNOTSUPP ENOTCONN",
        "EACCES ENOTCONN",
        "EPIPE EPIPE",
    ]


def test_connected_datagrams(kernel):
    assert alone(kernel, "connected_datagrams") == [
        "('127.0.0.1', 7001) ('127.0.0.1', 7000)",
        "(b'right', ('127.0.0.1', 7001)) 4 b'back'",
        "[1, 'ECONNREFUSED', 1] ECONNREFUSED",
        "an unconnected one is not told 1",
    ]


def test_datagram_sockets_that_share_a_port(kernel):
    assert alone(kernel, "shared_port") == ["None", "None"]


def test_raw_icmp(kernel):
    assert alone(kernel, "raw") == [
        "('0.0.0.0', 1) ENOTCONN",
        "12",
        r"('127.0.0.1', 0) 69 1 b'\x7f\x00\x00\x01\x7f\x00\x00\x01' 08001eef004d000164617461 0",
        r"('127.0.0.1', 0) 69 1 b'\x7f\x00\x00\x01\x7f\x00\x00\x01' 000026ef004d000164617461 0",
        "8 no answer to a wrong checksum EAGAIN",
        "EFAULT EFAULT ENETUNREACH",
        "('127.0.0.1', 0) 192 0303 0009",
    ]


def test_ping_without_rights(kernel):
    assert alone(kernel, "ping_sockets") == [
        "['1', '0'] EACCES",
        "1",
        "EINVAL",
        "3",
        "12 EDESTADDRREQ",
        r"('127.0.0.1', 0) 0.0.0.0 b'\x00\x00' True b'\x00\x07data' 0",
        "EINVAL EINVAL",
    ]


def test_options(kernel):
    assert alone(kernel, "options") == ["None", "ENOPROTOOPT ENOPROTOOPT", "None EINVAL"]


def test_a_network_in_proc(kernel):
    assert alone(kernel, "files_of_proc") == [
        "self/net",
        "dev 76 a0: b0: face lo:",
        (
            "route 127 a0|00000000|FE00010A|0003|0|0|0|00000000|0|0|0 a0|0000010A|00000000|0001|0|0|0|00FFFFFF|0|0|0"
            " b0|0700090A|00000000|0005|0|0|0|FFFFFFFF|0|0|0"
        ),
        "arp 78 10.1.0.7|0x1|0x0|00:00:00:00:00:00|*|a0",
        "tcp 149 0100007F:1F90|00000000:0000|0A 0100007F:1F90|0100007F:2382|01 0100007F:2382|0100007F:1F90|01",
        "udp 127 00000000:0035|00000000:0000|07",
        "raw 114 00000000:0001|00000000:0000|07",
    ]


def test_a_network_in_sys(kernel):
    for path in ("/var/lib/docker", "/var/lib/docker/sys"):
        with contextlib.suppress(FileExistsError):
            kernel.mkdir(path)
    assert alone(kernel, "files_of_sys", "/var/lib/docker/sys") == [
        "['a0', 'b0', 'lab0', 'lo'] ../../devices/virtual/net/a0 ../lab0",
        "address 00:00:00:00:00:00 02:00:00:00:00:0a",
        "broadcast 00:00:00:00:00:00 ff:ff:ff:ff:ff:ff ff:ff:ff:ff:ff:ff",
        "flags 0x9 0x1303 0x1002", "ifindex 1 4 3", "iflink 1 3 4", "mtu 65536 1400 1500", "type 772 1 1",
        "carrier 1 0 EINVAL", "unknown down down", "0", "['lab0', 'lo']",
    ]  # fmt: skip


def test_settings_of_a_network(kernel):
    assert alone(kernel, "settings") == ["1024 ['32768', '60999']", "2", "EINVAL", "EINVAL", "EACCES None"]


def test_without_a_loopback(kernel):
    assert alone(kernel, "no_loopback") == ["None ENETUNREACH", "None 1", "EAGAIN"]


def test_a_socket_stays_in_its_network(kernel):
    assert alone(kernel, "a_socket_stays_where_it_was_made") == ["ECONNREFUSED None"]


def test_ping_over_a_cable(kernel):
    assert cable(kernel, "ping") == [
        "('10.1.0.2', 0) 64 000026ef004d000164617461",
        "10.1.0.2 a0 02:00:00:00:00:0b REACHABLE",
    ]


def test_nobody_has_the_address(kernel):
    assert cable(kernel, "nobody_there") == [
        "10.1.0.9  INCOMPLETE",
        "('10.1.0.1', 0) 0301 True",
        "[('10.1.0.9', '', 'FAILED')]",
        "EHOSTUNREACH",
    ]


def test_a_server_at_the_other_end_of_a_cable(kernel):
    assert cable(kernel, "serve") == [
        "10.1.0.1 ('10.1.0.2', 80)",
        "b'question of 10.1.0.1' b''",
        "ECONNREFUSED",
    ]


def test_a_router(kernel):
    assert cable(kernel, "route") == [
        "10.2.0.1 64 ('10.2.0.1', 0) 64 0000",
        "10.2.0.2 64 ('10.2.0.2', 0) 63 0000",
        "10.2.0.2 1 ('10.1.0.2', 0) 64 0b00",
        "10.3.0.1 ENETUNREACH",
    ]


def test_what_does_not_fit_a_frame_goes_in_pieces(kernel):
    assert cable(kernel, "large") == [
        "3028 0bd4 0000 00005a0c004d0001 True",
        "65507 65515",
        "65508 EMSGSIZE",
        "70000 EMSGSIZE",
        "b'10000 {121}'",
    ]
