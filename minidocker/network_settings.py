"""What Docker's API tells of networks: ``NetworkSettings`` of a container, and a network's own document (API 1.45).

The ids are made of names, so that two runs tell the same.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from minidocker.container import Container
    from minidocker.network import Endpoint

#: The networks that there are from the start, and their drivers.
DRIVERS: Final = {"bridge": "bridge", "host": "host", "none": "null"}

_BRIDGE_OPTIONS: Final = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.name": "docker0",
    "com.docker.network.driver.mtu": "1500",
}


def id_of(*names: str) -> str:
    """Return 64 hexadecimal digits that are made of names."""
    return hashlib.sha256(" ".join(names).encode()).hexdigest()


def of_container(
    container: "Container", network: str, endpoint: "Endpoint | None", gateway: str, prefix: int
) -> dict[str, Any]:
    """Return ``NetworkSettings``. ``network`` is empty for one that shares another's network."""
    told = _of_endpoint(container, network, endpoint, gateway, prefix)
    sandbox = id_of("sandbox", container.id) if container.pid else ""
    settings = {
        "Bridge": "",
        "SandboxID": sandbox,
        "SandboxKey": f"/proc/{container.pid}/ns/net" if container.pid else "",
        "Ports": {},
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **told,
    }
    own = {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": None,
        "NetworkID": id_of("network", network),
        **told,
        "DriverOpts": None,
        "DNSNames": None,
    }
    return settings | {"Networks": {network: own} if network else {}}


def _of_endpoint(
    container: "Container", network: str, endpoint: "Endpoint | None", gateway: str, prefix: int
) -> dict[str, Any]:
    return {
        "EndpointID": id_of("endpoint", network, container.id) if network and container.pid else "",
        "Gateway": gateway if endpoint else "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": endpoint.address if endpoint else "",
        "IPPrefixLen": prefix if endpoint else 0,
        "IPv6Gateway": "",
        "MacAddress": endpoint.mac if endpoint else "",
    }


def of_network(
    name: str,
    created_ns: int,
    config: Iterable[Mapping[str, str]],
    plugged: Iterable[tuple["Container", "Endpoint | None"]],
    prefix: int,
) -> dict[str, Any]:
    """Return what ``docker network inspect`` shows of a network and of who is on it."""
    made = datetime.fromtimestamp(created_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "Name": name,
        "Id": id_of("network", name),
        "Created": f"{made}.{created_ns % 10**9:09d}Z",
        "Scope": "local",
        "Driver": DRIVERS[name],
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": list(config) or None},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            container.id: {
                "Name": container.name,
                "EndpointID": id_of("endpoint", name, container.id),
                "MacAddress": endpoint.mac if endpoint else "",
                "IPv4Address": f"{endpoint.address}/{prefix}" if endpoint else "",
                "IPv6Address": "",
            }
            for container, endpoint in plugged
        },
        "Options": dict(_BRIDGE_OPTIONS) if name == "bridge" else {},
        "Labels": {},
    }
