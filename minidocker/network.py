"""Network: which network a container is on, with which address, and how it is plugged in (docker run --network).

On ``bridge``, the default, a veth pair is a container's cable: one end is ``eth0`` in its network namespace, the other
a port of the bridge ``docker0`` in the lab's own. On ``none`` there is nothing but ``lo``, and ``host`` and
``container:NAME`` have a namespace that is another's, in which there is nothing left to do. The host of the lab is a
namespace of its own too: whatever network the machine has is out of reach from it.

The requests are those that moby's libnetwork makes (drivers/bridge, osl), in its order, with one saved: the far end is
made in the container's namespace at once, not moved there.
"""

import errno
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from minidocker import cable, container_files, network_settings
from minidocker.errors import NoSuchNetwork, ServerError
from minidocker.host_config import HostConfig
from minidocker.linux import errno_name, strerror
from minidocker.namespaces import other

if TYPE_CHECKING:
    from minidocker.container import Container
    from minidocker.engine import Engine

BRIDGE: Final = "docker0"
#: The default bridge's network (dockerd --bip).
NETWORK, PREFIX, GATEWAY = "172.17.0.0/16", 16, "172.17.0.1"
BROADCAST: Final = "172.17.255.255"
_FIRST, _LAST = 2, (1 << (32 - PREFIX)) - 2
_BASE: Final = 172 << 24 | 17 << 16

#: How many digits Docker gives a cable's name.
_DIGITS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a container is plugged in: the host part of its address, and the name of the cable's near end."""

    number: int
    veth: str

    @property
    def address(self) -> str:
        """The address, without its prefix."""
        return ".".join(map(str, (_BASE | self.number).to_bytes(4, "big")))

    @property
    def mac(self) -> str:
        """The hardware address, made of the address (moby, netutils.GenerateMACFromIP)."""
        return "02:42:" + (_BASE | self.number).to_bytes(4, "big").hex(":")


