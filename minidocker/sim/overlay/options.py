"""The mount options of overlayfs, and what each refusal is."""

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from minidocker.linux import fail, strerror

if TYPE_CHECKING:
    from minidocker.sim.profile import OverlayDefaults

#: How many lower directories there may be (OVL_MAX_STACK).
MAX_LOWERS: Final = 500
#: How many overlays may lie upon each other (FILESYSTEM_MAX_STACK_DEPTH).
MAX_DEPTH: Final = 2

_REDIRECT_MODES: Final = ("on", "follow", "nofollow", "off")
#: Options whose values other than these are Linux's but not modelled.
_MODELLED: Final = {
    "index": ("off",), "xino": ("off",), "metacopy": ("off",), "nfs_export": ("off",), "verity": ("off",),
    "uuid": ("auto", "null", "off"),
}  # fmt: skip
_NOT_MODELLED: Final = ("default_permissions", "datadir+", "override_creds", "nooverride_creds", "fsync")


@dataclass(slots=True, kw_only=True)
class Options:
    """What was asked for. ``lowers``: topmost first."""

    lowers: list[str] = field(default_factory=list)
    upper: str = ""
    work: str = ""
    redirect_dir: str = ""
    volatile: bool = False
    userxattr: bool = False
    usual_redirect: str = ""
    """What redirect_dir is without the option; only something else is shown."""

    @property
    def redirects(self) -> bool:
        """May a directory be renamed by noting where it was (redirect_dir=on)?"""
        return self.redirect_dir == "on"

    @property
    def follows(self) -> bool:
        """Are such notes followed?"""
        return self.redirect_dir in ("on", "follow")

    def shown(self, uuid: str = "") -> list[str]:
        """Return the options as /proc/mounts has them; ``uuid`` if it is not what it usually is."""
        shown = [f"lowerdir={':'.join(self.lowers)}"]
        if self.upper:
            shown += [f"upperdir={self.upper}", f"workdir={self.work}"]
        if self.redirect_dir != self.usual_redirect:
            shown.append(f"redirect_dir={self.redirect_dir}")
        return shown + [f"uuid={uuid}"] * bool(uuid) + ["volatile"] * self.volatile + ["userxattr"] * self.userxattr


def refuse(text: str) -> NoReturn:
    """Raise EINVAL with a text that says why (Linux says it in the kernel's log)."""
    raise OSError(errno.EINVAL, f"{strerror(errno.EINVAL)}: overlay: {text}")


def parse(data: str, defaults: "OverlayDefaults", *, capable: bool = True) -> Options:
    r"""Parse mount(2)'s data. A backslash takes the meaning from ``:`` ``,`` and itself in paths.

    ``capable``: may the mounter use trusted.*? Else what needs such marks is EPERM, unless they are user.* ones.
    """
    options = Options()
    for option in _split(data, ","):
        if option:
            key, _, value = option.partition("=")
            _take(options, key, value)
    if not capable and not options.userxattr and options.redirect_dir not in ("", "nofollow"):
        fail(errno.EPERM)
    _complete(options, defaults, capable=capable)
    return options


def _take(options: Options, key: str, value: str) -> None:
    if key in ("lowerdir", "lowerdir+", "upperdir", "workdir"):
        _take_path(options, key, value)
    elif key == "redirect_dir":
        if value not in _REDIRECT_MODES:
            refuse(f"bad value for 'redirect_dir': {value!r}")
        options.redirect_dir = value
    elif key in ("volatile", "userxattr"):
        setattr(options, key, True)
    elif key in _NOT_MODELLED or (key in _MODELLED and value not in _MODELLED[key]):
        refuse(f"the simulator does not model {key}{'=' if value else ''}{value}")
    elif key not in _MODELLED:
        refuse(f"unknown parameter {key!r}")


def _take_path(options: Options, key: str, value: str) -> None:
    if not value:
        refuse(f"empty {key}")
    if key == "lowerdir":
        options.lowers = [_unescape(path) for path in _split(value, ":")]
        if not all(options.lowers):
            refuse("data-only layers (lowerdir=a::b) are not modelled by the simulator")
    elif key == "lowerdir+":
        options.lowers.append(value)
    elif key == "upperdir":
        options.upper = _unescape(value)
    else:
        options.work = _unescape(value)


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that have no backslash before them; backslashes stay."""
    parts, part, escaped = [], "", False
    for letter in text:
        if letter == separator and not escaped:
            parts.append(part)
            part = ""
            continue
        part += letter
        escaped = letter == "\\" and not escaped
    return [*parts, part]


def _unescape(path: str) -> str:
    clean, escaped = "", False
    for letter in path:
        escaped = letter == "\\" and not escaped
        if not escaped:
            clean += letter
    return clean


def _complete(options: Options, defaults: "OverlayDefaults", *, capable: bool) -> None:
    """Check that the options fit together, and settle redirect_dir."""
    if not options.lowers:
        refuse("missing 'lowerdir'")
    if len(options.lowers) > MAX_LOWERS:
        refuse(f"too many lower directories, limit is {MAX_LOWERS}")
    off_follows = options.redirect_dir == "off" and defaults.redirect_always_follow
    if options.userxattr and (options.redirect_dir in ("on", "follow") or off_follows):
        refuse("conflicting options: userxattr,redirect_dir")
    if not options.upper:
        options.work, options.volatile = "", False
        if len(options.lowers) == 1:
            refuse("at least 2 lowerdir are needed while upperdir nonexistent")
    elif not options.work:
        refuse("missing 'workdir'")
    off = "follow" if defaults.redirect_always_follow else "nofollow"
    options.usual_redirect = off if defaults.redirect_dir == "off" else defaults.redirect_dir
    chosen = options.redirect_dir or options.usual_redirect
    if options.userxattr or not capable:
        chosen = "nofollow"
    options.redirect_dir = off if chosen == "off" else chosen
