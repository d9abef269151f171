"""TCP connections: two streams of bytes that arrive whole and in order, or not at all (RFC 9293, tcp(7), net/ipv4).

One connection is one :class:`Connection`, whatever becomes of its socket: it shakes hands, numbers what it sends, sends
again what is not acknowledged, and says goodbye. What is simpler than in Linux:

- every segment with data is acknowledged at once (Linux does so at a connection's start, later it waits a little);
- the window is the receiver's alone: no congestion control, since no link here is ever full;
- a segment that comes out of order is dropped, and all from there on is sent again (go-back-N);
- a window that was closed and opens again is told once; nobody probes it;
- options: the largest segment (MSS) only, so that a window is 65535 bytes at most. Urgent data is not there.
"""

import errno
from collections import deque
from typing import TYPE_CHECKING, Final
from zlib import crc32

from minidocker.linux import fail
from minidocker.sim.net.address import ANY
from minidocker.sim.net.ipv4 import HEADER as IP_HEADER
from minidocker.sim.net.ipv4 import TTL, IPv4
from minidocker.sim.net.ports import NOWHERE, Address
from minidocker.sim.net.tcp import ACK, FIN, PSH, RST, SYN, Tcp
from minidocker.sim.net.tcp import HEADER as TCP_HEADER
from minidocker.sim.task import WaitQueue

if TYPE_CHECKING:
    from minidocker.sim.net.namespace import NetNamespace
    from minidocker.sim.scheduler import Timer

