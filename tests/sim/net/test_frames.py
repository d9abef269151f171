"""Frames and their bytes, against what Linux put on a wire: captured between two ends of a veth by a packet socket."""

import pytest

from minidocker.sim.net.arp import REPLY, REQUEST, Arp
from minidocker.sim.net.checksum import checksum
from minidocker.sim.net.ethernet import Ethernet
from minidocker.sim.net.fragment import Pieces, cut
from minidocker.sim.net.icmp import ECHO_REPLY, PORT_UNREACHABLE, TIME_EXCEEDED, UNREACHABLE, Icmp, decode
from minidocker.sim.net.ipv4 import IPv4, pseudo_header, quoted
from minidocker.sim.net.tcp import ACK, PSH, RST, SYN, Tcp
from minidocker.sim.net.udp import Udp

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
LEFT, RIGHT = "10.1.0.1", "10.1.0.2"

DATAGRAM = IPv4(
    src=LEFT, dst=RIGHT, identification=0x51A9, payload=Udp(source_port=0xC9E0, destination_port=9, data=b"hello")
)
UNSUMMED_DATAGRAM = (
    "02000000000b02000000000a08004500002151a940004011d51e0a0100010a010002c9e00009000d0000" + b"hello".hex()
)

CAPTURED = [
    (
        Ethernet(
            dst="ff:ff:ff:ff:ff:ff",
            src=A,
            payload=Arp(operation=REQUEST, sender_mac=A, sender_ip=LEFT, target_ip=RIGHT),
        ),
        "ffffffffffff02000000000a0806000108000604000102000000000a0a0100010000000000000a010002",
        "ARP, Request who-has 10.1.0.2 tell 10.1.0.1, length 28",
    ),
    (
        Ethernet(
            dst=A,
            src=B,
            payload=Arp(operation=REPLY, sender_mac=B, sender_ip=RIGHT, target_ip=LEFT, target_mac=A),
        ),
        "02000000000a02000000000b0806000108000604000202000000000b0a01000202000000000a0a010001",
        "ARP, Reply 10.1.0.2 is-at 02:00:00:00:00:0b, length 28",
    ),
    (
        Ethernet(
            dst=B,
            src=A,
            payload=IPv4(
                src=LEFT,
                dst=RIGHT,
                identification=0x2B06,
                payload=decode(bytes.fromhex("0800661c004d00016162636465666768")),
            ),
        ),
        "02000000000b02000000000a0800450000242b0640004001fbce0a0100010a0100020800661c004d00016162636465666768",
        "IP 10.1.0.1 > 10.1.0.2: ICMP echo request, id 77, seq 1, length 16",
    ),
    (
        Ethernet(
            dst=A,
            src=B,
            payload=IPv4(
                src=RIGHT,
                dst=LEFT,
                identification=0xC647,
                dont_fragment=False,
                payload=Icmp(type=ECHO_REPLY, rest=77 << 16 | 1, data=b"abcdefgh"),
            ),
        ),
        "02000000000a02000000000b080045000024c64700004001a08d0a0100020a01000100006e1c004d00016162636465666768",
        "IP 10.1.0.2 > 10.1.0.1: ICMP echo reply, id 77, seq 1, length 16",
    ),
    (
        Ethernet(
            dst=A,
            src=B,
            payload=IPv4(
                src=RIGHT,
                dst=LEFT,
                tos=0xC0,
                identification=0xC648,
                dont_fragment=False,
                payload=Icmp(
                    type=UNREACHABLE,
                    code=PORT_UNREACHABLE,
                    data=bytes.fromhex("4500002151a940004011d51e0a0100010a010002c9e00009000d142368656c6c6f"),
                ),
            ),
        ),
        (
            "02000000000a02000000000b080045c0003dc648000040019fb30a0100020a0100010303db1000000000"
            "4500002151a940004011d51e0a0100010a010002c9e00009000d142368656c6c6f"
        ),
        "IP 10.1.0.2 > 10.1.0.1: ICMP 10.1.0.2 udp port 9 unreachable, length 41",
    ),
    (
        Ethernet(
            dst=A,
            src=B,
            payload=IPv4(
                src=RIGHT,
                dst=LEFT,
                payload=Tcp(source_port=80, destination_port=0xB020, seq=0, ack=0xABE52D06, flags=RST | ACK),
            ),
        ),
        "02000000000a02000000000b08004500002800004000400626cc0a0100020a0100010050b02000000000abe52d065014000012700000",
        "IP 10.1.0.2.80 > 10.1.0.1.45088: Flags [R.], seq 0, ack 2883923206, win 0, length 0",
    ),
]


@pytest.mark.parametrize(("frame", "captured", "what"), CAPTURED)
def test_a_frame_has_the_bytes_that_linux_sent(frame, captured, what):
    assert frame.encode().hex() == captured
    assert frame.size == len(captured) // 2
    assert frame.what == what


