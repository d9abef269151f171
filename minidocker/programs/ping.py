"""ping: send ICMP echo requests, and tell of each answer how long it took. The words are busybox's."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from minidocker.linux import AF_INET, IPPROTO_ICMP, SIGINT, SO_RCVTIMEO, SOCK_RAW, SOL_SOCKET
from minidocker.programs import addresses, stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System

_ECHO_REPLY: Final = 0
_ECHO_REQUEST: Final = 8
_HEADER: Final = 8
_MOST: Final = 0xFFFF

#: What other messages are called (busybox, icmp_type_name).
_TYPES: Final = {
    3: "Destination Unreachable", 4: "Source Quench", 5: "Redirect (change route)", 11: "Time Exceeded",
    12: "Parameter Problem",
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class _Ping:
    """One ping: what was asked, and how it went. Times in microseconds."""

    k: System
    host: str
    address: str
    count: int
    size: int
    interval_ms: int
    timeout_ms: int
    quiet: bool
    id: int
    fd: int = -1
    waits_ms: int = -1
    stopped: bool = False
    sent: dict[int, int] = field(default_factory=dict)
    """Sequence number → when it was sent, in nanoseconds."""
    took_us: list[int] = field(default_factory=list)

    async def run(self) -> int:
        """Send and receive until all have come back, or the time is over, or somebody interrupts."""
        while not self.stopped:
            await self._send(len(self.sent))
            last = 0 < self.count <= len(self.sent)
            await self._receive(self._last_ms() if last else self.interval_ms)
            if last or self._done():
                break
        await self._statistics()
        return 0 if self.took_us else 1

    def stop(self, _signal: int) -> None:
        """Have it end: somebody pressed Ctrl-C."""
        self.stopped = True

    def _done(self) -> bool:
        return 0 < self.count <= len(self.took_us)

    def _last_ms(self) -> int:
        """Return how long to wait when no more is sent: a second if answers come, else as long as was asked."""
        return 1000 if self.took_us else self.timeout_ms

    async def _send(self, sequence: int) -> None:
        self.sent[sequence] = await self.k.time_ns()
        await self.k.sendto(self.fd, _request(self.id, sequence, self.size), (self.address, 0))

    async def _receive(self, wait_ms: int) -> None:
        """Take what comes, for so long."""
        began_ns = self.sent[len(self.sent) - 1]
        await self._wait_at_most(wait_ms)
        while not self.stopped and not self._done():
            try:
                packet, sender = await self.k.recvfrom(self.fd, 4096 + self.size)
            except (BlockingIOError, InterruptedError):
                return
            if not await self._take(packet, sender[0] if sender else ""):
                left_ms = wait_ms - (await self.k.time_ns() - began_ns) // 1_000_000
                await self._wait_at_most(max(1, -(-left_ms // 1000)) * 1000)  # in whole seconds, as alarm(2) has it

    async def _wait_at_most(self, wait_ms: int) -> None:
        if wait_ms != self.waits_ms:
            await self.k.setsockopt(self.fd, SOL_SOCKET, SO_RCVTIMEO, wait_ms)
            self.waits_ms = wait_ms

    async def _take(self, packet: bytes, sender: str) -> bool:
        """Take a packet, and tell whether it was an echo: what is none is said to be strange."""
        message = packet[(packet[0] & 0xF) * 4 :]
        kind, own = message[0], int.from_bytes(message[4:6], "big") == self.id
        if kind == _ECHO_REPLY and own:
            await self._answered(message, sender, ttl=packet[8])
        elif kind not in (_ECHO_REPLY, _ECHO_REQUEST):
            name = _TYPES.get(kind, "unknown ICMP type")
            await stdio.complain(self.k, f"ping: warning: got ICMP {kind} ({name})")
        return kind in (_ECHO_REPLY, _ECHO_REQUEST)

    async def _answered(self, message: bytes, sender: str, ttl: int) -> None:
        sequence = int.from_bytes(message[6:8], "big")
        took_us = (await self.k.time_ns() - self.sent[sequence]) // 1000
        self.took_us.append(took_us)
        if not self.quiet:
            text = f"{len(message)} bytes from {sender}: seq={sequence} ttl={ttl} time={_ms(took_us)} ms\n"
            await stdio.write_all(self.k, stdio.STDOUT, text.encode())

    async def _statistics(self) -> None:
        sent, received = len(self.sent), len(self.took_us)
        lost = 100 * (sent - received) // sent
        text = (
            f"\n--- {self.host} ping statistics ---\n"
            f"{sent} packets transmitted, {received} packets received, {lost}% packet loss\n"
        )
        if self.took_us:
            values = (min(self.took_us), sum(self.took_us) // received, max(self.took_us))
            text += f"round-trip min/avg/max = {'/'.join(map(_ms, values))} ms\n"
        await stdio.write_all(self.k, stdio.STDOUT, text.encode())


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Ping a host."""
    try:
        options = parse(argv, "4c:s:i:W:q", least=1, most=1)
        numbers = _numbers(options)
    except Usage as usage:
        return await refuse(k, "ping", usage, "[-4q] [-c CNT] [-s SIZE] [-i SECS] [-W SEC] HOST")
    except ValueError as wrong:
        await stdio.complain(k, f"ping: {wrong}")
        return 1
    host = options.operands[0]
    address = await addresses.look_up(k, host)
    if address is None:
        await stdio.complain(k, f"ping: bad address '{host}'")
        return 1
    identity = await k.getpid() & 0xFFFF
    ping = _Ping(k=k, host=host, address=address, quiet="q" in options, id=identity, **numbers)
    text = f"PING {host} ({address}): {ping.size} data bytes\n"
    await stdio.write_all(k, stdio.STDOUT, text.encode())
    return await _with_socket(k, ping)


async def _with_socket(k: System, ping: _Ping) -> int:
    """Open the raw socket, which takes CAP_NET_RAW, and go."""
    try:
        ping.fd = await k.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    except PermissionError:
        await stdio.complain(k, "ping: permission denied (are you root?)")
        return 1
    await k.signal(SIGINT, ping.stop)
    try:
        return await ping.run()
    except stdio.WriteError:
        raise
    except OSError as error:
        await stdio.complain(k, f"ping: sendto: {stdio.reason(error)}")
        return 1


def _numbers(options: Options) -> dict[str, Any]:
    """Return the numbers that were given; ValueError, with what to say, for what is none."""
    for letter in "csiW":
        text = options.get(letter, "1")
        if not re.fullmatch(r"\d+(\.\d*)?|\.\d+" if letter == "i" else r"\d+", text, re.ASCII):
            raise ValueError(f"invalid number '{text}'")
    size = int(options.get("s", "56"))
    if size > _MOST:
        raise ValueError(f"number {size} is not in 0..{_MOST} range")
    return {
        "count": int(options.get("c", "0")),
        "size": size,
        "interval_ms": max(1, int(float(options.get("i", "1")) * 1000)),
        "timeout_ms": max(1, int(options.get("W", "10")) * 1000),
    }


def _request(identity: int, sequence: int, size: int) -> bytes:
    """Return an echo request (RFC 792) whose data are zeros."""
    rest = identity.to_bytes(2, "big") + (sequence & 0xFFFF).to_bytes(2, "big") + bytes(size)
    return bytes([_ECHO_REQUEST, 0]) + _checksum(bytes([_ECHO_REQUEST, 0, 0, 0]) + rest) + rest


def _checksum(data: bytes) -> bytes:
    """Return the internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def _ms(us: int) -> str:
    return f"{us // 1000}.{us % 1000:03d}"