class Network:
    """The networks of one engine. Until the first container needs it there is no bridge."""

    def __init__(self, engine: "Engine") -> None:
        """Begin with nobody plugged in."""
        self._engine = engine
        self._kernel = engine.kernel
        self._endpoints: dict[str, Endpoint] = {}
        self._cables: dict[str, tuple[str, int | None]] = {}
        """Of who is, or may be, plugged in: the near end of the cable, and what holds the namespace of its far end."""
        self._plugged: dict[str, int] = {}
        """How often each container was plugged in before, by its id."""
        self._has_bridge = False
        self._created_ns = engine.now_ns()

    # what a container gets

    def named(self, config: HostConfig) -> HostConfig:
        """Return a configuration with the host name that comes with a network: the host's, or another container's."""
        if config.network_mode == "host" and not config.hostname and config.uts_mode != "host":
            return replace(config, hostname=self._kernel.gethostname())
        if name := other(config.network_mode):
            whose = self._engine.find(name)
            return replace(config, hostname=whose.hostname, domainname=whose.host_config.domainname)
        return config

    def check(self, container: "Container") -> None:
        """Refuse a network that there is not (NoSuchNetwork)."""
        mode = mode_of(container)
        if mode not in ("bridge", "none", "host") and not other(mode):
            raise NoSuchNetwork(mode)

    def prepare(self, container: "Container") -> None:
        """Choose the address of a container that is about to start, and write the files that tell it of its network."""
        mode = mode_of(container)
        if mode == "bridge":
            self._endpoints[container.id] = endpoint = self._endpoint(container)
            container_files.write(self._kernel, container, endpoint.address)
        elif not other(mode):
            container_files.write(self._kernel, container)

    def attach(self, container: "Container") -> None:
        """Plug in a container whose first task is there, and does not yet run its program."""
        mode = mode_of(container)
        if mode == "bridge":
            self._on_bridge(container, self._endpoints[container.id])
        elif mode == "none":
            self._told(
                container, "no network but its own loopback", "A network namespace begins with lo, switched off."
            )
            self._kernel.together(cable.switch_loopback_on, container.pid, self._in_first(container))

    def detach(self, container: "Container") -> tuple[str, int | None] | None:
        """Take back the address, and return the cable that is to be pulled (:func:`minidocker.cable.pull`), if any."""
        self._endpoints.pop(container.id, None)
        return self._cables.pop(container.id, None)

    def forget(self, container: "Container") -> None:
        """Remember nothing of a container that is removed."""
        self._plugged.pop(container.id, None)

    # inside

    def _on_bridge(self, container: "Container", endpoint: Endpoint) -> None:
        try:
            if not self._has_bridge:
                self._make_bridge()
            self._told(
                container,
                f"the bridge, as {endpoint.address}",
                "A veth pair is a cable: one end becomes a port of the bridge, the other eth0 in the container.",
            )
            address, first = f"{endpoint.address}/{PREFIX}", self._in_first(container)
            self._cables[container.id] = endpoint.veth, None
            held = self._kernel.together(
                cable.lay, container.pid, endpoint.veth, BRIDGE, endpoint.mac, address, BROADCAST, GATEWAY, first
            )
            self._cables[container.id] = endpoint.veth, held
        except OSError as error:
            raise _failed(container, error) from error

    def _in_first(self, container: "Container") -> bool:
        """Is the first user namespace the container's own?"""
        return not (self._engine.rootless or container.remapped)

    def _make_bridge(self) -> None:
        self._engine.monitor.operation(
            f"make the bridge {BRIDGE}",
            "The first container needs it. A bridge is a switch: it passes a frame on to the port behind which its "
            "receiver was last heard. With an address it is also a link of the host's own.",
            ref="docker network driver bridge",
        )
        mac = Endpoint(number=1, veth="").mac
        self._kernel.together(cable.make_bridge, BRIDGE, mac, f"{GATEWAY}/{PREFIX}", BROADCAST)
        self._has_bridge = True

    def _endpoint(self, container: "Container") -> Endpoint:
        """Return the lowest address that nobody has."""
        taken = {endpoint.number for endpoint in self._endpoints.values()}
        number = next((number for number in range(_FIRST, _LAST + 1) if number not in taken), None)
        if number is None:
            raise ServerError(
                f"failed to create endpoint {container.name} on network bridge: "
                "no available IPv4 addresses on this network's address pools: bridge"
            )
        return Endpoint(number=number, veth=f"veth{self._cable(container)}")

    def _cable(self, container: "Container") -> str:
        """Return seven digits of a container's id, others each time it starts.

        Linux may still be busy with the last cable: it takes down a network namespace when nobody waits for it.
        """
        times = self._plugged[container.id] = self._plugged.get(container.id, -1) + 1
        first = times * _DIGITS % (len(container.id) - _DIGITS)
        return container.id[first : first + _DIGITS]

    def _told(self, container: "Container", what: str, why: str) -> None:
        self._engine.monitor.operation(f"give {container.name} {what}", why, ref="docker run --network")

    # what is told of it

    def settings(self, container: "Container") -> dict[str, Any]:
        """Return ``NetworkSettings`` as docker inspect has it."""
        mode = mode_of(container)
        endpoint = self._endpoints.get(container.id)
        return network_settings.of_container(container, "" if other(mode) else mode, endpoint, GATEWAY, PREFIX)

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what ``docker network inspect`` shows (NoSuchNetwork): a name, or the beginning of an id."""
        ids = {one: network_settings.id_of("network", one) for one in network_settings.DRIVERS}
        found = [one for one, its_id in ids.items() if name == one or (name and its_id.startswith(name))]
        if not found:
            raise NoSuchNetwork(name)
        plugged = [
            (container, self._endpoints.get(container.id))
            for container in self._engine.containers.values()
            if container.pid and mode_of(container) == found[0]
        ]
        config = [{"Subnet": NETWORK, "Gateway": GATEWAY}] if found[0] == "bridge" else []
        return network_settings.of_network(found[0], self._created_ns, config, plugged, PREFIX)


def mode_of(container: "Container") -> str:
    """Return which network a container is on: ``bridge`` unless another was asked for."""
    mode = container.host_config.network_mode
    return "bridge" if mode in ("", "default") else mode


def _failed(container: "Container", error: OSError) -> ServerError:
    """Return what is said when the kernel refuses; what its error notes is the hint."""
    reason = strerror(error.errno).lower() if error.errno else str(error)
    return ServerError(
        f"failed to create endpoint {container.name} on network bridge: {reason}",
        hint=" ".join(getattr(error, "__notes__", ())) if error.errno == errno.EPROTONOSUPPORT else "",
        errno=errno_name(error.errno),
    )