def test_a_datagram_has_linuxs_bytes_and_a_right_checksum():
    """Linux leaves this checksum to the card, so the captured one is not whole."""
    data = Ethernet(dst=B, src=A, payload=DATAGRAM).encode()
    assert data[:40].hex() + "0000" + data[42:].hex() == UNSUMMED_DATAGRAM
    assert checksum(pseudo_header(LEFT, RIGHT, 17, 13) + data[34:] + b"\0") in (0, 0xFFFF)
    assert DATAGRAM.what == "IP 10.1.0.1.51680 > 10.1.0.2.9: UDP, length 5"


def test_a_syn_has_its_option():
    syn = Tcp(source_port=0xB020, destination_port=80, seq=0xABE52D05, flags=SYN, window=64240, mss=1460)
    data = IPv4(src=LEFT, dst=RIGHT, identification=0xDC5A, payload=syn).encode()
    assert data.hex()[:72] == "4500002cdc5a400040064a6d0a0100010a010002b0200050abe52d05000000006002faf0"
    assert data.hex()[76:] == "0000020405b4"
    assert checksum(pseudo_header(LEFT, RIGHT, 6, 24) + data[20:]) == 0
    assert syn.what == "Flags [S], seq 2883923205, win 64240, options [mss 1460], length 0"


def test_data_is_told_by_where_it_lies():
    data = Tcp(source_port=1, destination_port=2, seq=100, ack=7, flags=PSH | ACK, window=9, data=b"hello")
    assert (data.what, data.length) == ("Flags [P.], seq 100:105, ack 7, win 9, length 5", 5)


def test_what_an_error_quotes():
    quote = quoted(DATAGRAM.encode())
    assert (quote.src, quote.dst, quote.protocol, quote.source_port, quote.destination_port) == (
        LEFT,
        RIGHT,
        17,
        51680,
        9,
    )
    assert quoted(DATAGRAM.encode()[:27]) is None
    error = Icmp(type=TIME_EXCEEDED, data=DATAGRAM.encode())
    assert error.what == "ICMP time exceeded in-transit, length 41"


def test_a_wrong_checksum_is_seen():
    assert decode(bytes.fromhex("0800661c004d00016162636465666768")).right
    assert not decode(bytes.fromhex("0800661d004d00016162636465666768")).right


@pytest.mark.parametrize(("data", "sum"), [(b"", 0xFFFF), (b"\0\0", 0xFFFF), (b"\xff\xff", 0), (b"\x01", 0xFEFF)])
def test_checksums(data, sum):
    assert checksum(data) == sum


def test_pieces_have_the_bytes_that_linux_sent():
    """The first 42 bytes of each frame of a ping of 3,000 bytes, as captured."""
    message = Icmp(type=8, rest=77 << 16 | 1, data=b"z" * 3000)
    packet = IPv4(src=LEFT, dst=RIGHT, identification=0x8E5E, payload=message)
    frames = [Ethernet(dst=B, src=A, payload=piece) for piece in cut(packet, 1500)]
    assert [(frame.size, frame.encode()[:42].hex()) for frame in frames] == [
        (1514, "02000000000b02000000000a0800450005dc8e5e20004001b2be0a0100010a0100020800520c004d0001"),
        (1514, "02000000000b02000000000a0800450005dc8e5e20b94001b2050a0100010a0100027a7a7a7a7a7a7a7a"),
        (82, "02000000000b02000000000a0800450000448e5e01724001d6e40a0100010a0100027a7a7a7a7a7a7a7a"),
    ]
    assert [frame.what for frame in frames] == [
        "IP 10.1.0.1 > 10.1.0.2: ICMP echo request, id 77, seq 1, length 1480",
        *["IP 10.1.0.1 > 10.1.0.2: icmp"] * 2,
    ]


def test_pieces_come_in_any_order_and_not_too_late():
    packet = IPv4(
        src=LEFT, dst=RIGHT, identification=7, payload=Udp(source_port=1, destination_port=2, data=b"y" * 4000)
    )
    first, second, third = cut(packet, 1500)
    pieces = Pieces()
    assert [pieces.take(piece, 0) for piece in (third, first)] == [None, None]
    whole = pieces.take(second, 1)
    assert whole is not None
    assert whole.payload == packet.payload
    assert [pieces.take(piece, at) for piece, at in ((first, 0), (second, 1), (third, 40_000_000_000))] == [None] * 3
    assert [piece.what for piece in (first, second)] == [
        "IP 10.1.0.1.1 > 10.1.0.2.2: UDP, length 4000",
        "IP 10.1.0.1 > 10.1.0.2: udp",
    ]