#: How many bytes wait to be read, and to be acknowledged. Linux lets both grow; these are where it stands early on.
RECEIVE_BUFFER, SEND_BUFFER = 131_072, 1 << 19
#: The largest window that 16 bits can tell.
WINDOW: Final = 65535
SECOND_NS: Final = 1_000_000_000
#: How long until something is sent again: a SYN (tcp_syn_retries and tcp_syn_linear_timeouts, then it is given up), a
#: SYN's answer (tcp_synack_retries), anything else (tcp_retries2: from 200 ms on, doubled up to two minutes).
SYN_NS: Final = tuple(seconds * SECOND_NS for seconds in (1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64))
SYN_ACK_NS: Final = tuple((1 << n) * SECOND_NS for n in range(6))
DATA_NS: Final = tuple(min(SECOND_NS // 5 << n, 120 * SECOND_NS) for n in range(16))
#: How long a connection that ended is remembered, so that stray segments of it do no harm (TCP_TIMEWAIT_LEN).
TIME_WAIT_NS: Final = 60 * SECOND_NS
_MODULUS: Final = 1 << 32
#: The states in which data can be sent, and in which it can come.
_SENDING: Final = ("ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "CLOSING", "LAST_ACK")
_RECEIVING: Final = ("ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2")


def _after(one: int, other: int) -> int:
    """Return how far one sequence number lies after another; negative if before (they wrap)."""
    return (one - other + (_MODULUS >> 1)) % _MODULUS - (_MODULUS >> 1)


class Connection:
    """One end of a connection, or who listens for them (Linux's struct tcp_sock).

    ``local``, ``remote`` are its ends; ``outgoing`` has what was written and not yet acknowledged, from ``una`` on, and
    ``incoming`` what came and was not yet read.
    """

    __slots__ = (
        "_advertised", "_retries", "_timer", "accepted", "backlog", "bound", "changed", "end_of_stream", "error",
        "fin_wanted", "has_port", "incoming", "iss", "listener", "local", "mss", "namespace", "nxt", "orphan",
        "outgoing", "owner", "rcv", "remote", "reuse", "state", "ttl", "una", "until_ns", "window",
    )  # fmt: skip

    def __init__(self, namespace: "NetNamespace") -> None:
        """Start as nothing: CLOSE."""
        self.namespace = namespace
        self.state = "CLOSE"
        self.local: Address = NOWHERE
        self.remote: Address = NOWHERE
        self.reuse = False
        self.bound = self.has_port = False
        """Was its port chosen by bind? Then it stays its own until it is closed. Is the port its own now?"""
        self.ttl = TTL
        self.changed = WaitQueue()
        self.error = 0
        self.owner = (0, 0)
        """Whose socket it has, and which: user and inode number; 0 where it has none."""
        self.orphan = False
        """Has nobody a descriptor of it any more?"""
        self.outgoing = bytearray()
        self.incoming = bytearray()
        self.iss = self.una = self.nxt = 0
        """The first number of what is sent, the first that is not acknowledged, the next to be sent."""
        self.rcv = 0
        """The next number that is expected."""
        self.window = 0
        self.mss = 536
        self.fin_wanted = False
        """Is the end of what is sent to be told, after all that was written?"""
        self.end_of_stream = False
        """Did the other end say that nothing more will come?"""
        self.listener: Connection | None = None
        self.accepted: deque[Connection] = deque()
        self.backlog = 0
        self.until_ns = 0
        self._advertised = 0
        self._timer: Timer | None = None
        self._retries = 0

    @property
    def exclusive(self) -> bool:
        """Does it listen?"""
        return self.state == "LISTEN"

    @property
    def key(self) -> tuple[Address, Address]:
        """Both ends: what tells it from all others."""
        return self.local, self.remote

    # opening

    def open(self, address: Address) -> None:
        """Begin to connect: send a SYN (tcp_v4_connect). ENETUNREACH; EADDRNOTAVAIL if no port is free."""
        ip = self.namespace.ip
        ip.tcp.tidy()
        route = ip.route(address[0])
        if route.kind == "broadcast":
            fail(errno.ENETUNREACH)
        source = self.local[0] if self.local[0] != ANY else self.namespace.source_for(route, address[0])
        if not self.has_port:
            self._any_port(source)
        else:
            self.local = source, self.local[1]
        self.remote = address
        if self.key in ip.tcp.connections:
            fail(errno.EADDRNOTAVAIL)
        self.state = "SYN_SENT"
        ip.tcp.connections[self.key] = self
        self._number()
        self._send_syn(SYN)

    def _any_port(self, source: str) -> None:
        try:
            self.namespace.ip.tcp.ports.bind(self, source, 0)
        except OSError:
            fail(errno.EADDRNOTAVAIL)

    def _number(self) -> None:
        """Choose where the numbering begins: by the time and by the ends, so that no two are alike (RFC 6528)."""
        ends = f"{self.local} {self.remote}".encode()
        self.iss = (crc32(ends) + (self.namespace.now_ns() >> 6)) % _MODULUS
        self.una, self.nxt = self.iss, (self.iss + 1) % _MODULUS

    def answer(self, listener: "Connection", segment: Tcp) -> None:
        """Be the other end of a connection that somebody begins, and answer with a SYN of one's own (SYN_RECV)."""
        self.listener, self.reuse, self.ttl = listener, listener.reuse, listener.ttl
        self.state = "SYN_RECV"
        self._meet(segment)
        self._number()
        self._send_syn(SYN | ACK)

    def _meet(self, segment: Tcp) -> None:
        """Learn from a SYN where the other end's numbering begins and how large its segments may be."""
        self.rcv = (segment.seq + 1) % _MODULUS
        self._advertised = (self.rcv + self._first_window()) % _MODULUS
        self.window = segment.window
        self.mss = min(segment.mss or 536, self._largest())

    def _largest(self) -> int:
        """Return how large segments from the other end may be: what its link leaves after the headers."""
        route = self.namespace.routes.lookup(self.remote[0])
        link = self.namespace.loopback if route is None or route.kind == "local" else route.link
        return min(link.mtu - IP_HEADER - TCP_HEADER, WINDOW - IP_HEADER - TCP_HEADER)

    def _send_syn(self, flags: int) -> None:
        self._arm()
        self._segment(flags, seq=self.iss, mss=self._largest(), window=self._first_window())

    def _first_window(self) -> int:
        """Return what a SYN says of the window: as many whole segments as 16 bits can tell."""
        mss = self._largest()
        return WINDOW // mss * mss

    # sending

    def write(self, data: bytes) -> int:
        """Take what there is room for, send what may be sent, and return how many bytes were taken."""
        room = SEND_BUFFER - len(self.outgoing)
        if room <= 0:
            return 0
        self.outgoing += data[:room]
        self._push()
        return min(room, len(data))

    def close_stream(self) -> None:
        """Say that nothing more will be sent, once all that was written is (shutdown(2), SHUT_WR)."""
        after = {"ESTABLISHED": "FIN_WAIT1", "SYN_RECV": "FIN_WAIT1", "CLOSE_WAIT": "LAST_ACK"}
        if self.state in after:
            self.state = after[self.state]
            self.fin_wanted = True
            self._push()

    def _push(self) -> None:
        """Send as much as the other end's window allows, then the FIN if there is to be one."""
        while self.state in _SENDING:
            sent = _after(self.nxt, self.una)
            left = len(self.outgoing) - sent
            size = min(left, self.mss, self.window - sent)
            last = self.fin_wanted and size == left >= 0
            if (size <= 0 and not last) or (sent and size < min(left, self.mss)):
                return
            data = bytes(self.outgoing[sent : sent + size])
            flags = ACK | (PSH if data and size == left else 0) | (FIN if last else 0)
            at, self.nxt = self.nxt, (self.nxt + size + last) % _MODULUS
            if self._timer is None:
                self._arm()
            self._segment(flags, data, seq=at)

    def _segment(self, flags: int, data: bytes = b"", *, seq: int = -1, mss: int = 0, window: int = -1) -> None:
        """Send one segment. If there is no way just now it is lost, and sent again by the timer."""
        if flags & ACK and window < 0:
            window = self._open_window()
            self._advertised = (self.rcv + window) % _MODULUS
        segment = Tcp(
            source_port=self.local[1], destination_port=self.remote[1], seq=self.nxt if seq < 0 else seq,
            ack=self.rcv if flags & ACK else 0, flags=flags, window=max(window, 0), mss=mss, data=data,
        )  # fmt: skip
        ip = self.namespace.ip
        ip.try_send(IPv4(
            src=self.local[0], dst=self.remote[0], payload=segment, ttl=self.ttl, identification=ip.next_id()
        ))  # fmt: skip

    def _open_window(self) -> int:
        """Return how much the other end may send: never less than it was told, nor a silly little (RFC 9293, 3.8.6)."""
        free = min(RECEIVE_BUFFER - len(self.incoming), WINDOW)
        told = max(_after(self._advertised, self.rcv), 0)
        return max(free if free >= self.mss else 0, told)

    def _acknowledge(self) -> None:
        self._segment(ACK)

    # sending again

    def _arm(self) -> None:
        """See in a while whether what was sent is acknowledged."""
        self._disarm()
        waits = {"SYN_SENT": SYN_NS, "SYN_RECV": SYN_ACK_NS}.get(self.state, DATA_NS)
        at_ns = self.namespace.now_ns() + waits[min(self._retries, len(waits) - 1)]
        self._timer = self.namespace.kernel.scheduler.call_at(at_ns, self._timeout)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timeout(self) -> None:
        """Send again, or give up: ETIMEDOUT."""
        self._timer = None
        self._retries += 1
        waits = {"SYN_SENT": SYN_NS, "SYN_RECV": SYN_ACK_NS}.get(self.state, DATA_NS)
        if self._retries >= len(waits):
            self.fail(errno.ETIMEDOUT)
        elif self.state == "SYN_SENT":
            self._send_syn(SYN)
        elif self.state == "SYN_RECV":
            self._send_syn(SYN | ACK)
        else:
            self._again()

    def fit(self, mtu: int) -> None:
        """Send smaller segments from now on: a router on the way says that a link there takes no larger packets."""
        smaller = mtu - IP_HEADER - TCP_HEADER
        if 0 < smaller < self.mss and self.state in _SENDING:
            self.mss = smaller
            self._again()

    def _again(self) -> None:
        """Send all again that is not acknowledged."""
        self.nxt = self.una
        self._arm()
        self._push()

    # receiving

    def receive(self, segment: Tcp) -> None:
        """Take a segment (tcp_rcv_state_process)."""
        if self.state == "SYN_SENT":
            self._receive_answer(segment)
        elif segment.flags & RST:
            if 0 <= _after(segment.seq, self.rcv) <= WINDOW:
                self._reset()
        elif segment.flags & SYN:
            self._receive_syn_again()
        elif segment.flags & ACK and (self.state != "SYN_RECV" or self._established(segment)):
            self._receive(segment)

    def _receive_answer(self, segment: Tcp) -> None:
        """Take the answer to our SYN: a SYN that acknowledges it, or a refusal."""
        if segment.flags & ACK and segment.ack != self.nxt:
            if not segment.flags & RST:
                self._segment(RST, seq=segment.ack)
            return
        if segment.flags & RST:
            if segment.flags & ACK:
                self.fail(errno.ECONNREFUSED)
        elif segment.flags & SYN and segment.flags & ACK:
            self._meet(segment)
            self._settle()
            self.state = "ESTABLISHED"
            self._acknowledge()
            self.changed.wake()

    def _receive_syn_again(self) -> None:
        """Take a SYN for a connection that is there: its answer was lost, or it is a stray one (a challenge ACK)."""
        if self.state == "SYN_RECV":
            self._send_syn(SYN | ACK)
        else:
            self._acknowledge()

    def _established(self, segment: Tcp) -> bool:
        """Take the last step of the handshake; False if it is none, or if nobody can be told of the connection now."""
        listener = self.listener
        if segment.ack != self.nxt or listener is None or len(listener.accepted) > listener.backlog:
            return False
        self._settle()
        self.state = "ESTABLISHED"
        listener.accepted.append(self)
        listener.changed.wake()
        return True

    def _settle(self) -> None:
        """Have all acknowledged that was sent."""
        self.una = self.nxt
        self._retries = 0
        self._disarm()

    def _receive(self, segment: Tcp) -> None:
        """Take a segment of a connection that stands: what it acknowledges, what it brings, and whether it ends."""
        early = -_after(segment.seq, self.rcv)
        self._receive_ack(segment)
        if early < 0 or (segment.length and early >= segment.length):
            self._acknowledge()  # from beyond a gap, or once more what we have
            return
        data, fin = segment.data[early:], bool(segment.flags & FIN)
        if data and (self.orphan or self.state not in _RECEIVING):
            self._segment(RST, seq=segment.ack)  # nobody will ever read it
            self.fail(0)
            return
        room = max(_after(self._advertised, self.rcv), 0)
        taken = data[:room]
        self.incoming += taken
        self.rcv = (self.rcv + len(taken)) % _MODULUS
        if fin and len(taken) == len(data):
            self._receive_fin()
        if segment.length:
            self._acknowledge()
            self.changed.wake()
        self._push()

    def _receive_ack(self, segment: Tcp) -> None:
        """Forget what the other end has, and take note of its window."""
        if _after(segment.ack, self.una) < 0:
            return
        self.window = segment.window
        acked = min(_after(segment.ack, self.una), _after(self.nxt, self.una))
        if not acked:
            return
        del self.outgoing[: min(acked, len(self.outgoing))]
        self.una = (self.una + acked) % _MODULUS
        self._retries = 0
        self._disarm()
        if self.una != self.nxt:
            self._arm()
        elif self.fin_wanted and not self.outgoing:
            self._fin_acknowledged()
        self.namespace.ip.confirm(self.remote[0])
        self.changed.wake()

    def _fin_acknowledged(self) -> None:
        if self.state == "FIN_WAIT1":
            self.state = "FIN_WAIT2"
            self.namespace.ip.tcp.remember(self)
        elif self.state == "CLOSING":
            self._time_wait()
        elif self.state == "LAST_ACK":
            self._end()

    def _receive_fin(self) -> None:
        self.rcv = (self.rcv + 1) % _MODULUS
        self.end_of_stream = True
        if self.state == "ESTABLISHED":
            self.state = "CLOSE_WAIT"
        elif self.state == "FIN_WAIT1":
            self.state = "CLOSING"
        elif self.state == "FIN_WAIT2":
            self._time_wait()

    def read(self, n: int) -> bytes:
        """Give what came, and tell the other end if that makes its window much larger (tcp_cleanup_rbuf)."""
        data = bytes(self.incoming[:n])
        del self.incoming[:n]
        told = max(_after(self._advertised, self.rcv), 0)
        if self.state in _RECEIVING and told <= WINDOW // 2 and self._open_window() >= max(2 * told, 1):
            self._acknowledge()
        return data

    # the end

    def _reset(self) -> None:
        """Take the other end's word that there is no connection (tcp_reset)."""
        listener = self.listener
        if self.state == "SYN_RECV" and listener is not None:
            self.fail(0)
            return
        self.fail(errno.EPIPE if self.state == "CLOSE_WAIT" else 0 if self.state == "TIME_WAIT" else errno.ECONNRESET)

    def fail(self, error: int) -> None:
        """End at once; whoever has the socket is told why."""
        self.error = error
        self.outgoing.clear()
        self._end()

    def _time_wait(self) -> None:
        """Stay for a minute, to answer what is sent once more."""
        self._disarm()
        self.state = "TIME_WAIT"
        self.namespace.ip.tcp.remember(self)
        self.changed.wake()

    def _end(self) -> None:
        """Be no connection any more: the ends are free."""
        self._disarm()
        self.state = "CLOSE"
        self.namespace.ip.tcp.forget(self)
        self.changed.wake()

    def listen(self, backlog: int) -> None:
        """Take connections: beyond the backlog, and one, they have to wait outside."""
        self.backlog = backlog
        self.state = "LISTEN"

    def abandon(self) -> None:
        """Go on without a socket: say goodbye if all was read, break off if not (tcp_close)."""
        self.orphan, self.owner = True, (0, 0)
        if self.state == "LISTEN":
            self.stop_listening()
        elif self.state in ("SYN_SENT", "CLOSE"):
            self._end()
        elif self.incoming and self.state != "TIME_WAIT":
            self.break_off()
        else:
            self.close_stream()
            if self.state == "FIN_WAIT2":
                self.namespace.ip.tcp.remember(self)

    def stop_listening(self) -> None:
        """Break off the connections that nobody accepted, and those that were beginning."""
        waiting, self.accepted = self.accepted, deque()
        tcp = self.namespace.ip.tcp
        beginning = [one for one in tcp.connections.values() if one.listener is self and one.state == "SYN_RECV"]
        for one in waiting:
            one.break_off()
        for one in beginning:
            one.fail(0)
        self._end()

    def break_off(self) -> None:
        """Tell the other end that there is no connection any more."""
        if self.state in _SENDING or self.state in _RECEIVING:
            self._segment(RST | ACK)
        self.fail(0)
