"""What ``docker run`` says of a container's host: flags that become a HostConfig, a group of them for each subject."""

from typing import Final

from minidocker.client.flags import Flag, Parsed
from minidocker.host_config import HostConfig

#: What it shares with others, and what it is called (namespaces).
_NAMESPACES: Final = (Flag(name="hostname", short="h", takes="string"),)

#: What it may do.
_RIGHTS: Final = ()

#: How much it may use (control groups).
_RESOURCES: Final = ()

#: How it is reached.
_NETWORK: Final = ()

FLAGS: Final[tuple[Flag, ...]] = (*_NAMESPACES, *_RIGHTS, *_RESOURCES, *_NETWORK)


def of(parsed: Parsed) -> HostConfig:
    """Return what the flags say."""
    return HostConfig(hostname=parsed.last("hostname"))
