"""ifconfig: the links that are up, with their addresses and what has passed them. It only looks; ip changes."""

from typing import Final

from minidocker.netlink import Address, Link
from minidocker.programs import addresses, stdio
from minidocker.programs.options import Usage, refuse
from minidocker.system import System

_FLAGS: Final = {
    "UP": "UP",
    "BROADCAST": "BROADCAST",
    "LOOPBACK": "LOOPBACK",
    "LOWER_UP": "RUNNING",
    "MULTICAST": "MULTICAST",
}
_INDENT: Final = " " * 10


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Show the links that are up; with ``-a`` all, with a name that one."""
    everything = argv[1:2] == ["-a"]
    names = argv[2:] if everything else argv[1:]
    if len(names) > 1:
        return await refuse(k, "ifconfig", Usage(), "[-a] [IFACE]")
    links = sorted(await k.getlink(), key=lambda link: link.name)
    if names and names[0] not in {link.name for link in links}:
        await stdio.complain(k, f"ifconfig: {names[0]}: error fetching interface information: Device not found")
        return 1
    told = await k.getaddr()
    output = stdio.Output(k)
    for link in links:
        if link.name in names or (not names and (everything or "UP" in link.flags)):
            await output.write(_block(link, next((address for address in told if address.link == link.name), None)))
    await output.flush()
    return 0


def _block(link: Link, address: Address | None) -> str:
    loopback = link.kind == "loopback"
    hardware = "Local Loopback  " if loopback else f"Ethernet  HWaddr {link.address.upper()}  "
    flags = " ".join(word for flag, word in _FLAGS.items() if flag in link.flags)
    lines = [
        *([_inet(address, loopback=loopback)] if address else []),
        f"{flags}  MTU:{link.mtu}  Metric:1",
        f"RX packets:{link.rx_packets} errors:0 dropped:0 overruns:0 frame:0",
        f"TX packets:{link.tx_packets} errors:0 dropped:0 overruns:0 carrier:0",
        "collisions:0 txqueuelen:1000 ",
        f"RX bytes:{link.rx_bytes} ({_scaled(link.rx_bytes)})  TX bytes:{link.tx_bytes} ({_scaled(link.tx_bytes)})",
    ]
    return f"{link.name:<9} Link encap:{hardware}\n" + "".join(f"{_INDENT}{line}\n" for line in lines) + "\n"


def _inet(address: Address, *, loopback: bool) -> str:
    ip, _, length = address.address.partition("/")
    broadcast = "" if loopback else f"  Bcast:{address.broadcast or addresses.to_address(0)}"
    return f"inet addr:{ip}{broadcast}  Mask:{addresses.to_address(addresses.mask_of(int(length)))}"


def _scaled(count: int) -> str:
    """Return a count of bytes as busybox does: 290.0 B, 1.2 KiB."""
    tenths, unit = 0, ""
    for bigger in ("Ki", "Mi", "Gi", "Ti"):
        if count < 1024:
            break
        tenths, count, unit = count % 1024 * 10 // 1024, count // 1024, bigger
    return f"{count}.{tenths} {unit}B"
