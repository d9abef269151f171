"""What ``docker run`` says of a container's host: flags that become a HostConfig, a group of them for each subject."""

from typing import TYPE_CHECKING, Final

from minidocker.client import resources
from minidocker.client.flags import Flag, Parsed
from minidocker.errors import ClientError
from minidocker.host_config import HostConfig

if TYPE_CHECKING:
    from minidocker.client.docker import ReadFile

#: What it shares with others, and what it is called (namespaces).
_NAMESPACES: Final = (
    Flag(name="hostname", short="h", takes="string"),
    Flag(name="domainname", takes="string"),
    Flag(name="pid", takes="string"),
    Flag(name="ipc", takes="string"),
    Flag(name="uts", takes="string"),
    Flag(name="userns", takes="string"),
    Flag(name="cgroupns", takes="string"),
)

#: What it may do.
_RIGHTS: Final = (
    Flag(name="cap-add", takes="list"),
    Flag(name="cap-drop", takes="list"),
    Flag(name="privileged"),
    Flag(name="read-only"),
    Flag(name="init"),
    Flag(name="security-opt", takes="list"),
    Flag(name="tmpfs", takes="list"),
)

#: How much it may use (control groups).
_RESOURCES: Final = resources.FLAGS

#: How it is reached.
_NETWORK: Final = (Flag(name="network", takes="network"), Flag(name="net", takes="network"))

FLAGS: Final[tuple[Flag, ...]] = (*_NAMESPACES, *_RIGHTS, *_RESOURCES, *_NETWORK)


def of(parsed: Parsed, read_file: "ReadFile") -> HostConfig:
    """Return what the flags say; ClientError for a mode that there cannot be."""
    return HostConfig(
        hostname=parsed.last("hostname"),
        domainname=parsed.last("domainname"),
        pid_mode=_mode(parsed, "pid", "PID", "host", "container:"),
        ipc_mode=parsed.last("ipc"),
        uts_mode=_mode(parsed, "uts", "UTS", "host"),
        userns_mode=_mode(parsed, "userns", "USER", "host"),
        cgroupns_mode=_mode(parsed, "cgroupns", "CGROUP", "host", "private"),
        network_mode=parsed.last("network") or parsed.last("net"),
        cap_add=parsed.all("cap-add"),
        cap_drop=parsed.all("cap-drop"),
        privileged=parsed.has("privileged"),
        security_opt=tuple(_security_opt(word, read_file) for word in parsed.all("security-opt")),
        read_only=parsed.has("read-only"),
        init=parsed.has("init"),
        tmpfs=parsed.all("tmpfs"),
        resources=resources.of(parsed),
    )


def _mode(parsed: Parsed, flag: str, kind: str, *allowed: str) -> str:
    """Return a mode, of which those that end with a colon need a name behind it."""
    mode = parsed.last(flag)
    if not mode or any(mode == word if word[-1] != ":" else mode.startswith(word) and mode != word for word in allowed):
        return mode
    raise ClientError(f"--{flag}: invalid {kind} mode")


def _security_opt(word: str, read_file: "ReadFile") -> str:
    """Return an option as the daemon takes it: a seccomp profile's text in the place of its file's name."""
    name, sign, value = word.partition("=") if "=" in word else word.partition(":")
    if not sign and name != "no-new-privileges":
        raise ClientError(f'Invalid --security-opt: "{word}"')
    if name != "seccomp" or value in ("unconfined", "builtin"):
        return word
    try:
        return f"seccomp={read_file(value).decode()}"
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise ClientError(f"opening seccomp profile ({value}) failed: open {value}: {words}") from error
